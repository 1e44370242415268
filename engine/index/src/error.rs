//! Errors of this package.

use henge_types::ErrorClass;

/// Why a row or a schema was refused. A refused row changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The schema contradicts itself.
    #[error("index schema: {0}")]
    Schema(String),
    /// The number of values is not that of the columns: a mistake of the calling code.
    #[error("row has {actual} values: the index has {expected} dimensions and metrics")]
    Width {
        /// Dimensions and metrics of the index.
        expected: usize,
        /// Values of the row.
        actual: usize,
    },
    /// The input of a sketch metric is not a sketch, or cannot be merged.
    #[error("metric '{metric}': {source}")]
    Sketch {
        /// The metric's name.
        metric: String,
        /// What is wrong with it.
        source: henge_sketch::SketchError,
    },
}

impl IndexError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Schema(_) | Self::Sketch { .. } => ErrorClass::InvalidInput,
            Self::Width { .. } => ErrorClass::Internal,
        }
    }
}

/// The package's result.
pub type Result<T, E = IndexError> = std::result::Result<T, E>;
