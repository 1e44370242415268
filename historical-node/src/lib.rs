//! The historical role: holds published segments in mapped files and answers queries over them.

pub mod cache;
pub mod error;
pub mod load;
pub mod query;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use henge_exec::NodeDictionaries;
use henge_platform::cache::PartialCache;
use henge_platform::discovery::{Discovery, ServerId};
use henge_platform::runtime::CpuPool;
use henge_platform::storage::DeepStorage;
use henge_segment::MappedSegment;
use henge_types::SegmentId;
use parking_lot::RwLock;

pub use error::{HistoricalError, Result};

use crate::cache::SegmentCache;

/// Settings of a historical node.
#[derive(Debug, Clone)]
pub struct HistoricalOptions {
    /// Name in discovery.
    pub server_id: ServerId,
    /// Tier.
    pub tier: Arc<str>,
    /// Preference among replicas.
    pub priority: i32,
    /// Where segment files are kept.
    pub cache_dir: PathBuf,
    /// Bytes that they may take; a load beyond is refused.
    pub capacity_bytes: u64,
    /// Bytes that node-wide dictionaries may take.
    pub dictionary_budget_bytes: usize,
}

/// The historical role.
#[derive(Debug)]
pub struct HistoricalNode {
    pub(crate) options: HistoricalOptions,
    pub(crate) discovery: Arc<dyn Discovery>,
    pub(crate) storage: Arc<dyn DeepStorage>,
    pub(crate) pool: CpuPool,
    pub(crate) cache: SegmentCache,
    pub(crate) partials: Option<Arc<dyn PartialCache>>,
    pub(crate) dictionaries: Arc<NodeDictionaries>,
    pub(crate) loaded: RwLock<HashMap<SegmentId, Arc<MappedSegment>>>,
}

impl HistoricalNode {
    /// Opens the node's cache of files and joins the cluster. Nothing is loaded until the coordinator says.
    /// `partials` keeps what segments contribute to queries.
    ///
    /// # Errors
    /// When the cache folder cannot be made or discovery is away.
    pub fn open(
        options: HistoricalOptions,
        discovery: Arc<dyn Discovery>,
        storage: Arc<dyn DeepStorage>,
        pool: CpuPool,
        partials: Option<Arc<dyn PartialCache>>,
    ) -> Result<Self> {
        let cache = SegmentCache::open(options.cache_dir.clone(), options.capacity_bytes)?;
        discovery.join(&options.server_id)?;
        let dictionaries = Arc::new(NodeDictionaries::new(options.dictionary_budget_bytes));
        let loaded = RwLock::default();
        Ok(Self { options, discovery, storage, pool, cache, dictionaries, partials, loaded })
    }

    /// Number of segments that are served.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.loaded.read().len()
    }
}
