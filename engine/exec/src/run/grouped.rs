//! timeseries, topN and groupBy: the loop over blocks.

use std::ops::Range;

use henge_aggregate::{Aggregators, BlockInput, Run};
use henge_query::GroupedQuery;
use henge_scan::{
    BlockBits, ColumnSet, Columns, KeyScope, NodeScope, PartIds, Result, RowSet, SelectedRows,
    Selection, Window, time_column,
};
use henge_segment::{BLOCK_ROWS, NumericColumn, SegmentView};
use henge_types::Interval;
use henge_types::narrow::narrow;
use henge_vector::Column;

use super::Blocks;
use super::buckets::Buckets;
use super::each_row::EachRow;
use crate::context::ExecContext;
use crate::data_ranges::data_ranges;
use crate::grouper::{Grouper, GroupingSize};
use crate::memory::MemoryLease;
use crate::merge::regroup;
use crate::partial::{Distinctness, GroupedPartial, Partial};
use crate::top_cut::TopCut;

/// Windows start at multiples of this.
const GROUP_ROWS: usize = 1024;
/// Runs of one bucket that a block may have before each row gets its bucket's number instead.
const MAX_RUNS: usize = 1024;
/// The same when there are dimensions, which cost more a run.
const MAX_GROUPED_RUNS: usize = 8;
/// Rows a group from which on larger tables cost less than groups that come again and again.
const MAX_FLUSHED_ROWS: usize = 16;
/// Rows that a run should have to be added as it is stored: shorter ones are better decoded.
const MIN_PACKED_RUN: usize = 4096;

/// Where the time buckets of a block's rows are.
enum BlockBuckets {
    /// In runs of rows.
    Runs(Vec<Run>),
    /// Row by row in the run's scratch space.
    ByRow,
}

/// How a segment's groups are given out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output<'c> {
    /// Groups that need not be kept.
    pub(super) cut: Option<&'c TopCut>,
    /// What string keys become.
    pub(super) keys: KeyForm,
    /// What groups that are handed on have to be.
    pub(super) handed_on: Distinctness,
}

/// What string keys become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// Numbers of the node's dictionaries, if the context has any, else text.
    OfNode,
    /// Text.
    Text,
    /// Ids of the segment's dictionaries, see [`KeyScope::Ids`].
    Ids,
}

/// Takes groups of a segment of which more will come, perhaps the same.
pub(super) type Flush<'f> = &'f mut dyn FnMut(GroupedPartial, Distinctness) -> Result<()>;

/// Groups the rows of some blocks. Groups that would outgrow the cache go to `flush`, if there is one,
/// and the rest is returned.
pub(super) fn run(
    query: &GroupedQuery<'_>,
    output: Output<'_>,
    view: &dyn SegmentView,
    blocks: &mut Blocks<'_>,
    mut flush: Option<Flush<'_>>,
    ctx: &ExecContext,
) -> Result<Partial> {
    let mut selector = SelectedRows::new(query.base, view, &ctx.cancel, ctx.dictionaries.as_ref())?;
    let data_range_ms = data_ranges(query, view);
    let expected_rows = selector.expected_rows(&(0..view.block_count()));
    let scope = |expected_groups| scope_of(output.keys, view, expected_groups, ctx);
    let mut expected_groups = 0;
    let mut each_row = EachRow::new(output.handed_on);
    let mut run = GroupedRun::new(query, view, expected_rows, 0, false, ctx)?;
    if selector.is_nothing() {
        // Whoever counts what is left of the segment is to see that nothing is.
        while blocks().is_some() {}
    } else {
        while let Some(blocks) = blocks() {
            for block in blocks {
                ctx.cancel.check()?;
                let rows = selector.row_set(block)?;
                if !rows.is_empty() {
                    run.block(block, rows)?;
                }
                if let Some(flush) = flush.as_mut().filter(|_| run.should_flush()) {
                    let groups = run.grouper.table_groups();
                    let pays = each_row.pays_after(run.rows, groups, run.grouper.distinctness());
                    let next = GroupedRun::new(query, view, expected_rows, groups, pays, ctx)?;
                    let full = std::mem::replace(&mut run, next);
                    expected_groups = expected_rows / MAX_FLUSHED_ROWS;
                    let scope = scope(expected_groups);
                    let distinctness = full.grouper.distinctness();
                    flush(full.finish(data_range_ms.clone(), None, scope)?, distinctness)?;
                }
            }
            if ctx.spill.as_ref().is_some_and(|spill| spill.is_due(run.used_bytes, &ctx.memory)) {
                break;
            }
        }
    }
    let distinctness = run.grouper.distinctness();
    let rest = run.finish(data_range_ms, output.cut, scope(expected_groups))?;
    Ok(Partial::Grouped(match distinctness {
        Distinctness::Distinct => rest,
        Distinctness::Repeating => regroup(query.aggregations, rest, ctx)?,
    }))
}

