//! A file on trial: until it is known to be ours, whole and of a known schema, nothing of it changes.
//!
//! redb writes as soon as it opens a file: it repairs what a crash left, marks the file as open, and marks it as closed
//! again. A file that is then refused must not have changed by a byte. So between the opening and the verdict all
//! writes and flushes are held in memory, in their order, and redb reads the file as if they had been made. `accept`
//! makes them, in that order, so that a power cut in between leaves what it would have left without the trial; a file
//! that is not accepted never sees them. What is held is a few pages.

use super::error::StoreError;
use super::meter::Metered;
use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// A call that is held back.
#[derive(Debug)]
enum Held {
    SetLen(u64),
    Write { offset: u64, data: Vec<u8> },
    Sync,
}

#[derive(Debug)]
struct State {
    inner: Metered,
    /// `None` once accepted.
    held: RwLock<Option<Vec<Held>>>,
}

/// Which of the held flushes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushes {
    /// Every one: the order of what reaches the medium matters to whoever opens the file after a power cut.
    All,
    /// One at the end: the file has no name yet, so that after a power cut nobody opens it.
    Last,
}

/// A backend on trial. Clones are the same backend: one for redb, one for the verdict.
#[derive(Clone, Debug)]
pub(super) struct Trial(Arc<State>);

impl Trial {
    pub(super) fn new(inner: Metered) -> Self {
        Self(Arc::new(State {
            inner,
            held: RwLock::new(Some(Vec::new())),
        }))
    }

    /// Makes all calls that were held, and holds none from now on. After an error the file holds some of them, as after
    /// a power cut, and gets no more.
    pub(super) fn accept(&self, flushes: Flushes) -> io::Result<()> {
        let state = &self.0;
        let mut held = state.held.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(header), Flushes::All) = (last_header(held.iter().flatten()), flushes) {
            state.inner.sync_data()?;
            state.inner.write(0, header)?;
            state.inner.sync_data()?;
            *held = None;
            return Ok(());
        }
        for call in held.iter().flatten() {
            match call {
                Held::SetLen(len) => state.inner.set_len(*len)?,
                Held::Write { offset, data } => state.inner.write(*offset, data)?,
                Held::Sync if flushes == Flushes::All => state.inner.sync_data()?,
                Held::Sync => {}
            }
        }
        if flushes == Flushes::Last {
            state.inner.sync_data()?;
        }
        *held = None;
        Ok(())
    }

    /// How long the file is, or will be once what is held is made.
    pub(super) fn len_of(&self, path: &Path) -> Result<u64, StoreError> {
        self.len().map_err(|source| StoreError::io(path, source))
    }

    fn is_over(&self) -> bool {
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        held.is_none()
    }

    /// Holds a call. Only the opening thread has the backend then, so the trial cannot end in between.
    fn hold(&self, call: Held) {
        let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_mut() {
            held.push(call);
        }
    }
}

