//! Errors of this package.

use std::path::PathBuf;

use henge_platform::discovery::DiscoveryError;
use henge_platform::metadata::MetadataError;
use henge_platform::runtime::WorkLost;
use henge_platform::storage::StorageError;
use henge_segment::SegmentError;
use henge_types::ErrorClass;

/// Why a segment is not served.
#[derive(Debug, thiserror::Error)]
pub enum HistoricalError {
    /// The cache folder or a file in it cannot be used.
    #[error("segment cache {}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The file is not as large as recorded.
    #[error("segment cache {}: not {expected_bytes} bytes, as recorded", path.display())]
    WrongSize {
        /// The path.
        path: PathBuf,
        /// The recorded size.
        expected_bytes: u64,
    },
    /// A file that was just written does not read back as it was written.
    #[error("segment cache {}: does not read back as written: check the disk", path.display())]
    WrittenWrong {
        /// The path.
        path: PathBuf,
    },
    /// There is no room.
    #[error(
        "segment needs {needed_bytes} bytes, {free_bytes} of the tier's capacity are free: \
         raise historical.capacity_bytes or add a node"
    )]
    Full {
        /// Size of the segment.
        needed_bytes: u64,
        /// What is left.
        free_bytes: u64,
    },
    /// The file is a segment, but another one.
    #[error("the file holds segment '{found}', the metadata say '{expected}'")]
    WrongIdentity {
        /// What was asked for.
        expected: String,
        /// What the footer says.
        found: String,
    },
    /// The file is not what the metadata mean.
    #[error("segment cache {}: its content is not what the metadata say", path.display())]
    WrongContent {
        /// The path.
        path: PathBuf,
    },
    /// A coordinator that leads no more, or a call that was late.
    #[error("told to drop segment '{id}' by an instruction earlier than the last one to load it")]
    Outdated {
        /// The segment.
        id: String,
    },
    /// The disk hangs.
    #[error("{0}: nothing is loaded until it does")]
    DiskHangs(String),
    /// A task of the node was stopped.
    #[error("stopped: {0}")]
    Stopped(String),
    /// The bytes failed verification.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// Deep storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The metadata store failed.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Discovery failed.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
}

impl From<WorkLost> for HistoricalError {
    fn from(lost: WorkLost) -> Self {
        Self::Stopped(lost.to_string())
    }
}

impl HistoricalError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Io { .. } => ErrorClass::Internal,
            Self::DiskHangs(_) | Self::Stopped(_) => ErrorClass::Unavailable,
            Self::WrongSize { .. }
            | Self::WrongContent { .. }
            | Self::WrittenWrong { .. }
            | Self::WrongIdentity { .. } => ErrorClass::Corrupt,
            Self::Full { .. } => ErrorClass::Capacity,
            Self::Outdated { .. } => ErrorClass::Conflict,
            Self::Segment(error) => error.class(),
            Self::Storage(error) => error.class(),
            Self::Metadata(error) => error.class(),
            Self::Discovery(error) => error.class(),
        }
    }
}

/// The package's result.
pub type Result<T, E = HistoricalError> = std::result::Result<T, E>;
