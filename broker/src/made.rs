//! What answers are made into: the bytes of a form for clients, or record batches for SQL, which goes on
//! computing with them.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use henge_answer::Form;
use henge_exec::MemoryLease;

/// What an answer is to be made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Bytes in a form.
    Written(Form),
    /// Arrow record batches.
    Batches,
}

/// A made answer; clones share it.
#[derive(Debug, Clone)]
pub(crate) enum Made {
    /// Bytes.
    Written(Bytes),
    /// Record batches.
    Batches(Arc<[RecordBatch]>),
}

impl Made {
    /// The bytes that it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Written(bytes) => bytes.len(),
            Self::Batches(batches) => batches.iter().map(RecordBatch::get_array_memory_size).sum(),
        }
    }
}

/// A made answer with what it holds of its query's memory.
#[derive(Debug)]
pub(crate) struct Held {
    /// The answer.
    pub(crate) made: Made,
    /// Given back when dropped; `None` for bytes, which are charged where they are sent.
    pub(crate) lease: Option<MemoryLease>,
}
