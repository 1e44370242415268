//! Who serves what: data nodes announce their segments, brokers and coordinators watch.
//!
//! Every change set is atomic: an observer sees all of it or nothing, so a hand-off never shows a
//! moment with a segment on no server.

pub mod inventory;
mod loads;
mod memory;
mod schema;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use henge_types::{ErrorClass, SegmentId, ShardSpec};

pub use loads::{LoadReport, SegmentLoad};
pub use memory::InProcessDiscovery;
pub use schema::{AnnouncedColumn, AnnouncedSchema};

use self::inventory::InventoryVersion;

/// Names a server; unique within the cluster.
pub type ServerId = Arc<str>;

/// How far the announcements of other processes were followed, by the address of the process.
pub type Followed = BTreeMap<Arc<str>, InventoryVersion>;

/// Where a server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServerAddress {
    /// In this process: it is called.
    #[default]
    InProcess,
    /// Over the network, at a host and a port.
    Network(Arc<str>),
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InProcess => f.write_str("in its process"),
            Self::Network(address) => write!(f, "at {address}"),
        }
    }
}

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerKind {
    /// It answers for what it buffers.
    #[default]
    Realtime,
    /// It holds published segments, those that it is told to.
    Historical,
}

/// What a server is, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerDescription {
    /// Where it is reached.
    pub address: ServerAddress,
    /// What it does.
    pub kind: ServerKind,
    /// What it shares its fate with; empty where zones are not told apart.
    pub zone: Arc<str>,
    /// Its tier.
    pub tier: Arc<str>,
    /// Bytes of published segments that it may hold.
    pub capacity_bytes: u64,
}

impl ServerDescription {
    /// The same server as another process reaches it.
    #[must_use]
    pub fn reached_at(&self, address: &ServerAddress) -> Self {
        Self { address: address.clone(), ..self.clone() }
    }
}

/// A segment that a server answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedSegment {
    /// Identity.
    pub id: SegmentId,
    /// Place among the chunk's partitions.
    pub shard_spec: ShardSpec,
    /// The server's tier.
    pub tier: Arc<str>,
    /// Larger is preferred among the servers of one segment.
    pub priority: i32,
    /// True while the rows are buffered: not published yet, so visible whatever their version (ADR
    /// 7). False for published segments, of which the versions decide, and for those of a
    /// publication under way, which nobody may see before the metadata call them used.
    pub realtime: bool,
    /// Size on the server; 0 while it grows.
    pub size_bytes: u64,
    /// The columns that its rows may have.
    pub schema: Arc<AnnouncedSchema>,
}

/// Columns that an announced segment got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaGrowth {
    /// The segment.
    pub id: SegmentId,
    /// Those that are new.
    pub columns: Vec<AnnouncedColumn>,
}

/// What changes on one server, at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Announced; replaces an announcement of the same id.
    pub add: Vec<AnnouncedSegment>,
    /// Withdrawn; ids that are not announced are ignored.
    pub remove: Vec<SegmentId>,
    /// Announced segments that have more columns now; ids that are not announced are ignored.
    pub grow: Vec<SchemaGrowth>,
}

/// A change as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscoveryChange {
    /// The version of the view after this change.
    pub version: u64,
    /// The server that changed.
    pub server: ServerId,
    /// What it is, and where it is reached.
    pub description: Arc<ServerDescription>,
    /// What changed.
    pub changes: ChangeSet,
    /// True when the server left; `changes.remove` then names all it had.
    pub left: bool,
    /// True when it leads to all that the server announces now: what came and went since the change before is
    /// in no change.
    pub is_whole: bool,
    /// How much its segments are read from now on, when it told that.
    pub loads: Option<Arc<LoadReport>>,
}

/// What one server announces.
#[derive(Debug, Clone, Default)]
pub struct AnnouncedServer {
    /// What it is, and where it is reached.
    pub description: Arc<ServerDescription>,
    /// Its segments.
    pub segments: Arc<BTreeMap<SegmentId, AnnouncedSegment>>,
    /// How much some of them are read, as it told last. What it told of may have left since.
    pub loads: Arc<LoadReport>,
}

