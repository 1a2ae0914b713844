//! What happens in a round, drawn from its seed.

use crate::support::jobs::IMAGE;
use crate::support::seed::Seed;
use crate::support::tap::{Call, Side};
use std::time::Duration;

/// Jobs in a round: enough that several are in different states when the node dies.
const JOBS: u64 = 3;

/// The moments at which a node is killed, each as often as the others.
const MOMENTS: [Moment; 14] = [
    Moment::Submitting,
    Moment::Acknowledged,
    Moment::Engine(Call::Image, Side::Answered),
    Moment::Engine(Call::Pull, Side::Sent),
    Moment::Engine(Call::Pull, Side::Answered),
    Moment::Engine(Call::Create, Side::Sent),
    Moment::Engine(Call::Create, Side::Answered),
    Moment::Engine(Call::Start, Side::Sent),
    Moment::Engine(Call::Start, Side::Answered),
    Moment::Running,
    Moment::Engine(Call::Output, Side::Sent),
    Moment::Ended,
    Moment::Engine(Call::Remove, Side::Sent),
    Moment::Engine(Call::Remove, Side::Answered),
];

/// When the node is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A submission is on its way and not answered.
    Submitting,
    /// A submission was answered.
    Acknowledged,
    /// A call to the engine was forwarded, or its answer was.
    Engine(Call, Side),
    /// A container was started a good while ago.
    Running,
    /// A client has seen that a job is completed.
    Ended,
}

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Order>,
    pub(super) moment: Moment,
    /// At how many of these the moment has come, from 1.
    pub(super) occurrence: u64,
    /// How long after it.
    pub(super) delay: Duration,
    /// Whether the next life is killed too, and how long after its process began.
    pub(super) again: Option<Duration>,
}

/// One job, and what must become of it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Also its idempotency token.
    pub(super) name: String,
    /// The image of the tests, or one that is pulled.
    pub(super) image: String,
    pub(super) line: String,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) exit_code: u64,
    /// Whether a submission that was not answered is sent again after the restart.
    pub(super) persistent: bool,
}

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        // The moment by turns, so that every run of some rounds has each.
        let moment = MOMENTS[usize::try_from(seed % MOMENTS.len() as u64).unwrap()];
        let mut seed_of_all = Seed::new(seed);
        let drawn = &mut seed_of_all;
        let jobs = (0..JOBS).map(|index| Order::draw(seed, index, drawn));
        let jobs = jobs.collect();
        let delay_ms_max = match moment {
            Moment::Submitting => 40,
            Moment::Running => 600,
            // Half of the time at once: the moment itself is the narrowest place.
            _ if drawn.once_in(2) => 1,
            _ => 50,
        };
        Self {
            jobs,
            moment,
            occurrence: 1 + drawn.below(JOBS),
            delay: Duration::from_millis(drawn.below(delay_ms_max)),
            again: drawn
                .once_in(3)
                .then(|| Duration::from_millis(drawn.below(200))),
        }
    }
}

impl Order {
    fn draw(seed: u64, index: u64, drawn: &mut Seed) -> Self {
        let name = format!("kill-{seed}-{index}");
        let pause = drawn.pick(&["", "sleep 0.2; ", "sleep 0.5; ", "sleep 1; "]);
        // Distinct within a round, and none that a shell or an engine gives by itself.
        let exit_code = drawn.below(30) * JOBS + index;
        let line = format!(
            "echo {name} begins; {pause}echo {name} warns >&2; echo {name} ends; exit {exit_code}"
        );
        Self {
            image: IMAGE.to_owned(),
            line,
            stdout: format!("{name} begins\n{name} ends\n"),
            stderr: format!("{name} warns\n"),
            exit_code,
            persistent: drawn.once_in(2),
            name,
        }
    }
}
