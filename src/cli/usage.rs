//! What can be wrong with a command line.

use thiserror::Error;

/// A command line that cannot be read. `Display` is one line; [`UsageError::hint`] is the line below it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum UsageError {
    #[error("argument {position} is not UTF-8: \"{lossy}\"")]
    NotUtf8 { position: usize, lossy: String },
    #[error("no command is given")]
    NoCommand { path: String, page: String },
    #[error("\"{path} {word}\" is not a command")]
    UnknownCommand {
        path: String,
        word: String,
        nearest: Option<String>,
    },
    #[error("\"{path}\" has no flag {flag}")]
    UnknownFlag {
        path: String,
        flag: String,
        nearest: Option<String>,
    },
    #[error("flag {flag} comes before the command")]
    FlagBeforeCommand { path: String, flag: String },
    #[error("flag {flag} needs a value: {meta}")]
    MissingValue { flag: String, meta: String },
    #[error("flag {flag} takes no value, but \"{value}\" is given")]
    TakesNoValue { flag: String, value: String },
    #[error("flag {flag} is given more than once")]
    GivenTwice { flag: String },
    #[error("flags {} and {} are given together", flags[0], flags[1])]
    Exclusive { flags: [&'static str; 2] },
    #[error("\"{path}\" needs {what}")]
    MissingArgument { path: String, what: String },
    #[error("\"{path}\" does not know what to do with \"{word}\"")]
    UnexpectedWord { path: String, word: String },
    /// What argh found although everything was judged before it; never seen in practice.
    #[error("{0}")]
    Argh(String),
}

impl UsageError {
    /// A help page to show before the message.
    pub(super) fn page(&self) -> &str {
        match self {
            Self::NoCommand { page, .. } => page,
            _ => "",
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::NotUtf8 { .. } => "write it in UTF-8".to_owned(),
            Self::NoCommand { path, .. } => format!("{path} --help shows this page"),
            Self::UnknownCommand { path, nearest, .. } => nearest.as_ref().map_or_else(
                || format!("{path} --help lists the commands"),
                |nearest| format!("did you mean {path} {nearest}?"),
            ),
            Self::UnknownFlag { path, nearest, .. } => nearest.as_ref().map_or_else(
                || format!("{path} --help lists its flags"),
                |nearest| format!("did you mean {nearest}?"),
            ),
            Self::FlagBeforeCommand { path, flag } => {
                format!("write it behind the command: {path} COMMAND {flag} ...")
            }
            Self::MissingValue { flag, meta } => format!("write {flag} {meta}"),
            Self::TakesNoValue { flag, .. } => format!("write {flag} alone, or leave it out"),
            Self::GivenTwice { flag } => format!("keep one {flag}"),
            Self::Exclusive { flags } => format!("keep {} or {}", flags[0], flags[1]),
            Self::MissingArgument { path, .. } | Self::UnexpectedWord { path, .. } => {
                format!("{path} --help shows how it is written")
            }
            Self::Argh(_) => "codling --help".to_owned(),
        }
    }
}
