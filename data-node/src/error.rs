//! Why a data node gave no answer: by class and message, so that an error says the same wherever it
//! was raised.

use henge_exec::ExecError;
use henge_platform::runtime::PoolError;
use henge_types::{ErrorClass, SegmentId};

/// Why a data node gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The query failed on the node; a replica would fail as well.
    #[error("{message}")]
    Failed {
        /// Who is at fault.
        class: ErrorClass,
        /// What happened, and how to put it right.
        message: String,
        /// The segment whose bytes are at fault.
        segment: Option<SegmentId>,
    },
    /// The node is away: ask a replica.
    #[error("data node '{server}' is unavailable: {reason}")]
    Unavailable {
        /// The node.
        server: String,
        /// What happened.
        reason: String,
    },
}

impl NodeError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Failed { class, .. } => *class,
            Self::Unavailable { .. } => ErrorClass::Unavailable,
        }
    }

    /// The segment whose bytes are at fault.
    #[must_use]
    pub fn segment(&self) -> Option<&SegmentId> {
        match self {
            Self::Failed { segment, .. } => segment.as_ref(),
            Self::Unavailable { .. } => None,
        }
    }

    pub(crate) fn failed(class: ErrorClass, message: impl Into<String>) -> Self {
        Self::Failed { class, message: message.into(), segment: None }
    }
}

impl From<ExecError> for NodeError {
    fn from(error: ExecError) -> Self {
        Self::Failed {
            class: error.class(),
            message: error.to_string(),
            segment: match error {
                ExecError::Damaged { id, .. } => Some(id),
                _ => None,
            },
        }
    }
}

impl From<PoolError> for NodeError {
    fn from(error: PoolError) -> Self {
        Self::failed(error.class(), error.to_string())
    }
}
