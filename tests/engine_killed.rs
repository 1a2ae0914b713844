//! Real engines killed at every step of a job's life: before they hear of it, in the midst of it, before their answer is
//! heard, and just after it. Whatever the engine had done by then, each job comes to its one end.
//!
//! ```text
//!  node ----> tap ----> engine        each job of a round is kept back at another step;
//!              |          ^           then the engine is killed under all of them and started again
//!              `-- kept --'
//! ```

use crate::support::comer::Comer;
use crate::support::engines::{Real, on_real_engines};
use crate::support::jobs::{IMAGE, shell};
use crate::support::node::TestNode;
use crate::support::registry::{Answers, Built, Registry};
use crate::support::tap::{Call, Side, Tap, Then};
use crate::support::wait;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

on_real_engines! {
    an_engine_that_is_killed_at_any_step_of_a_job_comes_back_to_a_job_that_has_its_one_end,
}

/// Every step of a job that its engine is asked for, in the order of its life.
const STEPS: [Call; 8] = [
    Call::Image,
    Call::Pull,
    Call::Create,
    Call::Start,
    Call::Look,
    Call::Output,
    Call::Stop,
    Call::Remove,
];

/// Where in a step the engine is killed.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// It never hears of it.
    Before,
    /// It was asked so long ago.
    Midway(Duration),
    /// It has done it, and its answer is lost.
    Unheard,
    /// Its answer was heard so long ago.
    After(Duration),
}

/// The rounds of the usual run.
const CUTS: [Cut; 5] = [
    Cut::Before,
    Cut::Midway(Duration::ZERO),
    Cut::Midway(Duration::from_millis(40)),
    Cut::Unheard,
    Cut::After(Duration::from_millis(5)),
];

/// Those of the full one, with the time between two.
const CUTS_MIDWAY_FULL: u32 = 40;
const CUT_EVERY: Duration = Duration::from_millis(4);

/// A job that is kept back at a step.
struct Kept {
    step: Call,
    id: String,
    /// Part of its command line, and of no other's.
    mark: String,
    code: u64,
}

struct Rig {
    on: Real,
    comer: Comer,
    tap: Tap,
    registry: Registry,
    node: TestNode,
    made: u64,
    _dir: tempfile::TempDir,
}

fn an_engine_that_is_killed_at_any_step_of_a_job_comes_back_to_a_job_that_has_its_one_end(
    on: Real,
) {
    let dir = tempfile::tempdir().unwrap();
    let comer = Comer::on_own_board(on, dir.path());
    let mut rig = Rig::new(on, comer, dir);
    for cut in CUTS {
        rig.play(cut);
    }
    if std::env::var_os("CODLING_TEST_FULL").is_some() {
        for number in 0..CUTS_MIDWAY_FULL {
            rig.play(Cut::Midway(CUT_EVERY * number));
        }
    }
    rig.comer.until_no_container_of(&rig.node.id);
}

/// Docker as most boards have it: what still ran when it was killed is ended by the one that comes after it.
#[test]
fn a_docker_that_is_killed_and_ends_what_ran_is_told_from_the_end_of_a_job() {
    let dir = tempfile::tempdir().unwrap();
    let comer = Comer::on_own_board(Real::Docker, dir.path());
    comer.forget_containers_when_stopped();
    let mut rig = Rig::new(Real::Docker, comer, dir);
    for cut in [Cut::Before, Cut::Unheard] {
        rig.play(cut);
    }
    rig.comer.until_no_container_of(&rig.node.id);
}

impl Rig {
    fn new(on: Real, mut comer: Comer, dir: tempfile::TempDir) -> Self {
        comer.come();
        let tap = Tap::start(dir.path(), comer.socket().to_path_buf());
        let socket = tap.socket.display().to_string();
        let node = TestNode::start(&dir.path().join("node"), &[("engine-socket", &socket)]);
        Self {
            on,
            comer,
            tap,
            registry: Registry::start(),
            node,
            made: 0,
            _dir: dir,
        }
    }

    /// Keeps a job back at each step, kills the engine, starts it again, and judges what became of the jobs.
    fn play(&mut self, cut: Cut) {
        let side = match cut {
            Cut::Before | Cut::Midway(_) => Side::Sent,
            Cut::Unheard | Cut::After(_) => Side::Answered,
        };
        let kept: Vec<Kept> = STEPS.iter().map(|step| self.keep(*step, side)).collect();
        match cut {
            Cut::Before | Cut::Unheard => {
                self.comer.go(Signal::KILL);
                self.tap.resume(Then::BreakOff);
            }
            Cut::Midway(time) | Cut::After(time) => {
                self.tap.resume(Then::PassOn);
                // No wait for something to happen: the time itself is the test.
                std::thread::park_timeout(time);
                self.comer.go(Signal::KILL);
            }
        }
        self.comer.come();
        for job in kept {
            self.judge(cut, &job);
        }
    }