impl StorageBackend for Trial {
    fn len(&self) -> io::Result<u64> {
        let len = self.0.inner.len()?;
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        Ok(held.iter().flatten().fold(len, |len, call| match call {
            Held::SetLen(len) => *len,
            Held::Write { offset, data } => len.max(offset.saturating_add(size(data))),
            Held::Sync => len,
        }))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = held.as_deref().filter(|held| !held.is_empty()) else {
            drop(held);
            return self.0.inner.read(offset, out);
        };
        // What the file has of this range, zeros beyond its end, then every held call in its order.
        let there = self.0.inner.len()?.saturating_sub(offset);
        let there = usize::try_from(there).map_or(out.len(), |there| there.min(out.len()));
        let (begin, beyond) = out.split_at_mut(there);
        if !begin.is_empty() {
            self.0.inner.read(offset, begin)?;
        }
        beyond.fill(0);
        for call in held {
            match call {
                Held::SetLen(len) => cut(out, offset, *len),
                Held::Write { offset: at, data } => lay(out, offset, data, *at),
                Held::Sync => {}
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.is_over() {
            return self.0.inner.set_len(len);
        }
        self.hold(Held::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is_over() {
            return self.0.inner.sync_data();
        }
        self.hold(Held::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.is_over() {
            return self.0.inner.write(offset, data);
        }
        self.hold(Held::Write {
            offset,
            data: data.to_vec(),
        });
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.0.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.inner.query_lock_range(start, end)
    }
}

/// The last of the held writes, if all of them rewrite the header and nothing else. That is all that redb does to a
/// file that was closed cleanly or killed: it flushes the header four times. Each is a whole state of the file by itself,
/// provided that the pages of all commits that redb could read are on the medium, and redb's first flush sees to that.
/// So one flush before the last header and one behind it do the same.
fn last_header<'a>(held: impl Iterator<Item = &'a Held>) -> Option<&'a [u8]> {
    let mut last: Option<&[u8]> = None;
    for call in held {
        match call {
            Held::Sync => {}
            Held::Write { offset: 0, data } if last.is_none_or(|last| last.len() == data.len()) => {
                last = Some(data);
            }
            Held::Write { .. } | Held::SetLen(_) => return None,
        }
    }
    last
}

fn size(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Bytes from `begin` to `position`, at most `max`; 0 if it lies before.
fn distance(begin: u64, position: u64, max: usize) -> usize {
    usize::try_from(position.saturating_sub(begin)).map_or(max, |distance| distance.min(max))
}

/// In `out`, which stands at `begin` in the file: zeros from `len` on.
fn cut(out: &mut [u8], begin: u64, len: u64) {
    let kept = distance(begin, len, out.len());
    out[kept..].fill(0);
}

/// In `out`, which stands at `begin` in the file: what `data` at `at` has in common with it.
fn lay(out: &mut [u8], begin: u64, data: &[u8], at: u64) {
    let to = distance(begin, at, out.len());
    let from = distance(at, begin, data.len());
    let count = (out.len() - to).min(data.len() - from);
    out[to..to + count].copy_from_slice(&data[from..from + count]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    /// A trial of a file that holds these bytes, and the file.
    fn trial_of(bytes: &[u8]) -> (Trial, Arc<InMemoryBackend>) {
        let file = Arc::new(InMemoryBackend::new());
        file.set_len(size(bytes)).unwrap();
        file.write(0, bytes).unwrap();
        let inner = Metered::new(Arc::clone(&file) as Arc<dyn StorageBackend>, Arc::default());
        (Trial::new(inner), file)
    }

    fn all(backend: &dyn StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(backend.len().unwrap()).unwrap()];
        backend.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_held_is_read_but_not_in_the_file_until_it_is_accepted() {
        let (trial, file) = trial_of(b"abcdef");
        trial.write(1, b"XY").unwrap();
        trial.set_len(2).unwrap();
        trial.set_len(5).unwrap();
        trial.sync_data().unwrap();
        trial.write(4, b"Z").unwrap();
        assert_eq!(all(&trial), b"aX\0\0Z");
        let mut part = [9; 2];
        trial.read(3, &mut part).unwrap();
        assert_eq!(&part, b"\0Z");
        assert_eq!(all(&*file), b"abcdef");
        trial.accept(Flushes::All).unwrap();
        assert_eq!(all(&*file), b"aX\0\0Z");
        trial.write(0, b"-").unwrap();
        assert_eq!(all(&*file), b"-X\0\0Z");
        assert_eq!(all(&trial), all(&*file));
    }

    #[test]
    fn every_read_of_a_file_on_trial_equals_that_of_a_file_that_was_written() {
        let (trial, _) = trial_of(b"0123456789");
        let (written, file) = trial_of(b"0123456789");
        written.accept(Flushes::All).unwrap();
        let calls = [
            (3, 5_u64),
            (0, 2),
            (9, 7),
            (12, 1),
            (6, 30),
            (2, 0),
            (20, 3),
        ];
        for (number, (at, len)) in calls.into_iter().enumerate() {
            let letter = b'a' + u8::try_from(number).unwrap();
            let data = vec![letter; usize::try_from(len).unwrap()];
            for backend in [&trial, &written] {
                backend
                    .set_len(backend.len().unwrap().max(at + len))
                    .unwrap();
                backend.write(at, &data).unwrap();
            }
            let whole = all(&*file);
            for begin in 0..whole.len() {
                for end in begin..=whole.len() {
                    let mut out = vec![9; end - begin];
                    trial.read(u64::try_from(begin).unwrap(), &mut out).unwrap();
                    assert_eq!(out, whole[begin..end], "{begin}..{end} after call {number}");
                }
            }
        }
    }
}
