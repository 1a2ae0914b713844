//! `codling store ...`: the files of a stopped node.

use super::commands::{Store, StoreCheck, StoreCommand, StoreCompact, StoreExport, StoreImport};
use super::console::Console;
use super::error::FAILED;
use super::id::node_in;
use super::surroundings::raw;
use super::{CliError, Ended};
use crate::config::{Config, StorePaths, Surroundings};
use crate::model::NodeId;
use crate::node::{Taken, lock_data_dir};
use crate::store::{self, Checked, Existing, Exported, ImportTargets, Place};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file name that means stdin or stdout.
const STREAM: &str = "-";
/// What an export is gathered in before it is written: some dozens of jobs.
const BUFFER_BYTES: usize = 64 * 1024;

/// Performs `codling store ...`.
pub(super) fn store(
    args: &Store,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    match &args.command {
        StoreCommand::Check(args) => check(args, around, console),
        StoreCommand::Compact(args) => compact(args, around, console),
        StoreCommand::Export(args) => export(args, around, console),
        StoreCommand::Import(args) => import(args, around, console),
    }
}

/// The files that were named; else those of the data directory that are there, and whose they are.
fn files(
    named: &[String],
    data_dir: &Option<String>,
    around: Surroundings,
) -> Result<(Vec<Place>, Option<NodeId>), CliError> {
    let places = |paths: Vec<PathBuf>| paths.into_iter().map(Place::File).collect();
    if !named.is_empty() {
        return Ok((places(named.iter().map(PathBuf::from).collect()), None));
    }
    let here = raw(around, [("data-dir", data_dir)]);
    let dir = Config::data_dir_of(&here)?.value;
    let node = node_in(&dir)?;
    let StorePaths { jobs, executions } = Config::store_paths_of(&here, &dir, &node)?;
    let there = jobs.into_iter().chain(executions);
    let there: Vec<PathBuf> = there.filter(|path| path.exists()).collect();
    if there.is_empty() {
        return Err(CliError::NoStore {
            dir: dir.display().to_string(),
        });
    }
    Ok((places(there), Some(node)))
}

/// Looks at every file, also when one of them cannot be read; ends as the worst of them.
fn check(
    args: &StoreCheck,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let (files, _) = files(&args.files, &args.data_dir, around)?;
    let mut code = Ended::WELL.0;
    for place in files {
        match store::check(&place) {
            Ok(checked) => {
                if args.json {
                    console.line(&as_json(&checked).to_string())?;
                } else {
                    console.out(as_text(&checked).as_bytes())?;
                }
                if checked.bad > 0 {
                    code = code.max(FAILED);
                }
            }
            Err(error) => {
                let error = CliError::Store(error);
                error.tell(console);
                code = code.max(error.code());
            }
        }
    }
    Ok(Ended(code))
}

fn as_json(checked: &Checked) -> serde_json::Value {
    json!({
        "File": checked.path.display().to_string(),
        "Content": checked.content,
        "Bytes": checked.bytes,
        "Unfinished": checked.live,
        "Ended": checked.ended,
        "Bad": checked.bad,
        "Problems": checked.named,
    })
}

fn as_text(checked: &Checked) -> String {
    let (live, ended) = (checked.live, checked.ended);
    let mut text = format!(
        "{}: {}; {}: {}, of them unfinished: {live}; {} bytes\n",
        checked.path.display(),
        match checked.bad {
            0 => "whole".to_owned(),
            bad => format!("bad records: {bad}"),
        },
        checked.content,
        live + ended,
        checked.bytes,
    );
    for problem in &checked.named {
        text.push_str("  ");
        text.push_str(problem);
        text.push('\n');
    }
    text
}

fn compact(
    args: &StoreCompact,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let (files, _) = files(&args.files, &args.data_dir, around)?;
    for place in files {
        let compacted = store::compact(&place).map_err(CliError::Store)?;
        let (path, before, after) = (compacted.path.display(), compacted.before, compacted.after);
        if args.json {
            let line = json!({ "File": path.to_string(), "Before": before, "After": after });
            console.line(&line.to_string())?;
        } else {
            console.line(&format!("{path}: {before} bytes before, {after} after"))?;
        }
    }
    Ok(Ended::WELL)
}

/// The records go to stdout or a file, everything else to stderr.
fn export(
    args: &StoreExport,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let (files, node) = files(&args.files, &args.data_dir, around)?;
    let exported = match args.output.as_deref() {
        None | Some(STREAM) => {
            let mut sink = BufWriter::with_capacity(BUFFER_BYTES, Stdout(console));
            store::export(&files, node.as_ref(), &mut sink).map_err(CliError::Export)?
        }
        Some(path) => export_to(path, &files, node.as_ref())?,
    };
    for record in &exported.left_out {
        console.tell(&format!("left out: {record}"));
    }
    console.tell(&format!(
        "{} jobs and {} executions exported",
        exported.jobs, exported.executions
    ));
    Ok(match exported.left_out.is_empty() {
        true => Ended::WELL,
        false => Ended(FAILED),
    })
}

/// For the user's own eyes; a file that is there is not overwritten, and half a file is not left.
fn export_to(path: &str, files: &[Place], node: Option<&NodeId>) -> Result<Exported, CliError> {
    let unwritten = |source| CliError::FileNotWritten {
        path: path.to_owned(),
        source,
    };
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut sink = BufWriter::with_capacity(BUFFER_BYTES, made.map_err(unwritten)?);
    let exported = store::export(files, node, &mut sink).map_err(CliError::Export);
    let synced = exported.and_then(|exported| {
        sink.get_ref()
            .sync_all()
            .and_then(|()| store::sync_parent(Path::new(path)))
            .map_err(unwritten)?;
        Ok(exported)
    });
    if synced.is_err() {
        let _ = std::fs::remove_file(path);
    }
    synced
}

fn import(
    args: &StoreImport,
    around: Surroundings,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let here = raw(
        around,
        [
            ("data-dir", &args.data_dir),
            ("requester-job-store-path", &args.requester_job_store_path),
            (
                "compute-execution-store-path",
                &args.compute_execution_store_path,
            ),
        ],
    );
    let dir = Config::data_dir_of(&here)?.value;
    let node = node_in(&dir)?;
    let StorePaths { jobs, executions } = Config::store_paths_of(&here, &dir, &node)?;
    let targets = ImportTargets {
        jobs,
        executions,
        node: Some(node),
    };
    let existing = match args.replace {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    let mut source = source(&args.file)?;
    // Held to the end, so that no node starts between the two files.
    let _lock = lock_data_dir(&dir).map_err(|error| match error.taken() {
        Taken::ByAnother => CliError::NodeRuns(error),
        Taken::No => CliError::Node(error),
    })?;
    let imported = store::import(&mut *source, &targets, existing).map_err(CliError::Import)?;
    for file in &imported.files {
        console.line(&format!("{} is written", file.display()))?;
    }
    console.line(&format!(
        "{} jobs and {} executions imported",
        imported.jobs, imported.executions
    ))?;
    Ok(Ended::WELL)
}

fn source(path: &str) -> Result<Box<dyn BufRead>, CliError> {
    if path == STREAM {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(Box::new(BufReader::new(file)))
}

/// stdout as a stream; a reader that goes away ends the export.
struct Stdout<'a>(&'a mut Console);

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.pour(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
