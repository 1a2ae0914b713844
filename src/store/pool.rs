//! At most two threads for store reads. They start when first needed and then sleep in their queue, without a time-out.

use super::error::StoreError;
use super::files::Files;
use super::writer::StoreReport;
use crate::model::{StoreAnswer, StoreQuery};
use async_channel::{Receiver, Sender};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Threads: with two, one long list does not hold up a read of one job. A board has no use for more.
const READERS_MAX: usize = 2;
/// Reads that may wait for a thread; beyond it `ask` waits for room, and the API's own queue is the bound.
const READS_MAX: usize = 16;
/// As the writer's: trees and records are shallow.
const STACK_BYTES: usize = 256 * 1024;

#[derive(Debug)]
struct Read {
    query: StoreQuery,
    reply: Sender<StoreAnswer>,
}

/// Reads from disk without holding up whoever asks.
#[derive(Clone, Debug)]
pub struct ReadPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    queue: Sender<Read>,
    orders: Receiver<Read>,
    /// Threads that read this moment.
    busy: Arc<AtomicUsize>,
    /// Threads that were started; none ends before the pool does.
    threads: Mutex<usize>,
}

impl ReadPool {
    pub(super) fn new(files: Arc<Files>, outbox: Sender<StoreReport>) -> Self {
        let (queue, orders) = async_channel::bounded(READS_MAX);
        Self {
            shared: Arc::new(Shared {
                source: Source { files, outbox },
                queue,
                orders,
                busy: Arc::default(),
                threads: Mutex::default(),
            }),
        }
    }

    /// Asks the store. Dropping the future gives up the answer; a read that has begun still ends by itself.
    pub fn ask(&self, query: StoreQuery) -> impl Future<Output = StoreAnswer> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        async move {
            let (reply, answer) = async_channel::bounded(1);
            if !shared.staff() || shared.queue.send(Read { query, reply }).await.is_err() {
                return StoreAnswer::Unavailable;
            }
            drop(shared);
            answer.recv().await.unwrap_or(StoreAnswer::Unavailable)
        }
    }

    /// Asks the store on the calling thread.
    pub(super) fn answer(&self, query: &StoreQuery) -> StoreAnswer {
        self.shared.source.answer(query)
    }

    /// Lets no more reads in. Those that wait are still answered; the threads then end.
    pub(super) fn close(&self) {
        self.shared.queue.close();
    }
}

/// What is read, and where it is told that it cannot be.
#[derive(Clone, Debug)]
struct Source {
    files: Arc<Files>,
    outbox: Sender<StoreReport>,
}

impl Source {
    fn answer(&self, query: &StoreQuery) -> StoreAnswer {
        match self.files.answer(query) {
            Ok(answer) => return answer,
            // Said by whoever closed it.
            Err(StoreError::Closed { .. }) => {}
            Err(error @ StoreError::Damaged { .. }) => log::warn!("{error}"),
            Err(error) => {
                // Its one place is free: nobody reads a file again that one read has closed.
                let _ = self.outbox.try_send(StoreReport::ReadFailed { error });
            }
        }
        StoreAnswer::Unavailable
    }
}

impl Shared {
    /// Starts a thread if all have something to do and there may be one more. False if there is none at all.
    fn staff(&self) -> bool {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.busy.load(Ordering::Relaxed) + self.queue.len();
        if *threads < READERS_MAX && wanted >= *threads && !self.queue.is_closed() {
            match self.start() {
                Ok(_) => *threads += 1,
                Err(error) => log::warn!("a thread for store reads cannot be started: {error}"),
            }
        }
        *threads > 0
    }

    fn start(&self) -> std::io::Result<JoinHandle<()>> {
        let (source, orders, busy) = (
            self.source.clone(),
            self.orders.clone(),
            Arc::clone(&self.busy),
        );
        std::thread::Builder::new()
            .name("store-reader".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                while let Ok(read) = orders.recv_blocking() {
                    busy.fetch_add(1, Ordering::Relaxed);
                    // Nobody waits when the request was given up.
                    let _ = read.reply.try_send(source.answer(&read.query));
                    busy.fetch_sub(1, Ordering::Relaxed);
                }
            })
    }
}
