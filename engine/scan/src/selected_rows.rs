//! The rows of a segment that a query's intervals and filter select, block by block.

use std::ops::Range;
use std::sync::Arc;

use henge_query::QueryBase;
use henge_segment::{
    BLOCK_ROWS, ColumnView, NumericColumn, NumericValues, SegmentError, SegmentView,
};
use henge_types::{Interval, TIME_COLUMN};

use crate::cancel::CancelFlag;
use crate::column::Columns;
use crate::error::Result;
use crate::filter::CompiledFilter;
use crate::node::NodeDictionaries;
use crate::selection::{BlockBits, RowSet, Selection};

/// Selects rows by time and filter.
pub struct SelectedRows<'a> {
    view: &'a dyn SegmentView,
    time: Option<&'a dyn NumericColumn<i64>>,
    intervals: &'a [Interval],
    rows: TimeRows,
    filter: CompiledFilter<'a>,
    bits: BlockBits,
    positions: Vec<u16>,
    scratch: Vec<i64>,
}

/// How the intervals' rows are found.
enum TimeRows {
    /// Ranges of absolute rows, ascending, with the interval each belongs to. One range of all rows
    /// when an interval covers the segment's whole time.
    Ranges(Vec<(Range<usize>, usize)>),
    /// Rows that are not sorted by time: the filter compares each row's time.
    Compare,
}

impl std::fmt::Debug for SelectedRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelectedRows").field("filter", &self.filter).finish_non_exhaustive()
    }
}

/// The segment's `__time`.
pub fn time_column(view: &dyn SegmentView) -> Result<Option<&dyn NumericColumn<i64>>> {
    match view.column(TIME_COLUMN)? {
        Some(ColumnView::Long(column)) => Ok(Some(column)),
        None if view.row_count() == 0 => Ok(None),
        _ => Err(SegmentError::corrupt("the segment has no LONG column __time").into()),
    }
}

impl<'a> SelectedRows<'a> {
    /// `cancel` stops the evaluation of the filter's expressions; `dictionaries` are the node's.
    ///
    /// # Errors
    /// When the segment is corrupt, or the filter cannot be asked of it.
    pub fn new(
        base: &'a QueryBase,
        view: &'a dyn SegmentView,
        cancel: &CancelFlag,
        dictionaries: Option<&Arc<NodeDictionaries>>,
    ) -> Result<Self> {
        let columns = Columns::new(view, &base.virtual_columns, cancel).on_node(dictionaries);
        Self::over(base, &columns.keeping_found(&base.context))
    }

    /// As [`SelectedRows::new`], for whoever will have seen enough before the last block.
    ///
    /// # Errors
    /// As there.
    pub fn first(
        base: &'a QueryBase,
        view: &'a dyn SegmentView,
        cancel: &CancelFlag,
        dictionaries: Option<&Arc<NodeDictionaries>>,
    ) -> Result<Self> {
        let columns = Columns::new(view, &base.virtual_columns, cancel).on_node(dictionaries);
        Self::over(base, &columns.keeping_found(&base.context).for_few_rows())
    }

