//! `scan`: rows as they are. A limit stops the reading; an order finds the first rows by the columns
//! that decide it and reads the others for those alone.

use std::collections::BTreeMap;

use henge_query::{Direction, ScanQuery};
use henge_scan::{Columns, Result, SelectedRows, Selection, Window};
use henge_segment::{BLOCK_ROWS, SegmentView};
use henge_types::narrow::{narrow, row_of_block};
use henge_types::number::of_long_order_bits;

use super::batch_order::BatchOrder;
use super::top_rows::{Candidate, first_rows};
use crate::context::ExecContext;
use crate::memory::MemoryLease;
use crate::partial_rows::{RowBatch, RowsPartial};
use crate::rows::builder::ColumnBuilder;
use crate::scan_bound::ScanBound;

/// Rows that are decoded at a time where few of a block are read.
const WINDOW_ROWS: usize = 1024;
/// A block is decoded as a whole when one of so many rows is read.
const WHOLE_BLOCK_OF: usize = 64;

/// The rows of one segment.
pub(crate) fn run(
    query: &ScanQuery,
    view: &dyn SegmentView,
    bound: Option<&ScanBound>,
    context: &ExecContext,
) -> Result<RowsPartial> {
    let columns = Columns::new(view, &query.base.virtual_columns, &context.cancel);
    let first = match query.order_by.is_empty() {
        true => None,
        false => Some(first_rows(query, &columns, row_cap(query), bound, context)?),
    };
    if first.as_ref().is_some_and(Vec::is_empty) {
        return Ok(RowsPartial::default());
    }
    let mut rows = Rows {
        view,
        builders: column_names(query, view)
            .iter()
            .map(|name| ColumnBuilder::new(name, &columns))
            .collect::<Result<Vec<_>>>()?,
        row_count: 0,
        held: context.memory.lease(),
        context,
    };
    let order = match &first {
        None => read_unordered(query, &mut rows).map(|()| None)?,
        Some(first) => Some(read_in_order(first, &mut rows)?),
    };
    let times = first.as_deref().zip(query.time_order());
    let time_ms = times.map_or_else(Vec::new, |(first, direction)| times_of(first, direction));
    let row_count = rows.row_count;
    if row_count == 0 {
        return Ok(RowsPartial::default());
    }
    let columns = rows.builders.into_iter().map(|b| b.finish(order.as_deref())).collect();
    let batch = RowBatch { segment: view.id().clone(), columns, row_count, time_ms };
    Ok(RowsPartial { batches: vec![batch] })
}

/// The columns asked for; by default all of the segment's, then the virtual ones.
fn column_names(query: &ScanQuery, view: &dyn SegmentView) -> Vec<String> {
    if !query.columns.is_empty() {
        return query.columns.clone();
    }
    let mut names: Vec<String> = view.schema().columns.iter().map(|c| c.name.clone()).collect();
    for column in &query.base.virtual_columns {
        if !names.contains(&column.name) {
            names.push(column.name.clone());
        }
    }
    names
}

/// How many rows a segment need contribute.
fn row_cap(query: &ScanQuery) -> usize {
    let cap = query.limit.unwrap_or(u64::MAX).saturating_add(query.offset);
    usize::try_from(cap).unwrap_or(usize::MAX)
}

pub(super) fn check_memory(used_bytes: usize, context: &ExecContext) -> Result<()> {
    let advice = "set a limit, fewer columns or a shorter interval";
    context.check_budget(used_bytes, "the rows of the scan", advice)
}

/// Rows that are being read.
struct Rows<'a> {
    view: &'a dyn SegmentView,
    builders: Vec<ColumnBuilder<'a>>,
    row_count: usize,
    held: MemoryLease,
    context: &'a ExecContext,
}

impl Rows<'_> {
    /// Reads selected rows of a block, and charges for all that were read so far: a segment may have
    /// many.
    fn append(&mut self, block: usize, rows: Selection<'_>) -> Result<()> {
        let Self { view, builders, row_count, held, context } = self;
        for_each_window(block, view.block_rows(block), rows, &mut |window, rows| {
            builders.iter_mut().try_for_each(|builder| builder.append(window, rows))
        })?;
        *row_count += rows.len();
        let bytes = builders.iter().map(ColumnBuilder::memory_bytes).sum();
        check_memory(bytes, context)?;
        held.set(bytes)
    }
}

