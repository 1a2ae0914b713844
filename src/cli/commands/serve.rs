//! `codling serve` as typed: its flags are the table in `config`.

use crate::config::{FLAGS, FlagShape, FlagSpec};
use argh::{
    ArgsInfo, CommandInfo, CommandInfoWithArgs, EarlyExit, FlagInfo, FlagInfoKind, FromArgs,
    Optionality, SubCommand,
};
use std::sync::LazyLock;

/// Start a node. Its flags are the table in `config`, so argh's derive has nothing to derive from.
pub(in crate::cli) struct Serve {
    /// As typed: name without dashes, value.
    pub(in crate::cli) flags: Vec<(String, String)>,
}

impl FromArgs for Serve {
    /// The words come straightened (`argv.rs`): every flag is known, every value is there.
    fn from_args(_: &[&str], args: &[&str]) -> Result<Self, EarlyExit> {
        let mut flags = Vec::new();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let name = word
                .strip_prefix("--")
                .ok_or_else(|| EarlyExit::from(format!("unexpected word \"{word}\"")))?;
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value),
                None if is_switch(name) => (name, "true"),
                None => (name, words.next().copied().unwrap_or_default()),
            };
            flags.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self { flags })
    }
}

fn is_switch(name: &str) -> bool {
    FLAGS
        .iter()
        .any(|spec| spec.answers_to(name) && spec.shape == FlagShape::Switch)
}

impl SubCommand for Serve {
    const COMMAND: &'static CommandInfo = &CommandInfo {
        name: "serve",
        short: &'\0',
        description: "start a node on this board",
    };
}

/// argh wants `'static` texts, the table makes them from its rows: built once, never changed.
static SERVE_FLAGS: LazyLock<Vec<(String, String, FlagSpec)>> = LazyLock::new(|| {
    FLAGS
        .iter()
        .flat_map(|spec| {
            std::iter::once(&spec.name)
                .chain(spec.synonyms)
                .map(|name| (format!("--{name}"), described(spec), *spec))
        })
        .collect()
});

static SERVE_FLAG_INFO: LazyLock<Vec<FlagInfo<'static>>> = LazyLock::new(|| {
    SERVE_FLAGS
        .iter()
        .map(|(long, description, spec)| FlagInfo {
            kind: match spec.shape {
                FlagShape::Switch => FlagInfoKind::Switch,
                FlagShape::Value | FlagShape::List => FlagInfoKind::Option {
                    arg_name: spec.meta,
                },
            },
            // Whether a flag or its synonym is given twice is `config`'s to say.
            optionality: Optionality::Repeating,
            long,
            short: None,
            description,
            hidden: long.get(2..) != Some(spec.name),
        })
        .collect()
});

fn described(spec: &FlagSpec) -> String {
    match spec.shape {
        FlagShape::Value if !spec.default_shown.starts_with('<') => {
            format!("{} (default {})", spec.help, spec.default_shown)
        }
        _ => spec.help.to_owned(),
    }
}

impl ArgsInfo for Serve {
    fn get_args_info() -> CommandInfoWithArgs {
        CommandInfoWithArgs {
            name: Self::COMMAND.name,
            short: Self::COMMAND.short,
            description: Self::COMMAND.description,
            examples: &[
                "codling serve",
                "codling serve --name pi-kitchen --labels room=kitchen --data-dir /srv/codling",
                "codling serve --peer /ip4/192.0.2.10/tcp/1235/p2p/12D3KooW...",
            ],
            flags: &SERVE_FLAG_INFO,
            notes: &[
                "Each flag has a variable: --api-port is CODLING_API_PORT. Flags beat variables.",
                "Upstream's variables work too: BACALHAU_DIR, DOCKER_HOST, LOG_LEVEL and others.",
            ],
            ..CommandInfoWithArgs::default()
        }
    }
}