    fn over(base: &'a QueryBase, columns: &Columns<'a>) -> Result<Self> {
        let view = columns.view();
        let filter = CompiledFilter::new(base.filter.as_ref(), columns)?;
        let time = time_column(view)?;
        let rows = match time {
            Some(time) => time_rows(view, time, &base.intervals)?,
            None => TimeRows::Ranges(Vec::new()),
        };
        let filter = match (&rows, time) {
            (TimeRows::Compare, Some(time)) => filter.within(time, &base.intervals),
            _ => filter,
        };
        Ok(Self {
            view,
            time,
            intervals: &base.intervals,
            rows,
            filter,
            bits: BlockBits::default(),
            positions: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// True when no row can be selected.
    pub fn is_nothing(&self) -> bool {
        let no_time = matches!(&self.rows, TimeRows::Ranges(ranges) if ranges.is_empty());
        no_time || self.filter.is_nothing()
    }

    /// About how many rows of some blocks are selected.
    pub fn expected_rows(&self, blocks: &Range<usize>) -> usize {
        let all = blocks.start * BLOCK_ROWS..self.view.row_count().min(blocks.end * BLOCK_ROWS);
        let in_time = match &self.rows {
            TimeRows::Compare => all.len(),
            TimeRows::Ranges(ranges) => ranges
                .iter()
                .map(|(rows, _)| rows.start.max(all.start)..rows.end.min(all.end))
                .map(|rows| rows.len())
                .sum(),
        };
        (in_time as f64 * self.filter.selectivity()).ceil() as usize
    }

    /// The selected rows of a block, as positions.
    pub fn block(&mut self, block: usize) -> Result<Selection<'_>> {
        let mut positions = std::mem::take(&mut self.positions);
        let range = match self.row_set(block)? {
            RowSet::Range { start, end } => Some((start, end)),
            rows => {
                rows.selection(&mut positions);
                None
            }
        };
        self.positions = positions;
        Ok(match range {
            Some((start, end)) => Selection::Range { start, end },
            None => Selection::Rows(&self.positions),
        })
    }

    /// The selected rows of a block.
    pub fn row_set(&mut self, block: usize) -> Result<RowSet<'_>> {
        let Self { view, rows, filter, bits, .. } = self;
        let in_block = match rows {
            TimeRows::Ranges(ranges) => {
                let mut parts = ranges
                    .iter()
                    .map(|(range, _)| rows_of_block(range, block))
                    .filter(|part| !part.is_empty());
                match (parts.next(), parts.next()) {
                    (None, _) => return Ok(RowSet::EMPTY),
                    (Some(only), None) => {
                        let only = RowSet::Range { start: only.start, end: only.end };
                        return filter.select(block, only);
                    }
                    (Some(first), Some(second)) => {
                        bits.set_only(first);
                        bits.insert_range(second);
                        parts.for_each(|part| bits.insert_range(part));
                    }
                }
                RowSet::of(bits)
            }
            TimeRows::Compare => RowSet::Range { start: 0, end: view.block_rows(block) },
        };
        filter.select(block, in_block)
    }

    /// For each interval: smallest and largest time of its rows within some blocks, whatever the
    /// filter says of them.
    pub fn data_range_ms(&mut self, blocks: &Range<usize>) -> Result<Vec<Option<(i64, i64)>>> {
        let mut found: Vec<Option<(i64, i64)>> = vec![None; self.intervals.len()];
        let Some(time) = self.time else { return Ok(found) };
        let whole = blocks.start == 0 && blocks.end >= self.view.block_count();
        match &self.rows {
            TimeRows::Ranges(ranges) => {
                for (range, interval) in ranges {
                    let start = range.start.max(blocks.start * BLOCK_ROWS);
                    let end = range.end.min(blocks.end * BLOCK_ROWS);
                    if whole && range.len() == self.view.row_count() {
                        found[*interval] = self.view.time_range();
                    } else if start < end && self.view.is_time_sorted() {
                        let first = time_at(time, start, &mut self.scratch)?;
                        let last = time_at(time, end - 1, &mut self.scratch)?;
                        found[*interval] = Some((first, last));
                    } else if start < end {
                        self.widen_by_values(time, blocks, &mut found)?;
                    }
                }
            }
            TimeRows::Compare => self.widen_by_values(time, blocks, &mut found)?,
        }
        Ok(found)
    }

    fn widen_by_values(
        &self,
        time: &dyn NumericColumn<i64>,
        blocks: &Range<usize>,
        found: &mut [Option<(i64, i64)>],
    ) -> Result<()> {
        let mut scratch = Vec::new();
        for block in blocks.clone() {
            let values = time.block(block, &mut scratch)?.values;
            for row in 0..self.view.block_rows(block) {
                let ms = values.get(row);
                let interval = self.intervals.partition_point(|interval| interval.end_ms <= ms);
                if self.intervals.get(interval).is_some_and(|interval| interval.start_ms <= ms) {
                    let (low, high) = found[interval].unwrap_or((ms, ms));
                    found[interval] = Some((low.min(ms), high.max(ms)));
                }
            }
        }
        Ok(())
    }
}

/// The part of a range of absolute rows that lies in a block, as rows of the block.
fn rows_of_block(range: &Range<usize>, block: usize) -> Range<usize> {
    let first = block * BLOCK_ROWS;
    let start = range.start.clamp(first, first + BLOCK_ROWS) - first;
    let end = range.end.clamp(first, first + BLOCK_ROWS) - first;
    start..end.max(start)
}

fn time_rows(
    view: &dyn SegmentView,
    time: &dyn NumericColumn<i64>,
    intervals: &[Interval],
) -> Result<TimeRows> {
    let Some((min, max)) = view.time_range() else { return Ok(TimeRows::Ranges(Vec::new())) };
    let overlapping: Vec<usize> = (0..intervals.len())
        .filter(|&index| intervals[index].start_ms <= max && intervals[index].end_ms > min)
        .collect();
    if overlapping.is_empty() {
        return Ok(TimeRows::Ranges(Vec::new()));
    }
    if let [index] = overlapping.as_slice()
        && intervals[*index].contains(min)
        && intervals[*index].contains(max)
    {
        return Ok(TimeRows::Ranges(vec![(0..view.row_count(), *index)]));
    }
    if !view.is_time_sorted() {
        return Ok(TimeRows::Compare);
    }
    let mut ranges = Vec::with_capacity(overlapping.len());
    for index in overlapping {
        let interval = intervals[index];
        let start = lower_bound(view, time, interval.start_ms)?;
        let end = lower_bound(view, time, interval.end_ms)?;
        if start < end {
            ranges.push((start..end, index));
        }
    }
    Ok(TimeRows::Ranges(ranges))
}

/// The first row whose time is not before `ms`, in a segment sorted by time.
fn lower_bound(view: &dyn SegmentView, time: &dyn NumericColumn<i64>, ms: i64) -> Result<usize> {
    match view.time_range() {
        Some((min, _)) if ms <= min => return Ok(0),
        Some((_, max)) if ms > max => return Ok(view.row_count()),
        _ => {}
    }
    let mut scratch = Vec::new();
    let (mut low, mut high) = (0, view.block_count());
    while low < high {
        let middle = low + (high - low) / 2;
        if last_time(view, time, middle, &mut scratch)? < ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low == view.block_count() {
        return Ok(view.row_count());
    }
    let within = match time.block(low, &mut scratch)?.values {
        NumericValues::Constant(value) if value >= ms => 0,
        NumericValues::Constant(_) => view.block_rows(low),
        NumericValues::Slice(values) => {
            values[..view.block_rows(low)].partition_point(|&value| value < ms)
        }
    };
    Ok(low * BLOCK_ROWS + within)
}

fn last_time(
    view: &dyn SegmentView,
    time: &dyn NumericColumn<i64>,
    block: usize,
    scratch: &mut Vec<i64>,
) -> Result<i64> {
    if let Some(stats) = time.stats(block)? {
        return Ok(stats.max);
    }
    let last = view.block_rows(block).saturating_sub(1);
    Ok(time.block(block, scratch)?.values.get(last))
}

fn time_at(time: &dyn NumericColumn<i64>, row: usize, scratch: &mut Vec<i64>) -> Result<i64> {
    Ok(time.block(row / BLOCK_ROWS, scratch)?.values.get(row % BLOCK_ROWS))
}
