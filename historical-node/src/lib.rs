//! The historical role: holds published segments in mapped files and answers queries over them.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod cache;
mod error;
mod hot;
mod load;
mod mend;
mod object;
mod query;
mod recode;
mod scrub;
mod told;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use henge_data_node::{PartialCache, QueryRunner, QueryServices};
use henge_exec::NodeDictionaries;
use henge_platform::discovery::{Discovery, ServerDescription, ServerId, ServerKind};
use henge_platform::metadata::{MetadataStore, PublishedSegment};
use henge_platform::runtime::CpuPool;
use henge_platform::storage::{DeepStorage, PushedObject};
use henge_segment::MappedSegment;
use henge_types::SegmentId;
use parking_lot::RwLock;
use tokio::sync::Semaphore;

pub use cache::cached_copy;
pub use error::{HistoricalError, Result};

use crate::cache::{CachedFile, FileForm, Reservation, SegmentCache};
use crate::scrub::CareMetrics;
use crate::told::Told;

/// Settings of a historical node.
#[derive(Debug, Clone)]
pub struct HistoricalOptions {
    /// Name in discovery.
    pub server_id: ServerId,
    /// What it shares its fate with.
    pub zone: Arc<str>,
    /// Tier.
    pub tier: Arc<str>,
    /// Preference among replicas.
    pub priority: i32,
    /// Where segment files are kept.
    pub cache_dir: PathBuf,
    /// Bytes that they may take; a load beyond is refused.
    pub capacity_bytes: u64,
    /// The form that segments are served in.
    pub form: ServedForm,
    /// Bytes that node-wide dictionaries may take.
    pub dictionary_budget_bytes: usize,
    /// Bytes a second that are read again to find damage; 0 for none.
    pub scrub_bytes_per_second: u64,
}

impl HistoricalOptions {
    fn description(&self) -> ServerDescription {
        ServerDescription {
            kind: ServerKind::Historical,
            zone: Arc::clone(&self.zone),
            tier: Arc::clone(&self.tier),
            capacity_bytes: self.capacity_bytes,
            ..ServerDescription::default()
        }
    }
}

/// The form of the segments of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServedForm {
    /// Uncompressed, in encodings that are scanned as they are: made from the stored form once it is
    /// served. Takes more disk and page cache.
    #[default]
    Hot,
    /// As deep storage has it.
    AsStored,
}

/// The historical role. Clones are the same node.
#[derive(Debug, Clone)]
pub struct HistoricalNode {
    pub(crate) options: HistoricalOptions,
    pub(crate) discovery: Arc<dyn Discovery>,
    pub(crate) storage: Arc<dyn DeepStorage>,
    pub(crate) metadata: Arc<dyn MetadataStore>,
    pub(crate) pool: CpuPool,
    pub(crate) queries: QueryRunner,
    pub(crate) serving: Arc<Serving>,
    /// One segment is transcoded at a time, so that queries keep the other threads.
    pub(crate) transcoding: Arc<Semaphore>,
    pub(crate) care: CareMetrics,
}

/// What the node serves; shared with transcoding in the background.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) cache: Arc<SegmentCache>,
    pub(crate) dictionaries: Arc<NodeDictionaries>,
    pub(crate) loaded: RwLock<HashMap<SegmentId, Arc<Loaded>>>,
    /// What it was told of segments, and their loads under way.
    pub(crate) told: Told,
}

/// A segment that is served, its file, and the room the file takes.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) mapped: Arc<MappedSegment>,
    pub(crate) file: CachedFile,
    pub(crate) room: Arc<Reservation>,
    /// What the metadata say of it, but its schema.
    pub(crate) segment: Arc<PublishedSegment>,
}

impl Loaded {
    /// Size and checksum of the file when it took its name.
    pub(crate) fn expected(&self) -> PushedObject {
        let size_bytes = self.room.size_bytes();
        let checksum = match self.file.form {
            FileForm::Stored { .. } => self.segment.checksum,
            FileForm::Hot { checksum, .. } => checksum.unwrap_or_default(),
        };
        PushedObject { size_bytes, checksum }
    }
}

impl HistoricalNode {
    /// Opens the node's cache of files and joins the cluster. Nothing is loaded until the coordinator says.
    /// `queries` is what they are answered with, `partials` keeps what segments contribute to them.
    /// `metadata` are told when a damaged object had to be stored anew.
    ///
    /// # Errors
    /// When the cache folder cannot be made or discovery is away.
    pub fn open(
        options: HistoricalOptions,
        discovery: Arc<dyn Discovery>,
        storage: Arc<dyn DeepStorage>,
        metadata: Arc<dyn MetadataStore>,
        queries: QueryServices,
        partials: Option<Arc<dyn PartialCache>>,
    ) -> Result<Self> {
        let cache =
            Arc::new(SegmentCache::open(options.cache_dir.clone(), options.capacity_bytes)?);
        discovery.join(&options.server_id, &options.description())?;
        let dictionaries = Arc::new(NodeDictionaries::new(options.dictionary_budget_bytes));
        let pool = queries.pool.clone();
        let queries = QueryRunner::over_segments(queries, Arc::clone(&dictionaries), partials);
        let (loaded, told) = (RwLock::default(), Told::default());
        let serving = Arc::new(Serving { cache, dictionaries, loaded, told });
        let transcoding = Arc::new(Semaphore::new(1));
        let care = CareMetrics::default();
        Ok(Self {
            options,
            discovery,
            storage,
            metadata,
            pool,
            queries,
            serving,
            transcoding,
            care,
        })
    }

    /// Number of segments that are served.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.serving.loaded.read().len()
    }
}
