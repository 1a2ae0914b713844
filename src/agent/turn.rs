//! A turn: what to store and what to do, decided together.

use crate::model::{
    ApiReply, ContainerId, ExecutionId, ExecutionRecord, Job, JobId, JobRecord, Message, NodeId,
    PulledImages, RequestId, Resources, SpecConfig, Write, WriteKind,
};
use std::collections::BTreeMap;

/// What one turn decided. Give it to the gate, which stores the writes and releases the outputs in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// What to store.
    pub writes: Writes,
    /// What to do, in order.
    pub outputs: Vec<Output>,
}

/// Writes with their weight; the last value per key wins and the heavier kind stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writes {
    /// Rows of jobs.db.
    pub jobs: BTreeMap<JobId, (WriteKind, Write<Box<JobRecord>>)>,
    /// Rows of executions.db.
    pub executions: BTreeMap<ExecutionId, (WriteKind, Write<Box<ExecutionRecord>>)>,
    /// The images that this node pulled, in executions.db.
    pub images: Option<(WriteKind, PulledImages)>,
}

impl Writes {
    /// Whether any write makes a commit.
    #[must_use]
    pub fn has_promise(&self) -> bool {
        self.jobs
            .values()
            .any(|(kind, _)| *kind == WriteKind::Promise)
            || self
                .executions
                .values()
                .any(|(kind, _)| *kind == WriteKind::Promise)
            || is_promise(self.images.as_ref())
    }
}

/// Whether these images make a commit.
pub(super) fn is_promise(images: Option<&(WriteKind, PulledImages)>) -> bool {
    images.is_some_and(|(kind, _)| *kind == WriteKind::Promise)
}

/// One activity of one execution. A completion repeats it; an old one is ignored, and what it made is discarded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActivityId {
    /// Whose.
    pub execution: ExecutionId,
    /// Never used twice by one agent.
    pub step: u64,
}

/// A thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Answer an API request. Exactly one per request.
    Reply {
        /// Which.
        request: RequestId,
        /// What.
        reply: Box<ApiReply>,
    },
    /// Say something to another node.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Begin an activity; ends in one `Event::Done`.
    Begin {
        /// Which.
        id: ActivityId,
        /// What.
        activity: Activity,
    },
    /// Ask an activity to stop; it still ends in its `Event::Done`.
    Stop {
        /// Which.
        id: ActivityId,
    },
    /// List this node's containers; ends in `Event::EngineFound`, perhaps after `Event::EngineAway`, for an engine that
    /// does not answer is asked until it does.
    Find {
        /// Grows with every search.
        number: u64,
    },
    /// Remove an image if the engine has it by this name and id, and no container uses it; ends in
    /// `Event::ImageRemoved`.
    RemoveImage {
        /// As it was pulled.
        name: String,
        /// What the engine called it then.
        id: String,
    },
}

impl Output {
    /// Whether it must wait until its turn is durable. What is not binding leaves nothing behind that the sweep by label
    /// would not take away.
    #[must_use]
    pub fn is_binding(&self) -> bool {
        match self {
            Self::Find { .. }
            | Self::Begin {
                activity: Activity::Prepare(_),
                ..
            } => false,
            Self::Reply { .. }
            | Self::Send { .. }
            | Self::Begin { .. }
            | Self::Stop { .. }
            | Self::RemoveImage { .. } => true,
        }
    }
}

/// A sequence of device calls; the sequence itself lives in `node::perform`.
#[derive(Clone, Debug, PartialEq)]
pub enum Activity {
    /// Get the image, create the container, start nothing.
    Prepare(Box<Plan>),
    /// Start the container unless it was started before, await its end, read its output.
    Run {
        /// Which container.
        container: ContainerId,
        /// What is known of it.
        entry: Entry,
    },
    /// Bring the results where the job wants them.
    Publish {
        /// Which container.
        container: ContainerId,
        /// Where to.
        publisher: SpecConfig,
    },
    /// Stop and remove every container of the execution.
    Discard,
}

/// What `Prepare` needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which execution.
    pub execution: ExecutionId,
    /// The job.
    pub job: Job,
    /// Which replica.
    pub partition: u32,
    /// What the container may use.
    pub resources: Resources,
}

/// What is known of a container that is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// This agent had it prepared: it was never started.
    Prepared,
    /// It was found: it may have been started, and may have ended.
    Found,
}
