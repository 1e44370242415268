//! Errors of this package.

use henge_data_node::NodeError;
use henge_exec::ExecError;
use henge_platform::runtime::PoolError;
use henge_query::QueryError;
use henge_types::ErrorClass;

use crate::view::Unavailable;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The query itself is wrong.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Merging or finalising failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A data node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The pool failed.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Some segments cannot be read anywhere: no silent partial answers.
    #[error(
        "{0}; the answer would be incomplete: see GET /status/ready and the log for the reason, or \
         set \"allowPartial\": true in the query's context for what there is"
    )]
    SegmentsUnavailable(Unavailable),
    /// Not every data node that lives was seen since the start.
    #[error(
        "this broker has not seen all of the cluster since its start, so it does not know what \
         there is: {awaited}; try again in a moment, or ask another broker"
    )]
    NotReady {
        /// What has still to be seen.
        awaited: String,
    },
    /// A process announced something that this broker does not hear of.
    #[error(
        "the process at {address} buffers rows that this broker does not know of yet: try again in a \
         moment, or ask another broker"
    )]
    Behind {
        /// Where it is.
        address: String,
    },
    /// What several parts of a query read did not stay the same while they were read.
    #[error(
        "what the query reads in several places was replaced while it ran, {times} times over: try \
         again"
    )]
    Changing {
        /// How often it was tried.
        times: usize,
    },
    /// The metadata store was never read since the start.
    #[error("the metadata store cannot be read, so it is not known what there is: {reason}")]
    MetadataAway {
        /// What it said.
        reason: String,
    },
    /// Too many queries at once.
    #[error(
        "too many concurrent queries{}, query capacity of {capacity} exceeded and {waiting} may \
         wait: try again later, or raise query.max_concurrent or query.max_waiting",
        lane.as_ref().map(|lane| format!(" for lane '{lane}'")).unwrap_or_default()
    )]
    TooManyQueries {
        /// The lane that is full.
        lane: Option<String>,
        /// Places.
        capacity: usize,
        /// Places in the queue.
        waiting: usize,
    },
    /// The deadline passed while the query waited or ran.
    #[error("query timed out after {timeout_ms} ms: raise \"timeout\" in the query's context")]
    TimedOut {
        /// The limit.
        timeout_ms: u64,
    },
}

impl BrokerError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Query(error) => error.class(),
            Self::Exec(error) => error.class(),
            Self::Node(error) => error.class(),
            Self::Pool(error) => error.class(),
            Self::SegmentsUnavailable(_)
            | Self::NotReady { .. }
            | Self::Behind { .. }
            | Self::Changing { .. }
            | Self::MetadataAway { .. } => ErrorClass::Unavailable,
            Self::TooManyQueries { .. } => ErrorClass::Capacity,
            Self::TimedOut { .. } => ErrorClass::Timeout,
        }
    }
}

/// The package's result.
pub type Result<T, E = BrokerError> = std::result::Result<T, E>;
