//! What happens to an agent.

use crate::agent::ActivityId;
use crate::model::{
    ApiRequest, BoardReading, ContainerId, EngineFacts, ExecutionId, Failure, ImageRemoval,
    Message, NodeId, PullNews, RequestId, RunOutput, SpecConfig, StoreRoom,
};
use std::collections::BTreeMap;

/// Everything that can happen. Plain data: a recorded list of events, with their `Now` and the seed, replays.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A client asks for something. Answered by one `Output::Reply`.
    Request {
        /// Under which the reply is kept.
        id: RequestId,
        /// What.
        request: ApiRequest,
    },
    /// Another node says something.
    Message {
        /// Who, authenticated.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// An activity's latest news; older news may have been lost.
    Progress {
        /// Which.
        id: ActivityId,
        /// What.
        progress: Progress,
    },
    /// An activity ended.
    Done {
        /// Which.
        id: ActivityId,
        /// How.
        result: ActivityResult,
    },
    /// The engine answered and these containers carry this node's label.
    EngineFound {
        /// Of the latest `Output::Find` that had left when the engine was asked: the list shows what was done before it.
        number: u64,
        /// What it is.
        facts: EngineFacts,
        /// All of ours, each once.
        containers: Vec<Found>,
    },
    /// No engine answers.
    EngineAway {
        /// What was tried.
        why: String,
    },
    /// An image was removed, or was not.
    ImageRemoved {
        /// As it was pulled.
        name: String,
        /// What became of it.
        removal: ImageRemoval,
    },
    /// What the board is like now. Told before the events that `Agent::wants_board` names.
    Board(BoardReading),
    /// What the store has room for now.
    Room(StoreRoom),
    /// A compute node that may be asked is connected, again or still.
    PeerSeen {
        /// Which.
        node: NodeId,
        /// Its labels.
        labels: BTreeMap<String, String>,
    },
    /// It is not connected any more.
    PeerGone {
        /// Which.
        node: NodeId,
    },
    /// `next_deadline` has come.
    Timeout,
}

/// How far an activity has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// `Prepare`: the image is being pulled.
    Pulling(PullNews),
    /// `Prepare`: the image was pulled and is here.
    Pulled {
        /// As the job names it.
        image: String,
        /// What the engine calls it.
        id: String,
        /// Its size.
        bytes: u64,
    },
    /// `Run`: the container runs.
    Started,
}

/// How an activity ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ActivityResult {
    /// `Prepare`: the container, created and not started.
    Prepared(Result<ContainerId, Failure>),
    /// `Run`: what it printed and its exit code.
    Ran(Result<RunOutput, RunFailure>),
    /// `Publish`: where results went.
    Published(Result<SpecConfig, Failure>),
    /// `Discard`: nothing of the execution is left.
    Discarded(Result<(), Failure>),
}

/// Why a container's run was no completion, and what it had printed, where known.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFailure {
    /// Why.
    pub failure: Failure,
    /// What it had printed.
    pub output: Option<RunOutput>,
}

/// A container that carries this node's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which container.
    pub container: ContainerId,
    /// Whose, by its label.
    pub execution: ExecutionId,
    /// How it stands.
    pub state: FoundState,
}

/// How a found container stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FoundState {
    /// Never started.
    Created,
    /// Runs, or is being stopped.
    Running,
    /// Ended.
    Exited,
    /// As a restart of the board leaves what ran: shown as never started although it was, or with an end that is none
    /// of its own. Without such a restart it is no more than ended, or not yet started.
    CutOff,
}
