//! Sets of values, one a row: states of aggregators that count distinct values exactly.

mod count;
mod image;

use std::any::Any;
use std::borrow::Cow;

use arrow_buffer::{OffsetBuffer, ScalarBuffer};

use crate::column::Column;
use crate::objects::{ObjectColumn, Objects};

/// A set of values a row, by kind: segments may hold a column as numbers and as texts. Only counting
/// looks across kinds.
#[derive(Debug, Clone, Default)]
pub struct Sets {
    rows: usize,
    parts: Vec<SetPart>,
}

/// The values of one kind, none of them null: LONG, DOUBLE, text, or ids of a node-wide dictionary.
#[derive(Debug, Clone)]
pub struct SetPart {
    /// Row `r` holds the values from `offsets[r]` to `offsets[r + 1]`.
    offsets: OffsetBuffer<i64>,
    values: Column,
}

impl SetPart {
    /// Values in the order of their rows, each once a row. `counts` says how many each row has.
    ///
    /// # Panics
    /// When there are more or fewer values than that.
    #[must_use]
    pub fn new(counts: impl IntoIterator<Item = usize>, values: Column) -> Self {
        let offsets = OffsetBuffer::from_lengths(counts);
        assert_eq!(offsets.last().map(|end| *end as usize), Some(values.len()), "values of rows");
        Self { offsets, values }
    }

    /// All values, in the order of their rows.
    #[must_use]
    pub fn values(&self) -> &Column {
        &self.values
    }

    /// How many values a row has.
    #[inline]
    #[must_use]
    pub fn count(&self, row: usize) -> usize {
        (self.offsets[row + 1] - self.offsets[row]) as usize
    }

    /// Where a row's values begin and end.
    fn range(&self, row: usize) -> std::ops::Range<u32> {
        self.offsets[row] as u32..self.offsets[row + 1] as u32
    }

    fn row_count(&self) -> usize {
        self.offsets.len() - 1
    }

    fn gathered(&self, rows: &[u32]) -> Self {
        let places: Vec<u32> = rows.iter().flat_map(|row| self.range(*row as usize)).collect();
        Self::new(rows.iter().map(|row| self.count(*row as usize)), self.values.take(&places))
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets = self.offsets.slice(0, rows);
        self.values.truncate(self.offsets.last().map_or(0, |end| *end as usize));
    }

    /// Moves the rows down by so many without values.
    fn pushed_down(&self, rows: usize) -> Self {
        let offsets = std::iter::repeat_n(0, rows).chain(self.offsets.iter().copied());
        let offsets: ScalarBuffer<i64> = offsets.collect();
        Self { offsets: OffsetBuffer::new(offsets), values: self.values.clone() }
    }

    /// Adds so many rows without values.
    fn pad(&mut self, rows: usize) {
        let end = self.offsets.last().copied().unwrap_or(0);
        let offsets = self.offsets.iter().copied().chain(std::iter::repeat_n(end, rows));
        self.offsets = OffsetBuffer::new(offsets.collect());
    }

    /// Appends the rows of another part; false when its values are of another kind.
    fn append(&mut self, other: &Self) -> bool {
        if self.values.append(&other.values).is_err() {
            return false;
        }
        let end = self.offsets.last().copied().unwrap_or(0);
        let more = other.offsets.iter().skip(1).map(|offset| end + offset);
        self.offsets = OffsetBuffer::new(self.offsets.iter().copied().chain(more).collect());
        true
    }
}

impl Sets {
    /// What [`ObjectColumn::kind`] says of them.
    pub(crate) const KIND: &'static str = "sets";

    /// Sets of so many rows, made of parts.
    ///
    /// # Panics
    /// When a part has another number of rows.
    #[must_use]
    pub fn new(rows: usize, parts: Vec<SetPart>) -> Self {
        assert!(parts.iter().all(|part| part.row_count() == rows), "parts of other rows");
        Self { rows, parts }
    }

    /// The values by kind.
    #[must_use]
    pub fn parts(&self) -> &[SetPart] {
        &self.parts
    }

    /// How many values are held for a row.
    fn held(&self, row: usize) -> usize {
        self.parts.iter().map(|part| part.count(row)).sum()
    }
}

impl ObjectColumn for Sets {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn is_null(&self, row: usize) -> bool {
        self.held(row) == 0
    }

    fn image(&self, row: usize) -> Option<Cow<'_, [u8]>> {
        (!self.is_null(row)).then(|| Cow::Owned(self.image_of(row)))
    }

    fn row_bytes(&self, row: usize) -> usize {
        self.held(row) * size_of::<u64>()
    }

    fn memory_bytes(&self) -> usize {
        let bytes = |part: &SetPart| size_of_val(&part.offsets[..]) + part.values.memory_bytes();
        self.parts.iter().map(bytes).sum()
    }

    fn nulls(&self, rows: usize) -> Objects {
        Self { rows, parts: Vec::new() }.into()
    }

    fn gathered(&self, rows: &[u32]) -> Objects {
        let parts = self.parts.iter().map(|part| part.gathered(rows)).collect();
        Self { rows: rows.len(), parts }.into()
    }

    fn taken(self: Box<Self>, rows: &[u32]) -> Objects {
        self.gathered(rows)
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = rows.min(self.rows);
        self.parts.iter_mut().for_each(|part| part.truncate(self.rows));
    }

    /// Values of one kind follow those of the same.
    fn append(&mut self, other: &dyn ObjectColumn) -> bool {
        let other: &dyn Any = other;
        let Some(other) = other.downcast_ref::<Self>() else { return false };
        let rows = self.rows + other.rows;
        for part in &other.parts {
            let mut own = self.parts.iter_mut().filter(|own| own.row_count() == self.rows);
            if !own.any(|own| own.append(part)) {
                self.parts.push(part.pushed_down(self.rows));
            }
        }
        for part in &mut self.parts {
            part.pad(rows - part.row_count());
        }
        self.rows = rows;
        true
    }

    fn copied(&self) -> Objects {
        self.clone().into()
    }
}
