//! Errors of the metadata store.

use henge_types::{ErrorClass, Interval, SegmentId};

use super::positions::Position;

/// Why a metadata operation failed.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// What is committed of a partition moved under the caller: re-read and verify, or resume from
    /// there. With equal positions the states differ.
    #[error(
        "partition '{partition}' of source '{source_id}' is at position {actual}, or in another \
         state there, not at the expected {expected}"
    )]
    SourceConflict {
        /// The source.
        source_id: String,
        /// The first partition that moved.
        partition: String,
        /// Where the caller thought it was.
        expected: Box<Position>,
        /// Where it is.
        actual: Box<Position>,
    },
    /// The time chunk of these segments was replaced, or another version came first: allocate new
    /// ids, rewrite the identities and publish again.
    #[error("{} segment(s) belong to a version that lost their time chunk, first '{}'",
        ids.len(), ids.first().map(ToString::to_string).unwrap_or_default())]
    VersionConflict {
        /// The ids that cannot be published.
        ids: Vec<SegmentId>,
    },
    /// No single chunk takes rows of all this time: allocate for one slice after the other.
    #[error("rows of {requested} lie in more than one chunk, first {}",
        existing.first().map(ToString::to_string).unwrap_or_default())]
    IntervalConflict {
        /// What was asked for.
        requested: Interval,
        /// The existing intervals that overlap it.
        existing: Vec<Interval>,
    },
    /// A replace would drop segments it has not read (they came after it began).
    #[error("the segments to replace have changed since they were read")]
    InputsChanged,
    /// The segment was published before, by another transaction. Its id is never used again.
    #[error("segment '{0}' was already published by another transaction")]
    SegmentExists(SegmentId),
    /// The segment is not used any more, or somebody gave it another object: read it again.
    #[error("segment '{0}' is not used any more, or has another object by now")]
    ObjectChanged(SegmentId),
    /// Somebody else has the lease by now that the write was made under: whoever made it leads no more.
    #[error("lease '{lease}' is under epoch {current} by now, not {epoch}: somebody else leads")]
    Fenced {
        /// The lease.
        lease: String,
        /// The epoch of the write.
        epoch: u64,
        /// The epoch that holds.
        current: u64,
    },
    /// Somebody changed the document since it was read: read it again.
    #[error("{kind} '{name}' is in version {current} by now, not {expected}")]
    DocumentChanged {
        /// What it is.
        kind: String,
        /// Its name.
        name: String,
        /// The version that was to be changed.
        expected: u64,
        /// The newest version.
        current: u64,
    },
    /// A transaction id was used again with other segments.
    #[error("transaction '{0}' was already used for other segments")]
    TransactionReused(String),
    /// The commit was sent and its outcome is not known: ask `publication(transaction_id)`.
    #[error("outcome of transaction '{transaction_id}' is unknown: {reason}")]
    OutcomeUnknown {
        /// The transaction.
        transaction_id: String,
        /// What happened.
        reason: String,
    },
    /// Nothing there under this name.
    #[error("{0} not found")]
    NotFound(String),
    /// The caller sent something wrong.
    #[error("{0}")]
    Invalid(String),
    /// The store is busy or away; the same call may succeed later.
    #[error("metadata store unavailable: {0}")]
    Unavailable(String),
    /// Stored data failed verification; the store refuses to start and touches nothing.
    #[error("metadata store corrupt: {0}")]
    Corrupt(String),
    /// An unexpected failure.
    #[error("metadata store: {0}")]
    Internal(String),
}

impl MetadataError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::SourceConflict { .. }
            | Self::VersionConflict { .. }
            | Self::IntervalConflict { .. }
            | Self::InputsChanged
            | Self::SegmentExists(_)
            | Self::ObjectChanged(_)
            | Self::Fenced { .. }
            | Self::DocumentChanged { .. }
            | Self::TransactionReused(_) => ErrorClass::Conflict,
            Self::OutcomeUnknown { .. } | Self::Unavailable(_) => ErrorClass::Unavailable,
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Invalid(_) => ErrorClass::InvalidInput,
            Self::Corrupt(_) => ErrorClass::Corrupt,
            Self::Internal(_) => ErrorClass::Internal,
        }
    }
}

/// The module's result.
pub type Result<T, E = MetadataError> = std::result::Result<T, E>;
