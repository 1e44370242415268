//! [`RowBatch`]: rows on their way to an index, kept by column in a few flat buffers.
//!
//! Whoever parses events knows their rows before the index may have them (they wait for the log), and an
//! index takes many rows of one column faster than many columns of one row.

use henge_types::ValueRef;

/// Rows that were parsed and are not added yet: one value a dimension, then one a metric's input.
#[derive(Debug, Default)]
pub struct RowBatch {
    times_ms: Vec<i64>,
    /// Where the text of each row ends.
    text_ends: Vec<usize>,
    dimensions: Vec<BatchColumn>,
    metrics: Vec<BatchColumn>,
    text: String,
    elements: Vec<Option<Span>>,
    bytes: Vec<u8>,
    /// Of all columns.
    column_bytes: usize,
}

/// The values of a column: nulls of a sparse column cost nothing.
#[derive(Debug, Default)]
struct BatchColumn {
    /// The rows that have the values; empty while they are the first ones, without a gap.
    rows: Vec<u32>,
    values: Vec<StoredValue>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    length: u32,
}

/// No null.
#[derive(Debug, Clone, Copy)]
enum StoredValue {
    Long(i64),
    Double(f64),
    Text(Span),
    /// Of `elements`.
    Multi(Span),
    Complex(Span),
}

impl Span {
    /// A request is far below 4 GiB.
    fn of(start: usize, end: usize) -> Self {
        Self { start, length: (end - start) as u32 }
    }

    fn end(self) -> usize {
        self.start + self.length as usize
    }
}

impl BatchColumn {
    /// Stores the value of a row behind the others, of as many rows as are expected; gives the bytes by
    /// which the column grew.
    #[inline]
    fn push(&mut self, row: usize, value: StoredValue, expected: usize) -> usize {
        let is_room = self.values.len() < self.values.capacity();
        if is_room && self.rows.is_empty() && self.values.len() == row {
            self.values.push(value);
            return 0;
        }
        if is_room && !self.rows.is_empty() && self.rows.len() < self.rows.capacity() {
            self.rows.push(row as u32);
            self.values.push(value);
            return 0;
        }
        self.grow(row, value, expected)
    }

    #[inline(never)]
    fn grow(&mut self, row: usize, value: StoredValue, expected: usize) -> usize {
        let before = self.memory_bytes();
        let length = self.values.len();
        if length > 0 && length == row && self.rows.is_empty() {
            // Without a gap so far, it mostly stays so: fewer and larger steps than doubling.
            let wanted = (4 * length).min(expected).max(2 * length);
            self.values.reserve_exact(wanted - length);
        }
        if self.rows.is_empty() && self.values.len() != row {
            self.rows.extend(0..self.values.len() as u32);
        }
        if self.values.len() != row || !self.rows.is_empty() {
            self.rows.push(row as u32);
        }
        self.values.push(value);
        self.memory_bytes() - before
    }

    fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u32>() + self.values.capacity() * size_of::<StoredValue>()
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
    }

    /// Calls `visit` with the value of each of the rows, which ascend.
    #[inline]
    fn visit(&self, rows: &[u32], mut visit: impl FnMut(Option<StoredValue>)) {
        if self.rows.is_empty() {
            rows.iter().for_each(|row| visit(self.values.get(*row as usize).copied()));
            return;
        }
        let first = rows.first().copied().unwrap_or_default();
        let mut at = self.rows.partition_point(|row| *row < first);
        for row in rows {
            while self.rows.get(at).is_some_and(|known| known < row) {
                at += 1;
            }
            let is_here = self.rows.get(at) == Some(row);
            visit(self.values.get(at).filter(|_| is_here).copied());
        }
    }
}

impl RowBatch {
    /// No rows yet, of an index with so many metrics.
    #[must_use]
    pub fn new(metrics: usize) -> Self {
        let metrics = std::iter::repeat_with(BatchColumn::default).take(metrics).collect();
        Self { metrics, ..Self::default() }
    }

    /// Makes room for so many rows and bytes of text; columns still grow with what they have.
    pub fn reserve(&mut self, rows: usize, text_bytes: usize) {
        self.times_ms.reserve(rows);
        self.text_ends.reserve(rows);
        self.text.reserve(text_bytes);
    }

    /// Adds a row. A row may have more dimensions than those before it, behind theirs.
    pub fn push(&mut self, time_ms: i64, values: &[ValueRef<'_>]) {
        let (row, expected) = (self.times_ms.len(), self.times_ms.capacity());
        let dimensions = values.len().saturating_sub(self.metrics.len());
        if self.dimensions.len() < dimensions {
            self.dimensions.resize_with(dimensions, BatchColumn::default);
        }
        let (dimension_values, inputs) = values.split_at(dimensions);
        for (column, value) in self.dimensions.iter_mut().zip(dimension_values) {
            if let Some(stored) = store(value, &mut self.text, &mut self.elements, &mut self.bytes)
            {
                self.column_bytes += column.push(row, stored, expected);
            }
        }
        for (column, value) in self.metrics.iter_mut().zip(inputs) {
            if let Some(stored) = store(value, &mut self.text, &mut self.elements, &mut self.bytes)
            {
                self.column_bytes += column.push(row, stored, expected);
            }
        }
        self.times_ms.push(time_ms);
        self.text_ends.push(self.text.len());
    }

    /// The timestamps of the rows as they came, in milliseconds.
    #[must_use]
    pub fn times_ms(&self) -> &[i64] {
        &self.times_ms
    }

    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.times_ms.len()
    }

