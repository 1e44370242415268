//! Errors of this package.

use henge_compaction::CompactionError;
use henge_placement::PlacementError;
use henge_platform::metadata::MetadataError;
use henge_platform::runtime::WorkLost;
use henge_platform::storage::StorageError;
use henge_types::ErrorClass;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The metadata could not be read: nothing is decided on a partial view.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Rules, or a cluster, that cannot be.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// What is to be compacted, and cannot be as it is wanted.
    #[error(transparent)]
    Compaction(#[from] CompactionError),
    /// The metadata hold what this version cannot read: nothing is decided without it.
    #[error("the {kind} of '{name}' as they are kept: {reason}")]
    Stored {
        /// The kind of the document.
        kind: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another coordinator leads by now, or none does.
    #[error("this coordinator leads no more: ask the one that does")]
    LeadsNoMore,
    /// Nothing is deleted on an incomplete view.
    #[error("not all nodes of the cluster are seen: nothing is deleted before they are")]
    NotAllSeen,
    /// There is nothing to delete from.
    #[error("this coordinator was started without deep storage: it deletes nothing")]
    NoStorage,
    /// Deep storage could not be listed.
    #[error(transparent)]
    Storage(StorageError),
    /// A plan that came to no end.
    #[error(transparent)]
    Lost(#[from] WorkLost),
    /// What was sent cannot be as it is.
    #[error("{0}")]
    Invalid(String),
    /// What was sent is known to Druid and not built.
    #[error("{0}")]
    Unsupported(String),
    /// A bug.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CoordinatorError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Metadata(error) => error.class(),
            Self::Placement(error) => error.class(),
            Self::Compaction(error) => error.class(),
            Self::Lost(error) => error.class(),
            Self::Storage(error) => error.class(),
            Self::LeadsNoMore | Self::NotAllSeen => ErrorClass::Unavailable,
            Self::Invalid(_) => ErrorClass::InvalidInput,
            Self::NoStorage | Self::Unsupported(_) => ErrorClass::Unsupported,
            Self::Stored { .. } => ErrorClass::Corrupt,
            Self::Internal(_) => ErrorClass::Internal,
        }
    }
}

/// The package's result.
pub type Result<T, E = CoordinatorError> = std::result::Result<T, E>;
