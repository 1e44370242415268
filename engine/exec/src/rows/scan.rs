//! `scan`: rows as they are. A limit stops the reading; an order by time keeps no more rows than
//! the limit needs.

use std::collections::BTreeMap;

use henge_query::{ScanOrder, ScanQuery};
use henge_scan::{Columns, Result, SelectedRows, Selection, time_column};
use henge_segment::{BLOCK_ROWS, SegmentView};

use crate::context::ExecContext;
use crate::memory::MemoryLease;
use crate::partial_rows::{RowBatch, RowsPartial};
use crate::rows::builder::ColumnBuilder;

/// The rows of one segment.
pub(crate) fn run(
    query: &ScanQuery,
    view: &dyn SegmentView,
    context: &ExecContext,
) -> Result<RowsPartial> {
    let columns = Columns::new(view, &query.base.virtual_columns, &context.cancel);
    let mut builders = column_names(query, view)
        .iter()
        .map(|name| ColumnBuilder::new(name, &columns))
        .collect::<Result<Vec<_>>>()?;
    let mut held = context.memory.lease();
    let batch = match query.order {
        ScanOrder::None => run_unordered(query, view, context, &mut builders, &mut held)?,
        order => run_ordered(query, order, view, context, &mut builders, &mut held)?,
    };
    let Some(read) = batch else { return Ok(RowsPartial::default()) };
    let row_count = read.row_count;
    let columns = builders.into_iter().map(|b| b.finish(read.order.as_deref())).collect();
    let batch = RowBatch { segment: view.id().clone(), columns, row_count, time_ms: read.time_ms };
    Ok(RowsPartial { batches: vec![batch] })
}

