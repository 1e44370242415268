//! Errors of this package.

use henge_platform::metadata::MetadataError;
use henge_types::ErrorClass;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The metadata could not be read: nothing is decided on a partial view.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

impl CoordinatorError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Metadata(error) => error.class(),
        }
    }
}

/// The package's result.
pub type Result<T, E = CoordinatorError> = std::result::Result<T, E>;
