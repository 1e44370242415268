//! Values with their times: states of aggregators that keep one value, that of the first or the last
//! time.

use std::cmp::Ordering;

use arrow_array::Int64Array;

use crate::append::chained;
use crate::column::Column;
use crate::compare::by_value;
use crate::error::Result;
use crate::numbers::{gather, no_values};

/// A time and a value a row; a time that is null says that no row was seen. The values are of any
/// kind that travels.
#[derive(Debug, Clone)]
pub struct Timed {
    times: Int64Array,
    values: Box<Column>,
}

impl Timed {
    /// Times in milliseconds and their values.
    ///
    /// # Panics
    /// When there are not as many of these as of those.
    #[must_use]
    pub fn new(times: Int64Array, values: Column) -> Self {
        assert_eq!(times.len(), values.len(), "times and values");
        Self { times, values: Box::new(values) }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The times, in milliseconds; null where no row was seen.
    #[must_use]
    pub fn times(&self) -> &Int64Array {
        &self.times
    }

    /// The values; null where no row was seen or the value of its time is null.
    #[must_use]
    pub fn values(&self) -> &Column {
        &self.values
    }

    pub(crate) fn gathered(&self, rows: &[u32]) -> Self {
        Self { times: gather(&self.times, rows), values: Box::new(self.values.take(rows)) }
    }

    pub(crate) fn nulls_like(&self, rows: usize) -> Self {
        Self { times: no_values(rows), values: Box::new(self.values.nulls_like(rows)) }
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.times = self.times.slice(0, rows.min(self.len()));
        self.values.truncate(rows);
    }

    /// Appends the rows of another; neither changes when the values are of different kinds.
    pub(crate) fn append(&mut self, other: &Self) -> Result<()> {
        self.values.append(&other.values)?;
        self.times = chained(&self.times, &other.times);
        Ok(())
    }

    pub(crate) fn compare(&self, left: usize, right: usize) -> Ordering {
        let by_time = by_value(&self.times, left, right);
        by_time.then_with(|| self.values.compare(left, right))
    }
}
