//! What the parts of the role share: settings, the world behind traits, and what is bounded for all
//! of them together.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_data_node::QueryRunner;
use henge_platform::discovery::Discovery;
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::{Clock, CpuPool, MemoryAccount};
use henge_platform::storage::DeepStorage;
use henge_platform::wal::{LogHandles, LogMarks};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::copies::Copies;
use crate::index_memory::IndexMemory;
use crate::lease::NodeLease;
use crate::merging::MergeRoom;
use crate::notes::Notes;
use crate::options::RealtimeOptions;
use crate::peers::Peers;
use crate::registration::Registration;
use crate::serving::Serving;
use crate::uptime::Uptime;

/// Everything the parts of the role share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Settings.
    pub(crate) options: RealtimeOptions,
    /// Metadata.
    pub(crate) metadata: Arc<dyn MetadataStore>,
    /// Deep storage.
    pub(crate) storage: Arc<dyn DeepStorage>,
    /// Announcements.
    pub(crate) discovery: Arc<dyn Discovery>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The lease over the logs of this node.
    pub(crate) lease: Arc<NodeLease>,
    /// What brokers know of this node.
    pub(crate) registration: Arc<Registration>,
    /// The other realtime nodes.
    pub(crate) peers: Arc<dyn Peers>,
    /// Copies of their logs.
    pub(crate) copies: Copies,
    /// How long servers have run, all runs together.
    pub(crate) uptime: Uptime,
    /// Where parsing, adding and persisting run.
    pub(crate) ingest_pool: CpuPool,
    /// Runs queries.
    pub(crate) queries: QueryRunner,
    /// What the metadata note of it.
    pub(crate) notes: Notes,
    /// Told when it is not known what the metadata have of this node.
    pub(crate) doubt: Arc<Notify>,
    /// What is announced and queryable.
    pub(crate) serving: Serving,
    /// What requests are charged to until their rows are in the index.
    pub(crate) requests: MemoryAccount,
    /// The memory of the indexes.
    pub(crate) index_memory: IndexMemory,
    /// Room for merges at hand-off.
    pub(crate) merge_room: MergeRoom,
    /// The open files of the logs.
    pub(crate) log_handles: LogHandles,
    /// How far the logs are durable, beside them.
    pub(crate) log_marks: LogMarks,
    /// Refused events that were kept since the start, by datasource.
    pub(crate) letters_kept: Mutex<BTreeMap<String, u64>>,
    /// Told after each publish, so that the coordinator looks at once.
    pub(crate) published: Arc<Notify>,
}
