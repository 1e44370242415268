//! Errors of this package.

use std::path::{Path, PathBuf};

use henge_compaction::CompactionError;
use henge_exec::ExecError;
use henge_index::IndexError;
use henge_ingest::IngestError;
use henge_platform::discovery::DiscoveryError;
use henge_platform::metadata::{MetadataError, Position};
use henge_platform::runtime::{AccountFull, PoolError, WorkLost};
use henge_platform::storage::StorageError;
use henge_platform::wal::WalError;
use henge_query::QueryError;
use henge_segment::SegmentError;
use henge_tabular::TabularError;
use henge_types::ErrorClass;

/// Why ingestion did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RealtimeError {
    /// The request is wrong; the message names the field and the fix.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The request is larger than one may be.
    #[error("{0}")]
    TooLarge(String),
    /// Ingestion is at its limit: the source has to wait.
    #[error("{0}")]
    Busy(String),
    /// An idempotency key was used before, for something else.
    #[error(
        "Idempotency-Key '{}' belongs to an earlier request with another body: send a new key for \
         new events, or the same body again", .key.escape_debug()
    )]
    KeyReused {
        /// The key.
        key: String,
    },
    /// A datasource stopped taking events.
    #[error("{0}")]
    Unavailable(String),
    /// This node takes nothing new, and did nothing.
    #[error("this node is stopping: push to another one, or later")]
    Stopping,
    /// Another realtime node was not reached, or did not answer; it may have done as asked all the same.
    #[error("{0}")]
    NotReached(String),
    /// Another realtime node said so.
    #[error("{message}")]
    Remote {
        /// The class of its error.
        class: ErrorClass,
        /// What it said.
        message: String,
    },
    /// Events of a source are missing: they were deleted before they were read.
    #[error(
        "partition '{partition}' goes on behind position {next}, and what lies between that and the \
         last position read, {last}, is missing: nothing more is read of the partition"
    )]
    SourceGap {
        /// The partition.
        partition: String,
        /// The last position that was read or published.
        last: Box<Position>,
        /// Behind which position the source goes on.
        next: Box<Position>,
    },
    /// A partition ends before what is published of it: it is not the one that was read.
    #[error(
        "partition '{partition}' ends at position {end}, and {published} is published of it: it was \
         made anew, or put back from a copy; nothing more is read of the source"
    )]
    SourceRewound {
        /// The partition.
        partition: String,
        /// What is published.
        published: Box<Position>,
        /// Where it ends.
        end: Box<Position>,
    },
    /// Somebody stopped the task.
    #[error("task '{0}' was stopped by request")]
    Stopped(String),
    /// A local file failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A spec is wrong.
    #[error(transparent)]
    Spec(#[from] QueryError),
    /// Events could not be parsed at all.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A table could not be read.
    #[error(transparent)]
    Table(#[from] TabularError),
    /// Segments cannot be compacted as asked.
    #[error(transparent)]
    Compaction(#[from] CompactionError),
    /// An input file is at fault.
    #[error("{name}: {error}")]
    Input {
        /// The file.
        name: String,
        /// What is wrong.
        error: Box<RealtimeError>,
    },
    /// A row could not be stored.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A segment could not be written or read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A projection could not be built.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The log failed.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The metadata store failed.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Deep storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Discovery failed.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The pool failed.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// An account of memory is full.
    #[error(transparent)]
    Memory(#[from] AccountFull),
}

impl From<WorkLost> for RealtimeError {
    fn from(lost: WorkLost) -> Self {
        Self::Unavailable(lost.to_string())
    }
}

impl RealtimeError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Invalid(_) => ErrorClass::InvalidInput,
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::TooLarge(_) => ErrorClass::ResourceLimit,
            Self::Busy(_) => ErrorClass::Capacity,
            Self::KeyReused { .. } => ErrorClass::Contradiction,
            Self::Remote { class, .. } => *class,
            Self::SourceGap { .. } | Self::SourceRewound { .. } => ErrorClass::Conflict,
            Self::Unavailable(_) | Self::NotReached(_) | Self::Stopping => ErrorClass::Unavailable,
            Self::Stopped(_) => ErrorClass::Cancelled,
            Self::Io { .. } => ErrorClass::Internal,
            Self::Spec(error) => error.class(),
            Self::Ingest(error) => error.class(),
            Self::Table(error) => error.class(),
            Self::Compaction(error) => error.class(),
            Self::Input { error, .. } => error.class(),
            Self::Index(error) => error.class(),
            Self::Segment(error) => error.class(),
            Self::Exec(error) => error.class(),
            Self::Wal(error) => error.class(),
            Self::Metadata(error) => error.class(),
            Self::Storage(error) => error.class(),
            Self::Discovery(error) => error.class(),
            Self::Pool(error) => error.class(),
            Self::Memory(full) => full.class(),
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The package's result.
pub type Result<T, E = RealtimeError> = std::result::Result<T, E>;
