//! Records what both store files write and flush, in one sequence, and shows what a power cut at any point may leave.
//!
//! ```text
//!   Store --StorageBackend--> Recorder:  0 jobs set_len  1 jobs write  2 jobs sync  3 executions write ...
//!                                 |
//!                                 |  image(3, Torn(seed)): ops 0..3, of each file whole up to its last sync,
//!                                 v                        of what came after a part that the seed chooses
//!                               Image --resume--> Recorder (and so on: a second cut in the recovery)
//! ```
//!
//! Everything is in memory, and a checkpoint every [`CHECKPOINT_OPS`] keeps an image cheap whatever its position. It
//! also plays the medium that fails: flushes and writes of one file can be held or refused by a [`Rule`], and calls of
//! either file, reads too, by a [`Fault`] at their number.

use super::seed::Seed;
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Ops between two checkpoints: an image replays fewer than these, and a checkpoint costs a copy of both files.
const CHECKPOINT_OPS: usize = 128;
/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// How long a test waits for a held call.
const HOLD_DEADLINE: Duration = Duration::from_secs(20);

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Disk {
    Jobs,
    Executions,
}

impl Disk {
    pub(crate) const BOTH: [Self; 2] = [Self::Jobs, Self::Executions];
}

/// One thing that happened to a file, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    SetLen {
        disk: Disk,
        len: usize,
    },
    Write {
        disk: Disk,
        offset: usize,
        data: Arc<[u8]>,
    },
    Sync {
        disk: Disk,
    },
    /// A flush failed and what was written since the last good one is gone (see [`Recorder::lose_unsynced`]).
    Lost {
        disk: Disk,
    },
}

impl Op {
    pub(crate) fn disk(&self) -> Disk {
        match self {
            Self::SetLen { disk, .. }
            | Self::Write { disk, .. }
            | Self::Sync { disk }
            | Self::Lost { disk } => *disk,
        }
    }
}

/// What becomes of the ops after the last flush of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageKind {
    /// All reached the medium: a killed process, or a lucky power cut.
    Kept,
    /// None did.
    Dropped,
    /// Each did, did not, or did in some sectors, as this seed says.
    Torn(u64),
}

/// What a call to the backend meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It works.
    #[default]
    Pass,
    /// It waits until the rule is another.
    Hold,
    /// It fails with this `errno` and changes nothing.
    Fail(i32),
}

/// What a numbered call of either file meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails with this `errno` and changes nothing; what was to be flushed may reach the medium later, or not.
    Errno(i32),
    /// It is a flush and fails, and the medium never gets what was written since the last good one. Calls that are no
    /// flushes are not numbered.
    Flush(i32),
}

/// Which calls a fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// The one of its number.
    Once,
    /// All from that on, until [`Recorder::heal`].
    Lasting,
}

/// A fault to come, and the calls so far that it counts.
#[derive(Clone, Copy, Debug)]
struct Planned {
    fault: Fault,
    at: usize,
    span: Span,
    calls: usize,
    is_hit: bool,
    is_over: bool,
}

/// Both files after a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) jobs: Vec<u8>,
    pub(crate) executions: Vec<u8>,
}

/// The sequence of both files. Clones are the same sequence.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<Tape>);

#[derive(Debug)]
struct Tape {
    state: Mutex<State>,
    /// A rule changed, or a call began to wait.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ops: Vec<Op>,
    checkpoints: Vec<Checkpoint>,
    /// The replay up to the last op.
    head: Checkpoint,
    /// What a running process reads: everything, flushed or not.
    live: [Vec<u8>; 2],
    on_sync: [Rule; 2],
    on_write: [Rule; 2],
    waiting: usize,
    planned: Option<Planned>,
}

/// Both files after the first `at` ops.
#[derive(Clone, Debug, Default)]
struct Checkpoint {
    at: usize,
    flushed: [Vec<u8>; 2],
    /// Ops of each file since its last flush.
    pending: [Vec<usize>; 2],
}

impl Recorder {
    /// Two empty files.
    pub(crate) fn new() -> Self {
        Self::resume(Image {
            jobs: Vec::new(),
            executions: Vec::new(),
        })
    }

