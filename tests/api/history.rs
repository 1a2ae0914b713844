//! The paging contract: clients poll while `NextToken` is not empty, and stop for good when it is.

use super::support::TestServer;
use super::world::{World, completed, execution_id, job_id, running};
use codling::model::JobState;
use serde_json::Value;

fn page(server: &TestServer, query: &str) -> (Vec<u64>, String) {
    let path = format!("/api/v1/orchestrator/jobs/{}/history?{query}", job_id(1));
    let body = server.get(&path).ok();
    let seqs = body["Items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["SeqNum"].as_u64().unwrap())
        .collect();
    (seqs, body["NextToken"].as_str().unwrap().to_owned())
}

#[test]
fn a_terminal_job_is_told_whole_and_then_the_token_is_empty() {
    let server = World::default().with_stored(completed(1)).serve();
    assert_eq!(page(&server, ""), (vec![1, 2, 3, 4, 5, 6], String::new()));
    let (first, token) = page(&server, "limit=4");
    assert_eq!(first, [1, 2, 3, 4]);
    assert_eq!(token, "Ok46NDo1", "as the original writes it: :N:4:5");
    assert_eq!(
        page(&server, &format!("limit=4&next_token={token}")),
        (vec![5, 6], String::new())
    );
}

#[test]
fn a_page_that_ends_with_the_last_item_is_the_last_page() {
    let server = World::default().with_stored(completed(1)).serve();
    assert_eq!(page(&server, "limit=6").1, "");
}

#[test]
fn a_running_job_always_leads_on_and_keeps_its_place_when_there_is_nothing_new() {
    let server = World::default().with_live(running(1)).serve();
    let (items, token) = page(&server, "limit=10");
    assert_eq!(items, [1, 2, 3, 4]);
    let (nothing, same) = page(&server, &format!("limit=10&next_token={token}"));
    assert_eq!((nothing, &same), (vec![], &token));
    // When it has ended, the same token brings the rest.
    let ended = World::default().with_stored(completed(1)).serve();
    assert_eq!(
        page(&ended, &format!("limit=10&next_token={token}")),
        (vec![5, 6], String::new())
    );
}

#[test]
fn filters_do_not_end_the_watch_early() {
    let server = World::default().with_live(running(1)).serve();
    for query in [
        "event_type=job&limit=2",
        "event_type=execution",
        "since=9999999999",
    ] {
        assert_ne!(page(&server, query).1, "", "{query}");
    }
    let server = World::default().with_stored(completed(1)).serve();
    assert_eq!(
        page(&server, "event_type=job"),
        (vec![1, 3, 6], String::new())
    );
    assert_eq!(page(&server, "event_type=execution").0, [2, 4, 5]);
    // The page is full before the end, so there may be more; there is not, and the next page says so.
    let (items, token) = page(&server, "event_type=job&limit=2");
    assert_eq!((items, token.is_empty()), (vec![1, 3], false));
    assert_eq!(
        page(
            &server,
            &format!("event_type=job&limit=2&next_token={token}")
        ),
        (vec![6], String::new())
    );
    assert_eq!(page(&server, "since=1748779200").0.len(), 6);
    assert_eq!(page(&server, "since=1748779201"), (vec![], String::new()));
    assert_eq!(page(&server, "job_version=2"), (vec![], String::new()));
    assert_eq!(page(&server, "all_job_versions=true").0.len(), 6);
}

#[test]
fn with_an_execution_its_own_end_decides() {
    let mut record = completed(1);
    record.job.state = JobState::Running;
    let server = World::default().with_live(record).serve();
    let id = execution_id(1);
    assert_eq!(
        page(&server, &format!("execution_id={id}")),
        (vec![2, 4, 5], String::new())
    );
    let prefix = &id.as_str()[..10];
    assert_eq!(
        page(&server, &format!("execution_id={prefix}")).0,
        [2, 4, 5]
    );
    assert_ne!(page(&server, "").1, "");
    let live = World::default().with_live(running(1)).serve();
    assert_ne!(page(&live, &format!("execution_id={id}")).1, "");
    assert_ne!(
        page(&live, "execution_id=e-nosuch").1,
        "",
        "it may still be planned"
    );
}

#[test]
fn items_of_an_unset_clock_carry_the_zero_time() {
    let mut record = completed(1);
    for item in &mut record.history {
        item.time = None;
    }
    record.job.created = None;
    let server = World::default().with_stored(record).serve();
    let path = format!("/api/v1/orchestrator/jobs/{}?include=history", job_id(1));
    let body: Value = server.get(&path).ok();
    assert_eq!(body["History"]["Items"][0]["Time"], "0001-01-01T00:00:00Z");
    assert_eq!(body["Job"]["CreateTime"], 0);
}
