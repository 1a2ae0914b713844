//! `import`: lines become a file beside the store, which then takes its place.

use super::super::codec;
use super::super::error::{StoreError, Trouble};
use super::super::file::{Content, StoreFile};
use super::super::place::{self, Access, Place};
use super::super::tables::{EXECUTIONS, IMAGES, IMAGES_PULLED};
use super::check::check;
use super::lines::{FORMAT, Head, Line, Tally};
use super::{Offline, WANTED};
use crate::model::NodeId;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The longest line that is read: a job of 4,096 executions with all they printed takes a quarter of it.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Records that one commit holds, and so what redb keeps of them in memory.
const COMMIT_RECORDS_MAX: usize = 256;
/// The same in bytes of lines.
const COMMIT_BYTES_MAX: usize = 1 << 20;

/// Where an import goes.
#[derive(Clone, Debug)]
pub struct ImportTargets {
    /// The file of jobs, if it is one.
    pub jobs: Option<PathBuf>,
    /// The file of executions, if it is one.
    pub executions: Option<PathBuf>,
    /// The node that will read them, if there is one.
    pub node: Option<NodeId>,
}

/// What becomes of the records of a store that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// There must be none.
    Refuse,
    /// They go.
    Replace,
}

/// What was imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Jobs.
    pub jobs: u64,
    /// Executions.
    pub executions: u64,
    /// The files that now hold them.
    pub files: Vec<PathBuf>,
}

/// Why nothing was imported: every store is as it was before, unless it says otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A store file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lines cannot be read.
    #[error("the export cannot be read")]
    Source(#[source] io::Error),
    /// A line is not what it should be.
    #[error("line {number}: {what}")]
    Line {
        /// Which, from 1.
        number: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The last line is missing.
    #[error("the export is not whole: it ends behind line {number} without its last line")]
    Cut {
        /// Lines that came.
        number: u64,
    },
    /// A store holds records already.
    #[error("store file \"{}\" holds {records} {content} already", path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
        /// How many.
        records: u64,
        /// `jobs` or `executions`.
        content: &'static str,
    },
    /// It is of another node.
    #[error("the export is of node {of}, and this is node {here}")]
    OtherNode {
        /// Whose records they are.
        of: String,
        /// Who would read them.
        here: NodeId,
    },
    /// The export has records that are kept in memory here.
    #[error(
        "the export holds {content}, and here they are kept in memory: there is no file for them"
    )]
    NoFile {
        /// `jobs` or `executions`.
        content: &'static str,
    },
}

/// Reads an export and puts its records where `targets` says. Existing stores are replaced at the very end, when the new
/// ones are whole and on disk.
///
/// # Errors
/// See [`ImportError`].
pub fn import(
    source: &mut dyn BufRead,
    targets: &ImportTargets,
    existing: Existing,
) -> Result<Imported, ImportError> {
    let mut lines = Lines { source, number: 0 };
    let Some((Line::Store(head), _)) = lines.next()? else {
        return Err(lines.bad("it is not the first line of an export (\"Store\")"));
    };
    let mut stages = stages(&head, targets, existing, &lines)?;
    let end = fill(&mut lines, &mut stages)?;
    for stage in stages.values_mut() {
        stage.commit()?;
        stage.file.close()?;
        let checked = check(&Place::File(stage.path.clone()))?;
        if let Some(what) = checked.named.into_iter().next() {
            let path = stage.path.clone();
            return Err(StoreError::Damaged { path, what }.into());
        }
    }
    let mut files = Vec::new();
    // Jobs before executions, as commits are ordered.
    for stage in stages.into_values().rev() {
        files.push(stage.settle()?);
    }
    Ok(Imported {
        jobs: end.jobs,
        executions: end.executions,
        files,
    })
}