    /// Memory that it holds, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.column_bytes
            + (self.dimensions.capacity() + self.metrics.capacity()) * size_of::<BatchColumn>()
            + (self.times_ms.capacity() + self.text_ends.capacity()) * size_of::<u64>()
            + self.elements.capacity() * size_of::<Option<Span>>()
            + self.text.capacity()
            + self.bytes.capacity()
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.times_ms.clear();
        self.text_ends.clear();
        self.dimensions.iter_mut().for_each(BatchColumn::clear);
        self.metrics.iter_mut().for_each(BatchColumn::clear);
        self.text.clear();
        self.elements.clear();
        self.bytes.clear();
    }

    /// The rows for an index.
    #[must_use]
    pub fn view(&self) -> BatchView<'_> {
        let text = |span: &Span| self.text.get(span.start..span.end()).unwrap_or_default();
        let elements = self.elements.iter().map(|element| element.as_ref().map(text)).collect();
        BatchView { batch: self, elements }
    }
}

/// What a value is stored as, unless it is null.
#[inline]
fn store(
    value: &ValueRef<'_>,
    text: &mut String,
    elements: &mut Vec<Option<Span>>,
    bytes: &mut Vec<u8>,
) -> Option<StoredValue> {
    let mut keep = |value: &str| {
        let start = text.len();
        text.push_str(value);
        Span::of(start, text.len())
    };
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Long(value) => StoredValue::Long(*value),
        ValueRef::Double(value) => StoredValue::Double(*value),
        ValueRef::String(value) => StoredValue::Text(keep(value)),
        ValueRef::Complex(value) => {
            let start = bytes.len();
            bytes.extend_from_slice(value);
            StoredValue::Complex(Span::of(start, bytes.len()))
        }
        ValueRef::Multi(list) => {
            let start = elements.len();
            elements.extend(list.iter().map(|element| element.map(&mut keep)));
            StoredValue::Multi(Span::of(start, elements.len()))
        }
    })
}

/// The rows of a [`RowBatch`].
#[derive(Debug)]
pub struct BatchView<'a> {
    batch: &'a RowBatch,
    elements: Vec<Option<&'a str>>,
}

impl BatchView<'_> {
    /// Dimensions and metrics of its rows.
    pub(crate) fn widths(&self) -> (usize, usize) {
        (self.batch.dimensions.len(), self.batch.metrics.len())
    }

    pub(crate) fn time_ms(&self, row: u32) -> i64 {
        self.batch.times_ms.get(row as usize).copied().unwrap_or_default()
    }

    /// How many of the first rows have at most so many bytes of text together; at least one.
    pub(crate) fn rows_of_text(&self, rows: &[u32], max_bytes: usize) -> usize {
        let end = |row: u32| self.batch.text_ends.get(row as usize).copied().unwrap_or_default();
        let Some(first) = rows.first() else { return 0 };
        let start = first.checked_sub(1).map_or(0, end);
        rows.partition_point(|row| end(*row) - start <= max_bytes).max(1)
    }

    /// True when none of the rows has a value of a dimension.
    pub(crate) fn has_no_value(&self, dimension: usize, rows: &[u32]) -> bool {
        let Some(column) = self.batch.dimensions.get(dimension) else { return true };
        let mut is_empty = true;
        if !column.values.is_empty() {
            column.visit(rows, |value| is_empty &= value.is_none());
        }
        is_empty
    }

    /// The values of a dimension, one for each of the rows, which ascend.
    pub(crate) fn dimension<'v>(
        &'v self,
        number: usize,
        rows: &[u32],
        out: &mut Vec<ValueRef<'v>>,
    ) {
        self.read(self.batch.dimensions.get(number), rows, out);
    }

    /// The inputs of a metric, one for each of the rows, which ascend.
    pub(crate) fn metric<'v>(&'v self, number: usize, rows: &[u32], out: &mut Vec<ValueRef<'v>>) {
        self.read(self.batch.metrics.get(number), rows, out);
    }

    fn read<'v>(&'v self, column: Option<&BatchColumn>, rows: &[u32], out: &mut Vec<ValueRef<'v>>) {
        out.clear();
        let Some(column) = column else {
            out.resize(rows.len(), ValueRef::Null);
            return;
        };
        let (text, bytes) = (self.batch.text.as_str(), self.batch.bytes.as_slice());
        column.visit(rows, |value| {
            out.push(match value {
                None => ValueRef::Null,
                Some(StoredValue::Long(value)) => ValueRef::Long(value),
                Some(StoredValue::Double(value)) => ValueRef::Double(value),
                Some(StoredValue::Text(span)) => {
                    ValueRef::String(text.get(span.start..span.end()).unwrap_or_default())
                }
                Some(StoredValue::Multi(span)) => {
                    ValueRef::Multi(self.elements.get(span.start..span.end()).unwrap_or_default())
                }
                Some(StoredValue::Complex(span)) => {
                    ValueRef::Complex(bytes.get(span.start..span.end()).unwrap_or_default())
                }
            });
        });
    }
}
