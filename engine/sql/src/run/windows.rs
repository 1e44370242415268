//! [`Windows`]: what the rows take that windows hold. DataFusion's window operators do not count them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

/// Rows are held as they come and put together once more.
const COPIES: usize = 2;

/// The rows of one window operator, by partition.
#[derive(Debug, Default)]
pub(super) struct Windows(Mutex<HashMap<usize, Rows>>);

#[derive(Debug)]
struct Rows {
    held: MemoryReservation,
    taken_rows: usize,
    taken_bytes: usize,
    given_rows: usize,
}

impl Windows {
    /// A partition begins.
    pub(super) fn begin(&self, partition: usize, task: &TaskContext) {
        let held = MemoryConsumer::new("a window").register(task.memory_pool());
        let rows = Rows { held, taken_rows: 0, taken_bytes: 0, given_rows: 0 };
        self.all().insert(partition, rows);
    }

    /// The operator reads rows.
    ///
    /// # Errors
    /// When there is not memory enough to hold them.
    pub(super) fn taken(&self, partition: usize, batch: &RecordBatch) -> Result<()> {
        self.change(partition, |rows| {
            rows.taken_rows += batch.num_rows();
            rows.taken_bytes += batch.get_array_memory_size();
        })
    }

    /// The operator gives rows, and holds them no longer.
    ///
    /// # Errors
    /// Never: it takes less then.
    pub(super) fn given(&self, partition: usize, batch: &RecordBatch) -> Result<()> {
        self.change(partition, |rows| rows.given_rows += batch.num_rows())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<usize, Rows>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, partition: usize, change: impl FnOnce(&mut Rows)) -> Result<()> {
        let mut all = self.all();
        let Some(rows) = all.get_mut(&partition) else { return Ok(()) };
        change(rows);
        let left = rows.taken_rows.saturating_sub(rows.given_rows);
        let bytes_a_row = rows.taken_bytes / rows.taken_rows.max(1);
        rows.held.try_resize(left.saturating_mul(bytes_a_row).saturating_mul(COPIES))
    }
}
