//! Errors of deep storage.

use henge_types::ErrorClass;

use crate::runtime::WorkLost;

/// Why a deep-storage operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The key is empty, absolute or climbs out of the store.
    #[error("object key '{0}' is not allowed")]
    InvalidKey(String),
    /// No such object.
    #[error("object '{0}' not found")]
    NotFound(String),
    /// Another content is already stored under the key; it is left as it is.
    #[error("object '{0}' already exists with another content")]
    Conflict(String),
    /// What was pulled is not what was recorded.
    #[error("object '{key}' is corrupt: {reason}")]
    Corrupt {
        /// The key.
        key: String,
        /// What differs.
        reason: String,
    },
    /// The store is busy or away; the same call may succeed later.
    #[error("deep storage unavailable: {0}")]
    Unavailable(String),
    /// The store does not let us, until somebody mends what the reason says.
    #[error("deep storage refuses: {place}: {reason}")]
    Refused {
        /// The bucket and its endpoint.
        place: String,
        /// The request, the key, what the store says and what to do about it.
        reason: String,
    },
    /// The settings name no store that can be used.
    #[error("deep storage: {0}")]
    Settings(String),
    /// A local file failed.
    #[error("file '{path}': {source}")]
    Io {
        /// The file.
        path: String,
        /// What happened.
        source: std::io::Error,
    },
}

impl From<WorkLost> for StorageError {
    fn from(lost: WorkLost) -> Self {
        Self::Unavailable(lost.to_string())
    }
}

impl StorageError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::InvalidKey(_) => ErrorClass::InvalidInput,
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Conflict(_) => ErrorClass::Conflict,
            Self::Corrupt { .. } => ErrorClass::Corrupt,
            // Nothing about the request is wrong: it succeeds once the store is set right.
            Self::Unavailable(_) | Self::Refused { .. } => ErrorClass::Unavailable,
            Self::Settings(_) => ErrorClass::InvalidInput,
            Self::Io { .. } => ErrorClass::Internal,
        }
    }

    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }
}

/// The module's result.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;