    /// Two files that hold this, all of it flushed; the sequence begins anew.
    pub(crate) fn resume(image: Image) -> Self {
        let files = [image.jobs, image.executions];
        let head = Checkpoint {
            at: 0,
            flushed: files.clone(),
            pending: Default::default(),
        };
        Self(Arc::new(Tape {
            state: Mutex::new(State {
                checkpoints: vec![head.clone()],
                head,
                live: files,
                ..State::default()
            }),
            changed: Condvar::new(),
        }))
    }

    /// A process that was killed behind the first `ops` ops: the kernel still has all of them, flushed or not, so the
    /// next process reads them, and a power cut after that may still take what was never flushed.
    pub(crate) fn killed(&self, ops: usize) -> Self {
        let state = self.state();
        let Checkpoint { flushed, .. } = &state.checkpoints[0];
        let [jobs, executions] = flushed.clone();
        let next = Self::resume(Image { jobs, executions });
        let mut after = next.state();
        for op in &state.ops[..ops] {
            apply(&mut after.live[op.disk() as usize], op);
            after.record(op.clone());
        }
        drop(after);
        next
    }

    /// One of the files, for redb.
    pub(crate) fn backend(&self, disk: Disk) -> Arc<dyn StorageBackend> {
        Arc::new(Recorded {
            tape: Arc::clone(&self.0),
            disk,
        })
    }

    /// How many ops there have been. Note it when something is released: images of at least so many ops must show
    /// what was promised by then.
    pub(crate) fn position(&self) -> usize {
        self.state().ops.len()
    }

    /// The ops so far.
    pub(crate) fn ops(&self) -> Vec<Op> {
        self.state().ops.clone()
    }

    /// Both files after a cut behind the first `ops` ops.
    pub(crate) fn image(&self, ops: usize, kind: ImageKind) -> Image {
        let state = self.state();
        assert!(ops <= state.ops.len(), "only {} ops", state.ops.len());
        let mut cut = state
            .checkpoints
            .iter()
            .rev()
            .find(|checkpoint| checkpoint.at <= ops)
            .unwrap()
            .clone();
        while cut.at < ops {
            cut.advance(&state.ops);
        }
        let mut seed = match kind {
            ImageKind::Torn(seed) => Seed::new(seed),
            ImageKind::Kept | ImageKind::Dropped => Seed::new(0),
        };
        let Checkpoint {
            mut flushed,
            pending,
            ..
        } = cut;
        for disk in Disk::BOTH {
            let bytes = &mut flushed[disk as usize];
            for op in pending[disk as usize].iter().map(|at| &state.ops[*at]) {
                match kind {
                    ImageKind::Kept => apply(bytes, op),
                    ImageKind::Dropped => {}
                    ImageKind::Torn(_) => tear(bytes, op, &mut seed),
                }
            }
        }
        let [jobs, executions] = flushed;
        Image { jobs, executions }
    }

    /// What flushes of a file meet from now on.
    pub(crate) fn on_sync(&self, disk: Disk, rule: Rule) {
        self.state().on_sync[disk as usize] = rule;
        self.0.changed.notify_all();
    }

    /// What writes and growth of a file meet from now on.
    pub(crate) fn on_write(&self, disk: Disk, rule: Rule) {
        self.state().on_write[disk as usize] = rule;
        self.0.changed.notify_all();
    }

    /// From now on the calls of both files are numbered from 0, and the one of number `at` meets `fault`.
    pub(crate) fn fail(&self, fault: Fault, at: usize, span: Span) {
        self.state().planned = Some(Planned {
            fault,
            at,
            span,
            calls: 0,
            is_hit: false,
            is_over: false,
        });
    }

    /// Nothing fails any more.
    pub(crate) fn heal(&self) {
        if let Some(planned) = &mut self.state().planned {
            planned.is_over = true;
        }
    }

    /// Whether the fault was met.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().planned.is_some_and(|planned| planned.is_hit)
    }

    /// Waits until a call is held.
    #[track_caller]
    pub(crate) fn wait_until_held(&self) {
        let deadline = Instant::now() + HOLD_DEADLINE;
        let mut state = self.state();
        while state.waiting == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing was held within {HOLD_DEADLINE:?}");
            state = self.0.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// After a failed flush: the medium never got what was written since the last good one, and from now on reads show
    /// so, as they do once the kernel has dropped its cached pages.
    pub(crate) fn lose_unsynced(&self, disk: Disk) {
        self.state().lose_unsynced(disk);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }
}

