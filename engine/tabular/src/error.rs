//! Errors of this package.

use henge_ingest::IngestError;
use henge_segment::SegmentError;
use henge_types::ErrorClass;
use parquet::errors::ParquetError;

/// Why a table could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum TabularError {
    /// The file is damaged or is of another format.
    #[error("{0}")]
    Corrupt(String),
    /// The file holds something that is not taken.
    #[error("{0}")]
    Unsupported(String),
    /// More than fits.
    #[error("{0}")]
    Limit(String),
    /// The rows could not be taken.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A segment could not be written.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

impl TabularError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Corrupt(_) | Self::Unsupported(_) => ErrorClass::InvalidInput,
            Self::Limit(_) => ErrorClass::ResourceLimit,
            Self::Ingest(error) => error.class(),
            Self::Segment(error) => error.class(),
        }
    }
}

impl From<ParquetError> for TabularError {
    fn from(error: ParquetError) -> Self {
        Self::Corrupt(format!("the Parquet file cannot be read: {error}"))
    }
}

/// The package's result.
pub type Result<T, E = TabularError> = std::result::Result<T, E>;