fn scope_of<'a>(
    keys: KeyForm,
    view: &'a dyn SegmentView,
    expected_groups: usize,
    ctx: &'a ExecContext,
) -> KeyScope<'a> {
    match (keys, ctx.dictionaries.as_deref()) {
        (KeyForm::Ids, _) => KeyScope::Ids,
        (KeyForm::OfNode, Some(dictionaries)) => {
            let datasource = &view.id().datasource;
            KeyScope::Node(NodeScope { dictionaries, datasource, expected_groups })
        }
        (KeyForm::OfNode, None) | (KeyForm::Text, _) => KeyScope::Text,
    }
}

struct GroupedRun<'a> {
    view: &'a dyn SegmentView,
    time: Option<&'a dyn NumericColumn<i64>>,
    times: Vec<i64>,
    columns: ColumnSet<'a>,
    buckets: Buckets<'a>,
    bucket_ids: Vec<u32>,
    positions: Vec<u16>,
    run_rows: BlockBits,
    grouper: Grouper<'a>,
    aggregators: Aggregators<'a>,
    ungrouped: bool,
    use_statistics: bool,
    batch_rows: usize,
    ctx: &'a ExecContext,
    used_bytes: usize,
    /// Rows that were added.
    rows: usize,
    lease: MemoryLease,
}

impl<'a> GroupedRun<'a> {
    fn new(
        query: &GroupedQuery<'a>,
        view: &'a dyn SegmentView,
        expected_rows: usize,
        expected_groups: usize,
        each_row: bool,
        ctx: &'a ExecContext,
    ) -> Result<Self> {
        let columns = Columns::new(view, &query.base.virtual_columns, &ctx.cancel)
            .on_node(ctx.dictionaries.as_ref())
            .keeping_found(&query.base.context);
        let mut set = ColumnSet::default();
        let buckets = Buckets::new(query.granularity, ctx);
        let mut aggregators = Aggregators::new(query.aggregations, &columns, &mut set)?;
        aggregators.reserve(expected_groups);
        let size = GroupingSize {
            expected_buckets: (!buckets.is_single()).then(|| expected_buckets(query, view)),
            expected_rows,
            expected_groups,
            each_row,
            row_bytes: aggregators.row_bytes(),
            states_know_seen: aggregators.know_seen(),
            budget_bytes: ctx.memory_budget_bytes,
            grouping: ctx.tuning.grouping,
        };
        let grouper = Grouper::new(query.dimensions, &columns, &mut set, &size)?;
        let lists = set.reads_lists() || grouper.has_lists();
        Ok(Self {
            view,
            time: time_column(view)?,
            times: Vec::new(),
            columns: set,
            buckets,
            bucket_ids: Vec::new(),
            positions: Vec::new(),
            run_rows: BlockBits::default(),
            grouper,
            aggregators,
            ungrouped: query.dimensions.is_empty(),
            use_statistics: query.base.context.use_block_statistics,
            // Lists are decoded a block at a time.
            batch_rows: if lists { BLOCK_ROWS } else { ctx.tuning.batch_rows() },
            ctx,
            used_bytes: 0,
            rows: 0,
            lease: ctx.memory.lease(),
        })
    }

