//! Errors of this package.

use henge_types::ErrorClass;

/// Why columns cannot be combined, encoded or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// Ids mean something only where their dictionary is: they are to become text first.
    #[error("column '{column}' holds ids of a {dictionary}'s dictionary, which do not travel")]
    LocalIds {
        /// The column.
        column: String,
        /// Whose dictionary it is: `segment` or `node`.
        dictionary: &'static str,
    },
    /// Columns of different kinds.
    #[error("a column of {left} and one of {right} cannot be put together")]
    Mismatch {
        /// A kind.
        left: &'static str,
        /// Another.
        right: &'static str,
    },
    /// The bytes are not as they were written.
    #[error("corrupt column data: {0}")]
    Corrupt(String),
    /// A bug.
    #[error("internal error: {0}")]
    Internal(String),
}

impl VectorError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Corrupt(_) => ErrorClass::Corrupt,
            Self::LocalIds { .. } | Self::Mismatch { .. } | Self::Internal(_) => {
                ErrorClass::Internal
            }
        }
    }
}

/// The package's result.
pub type Result<T, E = VectorError> = std::result::Result<T, E>;
