//! Sets of values, one a row: states of aggregators that count distinct values exactly.

mod by_row;
mod count;
mod image;
mod spread;

use std::any::Any;
use std::borrow::Cow;

use arrow_array::LargeBinaryArray;
use arrow_buffer::{OffsetBuffer, ScalarBuffer};

use crate::bytes::Bytes;
use crate::column::Column;
use crate::objects::{ObjectColumn, Objects};

pub use by_row::{Places, words_by_row};
pub use spread::{Pairs, SpreadPart, WordKind, mixed_word, plain_word};

/// A set of values a row, by kind: segments may hold a column as numbers and as texts. Only counting
/// looks across kinds. Many numbers are spread over partitions, all else is in the order of the rows.
#[derive(Debug, Clone, Default)]
pub struct Sets {
    rows: usize,
    parts: Vec<SetPart>,
    /// Of other kinds than the parts.
    spread: Vec<SpreadPart>,
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
        Self { rows, parts, spread: Vec::new() }
    }

    /// With values of a further kind.
    ///
    /// # Panics
    /// When they are of another number of rows.
    #[must_use]
    pub fn with(mut self, spread: SpreadPart) -> Self {
        assert_eq!(spread.row_count(), self.rows, "a part of other rows");
        self.spread.push(spread);
        self
    }

    /// With those of the same rows that are of other kinds.
    ///
    /// # Panics
    /// When they are of another number of rows.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        assert_eq!(other.rows, self.rows, "sets of other rows");
        self.parts.extend(other.parts);
        self.spread.extend(other.spread);
        self
    }

    /// The values by kind, those in the order of the rows and those that are spread.
    #[must_use]
    pub fn into_parts(self) -> (Vec<SetPart>, Vec<SpreadPart>) {
        (self.parts, self.spread)
    }

    /// How many values are held for a row.
    fn held(&self, row: usize) -> usize {
        let spread: usize = self.spread.iter().map(|part| part.count(row)).sum();
        spread + self.parts.iter().map(|part| part.count(row)).sum::<usize>()
    }

    /// The same with all values in the order of the rows.
    fn settled(&self) -> Cow<'_, Self> {
        if self.spread.is_empty() {
            return Cow::Borrowed(self);
        }
        let spread = self.spread.iter().map(SpreadPart::by_row);
        Cow::Owned(Self::new(self.rows, self.parts.iter().cloned().chain(spread).collect()))
    }

    fn settle(&mut self) {
        let spread = std::mem::take(&mut self.spread);
        self.parts.extend(spread.iter().map(SpreadPart::by_row));
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
        (!self.is_null(row)).then(|| Cow::Owned(self.settled().image_of(row)))
    }

    fn images(&self) -> LargeBinaryArray {
        let settled = self.settled();
        Bytes::of((0..self.rows).map(|row| settled.image(row))).into_array()
    }

    fn row_bytes(&self, row: usize) -> usize {
        self.held(row) * size_of::<u64>()
    }

    fn memory_bytes(&self) -> usize {
        let bytes = |part: &SetPart| size_of_val(&part.offsets[..]) + part.values.memory_bytes();
        let spread: usize = self.spread.iter().map(SpreadPart::memory_bytes).sum();
        spread + self.parts.iter().map(bytes).sum::<usize>()
    }

    fn nulls(&self, rows: usize) -> Objects {
        Self::new(rows, Vec::new()).into()
    }

    fn gathered(&self, rows: &[u32]) -> Objects {
        let mut distinct = rows.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let spread = self.spread.iter().map(|part| match distinct.len() == rows.len() {
            true => part.of_rows(rows),
            false => part.by_row().gathered(rows),
        });
        let parts = self.parts.iter().map(|part| part.gathered(rows));
        Self::new(rows.len(), parts.chain(spread).collect()).into()
    }

    fn taken(self: Box<Self>, rows: &[u32]) -> Objects {
        self.gathered(rows)
    }

    fn truncate(&mut self, rows: usize) {
        self.settle();
        self.rows = rows.min(self.rows);
        self.parts.iter_mut().for_each(|part| part.truncate(self.rows));
    }

    /// Values of one kind follow those of the same.
    fn append(&mut self, other: &dyn ObjectColumn) -> bool {
        let other: &dyn Any = other;
        let Some(other) = other.downcast_ref::<Self>() else { return false };
        let other = other.settled();
        self.settle();
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
