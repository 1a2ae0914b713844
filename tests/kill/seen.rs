//! What a test sees of a node from outside, in the order in which it happens: by its clients and by the tap.

use super::books::{is_terminal, path_of, submission};
use super::life::{self, Life};
use super::plan::Order;
use crate::support::http::Answer;
use crate::support::tap::{Call, Side, Tap};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What happens while a round waits for its moment.
#[derive(Debug)]
pub(super) enum Seen {
    Submitting,
    Acknowledged(String),
    Ended(String, Value),
    Engine(Call, Side),
}

/// Sends a submission from a thread of its own.
pub(super) fn submit(
    api: SocketAddr,
    order: Order,
    tell: Sender<Seen>,
) -> JoinHandle<io::Result<Answer>> {
    std::thread::spawn(move || {
        let _ = tell.send(Seen::Submitting);
        let answer = life::call(api, "PUT", "jobs", Some(&submission(&order)));
        if let Ok(answer) = &answer
            && answer.status == 200
        {
            let _ = tell.send(Seen::Acknowledged(id_of(answer)));
        }
        answer
    })
}

/// Follows a job as an impatient client does, until it has ended, the node is gone, or nobody holds `while_held` any more.
pub(super) fn watch(api: SocketAddr, job: String, tell: Sender<Seen>, while_held: &Arc<()>) {
    let held = Arc::downgrade(while_held);
    std::thread::spawn(move || {
        while held.strong_count() > 0 {
            match life::call(api, "GET", &path_of(&job), None) {
                Ok(answer) if is_terminal(&answer.body) => {
                    let _ = tell.send(Seen::Ended(job, answer.body));
                    return;
                }
                Ok(answer) if answer.status == 200 => {}
                _ => return,
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    });
}

/// Has everything told that passes the tap from now on.
pub(super) fn listen(tap: &Tap, tell: Sender<Seen>) {
    let (passes, passing) = channel();
    tap.tell(passes);
    std::thread::spawn(move || {
        for (call, side) in passing {
            if tell.send(Seen::Engine(call, side)).is_err() {
                return;
            }
        }
    });
}

/// Lets a drawn time pass; what was seen in it. This is no wait for something to happen: the time itself is the test.
pub(super) fn pass_time(seen: &Receiver<Seen>, time: Duration) -> Vec<Seen> {
    let until = Instant::now() + time;
    let mut happened = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match seen.recv_timeout(left) {
            Ok(event) => happened.push(event),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return happened,
        }
    }
}

pub(super) fn id_of(answer: &Answer) -> String {
    answer.body["JobID"].as_str().expect("a job id").to_owned()
}

/// The job that a submission without an answer made, if it made one.
pub(super) fn find(life: &Life, order: &Order) -> Option<String> {
    let newest = life.call("GET", "jobs?limit=20&reverse=true", None).body;
    let items = newest["Items"].as_array().expect("a list");
    let job = items.iter().find(|job| job["Name"] == order.name)?;
    Some(job["ID"].as_str().expect("an id").to_owned())
}
