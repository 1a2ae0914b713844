//! The commands and their flags. Doc comments are the help.

mod debug;
mod job;
mod local;
mod node;
mod prune;
mod run;
mod serve;
mod store;

use argh::{ArgsInfo, FromArgs};

pub(super) use debug::Debug;
pub(super) use job::{
    Job, JobCommand, JobDescribe, JobExecutions, JobHistory, JobList, JobLogs, JobRun, JobStop,
};
pub(super) use local::{Id, Image, ImageCommand, ImageLoad, Version};
pub(super) use node::{Node, NodeCommand, NodeDescribe, NodeList};
pub(super) use prune::Prune;
pub(super) use run::Run;
pub(super) use serve::Serve;
pub(super) use store::{Store, StoreCheck, StoreCommand, StoreCompact, StoreExport, StoreImport};

/// runs jobs in containers on this board, alone or with others
#[derive(FromArgs, ArgsInfo)]
#[argh(
    name = "codling",
    example = "codling serve",
    example = "codling run docker.io/library/alpine -- echo hello",
    note = "codling COMMAND --help shows the flags of a command."
)]
pub(super) struct Codling {
    #[argh(subcommand)]
    pub(super) command: Command,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[allow(clippy::large_enum_variant)] // one value in a process, and its reader boxes it
pub(super) enum Command {
    Serve(Serve),
    Run(Run),
    Job(Job),
    Node(Node),
    Image(Image),
    Prune(Prune),
    Store(Store),
    Id(Id),
    Debug(Debug),
    Version(Version),
}
