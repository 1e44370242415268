//! The order of rows of several segments: they compare by the columns that the query orders by, and
//! those of one segment lie in order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use henge_query::{Direction, ScanQuery};
use henge_types::narrow::narrow;
use henge_vector::{Array, Column};

use super::order_key::directed;
use crate::partial_rows::RowBatch;
use crate::value_order::compare_values;

/// Rows of batches by the query's order; ties by batch, then as they lie.
#[derive(Debug)]
pub(crate) struct BatchOrder<'b> {
    keys: Vec<Key<'b>>,
    row_counts: Vec<usize>,
}

/// What a key is in each batch.
#[derive(Debug)]
struct Key<'b> {
    cells: Vec<Cells<'b>>,
    direction: Direction,
}

#[derive(Debug, Clone, Copy)]
enum Cells<'b> {
    /// Null in every row.
    Missing,
    Longs(&'b [i64]),
    Of(&'b Column),
}

impl<'b> BatchOrder<'b> {
    /// The order of a query that has one.
    pub(crate) fn new(query: &ScanQuery, batches: &'b [RowBatch]) -> Self {
        let by_time = query.time_order().is_some();
        let keys = query.order_by.iter().map(|key| Key {
            direction: key.direction,
            cells: batches
                .iter()
                .map(|batch| match by_time {
                    true => Cells::Longs(&batch.time_ms),
                    false => Cells::of(batch, &key.column),
                })
                .collect(),
        });
        let row_counts = batches.iter().map(|batch| batch.row_count).collect();
        Self { keys: keys.collect(), row_counts }
    }

    /// Batch and row of each row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, u32)> {
        let head = |batch: u32, row: u32| {
            let count = *self.row_counts.get(batch as usize)?;
            ((row as usize) < count).then_some(Head { order: self, batch, row })
        };
        let batches = 0..narrow(self.row_counts.len());
        let mut heap: BinaryHeap<Head<'_>> = batches.filter_map(|batch| head(batch, 0)).collect();
        std::iter::from_fn(move || {
            let Head { batch, row, .. } = heap.pop()?;
            heap.extend(head(batch, row + 1));
            Some((batch, row))
        })
    }

    fn compare(&self, left: (u32, u32), right: (u32, u32)) -> Ordering {
        for key in &self.keys {
            let cells = |(batch, row): (u32, u32)| (key.cells[batch as usize], row as usize);
            let order = directed(compare_cells(cells(left), cells(right)), key.direction);
            if order.is_ne() {
                return order;
            }
        }
        left.cmp(&right)
    }
}

impl<'b> Cells<'b> {
    fn of(batch: &'b RowBatch, name: &str) -> Self {
        match batch.columns.iter().find(|column| &*column.name == name) {
            None => Self::Missing,
            Some(column) => match &column.values {
                Column::Long(values) if values.null_count() == 0 => Self::Longs(values.values()),
                values => Self::Of(values),
            },
        }
    }

    fn value(self, row: usize) -> henge_expr::ExprValue {
        match self {
            Self::Missing => henge_expr::ExprValue::Null,
            Self::Longs(values) => values[row].into(),
            Self::Of(values) => values.expr_value(row),
        }
    }
}

fn compare_cells(
    (left, left_row): (Cells<'_>, usize),
    (right, right_row): (Cells<'_>, usize),
) -> Ordering {
    match (left, right) {
        (Cells::Longs(left), Cells::Longs(right)) => left[left_row].cmp(&right[right_row]),
        (Cells::Of(Column::Text(left)), Cells::Of(Column::Text(right))) => {
            left.get(left_row).cmp(&right.get(right_row))
        }
        (left, right) => compare_values(&left.value(left_row), &right.value(right_row)),
    }
}

/// The next row of a batch; a heap gives out the largest, so the order is turned around.
struct Head<'o> {
    order: &'o BatchOrder<'o>,
    batch: u32,
    row: u32,
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare((other.batch, other.row), (self.batch, self.row))
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}
