//! A directory tree on a medium: what happened to it, call by call, and what a power cut behind any call may leave.
//!
//! A file's bytes and a directory's names are each durable once it was synced itself, and not before: a new file that was
//! synced is lost with its name if its directory was not. What was not synced reaches the medium or does not, every call
//! for itself. Real file systems promise more; nothing here may depend on that.

use crate::support::seed::Seed;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A file or a directory, whatever its name is.
pub(super) type Inode = usize;

/// The top of the tree.
pub(super) const TOP: Inode = 0;

/// What an inode holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Body {
    File(Vec<u8>),
    Directory(BTreeMap<String, Inode>),
}

/// What becomes of the ops of each inode since it was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// All reached the medium: a killed process, or a lucky power cut.
    Kept,
    /// None did.
    Dropped,
    /// Names did and bytes did not, as of a file that was renamed before it was synced.
    NamesOnly,
    /// Each did, did not, or did in some sectors, as this seed says.
    Torn(u64),
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Write {
        file: Inode,
        offset: usize,
        data: Vec<u8>,
    },
    SetLen {
        file: Inode,
        len: usize,
    },
    /// At once: names that are made, taken away or given to something else.
    Names {
        directory: Inode,
        changes: Vec<(String, Option<Inode>)>,
    },
    Sync(Inode),
    /// Bytes that left the process for a client or a terminal.
    Said(String),
}

/// Everything below one directory after a cut; `None` is a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Image(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Image {
    /// What is below `top` now.
    pub(super) fn read(top: &Path) -> Self {
        let mut image = Self::default();
        let mut open = vec![top.to_path_buf()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(top).unwrap().to_path_buf();
                let is_directory = path.is_dir();
                let bytes = (!is_directory).then(|| fs::read(&path).unwrap());
                image.0.insert(name, bytes);
                if is_directory {
                    open.push(path);
                }
            }
        }
        image
    }

    /// Makes it below `top`, which is empty.
    pub(super) fn write(&self, top: &Path) {
        for (name, bytes) in &self.0 {
            let path = top.join(name);
            match bytes {
                None => fs::DirBuilder::new().mode(0o700).create(&path).unwrap(),
                Some(bytes) => {
                    let mut options = fs::OpenOptions::new();
                    let file = options.write(true).create_new(true).mode(0o600).open(&path);
                    std::io::Write::write_all(&mut file.unwrap(), bytes).unwrap();
                }
            }
        }
    }

    /// The bytes of a file.
    pub(super) fn file(&self, name: &Path) -> Option<&Vec<u8>> {
        self.0.get(name)?.as_ref()
    }

    /// Has a file there, or with `None` a directory.
    pub(super) fn set(&mut self, name: &Path, bytes: impl Into<Option<Vec<u8>>>) {
        self.0.insert(name.to_path_buf(), bytes.into());
    }

    /// Has nothing there.
    pub(super) fn remove(&mut self, name: &Path) {
        assert!(self.0.remove(name).is_some(), "{name:?} was not there");
    }

    /// The names of all files and directories.
    pub(super) fn names(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }
}

/// A tree that was whole on its medium, and everything that happened to it since.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    /// Every inode there ever was, those of later ones empty and without a name.
    start: Vec<Body>,
    pub(super) ops: Vec<Op>,
}

/// The medium behind some of the ops.
#[derive(Clone, Debug)]
pub(super) struct Medium<'a> {
    tape: &'a Tape,
    at: usize,
    durable: Vec<Body>,
    /// Ops of each inode since it was synced.
    pending: BTreeMap<Inode, Vec<usize>>,
}

impl Tape {
    /// A tree of which everything is durable.
    pub(super) fn of(image: &Image) -> Self {
        let mut start = vec![Body::Directory(BTreeMap::new())];
        let mut known = BTreeMap::from([(PathBuf::new(), TOP)]);
        // Parents stand before what they hold.
        for (path, bytes) in &image.0 {
            let inode = start.len();
            start.push(match bytes {
                Some(bytes) => Body::File(bytes.clone()),
                None => Body::Directory(BTreeMap::new()),
            });
            known.insert(path.clone(), inode);
            let parent = known[path.parent().unwrap()];
            let Body::Directory(names) = &mut start[parent] else {
                panic!("{path:?} is below a file");
            };
            names.insert(
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                inode,
            );
        }
        Self {
            start,
            ops: Vec::new(),
        }
    }

    /// The same process, killed behind the first `ops` ops: the kernel has all of them, the medium perhaps not.
    pub(super) fn killed(&self, ops: usize) -> Self {
        Self {
            start: self.start.clone(),
            ops: self.ops[..ops].to_vec(),
        }
    }

