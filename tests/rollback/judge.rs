//! What this release makes of a store that some release left in mid-job, on a board that was started anew: the engine has
//! no container of it.

use super::make::{self, FALLS, FILES, HELD, KEPT, KEY, PULLED, QUICK, TOLD};
use super::{holds, look, state};
use crate::support::board::CalmBoard;
use crate::support::engine::{Play, Runs, ScriptedEngine};
use crate::support::node::TestNode;
use crate::support::wait;
use codling::store::{Place, check};
use serde_json::Value;
use std::path::Path;

/// How what was not over comes to its end.
const RUN_ANEW: [&str; 6] = [
    "running",
    "publishing",
    "asked",
    "bidding",
    "updated",
    "pulling",
];
/// And what has none.
const KEPT_RUNNING: [&str; 3] = ["service", "daemon", "falls"];

/// `FILES`, `KEY` and `TOLD` are in `folder`.
#[track_caller]
pub(super) fn comes_to_rest(folder: &Path) {
    let told = std::fs::read_to_string(folder.join(TOLD)).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    let id = told["Node"].as_str().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    std::fs::copy(folder.join(KEY), dir.join(KEY)).unwrap();
    let places = make::places(dir, id);
    for (place, name) in places.iter().zip(FILES) {
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(folder.join(name), place).unwrap();
    }

    let engine = ScriptedEngine::start();
    let kept = Play {
        runs: Runs::UntilReleased,
        ..Play::default()
    };
    for image in [QUICK, HELD, PULLED] {
        engine.image(image, Play::default());
    }
    engine.image(KEPT, kept.clone());
    engine.image(FALLS, kept);
    let board = CalmBoard::rebooted();
    // Golden stores grow old.
    let keep = [("retain-age", "36500d")];
    let node = TestNode::start_in(dir, &engine, board.root(), &keep);
    assert_eq!(node.id, id, "the key is not that of the store");

    let job = |name: &str| told["Jobs"][name]["ID"].as_str().unwrap().to_owned();
    for name in RUN_ANEW {
        let ended = node.ended(&job(name));
        assert_eq!(state(&ended), "Completed", "{name}: {ended:#}");
        assert_eq!(output(&ended), ("hello\n", 0), "{name}: {ended:#}");
    }
    let ended = node.ended(&job("undelivered"));
    assert_eq!(output(&ended), ("undelivered\n", 5), "{ended:#}");
    assert_eq!(node.ended(&job("updated"))["Job"]["Version"], 2);
    for name in KEPT_RUNNING {
        wait::until("it runs again", || {
            let body = look(node.api, &job(name));
            let all = body["Executions"]["Items"].as_array();
            let runs =
                all.is_some_and(|all| all.iter().any(|one| one["ComputeState"]["StateType"] == 6));
            if runs { Ok(()) } else { Err(body) }
        });
    }
    assert_eq!(engine.running(), KEPT_RUNNING.len());
    assert_eq!(
        engine.started(),
        RUN_ANEW.len() + KEPT_RUNNING.len(),
        "each once"
    );
    for name in KEPT_RUNNING {
        let path = format!("orchestrator/jobs/{}", job(name));
        assert_eq!(node.call("DELETE", &path, None).status, 200);
        assert_eq!(state(&node.ended(&job(name))), "Stopped", "{name}");
    }
    engine.until("nothing is left", |engine| {
        engine.containers_of(id).is_empty()
    });

    let list = node.call("GET", "orchestrator/jobs?limit=100", None).body;
    let listed: Vec<&str> = items(&list)
        .iter()
        .filter_map(|job| job["ID"].as_str())
        .collect();
    for (name, told) in told["Jobs"].as_object().unwrap() {
        let id = told["ID"].as_str().unwrap();
        assert!(listed.contains(&id), "{name} is not listed: {list:#}");
        holds(&told["Told"], &look(node.api, id), name);
    }
    node.stop().expect("it stops");
    for place in places {
        check(&Place::File(place)).expect("the store is whole");
    }
}

fn items(list: &Value) -> &[Value] {
    list["Items"].as_array().map_or(&[], Vec::as_slice)
}

/// stdout and exit code of the last execution.
fn output(ended: &Value) -> (&str, i64) {
    let last = items(&ended["Executions"]).last();
    let output = last.map_or(&Value::Null, |last| &last["RunOutput"]);
    let code = output["ExitCode"].as_i64();
    (output["Stdout"].as_str().unwrap_or(""), code.unwrap_or(-1))
}