/// A file for each kind of records in the export.
fn stages(
    head: &Head,
    targets: &ImportTargets,
    existing: Existing,
    lines: &Lines<'_>,
) -> Result<BTreeMap<&'static str, Stage>, ImportError> {
    if head.format > FORMAT {
        return Err(lines.bad(&format!(
            "format {} is newer than {FORMAT}, the newest that this release reads",
            head.format
        )));
    }
    if let (Some(of), Some(here)) = (&head.node, &targets.node)
        && *of != here.0
    {
        return Err(ImportError::OtherNode {
            of: of.clone(),
            here: here.clone(),
        });
    }
    let mut stages = BTreeMap::new();
    for name in &head.files {
        let (content, target) = match name.as_str() {
            "jobs" => (Content::Jobs, &targets.jobs),
            "executions" => (Content::Executions, &targets.executions),
            other => return Err(lines.bad(&format!("\"{other}\" are not known to this release"))),
        };
        let content_name = content.name();
        let target = target.as_ref().ok_or(ImportError::NoFile {
            content: content_name,
        })?;
        stages.insert(content_name, Stage::open(content, target, existing)?);
    }
    Ok(stages)
}

/// Takes lines up to the last one.
fn fill(
    lines: &mut Lines<'_>,
    stages: &mut BTreeMap<&'static str, Stage>,
) -> Result<Tally, ImportError> {
    let mut tally = Tally::default();
    while let Some((line, bytes)) = lines.next()? {
        let content = match &line {
            Line::Job(job) => {
                job.check().map_err(|trouble| lines.bad(&trouble))?;
                tally.jobs += 1;
                Content::Jobs
            }
            Line::Execution(execution) => {
                let record = codec::decode_execution(&execution.id, &execution.row.0)
                    .map_err(|trouble| lines.bad(&trouble))?;
                if record.id.as_str() != execution.id {
                    return Err(lines.bad(&format!("its row is of {}", record.id)));
                }
                tally.executions += 1;
                Content::Executions
            }
            Line::Images(images) => {
                codec::decode_images(&images.row.0).map_err(|trouble| lines.bad(&trouble))?;
                Content::Executions
            }
            Line::End(end) if *end == tally => return Ok(tally),
            Line::End(end) => {
                return Err(lines.bad(&format!(
                    "{} jobs and {} executions should have come before it, but {} and {} did",
                    end.jobs, end.executions, tally.jobs, tally.executions
                )));
            }
            Line::Store(_) => return Err(lines.bad("a second \"Store\" line")),
        };
        let stage = stages.get_mut(content.name());
        let stage = stage.ok_or_else(|| {
            lines.bad(&format!(
                "the first line says nothing of {}",
                content.name()
            ))
        })?;
        stage.take(lines.number, line, bytes)?;
    }
    Err(ImportError::Cut {
        number: lines.number,
    })
}

/// The lines of an export, numbered from 1.
struct Lines<'a> {
    source: &'a mut dyn BufRead,
    number: u64,
}

impl Lines<'_> {
    /// The next line that is not blank, with its length.
    fn next(&mut self) -> Result<Option<(Line, usize)>, ImportError> {
        loop {
            let mut text = Vec::new();
            let mut bounded = (&mut *self.source).take(LINE_BYTES_MAX);
            let read = bounded.read_until(b'\n', &mut text);
            if read.map_err(ImportError::Source)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if text.last() != Some(&b'\n') && text.len() as u64 >= LINE_BYTES_MAX {
                return Err(self.bad(&format!("it is longer than {LINE_BYTES_MAX} bytes")));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            return match serde_json::from_slice(&text) {
                Ok(line) => Ok(Some((line, text.len()))),
                // A line without its end is where the export was cut.
                Err(_) if text.last() != Some(&b'\n') => Err(ImportError::Cut {
                    number: self.number - 1,
                }),
                Err(error) => Err(self.bad(&error)),
            };
        }
    }

    fn bad(&self, what: &(impl std::fmt::Display + ?Sized)) -> ImportError {
        ImportError::Line {
            number: self.number,
            what: what.to_string(),
        }
    }
}

