//! Errors of this package.

use henge_types::ErrorClass;

/// What can go wrong with a segment's bytes.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The bytes failed verification or contradict themselves.
    #[error("corrupt segment: {0}")]
    Corrupt(String),
    /// The file is of a format version this build cannot read.
    #[error("unknown segment format version {0}: this build reads version 1")]
    UnknownVersion(u32),
    /// The caller asked for something the segment cannot do.
    #[error("{0}")]
    Invalid(String),
    /// A limit of the format was exceeded while writing.
    #[error("segment limit exceeded: {0}")]
    Limit(String),
    /// Writing failed.
    #[error("write segment: {0}")]
    Io(#[from] std::io::Error),
}

impl SegmentError {
    /// The same error with the place it was found at; only what is corrupt says where.
    #[must_use]
    pub(crate) fn at(self, place: impl std::fmt::Display) -> Self {
        match self {
            Self::Corrupt(what) => Self::Corrupt(format!("{place}: {what}")),
            other => other,
        }
    }

    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Corrupt(_) | Self::UnknownVersion(_) => ErrorClass::Corrupt,
            Self::Invalid(_) => ErrorClass::InvalidInput,
            Self::Limit(_) => ErrorClass::ResourceLimit,
            Self::Io(_) => ErrorClass::Internal,
        }
    }
}

/// The package's result.
pub type Result<T, E = SegmentError> = std::result::Result<T, E>;