impl State {
    fn lose_unsynced(&mut self, disk: Disk) {
        self.record(Op::Lost { disk });
        self.live[disk as usize] = self.head.flushed[disk as usize].clone();
    }

    /// Numbers a call; the error that it meets.
    fn meet(&mut self, disk: Disk, call: Call) -> io::Result<()> {
        let Some(planned) = self.planned.as_mut().filter(|planned| !planned.is_over) else {
            return Ok(());
        };
        let fault = planned.fault;
        if matches!(fault, Fault::Flush(_)) && call != Call::Flush {
            return Ok(());
        }
        let number = planned.calls;
        planned.calls += 1;
        let meets = match planned.span {
            Span::Once => number == planned.at,
            Span::Lasting => number >= planned.at,
        };
        if !meets {
            return Ok(());
        }
        planned.is_hit = true;
        match fault {
            Fault::Errno(errno) => Err(io::Error::from_raw_os_error(errno)),
            Fault::Flush(errno) => {
                self.lose_unsynced(disk);
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }

    fn record(&mut self, op: Op) {
        self.ops.push(op);
        self.head.advance(&self.ops);
        if self.head.at.is_multiple_of(CHECKPOINT_OPS) {
            self.checkpoints.push(self.head.clone());
        }
    }
}

impl Checkpoint {
    fn advance(&mut self, ops: &[Op]) {
        let op = &ops[self.at];
        let disk = op.disk() as usize;
        match op {
            Op::SetLen { .. } | Op::Write { .. } => self.pending[disk].push(self.at),
            Op::Sync { .. } => {
                for at in self.pending[disk].drain(..) {
                    apply(&mut self.flushed[disk], &ops[at]);
                }
            }
            Op::Lost { .. } => self.pending[disk].clear(),
        }
        self.at += 1;
    }
}

fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::SetLen { len, .. } => bytes.resize(*len, 0),
        Op::Write { offset, data, .. } => put(bytes, *offset, data),
        Op::Sync { .. } | Op::Lost { .. } => {}
    }
}

fn tear(bytes: &mut Vec<u8>, op: &Op, seed: &mut Seed) {
    match (seed.below(3), op) {
        (0, _) => {}
        (1, Op::Write { offset, data, .. }) => {
            for (number, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                if seed.once_in(2) {
                    put(bytes, offset + number * SECTOR_BYTES, sector);
                }
            }
        }
        _ => apply(bytes, op),
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Read,
    Change,
    Flush,
}

/// One file of a recorder, as redb sees it.
#[derive(Debug)]
struct Recorded {
    tape: Arc<Tape>,
    disk: Disk,
}

impl Recorded {
    fn state(&self) -> MutexGuard<'_, State> {
        self.tape.state.lock().unwrap()
    }

    fn read_state(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.meet(self.disk, Call::Read)?;
        Ok(state)
    }

    /// The state once the rule lets the call through.
    fn obey(
        &self,
        call: Call,
        rule: fn(&State) -> &[Rule; 2],
    ) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.meet(self.disk, call)?;
        loop {
            match rule(&state)[self.disk as usize] {
                Rule::Pass => return Ok(state),
                Rule::Fail(errno) => return Err(io::Error::from_raw_os_error(errno)),
                Rule::Hold => {
                    state.waiting += 1;
                    self.tape.changed.notify_all();
                    state = self.tape.changed.wait(state).unwrap();
                    state.waiting -= 1;
                }
            }
        }
    }

    fn change(&self, op: Op) -> io::Result<()> {
        let mut state = self.obey(Call::Change, |state| &state.on_write)?;
        apply(&mut state.live[self.disk as usize], &op);
        state.record(op);
        Ok(())
    }
}

impl StorageBackend for Recorded {
    fn len(&self) -> io::Result<u64> {
        Ok(self.read_state()?.live[self.disk as usize].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let state = self.read_state()?;
        let bytes = state.live[self.disk as usize]
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Op::SetLen {
            disk: self.disk,
            len: usize::try_from(len).map_err(io::Error::other)?,
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.obey(Call::Flush, |state| &state.on_sync)?;
        state.record(Op::Sync { disk: self.disk });
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Op::Write {
            disk: self.disk,
            offset: usize::try_from(offset).map_err(io::Error::other)?,
            data: data.into(),
        })
    }
}