/// Calls `visit` with the parts of a block that selected rows are in, and with the rows in them.
fn for_each_window(
    block: usize,
    block_rows: usize,
    rows: Selection<'_>,
    visit: &mut dyn FnMut(Window, Selection<'_>) -> Result<()>,
) -> Result<()> {
    let window = |number: usize| {
        let start = number * WINDOW_ROWS;
        Window::part(block, start..(start + WINDOW_ROWS).min(block_rows))
    };
    match rows {
        rows if rows.len() * WHOLE_BLOCK_OF >= block_rows => visit(Window::whole(block), rows),
        Selection::Range { start, end } => {
            for number in start / WINDOW_ROWS..end.div_ceil(WINDOW_ROWS) {
                let window = window(number);
                let start = start.saturating_sub(window.start());
                let end = (end - window.start()).min(WINDOW_ROWS);
                visit(window, Selection::Range { start, end })?;
            }
            Ok(())
        }
        Selection::Rows(rows) => {
            let number = |row: u16| usize::from(row) / WINDOW_ROWS;
            let mut within = Vec::new();
            for rows in rows.chunk_by(|a, b| number(*a) == number(*b)) {
                within.clear();
                within.extend(rows.iter().map(|row| row % row_of_block(WINDOW_ROWS)));
                visit(window(number(rows[0])), Selection::Rows(&within))?;
            }
            Ok(())
        }
    }
}

fn read_unordered(query: &ScanQuery, into: &mut Rows<'_>) -> Result<()> {
    let cap = row_cap(query);
    let (view, context) = (into.view, into.context);
    let dictionaries = context.dictionaries.as_ref();
    let mut selected = match query.limit {
        Some(_) => SelectedRows::first(&query.base, view, &context.cancel, dictionaries)?,
        None => SelectedRows::new(&query.base, view, &context.cancel, dictionaries)?,
    };
    for block in 0..view.block_count() {
        if into.row_count >= cap {
            break;
        }
        context.cancel.check()?;
        let rows = leading(selected.block(block)?, cap - into.row_count);
        if !rows.is_empty() {
            into.append(block, rows)?;
        }
    }
    Ok(())
}

fn leading(rows: Selection<'_>, count: usize) -> Selection<'_> {
    match rows {
        Selection::Range { start, end } => {
            Selection::Range { start, end: end.min(start.saturating_add(count)) }
        }
        Selection::Rows(rows) => Selection::Rows(&rows[..count.min(rows.len())]),
    }
}

/// Reads rows block by block, as they are stored. Returns for each in its order where it was read.
fn read_in_order(first: &[Candidate], into: &mut Rows<'_>) -> Result<Vec<u32>> {
    let mut by_row: Vec<(u32, u32)> =
        first.iter().map(|candidate| candidate.row).zip(0..).collect();
    by_row.sort_unstable();
    let mut blocks: BTreeMap<usize, Vec<u16>> = BTreeMap::new();
    for &(row, _) in &by_row {
        let block = row as usize / BLOCK_ROWS;
        blocks.entry(block).or_default().push(row_of_block(row as usize % BLOCK_ROWS));
    }
    for (block, rows) in &blocks {
        into.context.cancel.check()?;
        into.append(*block, Selection::Rows(rows))?;
    }
    let mut order = vec![0; first.len()];
    for (position, &(_, rank)) in by_row.iter().enumerate() {
        order[rank as usize] = narrow(position);
    }
    Ok(order)
}

/// The times of rows that are ordered by them.
fn times_of(first: &[Candidate], direction: Direction) -> Vec<i64> {
    let time = |candidate: &Candidate| match direction {
        Direction::Ascending => of_long_order_bits(candidate.word),
        Direction::Descending => of_long_order_bits(!candidate.word),
    };
    first.iter().map(time).collect()
}

/// Puts batches in the order of their segments and drops the rows that the limit cannot reach.
pub(crate) fn merge(
    query: &ScanQuery,
    partials: Vec<RowsPartial>,
    context: &ExecContext,
) -> Result<RowsPartial> {
    let mut batches: Vec<RowBatch> = partials.into_iter().flat_map(|p| p.batches).collect();
    batches.sort_by(|a, b| a.segment.cmp(&b.segment));
    let cap = row_cap(query);
    if query.order_by.is_empty() {
        let mut room = cap;
        for batch in &mut batches {
            batch.truncate(room);
            room -= batch.row_count;
        }
    } else {
        truncate_ordered(query, &mut batches, cap);
    }
    batches.retain(|batch| batch.row_count > 0);
    check_memory(batches.iter().map(RowBatch::memory_bytes).sum(), context)?;
    Ok(RowsPartial { batches })
}

/// Keeps the first `cap` rows of all batches together.
fn truncate_ordered(query: &ScanQuery, batches: &mut [RowBatch], cap: usize) {
    let total: usize = batches.iter().map(|batch| batch.row_count).sum();
    if total <= cap {
        return;
    }
    let mut kept = vec![0; batches.len()];
    let rows = BatchOrder::new(query, batches);
    rows.rows().take(cap).for_each(|(batch, _)| kept[batch as usize] += 1);
    for (batch, kept) in batches.iter_mut().zip(kept) {
        batch.truncate(kept);
    }
}
