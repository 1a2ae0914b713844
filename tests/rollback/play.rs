//! A fleet that is updated, rolled back and updated again, each time in mid-job and by kill -9.

use super::{call, holds, look, state};
use crate::support::engines::{Real, on_real_engines};
use crate::support::http;
use crate::support::jobs::shell;
use crate::support::program::{Program, Running, serve_by};
use crate::support::wait;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;

/// The binary of an earlier release or commit, from `scripts/rollback`.
const PREVIOUS: &str = "CODLING_PREVIOUS";
const THIS: &str = env!("CARGO_BIN_EXE_codling");

/// `ComputeState` of an execution whose container runs.
const RUNNING: u64 = 6;

on_real_engines! {
    an_earlier_codling_goes_on_where_this_one_was_killed_and_this_one_where_the_earlier_was,
}

/// A process of a node, of either build.
struct Life {
    id: String,
    api: SocketAddr,
    process: Running,
}

impl Life {
    #[track_caller]
    fn start(codling: &str, dir: &Path, on: Real) -> Self {
        let process = serve_by(codling, dir, &on.socket(), &[]).start();
        let api = process.api();
        let about = http::request(api, "GET", "/api/v1/agent/node", None).unwrap();
        let id = about.body["NodeID"].as_str().expect("an id").to_owned();
        Self { id, api, process }
    }

    fn kill(self) {
        self.process.signal(Signal::KILL);
        let ended = self.process.ended();
        assert_eq!(ended.code, -1, "it ended by itself before:\n{}", ended.err);
    }

    /// Submits a job of a type that begins, and that ends when it is told to; its id, once it runs.
    #[track_caller]
    fn begin(&self, name: &str, kind: &str) -> String {
        let line = "trap 'echo ends; exit 7' USR1; echo begins; sleep 600 & wait";
        let mut submission = shell(line);
        submission["Job"]["Name"] = json!(name);
        submission["Job"]["Type"] = json!(kind);
        submission["IdempotencyToken"] = json!(name);
        let body = call(self.api, "PUT", "jobs", Some(&submission));
        let id = body["JobID"].as_str().expect("an id").to_owned();
        self.runs(&id);
        id
    }

    /// Waits until the last execution of a job runs; all of them.
    #[track_caller]
    fn runs(&self, job: &str) -> Vec<String> {
        wait::until("its last execution runs", || {
            let body = look(self.api, job);
            let all = body["Executions"]["Items"].as_array().cloned();
            let all = all.unwrap_or_default();
            match all.last() {
                Some(last) if last["ComputeState"]["StateType"] == RUNNING => {
                    let id = |one: &Value| one["ID"].as_str().unwrap().to_owned();
                    Ok(all.iter().map(id).collect())
                }
                _ => Err(body),
            }
        })
    }

    /// Waits for the end that a job was told to come to: it was started once, and nothing of it is lost.
    #[track_caller]
    fn ended(&self, job: &str) -> Value {
        let body = wait::until("the job ends", || match look(self.api, job) {
            body if state(&body) == "Completed" => Ok(body),
            body => Err(body),
        });
        let executions = body["Executions"]["Items"].as_array().unwrap();
        assert_eq!(executions.len(), 1, "{body:#}");
        assert_eq!(executions[0]["RunOutput"]["ExitCode"], 7, "{body:#}");
        let output = &executions[0]["RunOutput"]["Stdout"];
        assert_eq!(output, "begins\nends\n", "{body:#}");
        body
    }

    /// What clients asked of one build, they are told by the other: the same ids for the same token, the same jobs.
    #[track_caller]
    fn knows(&self, told: &[(&str, &Value)]) {
        let list = call(self.api, "GET", "jobs?limit=100", None);
        for (job, told) in told {
            let listed = list["Items"].as_array().expect("a list");
            assert!(listed.iter().any(|one| one["ID"] == **job), "{list:#}");
            holds(told, &look(self.api, job), job);
        }
    }
}

/// Tells the container of a job to come to its end.
#[track_caller]
fn tell_to_end(on: Real, job: &str) {
    let filter = format!("label=codling.job={job}");
    let ids = on.command(&["ps", "--quiet", "--filter", &filter]);
    let [id] = ids.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{job} has not one container: {ids}");
    };
    on.command(&["kill", "--signal", "USR1", id]);
}

fn an_earlier_codling_goes_on_where_this_one_was_killed_and_this_one_where_the_earlier_was(
    on: Real,
) {
    let previous = std::env::var(PREVIOUS).unwrap_or_else(|_| THIS.to_owned());
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("node");
    std::fs::create_dir(&dir).unwrap();

    let life = Life::start(THIS, &dir, on);
    let id = life.id.clone();
    let batch = life.begin("begun by this one", "batch");
    let away = life.begin("ends while nobody looks", "batch");
    let service = life.begin("kept running", "service");
    let kept = life.runs(&service);
    life.kill();
    tell_to_end(on, &away);

    let life = Life::start(&previous, &dir, on);
    assert_eq!(life.id, id);
    let away_told = life.ended(&away);
    assert_eq!(life.runs(&service), kept, "the previous one adopts it");
    assert_eq!(life.begin("begun by this one", "batch"), batch, "its token");
    tell_to_end(on, &batch);
    let batch_told = life.ended(&batch);
    let theirs = life.begin("begun by the previous one", "batch");
    let theirs_away = life.begin("ends while nobody looks again", "batch");
    life.kill();
    tell_to_end(on, &theirs_away);

    let life = Life::start(THIS, &dir, on);
    let told = [(&*batch, &batch_told), (&*away, &away_told)];
    life.knows(&told);
    life.ended(&theirs_away);
    assert_eq!(life.runs(&service), kept, "this one adopts it");
    assert_eq!(life.begin("begun by the previous one", "batch"), theirs);
    life.kill();

    let life = Life::start(&previous, &dir, on);
    life.knows(&told);
    tell_to_end(on, &theirs);
    let theirs_told = life.ended(&theirs);
    call(life.api, "DELETE", &format!("jobs/{service}"), None);
    on.until_no_container_of(&id);
    life.kill();

    let life = Life::start(THIS, &dir, on);
    life.knows(&told);
    life.knows(&[(&theirs, &theirs_told)]);
    assert_eq!(state(&look(life.api, &service)), "Stopped");
    life.process.signal(Signal::TERM);
    let ended = life.process.ended();
    assert_eq!(ended.code, 0, "{}", ended.err);
    let dir = dir.display().to_string();
    let checked = Program::new(&["store", "check", "--data-dir", &dir]).run();
    assert_eq!(checked.code, 0, "{}", checked.err);
    let node = format!("{dir}/{id}-");
    for file in ["requester/jobs.db.damaged", "compute/executions.db.damaged"] {
        assert!(!Path::new(&format!("{node}{file}")).exists(), "{file}");
    }
}
