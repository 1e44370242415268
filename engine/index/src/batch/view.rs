//! What an index reads of a batch: the values of a column for some of the rows.

use henge_types::ValueRef;

use super::RowBatch;
use super::column::{BatchColumn, Span, StoredValue, Values};
use crate::head::Head;

/// The rows of a [`RowBatch`].
#[derive(Debug)]
pub struct BatchView<'a> {
    batch: &'a RowBatch,
    elements: Vec<Option<&'a str>>,
}

/// The values of one column, one for each of some rows, which ascend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColumnRows<'v> {
    view: &'v BatchView<'v>,
    column: Option<&'v BatchColumn>,
    rows: &'v [u32],
}

/// Texts of consecutive rows, none of them null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextRows<'v> {
    batch: &'v RowBatch,
    pub(crate) heads: &'v [Head],
}

impl<'a> BatchView<'a> {
    pub(super) fn new(batch: &'a RowBatch) -> Self {
        let text = |span: &Span| batch.text.get(span.range()).unwrap_or_default();
        let elements = batch.elements.iter().map(|element| element.as_ref().map(text)).collect();
        Self { batch, elements }
    }

    /// Dimensions and metrics of its rows.
    pub(crate) fn widths(&self) -> (usize, usize) {
        (self.batch.dimensions.len(), self.batch.metrics.len())
    }

    pub(crate) fn time_ms(&self, row: u32) -> i64 {
        self.batch.times_ms.get(row as usize).copied().unwrap_or_default()
    }

    /// How many of the first rows have at most so many bytes of long text together; at least one.
    pub(crate) fn rows_of_text(&self, rows: &[u32], max_bytes: usize) -> usize {
        let end = |row: u32| self.batch.text_ends.get(row as usize).copied().unwrap_or_default();
        let Some(first) = rows.first() else { return 0 };
        let start = first.checked_sub(1).map_or(0, end);
        rows.partition_point(|row| end(*row) - start <= max_bytes).max(1)
    }

    /// The values of a dimension.
    pub(crate) fn dimension<'v>(&'v self, number: usize, rows: &'v [u32]) -> ColumnRows<'v> {
        ColumnRows { view: self, column: self.batch.dimensions.get(number), rows }
    }

    /// The inputs of a metric.
    pub(crate) fn metric<'v>(&'v self, number: usize, rows: &'v [u32]) -> ColumnRows<'v> {
        ColumnRows { view: self, column: self.batch.metrics.get(number), rows }
    }
}

impl<'v> ColumnRows<'v> {
    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when none of the rows has a value.
    pub(crate) fn has_no_value(&self) -> bool {
        let Some(column) = self.column.filter(|column| !column.is_empty()) else { return true };
        let mut is_empty = true;
        column.visit(self.rows, |at| is_empty &= at.is_none());
        is_empty
    }

    fn side_by_side(&self) -> Option<(&'v Values, std::ops::Range<usize>)> {
        let column = self.column?;
        Some((column.values(), column.range(self.rows)?))
    }

    /// The values, when all are whole numbers and the rows are consecutive.
    pub(crate) fn longs(&self) -> Option<&'v [i64]> {
        match self.side_by_side()? {
            (Values::Longs(values), range) => values.get(range),
            _ => None,
        }
    }

    /// The values, when all are decimals and the rows are consecutive.
    pub(crate) fn doubles(&self) -> Option<&'v [f64]> {
        match self.side_by_side()? {
            (Values::Doubles(values), range) => values.get(range),
            _ => None,
        }
    }

    /// The values, when all are texts and the rows are consecutive.
    pub(crate) fn texts(&self) -> Option<TextRows<'v>> {
        match self.side_by_side()? {
            (Values::Texts(values), range) => {
                values.get(range).map(|heads| TextRows { batch: self.view.batch, heads })
            }
            _ => None,
        }
    }

    /// Calls `visit` with each value.
    #[inline]
    pub(crate) fn for_each(&self, mut visit: impl FnMut(ValueRef<'v>)) {
        let batch = self.view.batch;
        let Some(column) = self.column else {
            self.rows.iter().for_each(|_| visit(ValueRef::Null));
            return;
        };
        match column.values() {
            Values::None => self.rows.iter().for_each(|_| visit(ValueRef::Null)),
            Values::Longs(values) => column.visit(self.rows, |at| {
                visit(at.map_or(ValueRef::Null, |at| ValueRef::Long(values[at])));
            }),
            Values::Doubles(values) => column.visit(self.rows, |at| {
                visit(at.map_or(ValueRef::Null, |at| ValueRef::Double(values[at])));
            }),
            Values::Texts(values) => column.visit(self.rows, |at| {
                visit(at.map_or(ValueRef::Null, |at| ValueRef::String(batch.text(&values[at]))));
            }),
            Values::Any(values) => column.visit(self.rows, |at| {
                visit(at.map_or(ValueRef::Null, |at| self.any(&values[at])));
            }),
        }
    }

    fn any(&self, value: &'v StoredValue) -> ValueRef<'v> {
        match value {
            StoredValue::Long(value) => ValueRef::Long(*value),
            StoredValue::Double(value) => ValueRef::Double(*value),
            StoredValue::Text(head) => ValueRef::String(self.view.batch.text(head)),
            StoredValue::Multi(span) => {
                ValueRef::Multi(self.view.elements.get(span.range()).unwrap_or_default())
            }
            StoredValue::Complex(span) => {
                ValueRef::Complex(self.view.batch.bytes.get(span.range()).unwrap_or_default())
            }
        }
    }

    /// The values in a list.
    pub(crate) fn to_vec(self) -> Vec<ValueRef<'v>> {
        let mut values = Vec::with_capacity(self.rows.len());
        self.for_each(|value| values.push(value));
        values
    }
}

impl<'v> TextRows<'v> {
    /// The text of one of the heads.
    #[inline]
    pub(crate) fn text(&self, head: &'v Head) -> &'v str {
        self.batch.text(head)
    }
}
