//! Errors of whole batches. What is wrong with one event is a [`crate::RejectReason`].

use henge_types::ErrorClass;

/// Why nothing (more) of a batch was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// No event is there.
    #[error("the body holds no event (byte {offset}): send JSON objects, one a line or in a list")]
    Empty {
        /// Where the end was met.
        offset: usize,
    },
    /// The body is something else than JSON objects.
    #[error("the body is not JSON (byte {offset}): {message}")]
    NotJson {
        /// Where it goes wrong.
        offset: usize,
        /// What was found and what is expected.
        message: String,
    },
    /// The body is over what positions can address.
    #[error("the body has {size} bytes: the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The schema asks for something ingestion cannot do.
    #[error("{field}: {message}")]
    Schema {
        /// The field of the spec.
        field: String,
        /// What is wrong and how to fix it.
        message: String,
    },
    /// Whoever takes the rows cannot go on. Events before this one were taken.
    #[error("ingestion stopped at event {position}: {message}")]
    Stopped {
        /// The index of the event that was not taken.
        position: u64,
        /// Why.
        message: String,
    },
}

impl IngestError {
    /// Who is at fault.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Empty { .. } | Self::NotJson { .. } | Self::Schema { .. } => {
                ErrorClass::InvalidInput
            }
            Self::TooLarge { .. } => ErrorClass::ResourceLimit,
            Self::Stopped { .. } => ErrorClass::Unavailable,
        }
    }
}
