//! The other realtime nodes: who is alive, and what they are asked.
//!
//! Whoever composes processes feeds [`Peers`] from who is seen alive; nothing here decides by it but where
//! to send. What is right is decided by the metadata alone (ADR 30).

mod memory;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use henge_platform::wal::WalRecord;
use xxhash_rust::xxh3::Xxh3;

pub use memory::MemoryPeers;

use crate::error::Result;

/// A realtime node that is seen alive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Its name.
    pub node: Arc<str>,
    /// Where it is: what fails together. May be empty.
    pub zone: Arc<str>,
    /// Where clients reach it over HTTP, host and port. May be empty.
    pub http_address: Arc<str>,
}

/// The realtime nodes of the cluster.
pub trait Peers: Send + Sync + Debug {
    /// Those that are seen alive; this one may be among them.
    fn live(&self) -> Vec<Peer>;

    /// The way to one; `None` when it is not known where it is.
    fn reach(&self, node: &str) -> Option<Arc<dyn RealtimePeer>>;
}

/// There are no others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Peers for Alone {
    fn live(&self) -> Vec<Peer> {
        Vec::new()
    }

    fn reach(&self, _node: &str) -> Option<Arc<dyn RealtimePeer>> {
        None
    }
}

/// What realtime nodes ask of each other. When a call fails it may have been done all the same: each can be
/// asked again.
#[async_trait]
pub trait RealtimePeer: Send + Sync + Debug {
    /// Stores the events of a request whose key belongs to the node.
    ///
    /// # Errors
    /// As a push into that node.
    async fn push(&self, push: ForwardedPush) -> Result<Forwarded>;

    /// Takes note of all datasources as the metadata have them now.
    ///
    /// # Errors
    /// When it could not.
    async fn refresh(&self) -> Result<()>;

    /// Stops a task of the node.
    ///
    /// # Errors
    /// As at that node.
    async fn stop_task(&self, id: &str) -> Result<()>;

    /// Adds records of the caller's log to the node's copy of it; answers once they are durable.
    ///
    /// # Errors
    /// When they are not; `Conflict` when the copy is not the caller's any more.
    async fn append_log(&self, append: LogAppend) -> Result<Appended>;
}

/// A request that came to another node than the one that its key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedPush {
    /// The datasource.
    pub datasource: String,
    /// The events as they were sent.
    pub body: Bytes,
    /// Its idempotency key.
    pub key: Arc<str>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarded {
    /// It is stored; the answer as JSON.
    Stored(String),
    /// The key belongs to this node by now; nothing was stored.
    OtherOwner(Arc<str>),
}

/// Which copy of which log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CopyId {
    /// The node whose log it is.
    pub owner: Arc<str>,
    /// The datasource.
    pub datasource: Arc<str>,
    /// Which attempt at a copy: a number of its own for each.
    pub attempt: u64,
}

/// Records on their way to a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAppend {
    /// The copy.
    pub copy: CopyId,
    /// The epoch of the owner's lease.
    pub epoch: u64,
    /// The end that the copy has to have. A copy that does not exist begins there when `begins`.
    pub after: LogEnd,
    /// Makes the copy when it is not there.
    pub begins: bool,
    /// Records below are not needed any more.
    pub needed_from: u64,
    /// The metadata name this copy: others of the same log are not needed any more.
    pub is_recorded: bool,
    /// The records, ascending; none asks for the copy's end.
    pub records: Vec<WalRecord>,
}

/// The end of a log or its copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The last record's sequence.
    pub sequence: u64,
    /// What tells that record from others of its sequence; 0 where it is not there any more.
    pub hash: u64,
}

impl LogEnd {
    /// The end that a record makes.
    #[must_use]
    pub fn of(record: &WalRecord) -> Self {
        let entry = &record.entry;
        let mut hash = Xxh3::new();
        hash.update(&record.sequence.to_le_bytes());
        hash.update(&entry.received_at_ms.to_le_bytes());
        hash.update(&entry.schema_version.to_le_bytes());
        hash.update(&[entry.flags]);
        let key = entry.idempotency_key.as_deref().unwrap_or_default();
        for bytes in [key.as_bytes(), &entry.context, &entry.payload] {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        Self { sequence: record.sequence, hash: hash.digest().max(1) }
    }

    /// True when a log that has one end may go on behind the other.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let one_is_gone = self.hash == 0 || other.hash == 0;
        self.sequence == other.sequence && (one_is_gone || self.hash == other.hash)
    }
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All of it is durable in the copy.
    Durable,
    /// Nothing was added: the copy ends elsewhere.
    EndsAt(LogEnd),
    /// Nothing was added: there is no such copy.
    Unknown,
}