/// All announcements at one instant.
#[derive(Debug, Clone, Default)]
pub struct DiscoverySnapshot {
    /// Grows by one with each change.
    pub version: u64,
    /// Servers and what they announce.
    pub servers: BTreeMap<ServerId, AnnouncedServer>,
}

/// Why discovery failed.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The registry is away.
    #[error("discovery unavailable: {0}")]
    Unavailable(String),
}

impl DiscoveryError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Unavailable
    }
}

/// The registry of announcements. Implementations pass the suite in `contract.rs`.
pub trait Discovery: Send + Sync + Debug {
    /// Makes a server known, with no segments; does nothing when it is known as this. One that is known
    /// as something else, or at another address, keeps its segments and is this from now on.
    ///
    /// # Errors
    /// When the registry is away.
    fn join(
        &self,
        server: &ServerId,
        description: &ServerDescription,
    ) -> Result<u64, DiscoveryError>;

    /// Applies a change set whole and gives the version after it. An unknown server joins, in this
    /// process and as one that buffers.
    ///
    /// # Errors
    /// When the registry is away; then nothing changed.
    fn apply(&self, server: &ServerId, changes: ChangeSet) -> Result<u64, DiscoveryError>;

    /// Makes these all that a server announces, at one instant. Observers are told that nobody saw what came
    /// and went until then. An unknown server joins as in [`Discovery::apply`].
    ///
    /// # Errors
    /// When the registry is away; then nothing changed.
    fn replace(
        &self,
        server: &ServerId,
        segments: Vec<AnnouncedSegment>,
    ) -> Result<u64, DiscoveryError>;

    /// Withdraws a server and all it announced.
    ///
    /// # Errors
    /// When the registry is away.
    fn leave(&self, server: &ServerId) -> Result<u64, DiscoveryError>;

    /// Tells how much a server's segments are read, in place of what was told before; an unknown server is
    /// ignored, and so is what was told already.
    ///
    /// # Errors
    /// When the registry is away.
    fn report_loads(&self, server: &ServerId, loads: LoadReport) -> Result<u64, DiscoveryError>;

    /// Everything at this instant; cheap, shares memory with the registry.
    fn snapshot(&self) -> DiscoverySnapshot;

    /// The changes after `version`, in order; `None` when they are no longer kept: take a snapshot.
    fn changes_since(&self, version: u64) -> Option<Vec<Arc<DiscoveryChange>>>;

    /// Follows the version, to wake up on changes.
    fn watch(&self) -> crate::runtime::watch::Receiver<u64>;

    /// The version after the last change of a server in this process. What other processes announce moves
    /// the version of the registry, and not this one.
    fn local_version(&self) -> u64;

    /// How far other processes were followed. All that they announced up to there is in every snapshot that
    /// is taken from now on.
    fn followed(&self) -> Arc<Followed>;

    /// Notes how far the process at `address` was followed; `None` once it is followed no longer.
    fn note_followed(&self, address: &Arc<str>, at: Option<InventoryVersion>);

    /// Tells why a server cannot answer for a segment that it should; `None` takes that back. Lost
    /// with the registry: a hint for people, nothing is decided by it.
    fn report(&self, server: &ServerId, id: &SegmentId, trouble: Option<String>);

    /// What was last reported of a segment, by any server.
    fn trouble(&self, id: &SegmentId) -> Option<String>;

    /// Announces segments.
    ///
    /// # Errors
    /// When the registry is away.
    fn announce(
        &self,
        server: &ServerId,
        segments: Vec<AnnouncedSegment>,
    ) -> Result<u64, DiscoveryError> {
        self.apply(server, ChangeSet { add: segments, ..ChangeSet::default() })
    }

    /// Withdraws segments.
    ///
    /// # Errors
    /// When the registry is away.
    fn unannounce(&self, server: &ServerId, ids: Vec<SegmentId>) -> Result<u64, DiscoveryError> {
        self.apply(server, ChangeSet { remove: ids, ..ChangeSet::default() })
    }
}

#[cfg(test)]
mod contract;