/// What was read into the builders.
struct Read {
    row_count: usize,
    time_ms: Vec<i64>,
    order: Option<Vec<u32>>,
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

fn check_memory(used_bytes: usize, context: &ExecContext) -> Result<()> {
    let advice = "set a limit, fewer columns or a shorter interval";
    context.check_budget(used_bytes, "the rows of the scan", advice)
}

/// Charges the rows read so far, as they grow: a segment may have many.
fn charge(
    builders: &[ColumnBuilder<'_>],
    context: &ExecContext,
    held: &mut MemoryLease,
) -> Result<()> {
    let bytes = builders.iter().map(ColumnBuilder::memory_bytes).sum();
    check_memory(bytes, context)?;
    held.set(bytes)
}

fn run_unordered(
    query: &ScanQuery,
    view: &dyn SegmentView,
    context: &ExecContext,
    builders: &mut [ColumnBuilder<'_>],
    held: &mut MemoryLease,
) -> Result<Option<Read>> {
    let cap = row_cap(query);
    let mut selected = SelectedRows::new(&query.base, view, &context.cancel)?;
    let mut row_count = 0;
    for block in 0..view.block_count() {
        if row_count >= cap {
            break;
        }
        context.cancel.check()?;
        let rows = first_rows(selected.block(block)?, cap - row_count);
        if rows.is_empty() {
            continue;
        }
        builders.iter_mut().try_for_each(|builder| builder.append(block, rows))?;
        row_count += rows.len();
        charge(builders, context, held)?;
    }
    Ok((row_count > 0).then_some(Read { row_count, time_ms: vec![], order: None }))
}

fn first_rows(rows: Selection<'_>, count: usize) -> Selection<'_> {
    match rows {
        Selection::Range { start, end } => {
            Selection::Range { start, end: end.min(start.saturating_add(count)) }
        }
        Selection::Rows(rows) => Selection::Rows(&rows[..count.min(rows.len())]),
    }
}

fn run_ordered(
    query: &ScanQuery,
    order: ScanOrder,
    view: &dyn SegmentView,
    context: &ExecContext,
    builders: &mut [ColumnBuilder<'_>],
    held: &mut MemoryLease,
) -> Result<Option<Read>> {
    let best = best_rows(query, order, view, context)?;
    if best.is_empty() {
        return Ok(None);
    }
    // Rows are read block by block, in stored order, and put in order of time afterwards.
    let mut by_row: Vec<(u32, u32)> =
        best.iter().enumerate().map(|(rank, &(_, row))| (row, rank as u32)).collect();
    by_row.sort_unstable();
    let mut blocks: BTreeMap<usize, Vec<u16>> = BTreeMap::new();
    for &(row, _) in &by_row {
        let block = row as usize / BLOCK_ROWS;
        blocks.entry(block).or_default().push((row as usize % BLOCK_ROWS) as u16);
    }
    for (block, rows) in &blocks {
        context.cancel.check()?;
        let rows = Selection::Rows(rows);
        builders.iter_mut().try_for_each(|builder| builder.append(*block, rows))?;
        charge(builders, context, held)?;
    }
    let mut order_of_rows = vec![0; best.len()];
    for (position, &(_, rank)) in by_row.iter().enumerate() {
        order_of_rows[rank as usize] = position as u32;
    }
    let descending = order == ScanOrder::Descending;
    let time_ms = best.iter().map(|&(key, _)| if descending { !key } else { key }).collect();
    Ok(Some(Read { row_count: best.len(), time_ms, order: Some(order_of_rows) }))
}

/// The first rows in the order, as (time key, row): by time, ties as stored. The key of descending
/// orders is the complement of the time.
fn best_rows(
    query: &ScanQuery,
    order: ScanOrder,
    view: &dyn SegmentView,
    context: &ExecContext,
) -> Result<Vec<(i64, u32)>> {
    let cap = row_cap(query);
    if cap == 0 {
        return Ok(Vec::new());
    }
    let descending = order == ScanOrder::Descending;
    let mut selected = SelectedRows::new(&query.base, view, &context.cancel)?;
    let Some(time) = time_column(view)? else { return Ok(Vec::new()) };
    let mut scratch = Vec::new();
    let mut best: Vec<(i64, u32)> = Vec::new();
    for step in 0..view.block_count() {
        context.cancel.check()?;
        let block = if descending { view.block_count() - 1 - step } else { step };
        let first = best.len();
        let first_row = (block * BLOCK_ROWS) as u32;
        let rows = selected.block(block)?;
        if rows.is_empty() {
            continue;
        }
        let times = time.block(block, &mut scratch)?.values;
        rows.for_each(|row| {
            let ms = times.get(row);
            best.push((if descending { !ms } else { ms }, first_row + row as u32));
        });
        check_memory(best.len() * size_of::<(i64, u32)>(), context)?;
        if best.len() < cap {
            continue;
        }
        let nearest = best[first..].iter().map(|(key, _)| *key).min();
        if best.len() > cap {
            best.select_nth_unstable(cap - 1);
        }
        let worst_kept = best[..cap].iter().map(|(key, _)| *key).max();
        best.truncate(cap);
        // In a segment sorted by time no later block can do better than one that added nothing.
        if view.is_time_sorted() && (!descending || nearest > worst_kept) {
            break;
        }
    }
    best.sort_unstable();
    Ok(best)
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
    if query.order == ScanOrder::None {
        let mut room = cap;
        for batch in &mut batches {
            batch.truncate(room);
            room -= batch.row_count;
        }
    } else {
        truncate_ordered(&mut batches, cap, query.order == ScanOrder::Descending);
    }
    batches.retain(|batch| batch.row_count > 0);
    check_memory(batches.iter().map(RowBatch::memory_bytes).sum(), context)?;
    Ok(RowsPartial { batches })
}

/// Keeps the first `cap` rows of all batches together; ties go to the earlier segment.
fn truncate_ordered(batches: &mut [RowBatch], cap: usize, descending: bool) {
    let total: usize = batches.iter().map(|batch| batch.row_count).sum();
    if total <= cap {
        return;
    }
    let mut keys: Vec<(i64, usize)> = batches
        .iter()
        .enumerate()
        .flat_map(|(at, batch)| {
            batch.time_ms.iter().map(move |&ms| (if descending { !ms } else { ms }, at))
        })
        .collect();
    if cap < keys.len() {
        keys.select_nth_unstable(cap);
    }
    keys.truncate(cap);
    let mut kept = vec![0; batches.len()];
    keys.iter().for_each(|&(_, at)| kept[at] += 1);
    for (batch, kept) in batches.iter_mut().zip(kept) {
        batch.truncate(kept);
    }
}