    /// Adds a block's selected rows.
    fn block(&mut self, block: usize, rows: RowSet<'_>) -> Result<()> {
        self.aggregators.start_block(block, rows)?;
        self.rows += rows.len();
        let mut times = std::mem::take(&mut self.times);
        let mut ids = std::mem::take(&mut self.bucket_ids);
        let result = self.buckets_of_block(block, rows, &mut times, &mut ids);
        let result = result.and_then(|buckets| {
            if let BlockBuckets::Runs(runs) = &buckets
                && self.answer_whole(block, rows, runs)?
            {
                return Ok(());
            }
            self.windows_of_block(block, rows, &buckets, &ids)
        });
        self.times = times;
        self.bucket_ids = ids;
        result?;
        self.check_memory()
    }

    /// Finds the time buckets of a block's selected rows: as runs of rows, or by row in `ids`.
    fn buckets_of_block(
        &mut self,
        block: usize,
        rows: RowSet<'_>,
        scratch: &mut Vec<i64>,
        ids: &mut Vec<u32>,
    ) -> Result<BlockBuckets> {
        let span = rows.span();
        let (Some(time), false) = (self.time, self.buckets.is_single()) else {
            return Ok(BlockBuckets::Runs(vec![Run { rows: span, bucket: 0 }]));
        };
        if let Some(stats) = time.stats(block)?
            && stats.null_count == 0
            && let Some(bucket) = self.buckets.common(stats.min, stats.max)?
        {
            return Ok(BlockBuckets::Runs(vec![Run { rows: span, bucket }]));
        }
        if self.view.is_time_sorted()
            && let Some(runs) = self.buckets.runs_by_search(time, block, span.clone(), scratch)?
        {
            return Ok(BlockBuckets::Runs(runs));
        }
        let times = time.block(block, scratch)?.values;
        if self.view.is_time_sorted() {
            let limit = if self.ungrouped { MAX_RUNS } else { MAX_GROUPED_RUNS };
            if let Some(runs) = self.buckets.runs(times, span.clone(), limit)? {
                return Ok(BlockBuckets::Runs(runs));
            }
            ids.resize(BLOCK_ROWS, 0);
            self.buckets.assign_sorted(times, span, ids)?;
            return Ok(BlockBuckets::ByRow);
        }
        ids.resize(BLOCK_ROWS, 0);
        self.buckets.assign(times, rows.selection(&mut self.positions), ids)?;
        Ok(BlockBuckets::ByRow)
    }

    /// Lets aggregators without dimensions take a block as its statistics say it, or as it is
    /// stored. True when all did.
    fn answer_whole(&mut self, block: usize, rows: RowSet<'_>, runs: &[Run]) -> Result<bool> {
        let Self { view, buckets, columns, grouper, aggregators, .. } = self;
        if !self.ungrouped {
            return Ok(false);
        }
        let bucket_count = buckets.count();
        aggregators.make_room(bucket_count);
        let block_rows = view.block_rows(block);
        let whole = matches!(rows, RowSet::Range { start: 0, end } if end == block_rows);
        if let ([only], true, true) = (runs, whole, self.use_statistics) {
            aggregators.answer_by_stats(only.bucket, block, block_rows, columns)?;
        }
        if runs.len() == 1 || rows.span().len() / runs.len() >= MIN_PACKED_RUN {
            aggregators.answer_by_packed(runs, block, rows, columns)?;
        }
        if !aggregators.all_answered() {
            return Ok(false);
        }
        for run in runs {
            if !matches!(rows, RowSet::Bits { .. })
                || !rows.clip(run.rows.clone(), &mut self.run_rows).is_empty()
            {
                grouper.mark_bucket(run.bucket, bucket_count);
            }
        }
        Ok(true)
    }

