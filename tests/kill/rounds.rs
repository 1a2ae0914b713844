//! kill -9 at random moments, round after round on one data directory.

use super::books::{Books, submission};
use super::life::{self, Life};
use super::plan::{Moment, Plan};
use super::seen::{Seen, find, id_of, listen, pass_time, submit, watch};
use crate::support::engines::{Real, on_real_engines};
use crate::support::http::Answer;
use crate::support::jobs::IMAGE;
use crate::support::registry::{Answers, Built, Registry};
use crate::support::tap::{Call, Side, Tap};
use crate::support::wait;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Rounds on each engine in the usual run and in the full one.
const ROUNDS: (u64, u64) = (50, 500);

/// How many rounds on each engine, as `scripts/crash --kill` sets it.
const ROUNDS_VARIABLE: &str = "CODLING_KILL_ROUNDS";

/// A round's seed; set, it is the seed of the first round, so that the one that failed comes first.
const SEED_VARIABLE: &str = "CODLING_TEST_SEED";

/// The node under test through all its lives.
struct Rig {
    dir: PathBuf,
    tap: Tap,
    registry: Registry,
    life: Option<Life>,
    books: Books,
}

on_real_engines! {
    whenever_a_node_is_killed_each_job_runs_once_its_outcome_is_told_once_and_nothing_is_left_over,
}

fn whenever_a_node_is_killed_each_job_runs_once_its_outcome_is_told_once_and_nothing_is_left_over(
    on: Real,
) {
    let first_seed = match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("this machine's clock is set")
            .as_secs(),
    };
    let rounds = match (
        std::env::var(ROUNDS_VARIABLE),
        std::env::var_os("CODLING_TEST_FULL"),
    ) {
        (Ok(rounds), _) => rounds.parse().expect("a number"),
        (Err(_), Some(_)) => ROUNDS.1,
        (Err(_), None) => ROUNDS.0,
    };
    let scratch = tempfile::tempdir().unwrap();
    let bystanders = Bystanders::start(on);
    let volumes = on.command(&["volume", "ls", "--quiet"]);

    let mut rig = Rig {
        dir: scratch.path().join("node"),
        tap: Tap::start(scratch.path(), on.socket()),
        registry: Registry::start(),
        life: None,
        books: Books::default(),
    };
    let mut pulled = Vec::new();
    for seed in first_seed..first_seed + rounds {
        let plan = rig.plan(seed);
        pulled.extend(plan.jobs.iter().map(|order| order.image.clone()));
        let played = catch_unwind(AssertUnwindSafe(|| rig.play(&plan)));
        if played.is_err() {
            let words = rig.life.as_ref().map(|life| life.last_words(40));
            panic!(
                "a round failed as said above; play it first with {SEED_VARIABLE}={seed}\n{plan:#?}\n{}",
                words.unwrap_or_default()
            );
        }
    }
    let life = rig.life.take().expect("a node runs");
    on.until_no_container_of(&life.id);
    rig.books.close(&life, &rig.tap.counts());
    let ended = life.end(rustix::process::Signal::TERM);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        on.command(&["volume", "ls", "--quiet"]),
        volumes,
        "volumes as before"
    );
    let stored = on.stored_names();
    for execution in rig.books.executions() {
        assert!(!stored.contains(&execution), "left in storage:\n{stored}");
    }
    bystanders.are_untouched();
    pulled.retain(|image| image != IMAGE);
    for image in pulled {
        on.command(&["rmi", "--force", &image]);
    }
}

impl Rig {
    /// What happens in a round. Where it is about images, each of its jobs has one that no engine has seen: others are not
    /// looked at for each job.
    fn plan(&self, seed: u64) -> Plan {
        let mut plan = Plan::draw(seed);
        if matches!(plan.moment, Moment::Engine(Call::Image | Call::Pull, _)) {
            for order in &mut plan.jobs {
                self.registry
                    .serve(&order.name, Answers::Image(Built::Here));
                order.image = self.registry.name(&order.name);
            }
        }
        plan
    }

    fn start(&self) -> Life {
        Life::start(&self.dir, &self.tap.socket)
    }

