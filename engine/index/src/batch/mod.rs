//! [`RowBatch`]: rows on their way to an index, kept by column in a few flat buffers.
//!
//! Whoever parses events knows their rows before the index may have them (they wait for the log), and an
//! index takes many rows of one column faster than many columns of one row. Eight bytes a value are all
//! that is written and read of numbers and of texts of up to seven bytes.

mod column;
mod view;

use henge_types::ValueRef;

use crate::head::Head;
use column::{BatchColumn, Span, StoredValue};
pub use view::BatchView;
pub(crate) use view::{ColumnRows, TextRows};

/// Rows that were parsed and are not added yet: one value a dimension, then one a metric's input.
#[derive(Debug, Default)]
pub struct RowBatch {
    times_ms: Vec<i64>,
    /// Where the long text of each row ends.
    text_ends: Vec<usize>,
    dimensions: Vec<BatchColumn>,
    metrics: Vec<BatchColumn>,
    /// Texts of more than seven bytes, and those in lists.
    text: String,
    long_texts: Vec<Span>,
    elements: Vec<Option<Span>>,
    bytes: Vec<u8>,
    /// Of all columns.
    column_bytes: usize,
}

/// Where a batch keeps what is not in its columns.
struct Beside<'b> {
    text: &'b mut String,
    long_texts: &'b mut Vec<Span>,
    elements: &'b mut Vec<Option<Span>>,
    bytes: &'b mut Vec<u8>,
}

impl RowBatch {
    /// No rows yet, of an index with so many metrics.
    #[must_use]
    pub fn new(metrics: usize) -> Self {
        let metrics = std::iter::repeat_with(BatchColumn::default).take(metrics).collect();
        Self { metrics, ..Self::default() }
    }

    /// Makes room for so many rows; columns still grow with what they have.
    pub fn reserve(&mut self, rows: usize) {
        self.times_ms.reserve(rows);
        self.text_ends.reserve(rows);
    }

    /// Adds a row. A row may have more dimensions than those before it, behind theirs.
    pub fn push(&mut self, time_ms: i64, values: &[ValueRef<'_>]) {
        let (row, expected) = (self.times_ms.len(), self.times_ms.capacity());
        let dimensions = values.len().saturating_sub(self.metrics.len());
        if self.dimensions.len() < dimensions {
            self.dimensions.resize_with(dimensions, BatchColumn::default);
        }
        let (dimension_values, inputs) = values.split_at(dimensions);
        let mut beside = Beside {
            text: &mut self.text,
            long_texts: &mut self.long_texts,
            elements: &mut self.elements,
            bytes: &mut self.bytes,
        };
        for (column, value) in self.dimensions.iter_mut().zip(dimension_values) {
            if let Some(stored) = beside.store(value) {
                self.column_bytes += column.push(row, stored, expected);
            }
        }
        for (column, value) in self.metrics.iter_mut().zip(inputs) {
            if let Some(stored) = beside.store(value) {
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
            + self.long_texts.capacity() * size_of::<Span>()
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
        self.column_bytes = 0;
        self.text.clear();
        self.long_texts.clear();
        self.elements.clear();
        self.bytes.clear();
    }

    /// The rows for an index.
    #[must_use]
    pub fn view(&self) -> BatchView<'_> {
        BatchView::new(self)
    }

    /// The text that a head stands for.
    #[inline]
    fn text<'b>(&'b self, head: &'b Head) -> &'b str {
        head.text().unwrap_or_else(|| {
            let span = self.long_texts.get(head.number() as usize);
            span.and_then(|span| self.text.get(span.range())).unwrap_or_default()
        })
    }
}

impl Beside<'_> {
    /// What a value is stored as, unless it is null.
    #[inline]
    fn store(&mut self, value: &ValueRef<'_>) -> Option<StoredValue> {
        Some(match value {
            ValueRef::Null => return None,
            ValueRef::Long(value) => StoredValue::Long(*value),
            ValueRef::Double(value) => StoredValue::Double(*value),
            ValueRef::String(value) => {
                let head = Head::of(value);
                StoredValue::Text(if head.is_whole() { head } else { self.store_long(value) })
            }
            ValueRef::Complex(value) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(value);
                StoredValue::Complex(Span::of(start, self.bytes.len()))
            }
            ValueRef::Multi(list) => {
                let start = self.elements.len();
                for element in *list {
                    let span = element.map(|text| self.keep(text));
                    self.elements.push(span);
                }
                StoredValue::Multi(Span::of(start, self.elements.len()))
            }
        })
    }

    fn store_long(&mut self, value: &str) -> Head {
        let span = self.keep(value);
        self.long_texts.push(span);
        // A request has far fewer texts than 2^32.
        Head::numbered((self.long_texts.len() - 1) as u32)
    }

    fn keep(&mut self, value: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(value);
        Span::of(start, self.text.len())
    }
}