/// A new file beside the one whose place it will take.
struct Stage {
    file: StoreFile,
    path: PathBuf,
    target: PathBuf,
    /// Records for the next commit, each with its line.
    waiting: Vec<(u64, Line)>,
    waiting_bytes: usize,
    /// Holds the lock of what is there until it is replaced.
    _held: Option<Held>,
}

/// Keeps a file from being opened by a node.
enum Held {
    Store { _file: Box<Offline> },
    Damaged { _file: File },
}

impl Stage {
    fn open(content: Content, target: &Path, existing: Existing) -> Result<Self, ImportError> {
        let held = hold(content, target, existing)?;
        let mut name = target.as_os_str().to_owned();
        name.push(".import");
        let path = PathBuf::from(name);
        // What an interrupted import left, unless another one is at it.
        match place::existing(&path, Access::Write) {
            Ok(_) | Err(StoreError::Damaged { .. }) => {
                std::fs::remove_file(&path).map_err(|error| StoreError::io(&path, error))?;
            }
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self {
            file: StoreFile::open(content, Place::File(path.clone()))?,
            path,
            target: target.to_owned(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            _held: held,
        })
    }

    fn take(&mut self, number: u64, line: Line, bytes: usize) -> Result<(), ImportError> {
        self.waiting.push((number, line));
        self.waiting_bytes += bytes;
        if self.waiting.len() >= COMMIT_RECORDS_MAX || self.waiting_bytes >= COMMIT_BYTES_MAX {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), ImportError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let mut twice = None;
        self.file.commit(|txn| {
            for (number, line) in &waiting {
                let is_new = match line {
                    Line::Job(job) => job.write(txn)?,
                    Line::Execution(execution) => {
                        let mut table = txn.open_table(EXECUTIONS)?;
                        let before =
                            table.insert(execution.id.as_str(), execution.row.0.as_slice())?;
                        before.is_none()
                    }
                    Line::Images(images) => {
                        let mut table = txn.open_table(IMAGES)?;
                        let before = table.insert(IMAGES_PULLED, images.row.0.as_slice())?;
                        before.is_none()
                    }
                    Line::Store(_) | Line::End(_) => true,
                };
                if !is_new {
                    twice.get_or_insert(*number);
                }
            }
            Ok::<(), Trouble>(())
        })?;
        match twice {
            None => Ok(()),
            Some(number) => Err(ImportError::Line {
                number,
                what: "its record came before".to_owned(),
            }),
        }
    }

    /// Takes the place of what is there.
    fn settle(self) -> Result<PathBuf, ImportError> {
        place::rename(&self.path, &self.target)?;
        Ok(self.target.clone())
    }
}

/// Nothing half is left behind.
impl Drop for Stage {
    fn drop(&mut self) {
        // Not there any more once it has taken its place.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Locks what is at the target, if it may be replaced.
fn hold(content: Content, target: &Path, existing: Existing) -> Result<Option<Held>, ImportError> {
    let file = match Offline::open(&Place::File(target.to_owned()), Access::Write) {
        Ok(file) => file,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(StoreError::Damaged { .. }) if existing == Existing::Replace => {
            let held = place::existing(target, Access::Write);
            return match held {
                Ok(file) => Ok(Some(Held::Damaged { _file: file })),
                // An empty file holds nothing.
                Err(StoreError::Damaged { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    if file.content != content {
        return Err(StoreError::NotOurs {
            path: target.to_owned(),
            found: file.content.name(),
            wanted: WANTED,
        }
        .into());
    }
    let records = file.records()?;
    if records > 0 && existing == Existing::Refuse {
        return Err(ImportError::NotEmpty {
            path: target.to_owned(),
            records,
            content: content.name(),
        });
    }
    Ok(Some(Held::Store {
        _file: Box::new(file),
    }))
}