    /// A job that has come to a step and does not get on.
    fn keep(&mut self, step: Call, side: Side) -> Kept {
        self.made += 1;
        let code = 1 + self.made % 100;
        let pause = match step {
            Call::Look => "sleep 2; ",
            Call::Stop => "sleep 600; ",
            _ => "",
        };
        let mark = format!("{}-{}-", self.node.id, self.made);
        // A container that is started twice finds what it left.
        let line = format!(
            ": {mark}; echo begins; [ -e /tmp/seen ] && echo again; touch /tmp/seen; {pause}echo ends; exit {code}"
        );
        let mut submission = shell(&line);
        let task = &mut submission["Job"]["Tasks"][0];
        task["Resources"] = json!({"CPU": "50m", "Memory": "16MiB"});
        if matches!(step, Call::Image | Call::Pull) {
            let name = format!("i{}", self.made);
            self.registry.serve(&name, Answers::Image(Built::Here));
            task["Engine"]["Params"]["Image"] = json!(self.registry.name(&name));
        } else {
            task["Engine"]["Params"]["Image"] = json!(IMAGE);
        }
        let before = self.tap.kept();
        self.tap.keep_next(step, side);
        let id = self.node.submit(&submission);
        if step == Call::Stop {
            self.node.running(&id);
            let path = format!("orchestrator/jobs/{id}");
            assert_eq!(self.node.call("DELETE", &path, None).status, 200);
        }
        wait::until("the job comes to its step", || {
            match self.tap.kept() > before {
                true => Ok(()),
                false => Err((
                    step,
                    self.node
                        .call(
                            "GET",
                            &format!("orchestrator/jobs/{id}?include=executions,history"),
                            None,
                        )
                        .body,
                )),
            }
        });
        Kept {
            step,
            id,
            mark,
            code,
        }
    }

    /// Waits for a job's end, and for that of a second container at its side.
    #[track_caller]
    fn judge(&self, cut: Cut, job: &Kept) {
        let what = format!("{:?} killed {cut:?} {:?}", self.on, job.step);
        let path = format!("orchestrator/jobs/{}?include=executions,history", job.id);
        let ended = wait::until("the job ends", || {
            let twice = processes(&job.mark);
            // What one of them has just forked bears its words until it becomes another program.
            let still = |pid: &String| twice.len() > 1 && processes(&job.mark).contains(pid);
            let still = twice.iter().filter(|pid| still(pid)).count();
            assert!(still <= 1, "{what}: it runs twice");
            let body = self.node.call("GET", &path, None).body;
            match body["Job"]["State"]["StateType"].as_str() {
                Some("Completed" | "Failed" | "Stopped") => Ok(body),
                _ => Err(body),
            }
        });
        let state = &ended["Job"]["State"]["StateType"];
        let executions = ended["Executions"]["Items"].as_array().unwrap();
        let (last, lost) = executions.split_last().expect("it has executions");
        if job.step == Call::Stop {
            assert_eq!(state, "Stopped", "{what}: {ended:#}");
            return;
        }
        // How a container ended is not known where its engine was killed while it started or watched it: it is run anew.
        assert!(lost.len() <= 1, "{what}: {ended:#}");
        for one in lost {
            let reason = one["ComputeState"]["Message"].as_str().unwrap_or_default();
            assert!(reason.starts_with("its engine was "), "{what}: {ended:#}");
        }
        assert_eq!(state, "Completed", "{what}: {ended:#}");
        let output = &last["RunOutput"];
        assert_eq!(output["ExitCode"], job.code, "{what}: {ended:#}");
        // Docker's daemon writes the log itself: what is printed while it is dead may be lost, and that is told.
        let is_cut = self.on == Real::Docker && output["StdoutTruncated"] == Value::Bool(true);
        assert!(
            is_cut || output["Stdout"] == "begins\nends\n",
            "{what}: {ended:#}"
        );
    }
}

/// The processes that have these words on their command line, but for those whose parent is another one of them.
fn processes(mark: &str) -> Vec<String> {
    let of = |pid: &str, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let listed = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = listed.filter_map(|entry| entry.file_name().into_string().ok());
    let marked: Vec<String> = pids
        .filter(|pid| of(pid, "cmdline").is_some_and(|line| line.contains(mark)))
        .collect();
    let is_first = |pid: &&String| {
        let status = of(pid, "status").unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.is_some_and(|parent| !marked.iter().any(|other| other == parent.trim()))
    };
    marked.iter().filter(is_first).cloned().collect()
}
