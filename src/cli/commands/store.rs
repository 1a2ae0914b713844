//! `codling store ...` as typed.

use argh::{ArgsInfo, FromArgs};

/// check, compact, save and restore the store of a stopped node
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "store",
    example = "codling store check",
    example = "codling store export --output jobs.jsonl",
    note = "The node must not run: stop it first."
)]
pub(in crate::cli) struct Store {
    #[argh(subcommand)]
    pub(in crate::cli) command: StoreCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(in crate::cli) enum StoreCommand {
    Check(StoreCheck),
    Compact(StoreCompact),
    Export(StoreExport),
    Import(StoreImport),
}

/// read every record and say whether the store is whole
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    example = "codling store check",
    example = "codling store check /mnt/card/jobs.db",
    note = "Changes nothing. Exit code: 0 whole, 1 damaged or not readable, 3 in use."
)]
pub(in crate::cli) struct StoreCheck {
    /// store file (default both files of the data directory)
    #[argh(positional, arg_name = "FILE")]
    pub(in crate::cli) files: Vec<String>,
    /// print what was found as JSON
    #[argh(switch)]
    pub(in crate::cli) json: bool,
    /// keys and stores (default ~/.bacalhau)
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) data_dir: Option<String>,
}

/// give the disk back what deleted records left
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "compact",
    example = "codling store compact --data-dir /var/lib/codling",
    note = "Works in place, without free space. It may be interrupted: no record is lost."
)]
pub(in crate::cli) struct StoreCompact {
    /// store file (default both files of the data directory)
    #[argh(positional, arg_name = "FILE")]
    pub(in crate::cli) files: Vec<String>,
    /// print the sizes as JSON
    #[argh(switch)]
    pub(in crate::cli) json: bool,
    /// keys and stores (default ~/.bacalhau)
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) data_dir: Option<String>,
}

/// write every record as a line of JSON
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "export",
    example = "codling store export --output store.jsonl",
    example = "codling store export | gzip >store.jsonl.gz",
    note = "Lines: Store, then a Job or Execution each, then End. ID, Name and State are to",
    note = "be read; Row is what is stored, in base64, with all that jobs carry.",
    note = "Changes nothing. A record that cannot be read is told and left out; exit code 1."
)]
pub(in crate::cli) struct StoreExport {
    /// store file (default both files of the data directory)
    #[argh(positional, arg_name = "FILE")]
    pub(in crate::cli) files: Vec<String>,
    /// file to write, for its owner only (default stdout)
    #[argh(option, arg_name = "OUT")]
    pub(in crate::cli) output: Option<String>,
    /// keys and stores (default ~/.bacalhau)
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) data_dir: Option<String>,
}

/// put the records of an export into the store
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "import",
    example = "codling store import store.jsonl",
    example = "zcat store.jsonl.gz | codling store import -",
    note = "All of it or nothing: a bad line is named by its number and changes nothing.",
    note = "The records belong to one node: bring its key to the data directory first."
)]
pub(in crate::cli) struct StoreImport {
    /// what codling store export wrote; - for stdin
    #[argh(positional, arg_name = "FILE")]
    pub(in crate::cli) file: String,
    /// delete the records that are there
    #[argh(switch)]
    pub(in crate::cli) replace: bool,
    /// keys and stores (default ~/.bacalhau)
    #[argh(option, arg_name = "DIR")]
    pub(in crate::cli) data_dir: Option<String>,
    /// file of the jobs (default in the data directory)
    #[argh(option, arg_name = "FILE")]
    pub(in crate::cli) requester_job_store_path: Option<String>,
    /// file of the executions (default in the data directory)
    #[argh(option, arg_name = "FILE")]
    pub(in crate::cli) compute_execution_store_path: Option<String>,
}