    /// Submits, kills at the moment, starts again, and judges what became of every job.
    fn play(&mut self, plan: &Plan) {
        let life = match self.life.take() {
            Some(life) => life,
            None => self.start(),
        };
        let (tell, seen) = channel();
        listen(&self.tap, tell.clone());
        let submissions: Vec<_> = plan
            .jobs
            .iter()
            .map(|order| submit(life.api, order.clone(), tell.clone()))
            .collect();
        let happened = await_moment(plan, &seen, life.api, &tell);
        life.kill();
        let answers: Vec<io::Result<Answer>> = submissions
            .into_iter()
            .map(|thread| thread.join().expect("a submission ends"))
            .collect();
        if let Some(pause) = plan.again {
            let process = life::begin(&self.dir, &self.tap.socket);
            pass_time(&seen, pause);
            drop(process);
        }

        let life = self.life.insert(Life::start(&self.dir, &self.tap.socket));
        for (order, answer) in plan.jobs.iter().zip(answers) {
            match answer {
                Ok(answer) if answer.status == 200 => {
                    let id = id_of(&answer);
                    self.books.enter(&id, order);
                    let again = life.call("PUT", "jobs", Some(&submission(order)));
                    assert_eq!(again.status, 200, "{}", again.body);
                    assert_eq!(id_of(&again), id, "its token names another job");
                }
                Ok(answer) => panic!("{order:?} was refused: {}", answer.body),
                // It was not answered: the job exists or it does not.
                Err(_) => {
                    if let Some(id) = find(life, order) {
                        self.books.enter(&id, order);
                    } else if order.persistent {
                        let again = life.call("PUT", "jobs", Some(&submission(order)));
                        assert_eq!(again.status, 200, "{}", again.body);
                        self.books.enter(&id_of(&again), order);
                    }
                }
            }
        }
        for seen in happened.into_iter().chain(seen.try_iter()) {
            if let Seen::Ended(id, body) = seen {
                self.books.note(&id, &body);
            }
        }
        let tap = &self.tap;
        self.books.settle(life, || tap.counts());
    }
}

/// Waits until the plan's moment and its delay are over; everything that was seen.
#[track_caller]
fn await_moment(
    plan: &Plan,
    seen: &Receiver<Seen>,
    api: SocketAddr,
    tell: &Sender<Seen>,
) -> Vec<Seen> {
    let deadline = Instant::now() + wait::LONG;
    let watcher = Arc::new(());
    let mut happened = Vec::new();
    let mut count = 0;
    while count < plan.occurrence {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(event) = seen.recv_timeout(left) else {
            panic!("the moment did not come; seen: {happened:?}");
        };
        if let Seen::Acknowledged(id) = &event {
            watch(api, id.clone(), tell.clone(), &watcher);
        }
        let is_it = match (&event, plan.moment) {
            (Seen::Submitting, Moment::Submitting)
            | (Seen::Acknowledged(_), Moment::Acknowledged)
            | (Seen::Ended(..), Moment::Ended) => true,
            (Seen::Engine(call, side), Moment::Engine(wanted, half)) => {
                (*call, *side) == (wanted, half)
            }
            (Seen::Engine(Call::Start, Side::Answered), Moment::Running) => true,
            _ => false,
        };
        count += u64::from(is_it);
        happened.push(event);
    }
    happened.extend(pass_time(seen, plan.delay));
    happened
}

/// Containers on the same engine that are not this node's.
struct Bystanders {
    on: Real,
    ids: BTreeSet<String>,
    seen: String,
}

impl Bystanders {
    /// One of another node, and one that somebody made by hand.
    fn start(on: Real) -> Self {
        let other_node: &[&str] = &[
            "--label=codling.node=12D3KooWAnotherNode",
            "--label=codling.job=j-of-another-node",
            "--label=codling.execution=e-of-another-node",
        ];
        let run = |labels: &[&str]| {
            let mut words = vec!["run", "--detach", "--network=none"];
            words.extend(labels);
            words.extend([IMAGE, "sleep", "86400"]);
            on.command(&words).trim().to_owned()
        };
        let ids = BTreeSet::from([run(other_node), run(&[])]);
        let seen = look(on, &ids);
        Self { on, ids, seen }
    }

    #[track_caller]
    fn are_untouched(&self) {
        assert_eq!(look(self.on, &self.ids), self.seen);
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        // Killed first: Podman would ask them to end, which they ignore for ten seconds.
        for verbs in [&["kill"][..], &["rm", "--force"]] {
            let mut words = verbs.to_vec();
            words.extend(self.ids.iter().map(String::as_str));
            self.on.command(&words);
        }
    }
}

/// What would change if somebody stopped, restarted or removed one of them.
fn look(on: Real, ids: &BTreeSet<String>) -> String {
    let format = "{{.Id}} {{.State.Status}} {{.State.Pid}} {{.State.StartedAt}}";
    let mut words = vec!["container", "inspect", "--format", format];
    words.extend(ids.iter().map(String::as_str));
    let seen = on.command(&words);
    assert_eq!(seen.matches(" running ").count(), ids.len(), "{seen}");
    seen
}
