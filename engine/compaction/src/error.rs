//! Errors of this package.

use henge_types::ErrorClass;

/// Why a configuration or a task is refused, or segments cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompactionError {
    /// A configuration that cannot be kept; what was kept before stays.
    #[error("compaction config: {0}")]
    Config(String),
    /// A task that cannot be run.
    #[error("compact task: {0}")]
    Task(String),
    /// A column that the segments have in ways that do not go together.
    #[error("column '{column}' cannot be combined: {reason}")]
    Column {
        /// Its name.
        column: String,
        /// What is in the way, and what would help.
        reason: String,
    },
    /// Rows that cannot be rolled up as asked.
    #[error("{0}")]
    RollUp(String),
}

impl CompactionError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Config(_) | Self::Task(_) => ErrorClass::InvalidInput,
            Self::Column { .. } | Self::RollUp(_) => ErrorClass::Unsupported,
        }
    }
}

/// The package's result.
pub type Result<T, E = CompactionError> = std::result::Result<T, E>;
