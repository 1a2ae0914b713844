//! Why a node does not run.

use crate::api;
use crate::model::NodeId;
use crate::store::StoreError;
use crate::swarm;
use std::path::PathBuf;
use thiserror::Error;

/// Why a node could not start, or had to end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A `--peer` does not parse. Nothing was bound or written.
    #[error("{0}")]
    Peer(#[from] swarm::PeerAddressError),
    /// The token file cannot be used. Nothing was bound or written.
    #[error(transparent)]
    Token(#[from] api::TokenFileError),
    /// The REST API's address cannot be taken.
    #[error("the REST API cannot listen (--api-host, --api-port)")]
    Api(#[source] api::BindError),
    /// The swarm's address cannot be taken.
    #[error("the swarm cannot listen (--swarm-host, --port)")]
    Swarm(#[source] swarm::BindError),
    /// The swarm could not start on its port.
    #[error("the swarm cannot start")]
    SwarmStart(#[from] swarm::StartError),
    /// The data directory cannot be made or written.
    #[error("the data directory {} cannot be used (--data-dir)", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another node has the data directory.
    #[error("the data directory {} is in use by {holder} (--data-dir)", path.display())]
    DataDirTaken {
        /// Which.
        path: PathBuf,
        /// `process 123`, or `another process`.
        holder: String,
    },
    /// There is no identity.
    #[error("this node's identity cannot be used")]
    Identity(#[from] swarm::IdentityError),
    /// A store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    /// The board does not tell what it has.
    #[error("this machine cannot be read")]
    Board(#[from] crate::board::BoardError),
    /// No randomness for ids.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// The store's writer thread has ended.
    #[error("the store of node {0} has stopped working")]
    WriterEnded(NodeId),
}

/// A place that somebody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A port, a data directory or a store is in use by another process.
    ByAnother,
    /// Something else is wrong.
    No,
}

impl NodeError {
    /// Whether the place is taken.
    #[must_use]
    pub fn taken(&self) -> Taken {
        match self {
            Self::Api(api::BindError::AddressInUse { .. })
            | Self::Swarm(swarm::BindError::AddressInUse { .. })
            | Self::Store(StoreError::InUse { .. })
            | Self::DataDirTaken { .. } => Taken::ByAnother,
            _ => Taken::No,
        }
    }
}
