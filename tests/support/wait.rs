//! Waiting for a condition, with a deadline and the last value in the failure.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// Far beyond anything that a loaded machine needs; only a failure waits so long.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Calls `look` until it gives `Ok`; the last `Err` stands in the failure.
#[track_caller]
pub(crate) fn until<T, E: Debug>(what: &str, look: impl FnMut() -> Result<T, E>) -> T {
    within(LONG, what, look)
}

/// The same for what takes longer by its nature.
#[track_caller]
pub(crate) fn within<T, E: Debug>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        match look() {
            Ok(value) => return value,
            Err(last) => assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {what}; last seen: {last:?}"
            ),
        }
        // A bounded pause between looks, not a wait for a time by which something should have happened.
        std::thread::park_timeout(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Runs `future` on this thread; fails when it is not done within `LONG`.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let late = async {
        async_io::Timer::after(LONG).await;
        panic!("not within {LONG:?}");
    };
    async_io::block_on(futures_lite::future::or(future, late))
}
