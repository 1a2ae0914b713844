//! `codling job logs`, and the log that `codling run` follows.

use super::client::{Client, Retry, segment};
use super::commands::JobLogs;
use super::console::Console;
use super::log_socket::{LogSocket, Piece};
use super::{CliError, Ended};
use crate::config::{ConfigError, Wrong};
use crate::model::{LAST_LINES_MAX, Origin};
use std::io;
use std::time::Duration;

/// Between tries while the node does not answer.
const SILENCE_PAUSE: Duration = Duration::from_millis(500);
/// Tries until a node that does not answer is given up: five minutes, longer than a board takes to boot.
const SILENCE_TRIES: u32 = 600;

/// A read of a log that goes on where it was cut off.
#[derive(Clone, Debug, Default)]
pub(super) struct LogRead {
    job: String,
    follows: bool,
    lines: Option<usize>,
    /// The execution that is asked for, or whose output came.
    pub(super) execution: Option<String>,
    /// Bytes of stdout and stderr up to where the output has come.
    pub(super) place: Option<(u64, u64)>,
}

impl LogRead {
    /// The log of a job to its end.
    pub(super) fn follow(job: &str) -> Self {
        Self {
            job: job.to_owned(),
            follows: true,
            ..Self::default()
        }
    }

    /// Reads on until the node says that this was all, and hands on every piece. After an error that may pass it can be
    /// called again: nothing comes twice.
    ///
    /// # Errors
    /// Of the node, or of `take`.
    pub(super) fn read(
        &mut self,
        client: &Client,
        take: &mut dyn FnMut(Piece) -> io::Result<()>,
    ) -> Result<(), CliError> {
        let mut socket = LogSocket::open(client, &self.path())?;
        while let Some(piece) = socket.next()? {
            match &piece {
                Piece::Begins {
                    execution,
                    stdout,
                    stderr,
                } => {
                    self.execution = Some(execution.clone());
                    self.place = Some((*stdout, *stderr));
                }
                Piece::Stdout(bytes) => self.pass(bytes.len(), 0),
                Piece::Stderr(bytes) => self.pass(0, bytes.len()),
                Piece::Notice(_) => {}
            }
            take(piece)?;
        }
        Ok(())
    }

    fn pass(&mut self, stdout: usize, stderr: usize) {
        if let Some(place) = &mut self.place {
            place.0 += stdout as u64;
            place.1 += stderr as u64;
        }
    }

    fn path(&self) -> String {
        let mut path = format!("/jobs/{}/logs?frames=binary", segment(&self.job));
        if self.follows {
            path.push_str("&follow=true");
        }
        if let Some(execution) = &self.execution {
            path.push_str(&format!("&execution_id={}", segment(execution)));
        }
        match (self.place, self.lines) {
            (Some((stdout, stderr)), _) => path.push_str(&format!("&from={stdout},{stderr}")),
            (None, Some(lines)) => path.push_str(&format!("&lines={lines}")),
            (None, None) => {}
        }
        path
    }
}

/// Performs `codling job logs`.
pub(super) fn logs(
    args: &JobLogs,
    client: &Client,
    console: &mut Console,
) -> Result<Ended, CliError> {
    let mut read = LogRead {
        job: args.id.clone(),
        follows: args.follow,
        lines: args.tail.as_deref().map(lines).transpose()?,
        execution: args.execution.clone(),
        place: None,
    };
    let mut tries = 0;
    loop {
        let mut has_answered = false;
        let result = read.read(client, &mut |piece| {
            if tries > 0 && !has_answered {
                console.tell("the node answers again");
            }
            has_answered = true;
            print(piece, console)
        });
        match result {
            Ok(()) => return Ok(Ended::WELL),
            // `codling job logs JOB | head -1`: the reader has what it wanted.
            Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Ended::WELL);
            }
            // What has begun is gone on with, and a node that was never there is told at once.
            Err(CliError::Client(error))
                if args.follow && read.place.is_some() && error.retry() == Retry::Later =>
            {
                if has_answered {
                    tries = 0;
                }
                if tries == 0 {
                    console.tell("the node does not answer; waiting for it");
                }
                tries += 1;
                if tries > SILENCE_TRIES {
                    return Err(error.into());
                }
                std::thread::park_timeout(SILENCE_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Puts a piece where it belongs.
///
/// # Errors
/// stdout cannot be written.
pub(super) fn print(piece: Piece, console: &mut Console) -> io::Result<()> {
    match piece {
        Piece::Begins { .. } => Ok(()),
        Piece::Stdout(bytes) => console.pour(&bytes),
        Piece::Stderr(bytes) => {
            console.err(&bytes);
            Ok(())
        }
        Piece::Notice(text) => {
            console.tell(&text);
            Ok(())
        }
    }
}

fn lines(text: &str) -> Result<usize, ConfigError> {
    text.parse()
        .ok()
        .filter(|lines| *lines <= LAST_LINES_MAX)
        .ok_or_else(|| ConfigError::BadValue {
            origin: Origin::Flag("tail".to_owned()),
            value: text.to_owned(),
            wrong: Wrong::new(
                format!("a number of lines from 0 to {LAST_LINES_MAX}"),
                "leave it out for all that there is",
            ),
        })
}

/// Whether asking again may help.
pub(super) fn may_pass(error: &CliError) -> bool {
    matches!(error, CliError::Client(error) if error.retry() == Retry::Later)
}
