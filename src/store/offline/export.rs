//! `export`: every record as a line.

use super::super::codec;
use super::super::error::{StoreError, Trouble};
use super::super::executions::images_row;
use super::super::file::Content;
use super::super::jobs::whole;
use super::super::place::{Access, Place};
use super::super::tables::{EXECUTIONS, JOBS};
use super::Offline;
use super::lines::{Bytes, ExecutionLine, FORMAT, Head, ImagesLine, JobLine, Line, Tally};
use crate::model::NodeId;
use redb::ReadTransaction;
use std::io::{self, Write};
use thiserror::Error;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Jobs.
    pub jobs: u64,
    /// Executions.
    pub executions: u64,
    /// Records that could not be read and were left out, each with its cause.
    pub left_out: Vec<String>,
}

/// Why there is no export.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two files hold the same kind of records.
    #[error("both files hold {content}: give one of them")]
    Twice {
        /// What.
        content: &'static str,
    },
    /// The lines cannot be written.
    #[error("the export cannot be written")]
    Sink(#[source] io::Error),
}

/// Writes the records of `places`, at most one file of each kind. `node` is theirs, if it is known.
///
/// # Errors
/// See [`ExportError`]; what was written until then has no last line. A record that cannot be read is left out and told.
pub fn export(
    places: &[Place],
    node: Option<&NodeId>,
    sink: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let mut files = Vec::new();
    for place in places {
        let file = Offline::open(place, Access::Read)?;
        if files
            .iter()
            .any(|other: &Offline| other.content == file.content)
        {
            return Err(ExportError::Twice {
                content: file.content.name(),
            });
        }
        files.push(file);
    }
    let mut lines = Lines {
        sink,
        exported: Exported::default(),
    };
    lines
        .say(&Line::Store(Head {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: node.map(|node| node.0.clone()),
            files: files
                .iter()
                .map(|file| file.content.name().to_owned())
                .collect(),
        }))
        .map_err(ExportError::Sink)?;
    for file in &files {
        let txn = file.read()?;
        let told = match file.content {
            Content::Jobs => lines.jobs(&txn),
            Content::Executions => lines.executions(&txn),
        };
        told.map_err(|stop| match stop {
            Stop::Trouble(trouble) => ExportError::Store(trouble.at(&file.path)),
            Stop::Sink(error) => ExportError::Sink(error),
        })?;
    }
    let exported = &lines.exported;
    lines
        .say(&Line::End(Tally {
            jobs: exported.jobs,
            executions: exported.executions,
        }))
        .map_err(ExportError::Sink)?;
    lines.sink.flush().map_err(ExportError::Sink)?;
    Ok(lines.exported)
}

struct Lines<'a> {
    sink: &'a mut dyn Write,
    exported: Exported,
}

/// What ends an export early.
enum Stop {
    Trouble(Trouble),
    Sink(io::Error),
}

impl<T: Into<Trouble>> From<T> for Stop {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

impl Lines<'_> {
    fn say(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.sink.write_all(&text)
    }

    fn jobs(&mut self, txn: &ReadTransaction) -> Result<(), Stop> {
        for next in txn.open_table(JOBS)?.range::<&str>(..)? {
            let (key, row) = next?;
            let read = whole(txn, key.value(), row.value())
                .and_then(|record| JobLine::of(txn, &record.job, row.value()))
                .and_then(|line| line.check().map(|()| line));
            match read {
                Ok(line) => {
                    self.say(&Line::Job(Box::new(line))).map_err(Stop::Sink)?;
                    self.exported.jobs += 1;
                }
                Err(trouble) => self.leave_out(trouble)?,
            }
        }
        Ok(())
    }

    fn executions(&mut self, txn: &ReadTransaction) -> Result<(), Stop> {
        for next in txn.open_table(EXECUTIONS)?.range::<&str>(..)? {
            let (key, row) = next?;
            match codec::decode_execution(key.value(), row.value()) {
                Ok(record) => {
                    self.say(&Line::Execution(ExecutionLine::of(&record, row.value())))
                        .map_err(Stop::Sink)?;
                    self.exported.executions += 1;
                }
                Err(trouble) => self.leave_out(trouble)?,
            }
        }
        let Some(row) = images_row(txn)? else {
            return Ok(());
        };
        match codec::decode_images(&row) {
            Ok(images) => {
                let names = images.images.into_iter().map(|image| image.name);
                let line = ImagesLine {
                    names: names.collect(),
                    row: Bytes(row),
                };
                self.say(&Line::Images(line)).map_err(Stop::Sink)
            }
            Err(trouble) => self.leave_out(trouble),
        }
    }

    /// A record that cannot be read does not keep the others from being saved.
    fn leave_out(&mut self, trouble: Trouble) -> Result<(), Stop> {
        match trouble {
            Trouble::Record(what) => {
                self.exported.left_out.push(what);
                Ok(())
            }
            other => Err(Stop::Trouble(other)),
        }
    }
}
