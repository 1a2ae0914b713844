//! Plain data: jobs, executions, messages, records, time.
//!
//! Nothing here knows a wire format, a file or a device. API and swarm integers live in `api` and `swarm`. The `n(..)`
//! numbers are those of the *stored* records (`store`): a number is never reused, an unknown one is skipped, an absent
//! one is `None` or the default, so that a fleet can roll back one release (design: golden stores pin them).
//!
//! | File | Holds |
//! |---|---|
//! | `ids` | newtypes for every identifier |
//! | `time` | `Now`, boot ids, timers that survive reboots |
//! | `params`, `task`, `job` | what was asked for |
//! | `resources` | quantities and their grammar |
//! | `execution`, `evaluation`, `history` | what the requester knows of it |
//! | `bid`, `failure`, `outcome` | answers, with their typed reasons |
//! | `pull` | how far the pull of an image has come |
//! | `message` | what requester and compute say to each other |
//! | `names` | which job has which name |
//! | `record` | what is stored, and the batch that stores it |
//! | `later` | kinds of a later release in what is stored |
//! | `log` | what followers of a job's log ask for, and what they are given |
//! | `request` | what the REST API asks, and what it is told |
//! | `node` | what a node says of itself |
//! | `capability` | what a container may be given |
//! | `board` | what its board is like at a moment |
//! | `condition` | what is not as it should be |
//! | `evidence` | what is counted and shown to those who look for a cause |

mod bid;
mod board;
mod capability;
mod condition;
mod evaluation;
mod evidence;
mod execution;
mod failure;
mod history;
mod ids;
mod images;
mod job;
mod later;
mod log;
mod message;
mod names;
mod node;
mod outcome;
mod params;
mod peer;
mod prune;
mod pull;
mod record;
mod request;
mod resources;
mod retention;
mod task;
mod time;

pub use bid::{BidVerdict, RejectReason};
pub use board::{
    BoardReading, DiskMode, DiskReading, Heat, MemoryController, MemoryPressure, MemoryReading,
    Throttle,
};
pub use capability::Capability;
pub use condition::{Condition, ConditionChange, ConditionKind};
pub use evaluation::{Evaluation, EvaluationStatus, EvaluationTrigger};
pub use evidence::{
    Bundle, Census, EngineState, FileCost, Histogram, LogLines, Metrics, ProcessReading,
};
pub use execution::{DesiredState, Execution, ExecutionState, Upkeep};
pub use failure::{Failure, FailureKind};
pub use history::{HistoryItem, HistoryLevel, Topic};
pub use ids::{ContainerId, EvaluationId, ExecutionId, JobId, NodeId, RequestId};
pub use images::{
    IMAGE_LOW_WATER_MOST, IMAGE_LOW_WATER_PERCENT, IMAGES_MAX, ImageLowWater, ImageRemoval,
    PulledImage, PulledImages,
};
pub use job::{Constraint, Job, JobState, JobType, RESERVED_META};
pub use log::{
    LAST_LINES_MAX, LastLines, LogBreak, LogBytes, LogChunk, LogExtent, LogItem, LogRequest,
    LogStart, OutputStream,
};
pub use message::Message;
pub use names::{JobNames, NAMES_MAX, NamedJob};
pub use node::{BoardFacts, EngineFacts, MemoryLimits, NodeInfo, NodeRole, NodeRoles, Origin};
pub use outcome::{
    JOB_OUTPUT_MAX_DEFAULT, JOB_OUTPUT_MAX_LEAST, JOB_OUTPUT_MAX_MOST, Outcome, RUN_OUTPUT_MAX,
    RunOutput,
};
pub use params::{DockerSpec, Params, SpecConfig, SpecError};
pub use peer::{ConnectedNode, DialledBy};
pub use prune::{Overdue, Prunable, PruneMode};
pub use pull::{PullNews, PullProgress, PullStage};
pub use record::{
    Batch, ComputeState, DamagedStore, Delivery, EarlierVersion, ExecutionRecord, FileHistory,
    IdempotencyKey, JobRecord, JobSummary, StoreRoom, StoredState, Write, WriteKind,
};
pub use request::{
    ApiReply, ApiRequest, DenyReason, IfUnchanged, JobRange, ListOrder, StoreAnswer, StoreQuery,
    Stored, Submission,
};
pub use resources::{
    Amount, CPU_MILLIS_LEAST, Dimension, MEMORY_BYTES_LEAST, Requested, ResourceError, Resources,
    ResourcesConfig, bytes_of,
};
pub use retention::{
    Ended, EndedExecution, EndedJob, RETAIN_AGE_MS, RETAIN_AGE_MS_LEAST, RETAIN_BYTES,
    RETAIN_BYTES_LEAST, RETAIN_BYTES_MOST, RETAIN_RECORDS, RETAIN_RECORDS_MAX, RetentionLimits,
};
pub use task::{InputSource, Network, NetworkKind, Port, ResultPath, Task, Timeouts};
pub use time::{BootId, Deadline, Now, Timer, UnixMs};
