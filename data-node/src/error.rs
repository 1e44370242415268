//! Why a data node gave no answer: by class and message, so that an error says the same wherever it
//! was raised.

use henge_exec::ExecError;
use henge_platform::runtime::PoolError;
use henge_types::{ErrorClass, SegmentId};

/// Where a segment is damaged, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPlace {
    /// The segment.
    pub segment: SegmentId,
    /// The column.
    pub column: Option<String>,
    /// The block of the column, from 0.
    pub block: Option<u64>,
}

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
        /// The bytes that are at fault.
        place: Option<Box<DamagedPlace>>,
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

    /// The bytes that are at fault.
    #[must_use]
    pub fn place(&self) -> Option<&DamagedPlace> {
        match self {
            Self::Failed { place, .. } => place.as_deref(),
            Self::Unavailable { .. } => None,
        }
    }

    /// A query that failed, at no place in particular.
    #[must_use]
    pub fn failed(class: ErrorClass, message: impl Into<String>) -> Self {
        Self::Failed { class, message: message.into(), place: None }
    }
}

impl From<ExecError> for NodeError {
    fn from(error: ExecError) -> Self {
        Self::Failed {
            class: error.class(),
            message: error.to_string(),
            place: match error {
                ExecError::Damaged { id: segment, error } => {
                    let damage = error.damage();
                    Some(Box::new(DamagedPlace {
                        segment,
                        column: damage.and_then(|damage| damage.column.clone()),
                        block: damage.and_then(|damage| damage.block).map(|block| block as u64),
                    }))
                }
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