    /// The medium before anything happened; [`Medium::advance`] goes on.
    pub(super) fn medium(&self) -> Medium<'_> {
        Medium {
            tape: self,
            at: 0,
            durable: self.start.clone(),
            pending: BTreeMap::new(),
        }
    }

    /// A new inode, which has no name yet.
    pub(super) fn make(&mut self, body: Body) -> Inode {
        self.start.push(body);
        self.start.len() - 1
    }

    /// What a process sees behind all ops.
    pub(super) fn live(&self) -> Vec<Body> {
        let mut bodies = self.start.clone();
        for op in &self.ops {
            apply(&mut bodies, op);
        }
        bodies
    }

    /// What a cut behind `ops` ops leaves.
    pub(super) fn cut(&self, ops: usize, kind: Cut) -> Image {
        let mut medium = self.medium();
        while medium.at < ops {
            medium.advance();
        }
        medium.cut(kind)
    }

    /// Behind how many ops this had been said, if it ever was.
    pub(super) fn said(&self, text: &str) -> Option<usize> {
        let is_it = |op: &Op| matches!(op, Op::Said(said) if said.contains(text));
        self.ops.iter().position(is_it).map(|at| at + 1)
    }
}

impl Medium<'_> {
    /// Lets the next op happen.
    pub(super) fn advance(&mut self) {
        match &self.tape.ops[self.at] {
            Op::Said(_) => {}
            Op::Sync(inode) => {
                for at in self.pending.remove(inode).unwrap_or_default() {
                    apply(&mut self.durable, &self.tape.ops[at]);
                }
            }
            Op::Write { file: inode, .. }
            | Op::SetLen { file: inode, .. }
            | Op::Names {
                directory: inode, ..
            } => self.pending.entry(*inode).or_default().push(self.at),
        }
        self.at += 1;
    }

    /// What a cut leaves here.
    pub(super) fn cut(&self, kind: Cut) -> Image {
        let mut bodies = self.durable.clone();
        let mut seed = match kind {
            Cut::Torn(seed) => Seed::new(seed),
            Cut::Kept | Cut::Dropped | Cut::NamesOnly => Seed::new(0),
        };
        for op in self.pending.values().flatten() {
            let op = &self.tape.ops[*op];
            match (kind, op) {
                (Cut::Kept, _) | (Cut::NamesOnly, Op::Names { .. }) => apply(&mut bodies, op),
                (Cut::Dropped | Cut::NamesOnly, _) => {}
                (Cut::Torn(_), _) => tear(&mut bodies, op, &mut seed),
            }
        }
        image(&bodies)
    }
}

/// What these bodies are below the top.
pub(super) fn image(bodies: &[Body]) -> Image {
    let mut image = Image::default();
    let mut open = vec![(PathBuf::new(), TOP)];
    while let Some((path, inode)) = open.pop() {
        let Some(Body::Directory(names)) = bodies.get(inode) else {
            panic!("{path:?} is no directory");
        };
        for (name, inode) in names {
            let path = path.join(name);
            match &bodies[*inode] {
                Body::File(bytes) => drop(image.0.insert(path, Some(bytes.clone()))),
                Body::Directory(_) => {
                    image.0.insert(path.clone(), None);
                    open.push((path, *inode));
                }
            }
        }
    }
    image
}

pub(super) fn apply(bodies: &mut [Body], op: &Op) {
    match op {
        Op::Said(_) | Op::Sync(_) => {}
        Op::Write { file, offset, data } => put(bodies, *file, *offset, data),
        Op::SetLen { file, len } => bytes(bodies, *file).resize(*len, 0),
        Op::Names { directory, changes } => {
            let Body::Directory(names) = &mut bodies[*directory] else {
                panic!("inode {directory} is no directory");
            };
            for (name, inode) in changes {
                match inode {
                    Some(inode) => drop(names.insert(name.clone(), *inode)),
                    None => drop(names.remove(name)),
                }
            }
        }
    }
}

fn tear(bodies: &mut [Body], op: &Op, seed: &mut Seed) {
    match (seed.below(3), op) {
        (0, _) => {}
        (1, Op::Write { file, offset, data }) => {
            for (number, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                if seed.once_in(2) {
                    put(bodies, *file, offset + number * SECTOR_BYTES, sector);
                }
            }
        }
        _ => apply(bodies, op),
    }
}

fn bytes(bodies: &mut [Body], file: Inode) -> &mut Vec<u8> {
    match &mut bodies[file] {
        Body::File(bytes) => bytes,
        Body::Directory(_) => panic!("inode {file} is a directory"),
    }
}

fn put(bodies: &mut [Body], file: Inode, offset: usize, data: &[u8]) {
    let bytes = bytes(bodies, file);
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}
