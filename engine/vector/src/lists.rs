//! Several strings a row.

use arrow_buffer::{OffsetBuffer, ScalarBuffer};

use crate::text::{Text, TextValues};

/// Strings, several a row; a row without any is null.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Row `r` holds the elements from `offsets[r]` to `offsets[r + 1]`.
    offsets: OffsetBuffer<i64>,
    elements: Text,
}

impl Lists {
    /// What was read from bytes, where it fits together.
    pub(crate) fn of_parts(offsets: Vec<i64>, elements: Text) -> Option<Self> {
        let fits = offsets.first() == Some(&0)
            && offsets.is_sorted()
            && offsets.last().is_some_and(|end| *end as usize == elements.len());
        fits.then(|| Self { offsets: OffsetBuffer::new(offsets.into()), elements })
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of a row's elements, see [`Lists::value`].
    #[inline]
    #[must_use]
    pub fn row(&self, row: usize) -> &[u32] {
        &self.elements.ids()[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// The value of an element's id; `None` is null.
    #[inline]
    #[must_use]
    pub fn value(&self, id: u32) -> Option<&str> {
        self.elements.value(id)
    }

    /// The elements of all rows.
    pub(crate) fn elements(&self) -> &Text {
        &self.elements
    }

    pub(crate) fn offsets(&self) -> &OffsetBuffer<i64> {
        &self.offsets
    }

    /// Some rows.
    pub(crate) fn gathered(&self, rows: &[u32]) -> Self {
        let mut builder = ListsBuilder::default();
        for &row in rows {
            builder.ids.extend_from_slice(self.row(row as usize));
            builder.end_row();
        }
        Self {
            offsets: OffsetBuffer::new(builder.offsets.into()),
            elements: self.elements.with_ids(builder.ids),
        }
    }

    /// The first rows.
    pub(crate) fn truncated(&self, rows: usize) -> Self {
        let offsets = self.offsets.slice(0, rows.min(self.len()));
        let end = offsets.last().map_or(0, |end| *end as usize);
        Self { elements: self.elements.truncated(end), offsets }
    }

    /// These rows and others.
    pub(crate) fn followed_by(&self, other: &Self, elements: Text) -> Self {
        let end = self.offsets.last().copied().unwrap_or(0);
        let more = other.offsets.iter().skip(1).map(|offset| end + offset);
        let offsets: ScalarBuffer<i64> = self.offsets.iter().copied().chain(more).collect();
        Self { offsets: OffsetBuffer::new(offsets), elements }
    }
}

/// [`Lists`] that are being made.
#[derive(Debug, Clone)]
pub struct ListsBuilder {
    offsets: Vec<i64>,
    ids: Vec<u32>,
}

impl Default for ListsBuilder {
    fn default() -> Self {
        Self { offsets: vec![0], ids: Vec::new() }
    }
}

impl ListsBuilder {
    /// Appends an element to the current row, by its id.
    pub fn push(&mut self, id: u32) {
        self.ids.push(id);
    }

    /// Ends the current row.
    pub fn end_row(&mut self) {
        self.offsets.push(self.ids.len() as i64);
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.offsets.as_slice()) + size_of_val(self.ids.as_slice())
    }

    /// The rows, whose ids are of these values.
    #[must_use]
    pub fn finish(self, values: TextValues) -> Lists {
        let elements = values.into_text(self.ids, false);
        Lists { offsets: OffsetBuffer::new(self.offsets.into()), elements }
    }
}
