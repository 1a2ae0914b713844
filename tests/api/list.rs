//! Live and stored jobs as one list, in pages that neither repeat nor skip.

use super::support::TestServer;
use super::world::{World, completed, job_id, running};
use codling::model::JobState;
use serde_json::Value;

fn page(server: &TestServer, query: &str) -> (Vec<String>, String) {
    let body = server
        .get(&format!("/api/v1/orchestrator/jobs?{query}"))
        .ok();
    let ids = body["Items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["ID"].as_str().unwrap().to_owned())
        .collect();
    (ids, body["NextToken"].as_str().unwrap().to_owned())
}

/// Every page from the first to the one with an empty token.
fn all_pages(server: &TestServer, query: &str) -> Vec<String> {
    let (mut ids, mut token) = page(server, query);
    for _ in 0..10_000 {
        if token.is_empty() {
            return ids;
        }
        let (more, next) = page(
            server,
            &format!("next_token={token}&labels=bacalhau_canary!%3Dtrue"),
        );
        assert_ne!(next, token, "a page must lead on");
        ids.extend(more);
        token = next;
    }
    panic!("the list does not end");
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|n| job_id(n).0).collect()
}

/// Jobs 1 to `count`: every third live (and stored in an older state), the others stored.
fn mixed(count: u32) -> World {
    (1..=count).fold(World::default(), |world, n| {
        if n % 3 == 0 {
            let mut older = running(n);
            older.job.state = JobState::Pending;
            world.with_live(running(n)).with_stored(older)
        } else {
            world.with_stored(completed(n))
        }
    })
}

#[test]
fn pages_of_every_size_in_both_orders_hold_every_job_once() {
    for store_rows_max in [0, 1, 3] {
        let mut world = mixed(20);
        world.store_rows_max = store_rows_max;
        // A live job that no commit has reached yet, beyond and between the stored ones.
        world = world.with_live(running(21));
        world.stored.remove(&job_id(6));
        let server = world.serve();
        for limit in [0, 1, 2, 7, 20, 21, 22, 1_000] {
            let query = format!("limit={limit}");
            assert_eq!(
                all_pages(&server, &query),
                ids(1..=21),
                "{query}, {store_rows_max}"
            );
            let order = ["created_at", "id"][limit % 2];
            let query = format!("limit={limit}&reverse=true&order_by={order}");
            assert_eq!(
                all_pages(&server, &query),
                ids((1..=21).rev()),
                "{query}, {store_rows_max}"
            );
        }
    }
}

#[test]
fn by_the_last_change_every_job_is_there_once_too_and_the_latest_can_come_first() {
    let mut world = mixed(300);
    let changed = |n: u32| u64::from(n * 7 % 101);
    for (n, record) in (1..=300)
        .map(|n| (n, job_id(n)))
        .flat_map(|(n, id)| {
            let live = world.live.get(&id).cloned();
            let stored = world.stored.get(&id).cloned();
            live.into_iter()
                .chain(stored)
                .map(move |record| (n, record))
        })
        .collect::<Vec<_>>()
    {
        let mut record = record;
        record.job.modified = Some(codling::model::UnixMs(changed(n)));
        let side = match world.live.contains_key(&record.job.id) {
            true => &mut world.live,
            false => &mut world.stored,
        };
        side.insert(record.job.id.clone(), record);
    }
    world.store_rows_max = 50;
    let server = world.serve();
    let mut expected: Vec<u32> = (1..=300).collect();
    expected.sort_by_key(|n| (changed(*n), *n));
    for limit in [0, 1, 17, 300] {
        let query = format!("order_by=modified_at&limit={limit}");
        if limit != 1 {
            assert_eq!(
                all_pages(&server, &query),
                ids(expected.iter().copied()),
                "{query}"
            );
        }
        let (first, token) = page(&server, &format!("{query}&reverse=true"));
        let size = first.len();
        let latest = expected.iter().rev().copied().take(size);
        assert_eq!(
            (first, token.is_empty()),
            (ids(latest), size == 300),
            "{query}"
        );
    }
    let mine = page(&server, "order_by=modified_at&labels=team%3Dnosuch");
    assert_eq!(mine, (vec![], String::new()));
}

#[test]
fn a_live_row_wins_over_the_stored_one() {
    let server = mixed(3).serve();
    let body: Value = server.get("/api/v1/orchestrator/jobs").ok();
    let states: Vec<&str> = body["Items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["State"]["StateType"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["Completed", "Completed", "Running"]);
}

#[test]
fn the_oldest_come_first_and_the_token_is_empty_exactly_at_the_end() {
    let server = mixed(4).serve();
    let (first, token) = page(&server, "labels=bacalhau_canary%21%3Dtrue&limit=2");
    assert_eq!(first, ids([1, 2]));
    assert_ne!(token, "");
    let (second, end) = page(&server, &format!("next_token={token}"));
    assert_eq!((second, end.as_str()), (ids([3, 4]), ""));
    assert_eq!(page(&World::default().serve(), ""), (vec![], String::new()));
}

#[test]
fn labels_and_namespace_select_before_the_limit() {
    let mut world = mixed(30);
    for n in [3, 17, 29] {
        for jobs in [&mut world.live, &mut world.stored] {
            if let Some(record) = jobs.get_mut(&job_id(n)) {
                record.job.labels.insert("team".into(), "b".into());
                record.job.namespace = "other".into();
            }
        }
    }
    world.store_rows_max = 4;
    let server = world.serve();
    assert_eq!(
        page(&server, "labels=team+in+%28b%2Cc%29&limit=10"),
        (ids([3, 17, 29]), String::new())
    );
    assert_eq!(
        page(&server, "labels=team%3Db&labels=%21x&limit=2").0,
        ids([3, 17])
    );
    assert_eq!(page(&server, "namespace=other").0, ids([3, 17, 29]));
    assert_eq!(page(&server, "namespace=%2A&limit=30").0.len(), 30);
    assert_eq!(page(&server, "labels=nosuch"), (vec![], String::new()));
}

#[test]
fn a_selector_that_fits_few_jobs_answers_what_it_found_and_leads_on() {
    let mut world = (1..=3_000).fold(World::default(), |world, n| world.with_stored(completed(n)));
    let last = world.stored.get_mut(&job_id(3_000)).unwrap();
    last.job.labels.insert("rare".into(), "yes".into());
    let server = world.serve();
    let (found, token) = page(&server, "labels=rare&limit=1");
    assert_eq!(found, ids([]));
    assert_ne!(token, "");
    let (found, token) = page(&server, &format!("labels=rare&next_token={token}"));
    assert_eq!((found, token.as_str()), (ids([3_000]), ""));
}

#[test]
fn an_unlimited_list_is_still_a_page() {
    let world = (1..=300).fold(World::default(), |world, n| world.with_stored(completed(n)));
    let server = world.serve();
    let (first, token) = page(&server, "limit=0");
    assert_eq!(first.len(), 256);
    assert_ne!(token, "");
    assert_eq!(all_pages(&server, "limit=0").len(), 300);
}