    /// Decodes a block window by window and adds its rows.
    fn windows_of_block(
        &mut self,
        block: usize,
        rows: RowSet<'_>,
        buckets: &BlockBuckets,
        ids: &[u32],
    ) -> Result<()> {
        let block_rows = self.view.block_rows(block);
        let bucket_count = self.buckets.count();
        let Self { columns, grouper, aggregators, positions, batch_rows, .. } = self;
        let mut slots = grouper.slots_of(block)?;
        slots.extend(aggregators.open_slots());
        let span = rows.span();
        let first = span.start / GROUP_ROWS * GROUP_ROWS;
        for start in (first..span.end).step_by(*batch_rows) {
            let end = (start + *batch_rows).min(block_rows);
            let selection = rows.within(start..end, positions);
            if selection.is_empty() {
                continue;
            }
            let window = match end - start == block_rows {
                true => Window::whole(block),
                false => Window::part(block, start..end),
            };
            let loaded = columns.load(window, selection, slots.iter().copied())?;
            let input = BlockInput { window, loaded: &loaded };
            let mut add = |part: Selection<'_>, bucket| {
                let buckets = (bucket, bucket_count);
                grouper.assign(window, part, buckets, &loaded, &mut |batch, groups| {
                    aggregators.update(batch, groups, &input)
                })
            };
            match buckets {
                BlockBuckets::ByRow => add(selection, PartIds::Rows(&ids[start..end]))?,
                BlockBuckets::Runs(runs) => {
                    for run in runs_within(runs, start..end) {
                        let part = selection.within(run.rows);
                        if !part.is_empty() {
                            add(part, PartIds::Constant(run.bucket))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// True when the tables are about to outgrow the cache and few rows meet a group that is there.
    fn should_flush(&self) -> bool {
        let groups = self.grouper.table_groups();
        groups >= self.ctx.tuning.flushed_groups
            && self.rows < groups.saturating_mul(MAX_FLUSHED_ROWS)
            && self.aggregators.have_fixed_width()
    }

    fn check_memory(&mut self) -> Result<()> {
        let used = self.aggregators.memory_bytes() + self.grouper.memory_bytes();
        self.ctx.check_budget(used, "groups", "group by fewer values, filter more")?;
        self.used_bytes = used;
        self.lease.set(used)
    }

    fn finish(
        self,
        data_range_ms: Vec<Option<(i64, i64)>>,
        cut: Option<&TopCut>,
        scope: KeyScope<'_>,
    ) -> Result<GroupedPartial> {
        let Self { buckets, grouper, mut aggregators, .. } = self;
        let positions = grouper.positions(|| aggregators.seen());
        if positions.is_none() {
            // Without rows the aggregators were never given room.
            aggregators.make_room(grouper.group_count());
        }
        // Each time bucket has an answer of its own: one bucket is the case that matters.
        let cut = cut.filter(|_| buckets.is_single());
        let best = cut.map(|cut| move |states: &Column| cut.best(states));
        let best = cut.zip(best.as_ref()).map(|(cut, best)| (cut.aggregator(), best as &_));
        let (states, best) = aggregators.finish(positions.as_deref(), best)?;
        let groups = match (positions, best) {
            (None, None) => (0..narrow(grouper.group_count())).collect(),
            (None, Some(best)) => best,
            (Some(positions), None) => positions,
            (Some(positions), Some(best)) => {
                best.iter().map(|&index| positions[index as usize]).collect()
            }
        };
        let bucket_starts = buckets.starts_of(groups.len(), || grouper.buckets_of(&groups));
        let keys = grouper.into_keys(&groups, scope)?;
        Ok(GroupedPartial { bucket_starts, keys, states, data_range_ms })
    }
}

/// The parts of ascending runs that lie within a range, counted from its start.
fn runs_within(runs: &[Run], range: Range<usize>) -> impl Iterator<Item = Run> {
    let first = runs.partition_point(|run| run.rows.end <= range.start);
    runs[first..].iter().take_while(move |run| run.rows.start < range.end).map(move |run| {
        let rows = run.rows.start.max(range.start)..run.rows.end.min(range.end);
        Run { rows: rows.start - range.start..rows.end - range.start, bucket: run.bucket }
    })
}

/// About how many buckets the segment's rows can fall into.
fn expected_buckets(query: &GroupedQuery<'_>, view: &dyn SegmentView) -> usize {
    let Some((min, max)) = view.time_range() else { return 0 };
    let data = Interval { start_ms: min, end_ms: max.saturating_add(1) };
    let count: u64 = query
        .base
        .intervals
        .iter()
        .filter_map(|interval| interval.intersect(&data))
        .map(|part| query.granularity.bucket_count_estimate(part))
        .fold(0, u64::saturating_add);
    usize::try_from(count).unwrap_or(usize::MAX).min(view.row_count())
}
