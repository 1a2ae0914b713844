//! Signals that ask a node to stop, and a second node on its place, while a job runs.

use super::books::{is_terminal, path_of, submission};
use super::life::{Life, begin};
use super::plan::Order;
use crate::support::engines::Real;
use crate::support::jobs::IMAGE;
use crate::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The promise is 2 s on a board at rest; this machine may be busy with other tests.
const STOP_MAX: Duration = Duration::from_secs(20);

fn order(name: &str) -> Order {
    Order {
        image: IMAGE.to_owned(),
        name: name.to_owned(),
        line: "echo begins; sleep 3; echo ends; exit 5".to_owned(),
        stdout: "begins\nends\n".to_owned(),
        stderr: String::new(),
        exit_code: 5,
        persistent: false,
    }
}

/// Submits and waits until the container runs; the job's id.
#[track_caller]
fn running(life: &Life, order: &Order) -> String {
    let answer = life.call("PUT", "jobs", Some(&submission(order)));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let job = answer.body["JobID"].as_str().unwrap().to_owned();
    wait::until("the job runs", || {
        let body = life.call("GET", &path_of(&job), None).body;
        if body["Executions"]["Items"][0]["ComputeState"]["StateType"] == 6 {
            Ok(())
        } else {
            Err(body)
        }
    });
    job
}

#[track_caller]
fn ended(life: &Life, job: &str, order: &Order) {
    let body: Value = wait::until("the job ends", || {
        let body = life.call("GET", &path_of(job), None).body;
        if is_terminal(&body) {
            Ok(body)
        } else {
            Err(body)
        }
    });
    let executions = body["Executions"]["Items"].as_array().unwrap();
    assert_eq!(executions.len(), 1, "{body:#}");
    assert_eq!(executions[0]["RunOutput"]["ExitCode"], order.exit_code);
    assert_eq!(executions[0]["RunOutput"]["Stdout"], order.stdout);
    Real::Podman.until_no_container_of(&life.id);
}

#[test]
fn sigterm_and_sigint_end_a_node_with_0_and_leave_its_container_running_for_the_next_start() {
    for signal in [Signal::TERM, Signal::INT] {
        let scratch = tempfile::tempdir().unwrap();
        let order = order("asked to stop");
        let first = Life::start(scratch.path(), &Real::Podman.socket());
        let (id, job) = (first.id.clone(), running(&first, &order));
        let asked_at = Instant::now();
        let end = first.end(signal);
        let took = asked_at.elapsed();
        assert_eq!(end.code, 0, "{signal:?}: {}", end.err);
        assert!(took < STOP_MAX, "{signal:?} took {took:?}: {}", end.err);
        assert_eq!(Real::Podman.containers_of(&id).len(), 1, "{signal:?}");

        let second = Life::start(scratch.path(), &Real::Podman.socket());
        assert_eq!(second.id, id);
        ended(&second, &job, &order);
    }
}

#[test]
fn a_second_node_on_the_place_of_one_with_a_running_job_ends_with_3_and_disturbs_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let order = order("undisturbed");
    let first = Life::start(scratch.path(), &Real::Podman.socket());
    let job = running(&first, &order);
    let second = begin(scratch.path(), &Real::Podman.socket()).ended();
    assert_eq!(second.code, 3, "{}", second.err);
    let holder = format!("process {}", first.pid());
    assert!(second.err.contains(&holder), "{holder}: {}", second.err);
    ended(&first, &job, &order);
}
