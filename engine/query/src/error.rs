//! Errors of this package. Each names the place in the caller's JSON.

use henge_types::ErrorClass;

/// Why a query or an ingestion spec was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is not JSON.
    #[error("invalid JSON: {0}")]
    Json(String),
    /// A field is missing, has the wrong type or contradicts another one.
    #[error("{path}: {message}")]
    Invalid {
        /// Where, for example `aggregations[1].fieldName`.
        path: String,
        /// What is wrong and how to put it right.
        message: String,
    },
    /// Druid knows it, this version does not.
    #[error("{path}: {message}")]
    Unsupported {
        /// Where, for example `filter.fields[0].type`.
        path: String,
        /// What is not supported and what is.
        message: String,
    },
}

impl QueryError {
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { path: path.into(), message: message.into() }
    }

    /// The same error of a document that stands within another one.
    pub(crate) fn within(self, place: &str) -> Self {
        match self {
            Self::Json(message) => Self::Json(message),
            Self::Invalid { path, message } => {
                Self::Invalid { path: format!("{place}.{path}"), message }
            }
            Self::Unsupported { path, message } => {
                Self::Unsupported { path: format!("{place}.{path}"), message }
            }
        }
    }

    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Json(_) | Self::Invalid { .. } => ErrorClass::InvalidInput,
            Self::Unsupported { .. } => ErrorClass::Unsupported,
        }
    }

    /// The place in the JSON that is at fault; `None` when the text is not JSON at all.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Json(_) => None,
            Self::Invalid { path, .. } | Self::Unsupported { path, .. } => Some(path),
        }
    }
}

/// The package's result.
pub type Result<T, E = QueryError> = std::result::Result<T, E>;
