//! Errors of this package.

use henge_expr::ExprError;
use henge_segment::{SegmentError, SegmentView};
use henge_types::{ErrorClass, SegmentId};
use henge_vector::VectorError;

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The query asks for something that the data's types do not allow.
    #[error("{0}")]
    Invalid(String),
    /// Not supported by this version.
    #[error("{0}")]
    Unsupported(String),
    /// A limit of this query was reached.
    #[error("resource limit exceeded: {0}")]
    ResourceLimit(String),
    /// The server has no room for the query now.
    #[error("{0}")]
    Capacity(String),
    /// What was put aside on disk, or came over the wire, cannot be read back.
    #[error("{0}")]
    Corrupt(String),
    /// Putting groups aside on disk failed.
    #[error("spilling failed: {0}")]
    Spill(String),
    /// The deadline passed.
    #[error("query timed out")]
    TimedOut,
    /// Somebody cancelled the query.
    #[error("query cancelled")]
    Cancelled,
    /// A segment could not be read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The bytes of a segment failed verification.
    #[error("segment '{id}': {error}")]
    Damaged {
        /// Which segment.
        id: SegmentId,
        /// What is wrong.
        error: SegmentError,
    },
    /// A sketch could not be read.
    #[error("corrupt sketch in column '{column}': {reason}")]
    Sketch {
        /// Column.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// A bug.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<VectorError> for ExecError {
    fn from(error: VectorError) -> Self {
        match error {
            VectorError::Corrupt(_) => Self::Corrupt(error.to_string()),
            VectorError::LocalIds { .. }
            | VectorError::Mismatch { .. }
            | VectorError::Internal(_) => Self::Internal(error.to_string()),
        }
    }
}

impl ExecError {
    /// An expression's error; `place` says where the expression is, as the beginning of a sentence.
    pub fn of_expression(error: &ExprError, place: &str) -> Self {
        let text = format!("{place}{error}");
        match error.class() {
            ErrorClass::ResourceLimit => Self::ResourceLimit(text),
            ErrorClass::Cancelled => Self::Cancelled,
            _ => Self::Invalid(text),
        }
    }

    /// The same error with the segment that was read; only what is corrupt says which.
    #[must_use]
    pub fn of_segment(self, view: &dyn SegmentView) -> Self {
        match self {
            Self::Segment(error) if error.class() == ErrorClass::Corrupt => {
                Self::Damaged { id: view.id().clone(), error: view.locate(error) }
            }
            other => other,
        }
    }

    /// The same error with the aggregator whose input it is; of those that say nothing else of the query.
    #[must_use]
    pub fn of_aggregator(self, name: &str) -> Self {
        match self {
            Self::Invalid(text) => Self::Invalid(format!("aggregator '{name}': {text}")),
            other => other,
        }
    }

    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Invalid(_) => ErrorClass::InvalidInput,
            Self::Unsupported(_) => ErrorClass::Unsupported,
            Self::ResourceLimit(_) => ErrorClass::ResourceLimit,
            Self::Capacity(_) => ErrorClass::Capacity,
            Self::Corrupt(_) => ErrorClass::Corrupt,
            Self::Spill(_) => ErrorClass::Unavailable,
            Self::TimedOut => ErrorClass::Timeout,
            Self::Cancelled => ErrorClass::Cancelled,
            Self::Segment(error) | Self::Damaged { error, .. } => error.class(),
            Self::Sketch { .. } => ErrorClass::Corrupt,
            Self::Internal(_) => ErrorClass::Internal,
        }
    }
}

/// The package's result.
pub type Result<T, E = ExecError> = std::result::Result<T, E>;
