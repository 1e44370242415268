//! Strings as ids of the distinct values that occur.

use arrow_array::{Array, LargeStringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use crate::numbers::nulls_of;

/// Strings, one a row, as ids into a dictionary. Id 0 is null.
#[derive(Debug, Clone)]
pub struct Text {
    ids: ScalarBuffer<u32>,
    /// Value `id` of the dictionary; the first is null.
    values: LargeStringArray,
    sorted: bool,
}

impl Text {
    /// So many nulls.
    #[must_use]
    pub fn nulls(rows: usize) -> Self {
        TextValues::default().into_text(vec![0; rows], true)
    }

    /// Each value once, in the order given, and no more.
    #[must_use]
    pub fn of<'v>(values: impl Iterator<Item = Option<&'v str>>) -> Self {
        let mut texts = TextValues::default();
        let ids = values.map(|value| value.map_or(0, |value| texts.push(value))).collect();
        texts.into_text(ids, false)
    }

    /// One value in every row.
    #[must_use]
    pub fn constant(value: &str, rows: usize) -> Self {
        let mut texts = TextValues::default();
        let id = texts.push(value);
        texts.into_text(vec![id; rows], true)
    }

    /// What was read from bytes, where all of it fits together.
    pub(crate) fn of_parts(
        ids: ScalarBuffer<u32>,
        values: LargeStringArray,
        sorted: bool,
    ) -> Option<Self> {
        let known = ids.iter().all(|id| (*id as usize) < values.len());
        let fits = known && values.offsets().first() == Some(&0) && values.value_length(0) == 0;
        if !fits {
            return None;
        }
        let ascends = || (2..values.len()).all(|id| values.value(id - 1) < values.value(id));
        Some(Self { sorted: sorted && ascends(), ids, values })
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The rows' ids.
    #[inline]
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Number of ids, null's included.
    #[must_use]
    pub fn id_count(&self) -> usize {
        self.values.len()
    }

    /// True when the values ascend with their ids.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        self.sorted
    }

    /// The value of an id; `None` is null.
    #[inline]
    #[must_use]
    pub fn value(&self, id: u32) -> Option<&str> {
        (id != 0).then(|| self.values.value(id as usize))
    }

    /// The value of a row; `None` is null.
    #[inline]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.value(self.ids[row])
    }

    /// Other rows of the same values.
    #[must_use]
    pub fn with_ids(&self, ids: Vec<u32>) -> Self {
        Self { ids: ids.into(), values: self.values.clone(), sorted: self.sorted }
    }

    /// The same rows, whose values ascend with their ids.
    #[must_use]
    pub fn with_sorted_values(&self) -> Self {
        if self.sorted {
            return self.clone();
        }
        let mut order: Vec<u32> = (1..self.id_count() as u32).collect();
        order.sort_unstable_by_key(|id| self.value(*id));
        let mut values = TextValues::with_capacity(order.len());
        let mut new_ids = vec![0; self.id_count()];
        for id in order {
            new_ids[id as usize] = values.push(self.value(id).unwrap_or_default());
        }
        values.into_text(self.ids.iter().map(|id| new_ids[*id as usize]).collect(), true)
    }

    /// The first rows.
    pub(crate) fn truncated(&self, rows: usize) -> Self {
        let ids = self.ids.slice(0, rows.min(self.ids.len()));
        Self { ids, values: self.values.clone(), sorted: self.sorted }
    }

    /// True when both have the same dictionary.
    pub(crate) fn shares_values(&self, other: &Self) -> bool {
        self.values.offsets().ptr_eq(other.values.offsets())
            && self.values.len() == other.values.len()
    }

    pub(crate) fn values(&self) -> &LargeStringArray {
        &self.values
    }

    /// Bytes of the dictionary.
    pub(crate) fn values_bytes(&self) -> usize {
        let bytes = self.values.offsets().last().zip(self.values.offsets().first());
        let bytes = bytes.map_or(0, |(end, start)| (end - start) as usize);
        bytes + self.values.len() * size_of::<i64>()
    }
}

/// The dictionary of a [`Text`] that is being made: values with ids from 1 in their order.
#[derive(Debug, Clone)]
pub struct TextValues {
    /// Where value `id` begins; the end of the last one too.
    offsets: Vec<i64>,
    bytes: String,
}

impl Default for TextValues {
    fn default() -> Self {
        Self { offsets: vec![0, 0], bytes: String::new() }
    }
}

impl TextValues {
    /// Room for so many values.
    #[must_use]
    pub fn with_capacity(values: usize) -> Self {
        let mut offsets = Vec::with_capacity(values + 2);
        offsets.extend([0, 0]);
        Self { offsets, bytes: String::new() }
    }

    /// Appends a value and gives its id.
    pub fn push(&mut self, value: &str) -> u32 {
        self.bytes.push_str(value);
        self.offsets.push(self.bytes.len() as i64);
        self.offsets.len() as u32 - 2
    }

    /// Number of ids, null's included.
    #[must_use]
    pub fn id_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The value of an id; `None` is null.
    #[inline]
    #[must_use]
    pub fn value(&self, id: u32) -> Option<&str> {
        let id = id as usize;
        (id != 0).then(|| &self.bytes[self.offsets[id] as usize..self.offsets[id + 1] as usize])
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.offsets.capacity() * size_of::<i64>()
    }

    /// Rows of these values by their ids, of which each was given out; `sorted` says that the values
    /// were appended in ascending order, each once.
    #[must_use]
    pub fn into_text(self, ids: Vec<u32>, sorted: bool) -> Text {
        let nulls = nulls_of(self.id_count(), |id| id != 0);
        let offsets = OffsetBuffer::new(self.offsets.into());
        let bytes = Buffer::from_vec(self.bytes.into_bytes());
        Text { ids: ids.into(), values: LargeStringArray::new(offsets, bytes, nulls), sorted }
    }
}
