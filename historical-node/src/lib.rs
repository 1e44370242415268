//! The historical role: holds published segments in mapped files and answers queries over them.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod api;
mod blocks;
mod cache;
mod dial;
mod error;
mod hot;
mod left;
mod load;
mod losses;
mod mend;
mod object;
mod open;
mod pin;
mod query;
mod read_ahead;
mod recode;
mod restore;
mod scrub;
mod told;
mod view;
mod watchdog;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use henge_data_node::{PartialCache, QueryRunner, QueryServices};
use henge_exec::NodeDictionaries;
use henge_platform::discovery::{Discovery, ServerDescription, ServerId, ServerKind};
use henge_platform::metadata::{MetadataStore, PublishedSegment};
use henge_platform::runtime::CpuPool;
use henge_platform::storage::{DeepStorage, PushedObject};
use henge_segment::{BlockCodec, WriteOptions};
use henge_types::SegmentId;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

pub use api::router;
pub use cache::cached_copy;
pub use dial::{DatasourceDial, Dial, DialFigures};
pub use error::{HistoricalError, Result};

use crate::blocks::{BlockCache, Blocks};
use crate::cache::{CachedFile, FileForm, Reservation, SegmentCache};
use crate::dial::Figures;
use crate::open::{OpenSegment, OpenSegments};
use crate::pin::{Pinned, Pins};
use crate::read_ahead::Reading;
use crate::scrub::CareMetrics;
use crate::told::Told;
use crate::watchdog::DiskState;

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
    /// Bytes of segments that the node serves; a load beyond is refused, but on demand: there it is for the
    /// coordinator to keep to.
    pub capacity_bytes: u64,
    /// Bytes that blocks of segments served on demand may take on the disk.
    pub block_cache_bytes: u64,
    /// The form that segments are served in.
    pub form: ServedForm,
    /// Whether segments are kept in memory.
    pub pinned: bool,
    /// Whether what queries are about to read is asked for before.
    pub read_ahead: bool,
    /// Segments that may be open at once, read or not: each is a mapping, and the kernel allows a process
    /// so many.
    pub open_segments: usize,
    /// Bytes that node-wide dictionaries may take.
    pub dictionary_budget_bytes: usize,
    /// Bytes a second that are read again to find damage; 0 for none.
    pub scrub_bytes_per_second: u64,
    /// Time after which a disk that does not answer hangs; 0 for never.
    pub disk_timeout_ms: u64,
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
    /// The same, compressed with LZ4 where that saves much: between the two in bytes and in speed.
    Lz4,
    /// The same with ZSTD: smaller, and slower to scan.
    Zstd,
    /// As deep storage has it.
    AsStored,
    /// From deep storage: the node's disk has what was read of them lately.
    OnDemand,
}

impl ServedForm {
    /// How segments are written for it on the node's disk; `None` where they are served as they come.
    pub(crate) fn written(self) -> Option<WriteOptions> {
        let codec = match self {
            Self::Hot => BlockCodec::None,
            Self::Lz4 => BlockCodec::Lz4,
            Self::Zstd => BlockCodec::Zstd,
            Self::AsStored | Self::OnDemand => return None,
        };
        Some(WriteOptions { codec, ..WriteOptions::hot() })
    }

    /// Whether it is the form of a file that was written for it.
    pub(crate) fn is_written_as(self, codec: BlockCodec) -> bool {
        self.written().is_some_and(|options| options.codec == codec)
    }
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
    pub(crate) disk: Arc<DiskState>,
    pub(crate) figures: Arc<Figures>,
}

/// What the node serves; shared with transcoding in the background.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) cache: Arc<SegmentCache>,
    pub(crate) dictionaries: Arc<NodeDictionaries>,
    pub(crate) loaded: RwLock<HashMap<SegmentId, Arc<Loaded>>>,
    /// Those of them that are open.
    pub(crate) open: OpenSegments,
    /// What queries are about to read is asked for before, where that is wanted.
    pub(crate) reading: Option<Arc<Reading>>,
    /// The blocks of those that are served on demand.
    pub(crate) blocks: BlockCache,
    /// What is kept in memory of them, where that is wanted.
    pub(crate) pins: Option<Pins>,
    /// What it was told of segments, and their loads under way.
    pub(crate) told: Told,
}

/// A segment that is served, its file, and the room the file takes.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) file: CachedFile,
    pub(crate) room: Arc<Reservation>,
    /// What the metadata say of it, but its schema.
    pub(crate) segment: Arc<PublishedSegment>,
    /// Of what is served on demand: what of it is on the disk.
    pub(crate) blocks: Option<Arc<Blocks>>,
    /// While it is open.
    pub(crate) open: Mutex<Weak<OpenSegment>>,
    /// Where segments are kept in memory: it stays open.
    pub(crate) pinned: Mutex<Option<Pinned>>,
    /// Once it is served no longer.
    pub(crate) is_gone: AtomicBool,
}

impl Loaded {
    /// What a file holds; it is not open so far.
    pub(crate) fn new(
        file: CachedFile,
        room: Arc<Reservation>,
        segment: Arc<PublishedSegment>,
    ) -> Self {
        Self {
            file,
            room,
            segment,
            blocks: None,
            open: Mutex::default(),
            pinned: Mutex::default(),
            is_gone: AtomicBool::new(false),
        }
    }

    /// Size and checksum of the file when it took its name.
    pub(crate) fn expected(&self) -> PushedObject {
        let size_bytes = self.room.size_bytes();
        let checksum = match self.file.form {
            FileForm::Stored { .. } | FileForm::Blocks { .. } => self.segment.checksum,
            FileForm::Hot { checksum, .. } => checksum.unwrap_or_default(),
        };
        PushedObject { size_bytes, checksum }
    }
}

impl HistoricalNode {
    /// Opens the node's cache of files and joins the cluster; to be called within a runtime. Nothing is served until [`Self::restore`] or a
    /// coordinator says.
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
        let on_demand = options.form == ServedForm::OnDemand;
        let disk_bytes = if on_demand { options.block_cache_bytes } else { options.capacity_bytes };
        let cache = Arc::new(SegmentCache::open(options.cache_dir.clone(), disk_bytes)?);
        discovery.join(&options.server_id, &options.description())?;
        let dictionaries = Arc::new(NodeDictionaries::new(options.dictionary_budget_bytes));
        let pool = queries.pool.clone();
        let queries = QueryRunner::over_segments(queries, Arc::clone(&dictionaries), partials);
        let queries = if on_demand { queries.on_the_pool() } else { queries };
        let serving = Arc::new_cyclic(|serving| Serving {
            cache,
            dictionaries,
            loaded: RwLock::default(),
            open: OpenSegments::new(options.open_segments),
            reading: options.read_ahead.then(|| Arc::new(Reading::new())),
            blocks: BlockCache::new(Arc::clone(&storage), serving.clone()),
            pins: options.pinned.then(|| Pins::new(options.open_segments)),
            told: Told::default(),
        });
        let figures = Arc::new(Figures::new(&options, &serving, queries.reads()));
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
            disk: Arc::default(),
            figures,
        })
    }

    /// Number of segments that are served.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.serving.loaded.read().len()
    }
}
