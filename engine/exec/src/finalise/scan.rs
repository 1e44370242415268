//! `scan`: rows in batches. Unordered scans keep one entry a segment and batch; ordered ones merge
//! the segments' rows and name no segment.

use std::sync::Arc;

use henge_query::ScanQuery;
use henge_scan::Result;
use henge_types::ColumnType;
use henge_types::narrow::narrow;
use rustc_hash::FxHashMap;

use crate::context::ExecContext;
use crate::partial_rows::{RowBatch, RowsPartial};
use crate::rows::batch_order::BatchOrder;

/// Rows of a scan: the batches as they are, and the order of their rows.
#[derive(Debug, Clone)]
pub struct ScanRows {
    /// One a segment.
    pub batches: Vec<RowBatch>,
    /// What rows are shown together, in the answer's order.
    pub entries: Vec<Entry>,
    layouts: Vec<Layout>,
}

/// Rows with the same columns.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Batch and row of each.
    pub rows: Vec<(u32, u32)>,
    /// False for rows merged from several segments; else all are of one batch.
    pub is_of_one_segment: bool,
    layout: usize,
}

/// The columns that some batches have together.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Names, and types where they are known.
    pub columns: Vec<(Arc<str>, Option<ColumnType>)>,
    /// For each batch that uses the layout: where it keeps each column.
    positions: FxHashMap<usize, Vec<Option<usize>>>,
}

/// Finishes a scan.
pub(crate) fn finalise(
    query: &ScanQuery,
    partial: RowsPartial,
    context: &ExecContext,
) -> Result<ScanRows> {
    let mut batches = partial.batches;
    batches.sort_by(|a, b| a.segment.cmp(&b.segment));
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let batch_size = usize::try_from(query.batch_size).unwrap_or(usize::MAX).max(1);
    let ordered = !query.order_by.is_empty();
    let rows: Vec<(u32, u32)> = if ordered {
        BatchOrder::new(query, &batches).rows().skip(offset).take(limit).collect()
    } else {
        all_rows(&batches).skip(offset).take(limit).collect()
    };
    context.cancel.check()?;

    let layouts = if ordered {
        vec![Layout::of(&batches, 0..batches.len())]
    } else {
        (0..batches.len()).map(|batch| Layout::of(&batches, batch..batch + 1)).collect()
    };
    let mut entries = Vec::new();
    for run in rows.chunk_by(|a, b| ordered || a.0 == b.0) {
        let layout = if ordered { 0 } else { run[0].0 as usize };
        entries.extend(run.chunks(batch_size).map(|rows| Entry {
            layout,
            is_of_one_segment: !ordered,
            rows: rows.to_vec(),
        }));
    }
    Ok(ScanRows { batches, entries, layouts })
}

fn all_rows(batches: &[RowBatch]) -> impl Iterator<Item = (u32, u32)> {
    batches
        .iter()
        .enumerate()
        .flat_map(|(batch, rows)| (0..narrow(rows.row_count)).map(move |row| (narrow(batch), row)))
}

impl Layout {
    /// Where a batch keeps each column; `None` for one that it lacks.
    #[must_use]
    pub fn positions(&self, batch: u32) -> &[Option<usize>] {
        self.positions.get(&(batch as usize)).map_or(&[], Vec::as_slice)
    }

    /// All columns of some batches, in the order in which they first occur.
    fn of(batches: &[RowBatch], used: std::ops::Range<usize>) -> Self {
        let mut columns: Vec<(Arc<str>, Option<ColumnType>)> = Vec::new();
        let mut known: FxHashMap<Arc<str>, usize> = FxHashMap::default();
        for column in batches[used.clone()].iter().flat_map(|batch| &batch.columns) {
            let at = *known.entry(column.name.clone()).or_insert_with(|| {
                columns.push((column.name.clone(), None));
                columns.len() - 1
            });
            if columns[at].1.is_none() {
                columns[at].1.clone_from(&column.column_type);
            }
        }
        let positions = used.map(|batch| {
            let mut positions = vec![None; columns.len()];
            for (position, column) in batches[batch].columns.iter().enumerate() {
                positions[known[&column.name]] = Some(position);
            }
            (batch, positions)
        });
        let positions = positions.collect();
        Self { columns, positions }
    }
}

impl ScanRows {
    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.entries.iter().map(|entry| entry.rows.len()).sum()
    }

    /// The columns of an entry.
    #[must_use]
    pub fn layout(&self, entry: &Entry) -> &Layout {
        &self.layouts[entry.layout]
    }

    /// All columns of all batches.
    #[must_use]
    pub fn whole_layout(&self) -> Layout {
        Layout::of(&self.batches, 0..self.batches.len())
    }
}
