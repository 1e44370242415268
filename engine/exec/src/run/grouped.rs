//! timeseries, topN and groupBy: the loop over blocks.

use henge_query::{AggregatorSpec, DimensionSpec, Query, QueryBase};
use henge_segment::{BLOCK_ROWS, NumericColumn, SegmentView};
use henge_types::{Granularity, Interval};

use super::Blocks;
use super::buckets::{Buckets, Run};
use super::rows::{SelectedRows, time_column};
use super::top::TopCut;
use crate::aggregate::{Aggregator, Batch, BlockInput};
use crate::column::{ColumnSet, Columns, SlotId};
use crate::context::ExecContext;
use crate::error::{ExecError, Result};
use crate::filter::Selection;
use crate::group::{Grouper, PartIds};
use crate::memory::MemoryLease;
use crate::node::NodeScope;
use crate::partial::{GroupedPartial, Partial};

/// Runs of one bucket that a block may have before each row gets its bucket's number instead.
const MAX_RUNS: usize = 1024;
/// The same when there are dimensions, which cost more a run.
const MAX_GROUPED_RUNS: usize = 8;

/// Where the time buckets of a block's rows are.
enum BlockBuckets {
    /// In runs of rows.
    Runs(Vec<Run>),
    /// Row by row in the run's scratch space.
    ByRow,
}

/// Takes rows of a block with their buckets.
type AssignRows<'f> = dyn FnMut(Selection<'_>, PartIds<'_>) -> Result<()> + 'f;

/// What timeseries, topN and groupBy have in common.
#[derive(Debug)]
pub(super) struct GroupedQuery<'q> {
    pub(super) base: &'q QueryBase,
    pub(super) granularity: &'q Granularity,
    pub(super) dimensions: &'q [DimensionSpec],
    pub(super) aggregations: &'q [AggregatorSpec],
    pub(super) needs_data_range: bool,
    /// Groups that need not be kept.
    pub(super) cut: Option<&'q TopCut>,
}

impl<'q> GroupedQuery<'q> {
    /// What a query groups; `None` for one that does not.
    pub(super) fn of(query: &'q Query, cut: Option<&'q TopCut>) -> Option<Self> {
        Some(match query {
            Query::Timeseries(query) => Self {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &[],
                aggregations: &query.aggregations,
                needs_data_range: true,
                cut: None,
            },
            Query::TopN(query) => Self {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: std::slice::from_ref(&query.dimension),
                aggregations: &query.aggregations,
                needs_data_range: true,
                cut,
            },
            Query::GroupBy(query) => Self {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &query.dimensions,
                aggregations: &query.aggregations,
                needs_data_range: false,
                cut: None,
            },
            _ => return None,
        })
    }
}

/// Groups the rows of some blocks.
pub(super) fn run(
    query: &GroupedQuery<'_>,
    view: &dyn SegmentView,
    blocks: &mut Blocks<'_>,
    ctx: &ExecContext,
) -> Result<Partial> {
    let mut selector = SelectedRows::new(query.base, view)?;
    let data_range_ms = if query.needs_data_range {
        data_ranges(query.base, view)
    } else {
        vec![None; query.base.intervals.len()]
    };
    let mut run = GroupedRun::new(query, view, ctx)?;
    if selector.is_nothing() {
        // Whoever counts what is left of the segment is to see that nothing is.
        while blocks().is_some() {}
    } else {
        while let Some(blocks) = blocks() {
            for block in blocks {
                ctx.cancel.check()?;
                let selection = selector.block(block)?;
                if !selection.is_empty() {
                    run.block(block, selection)?;
                }
            }
            if ctx.spill.as_ref().is_some_and(|spill| run.used_bytes > spill.above_bytes) {
                break;
            }
        }
    }
    let scope = ctx
        .dictionaries
        .as_deref()
        .map(|dictionaries| NodeScope { dictionaries, datasource: &view.id().datasource });
    run.finish(data_range_ms, query.cut, scope).map(Partial::Grouped)
}

/// The view's time range clipped to each interval, which is what empty buckets are filled between.
pub(crate) fn data_ranges(base: &QueryBase, view: &dyn SegmentView) -> Vec<Option<(i64, i64)>> {
    let time_range = view.time_range();
    let clip = |interval: &Interval| {
        let (min, max) = time_range?;
        (min < interval.end_ms && max >= interval.start_ms)
            .then(|| (min.max(interval.start_ms), max.min(interval.end_ms - 1)))
    };
    base.intervals.iter().map(clip).collect()
}

struct GroupedRun<'a> {
    view: &'a dyn SegmentView,
    time: Option<&'a dyn NumericColumn<i64>>,
    times: Vec<i64>,
    columns: ColumnSet<'a>,
    buckets: Buckets<'a>,
    bucket_ids: Vec<u32>,
    grouper: Grouper<'a>,
    grouper_slots: Vec<SlotId>,
    aggregators: Aggregators<'a>,
    ungrouped: bool,
    use_statistics: bool,
    memory_budget_bytes: usize,
    used_bytes: usize,
    lease: MemoryLease,
}

/// The aggregators, all with room for the same number of groups.
struct Aggregators<'a> {
    all: Vec<Aggregator<'a>>,
    groups: usize,
}

impl Aggregators<'_> {
    fn make_room(&mut self, groups: usize) {
        if groups > self.groups {
            self.groups = groups;
            self.all.iter_mut().for_each(|aggregator| aggregator.resize(groups));
        }
    }

    /// Adds a batch to the aggregators that `answered` does not mark.
    fn update(
        &mut self,
        batch: &Batch<'_>,
        groups: usize,
        input: &BlockInput<'_>,
        answered: &[bool],
    ) -> Result<()> {
        self.make_room(groups);
        for (index, aggregator) in self.all.iter_mut().enumerate() {
            if !answered.get(index).is_some_and(|answered| *answered) {
                aggregator.update(batch, input)?;
            }
        }
        Ok(())
    }
}

impl<'a> GroupedRun<'a> {
    fn new(query: &GroupedQuery<'a>, view: &'a dyn SegmentView, ctx: &ExecContext) -> Result<Self> {
        let columns = Columns::new(view, &query.base.virtual_columns);
        let mut set = ColumnSet::default();
        let all_start = query.base.intervals.first().map_or(0, |interval| interval.start_ms);
        let buckets = Buckets::new(query.granularity, all_start, ctx.max_buckets);
        let expected = (!buckets.is_single()).then(|| expected_buckets(query, view));
        let grouper = Grouper::new(query.dimensions, &columns, &mut set, expected)?;
        let all = query
            .aggregations
            .iter()
            .map(|spec| Aggregator::new(spec, &columns, &mut set))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            view,
            time: time_column(view)?,
            times: Vec::new(),
            columns: set,
            buckets,
            bucket_ids: Vec::new(),
            grouper_slots: grouper.slots(),
            grouper,
            aggregators: Aggregators { all, groups: 0 },
            ungrouped: query.dimensions.is_empty(),
            use_statistics: query.base.context.use_block_statistics,
            memory_budget_bytes: ctx.memory_budget_bytes,
            used_bytes: 0,
            lease: ctx.memory.lease(),
        })
    }

    /// Adds a block's selected rows.
    fn block(&mut self, block: usize, selection: Selection<'_>) -> Result<()> {
        let mut times = std::mem::take(&mut self.times);
        let mut ids = std::mem::take(&mut self.bucket_ids);
        let result = self.buckets_of_block(block, selection, &mut times, &mut ids);
        let result = result.and_then(|buckets| match buckets {
            BlockBuckets::Runs(runs) => self.runs_of_block(block, selection, &runs),
            BlockBuckets::ByRow => self.load_and_assign(block, selection, &[], |assign| {
                assign(selection, PartIds::Rows(&ids))
            }),
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
        selection: Selection<'_>,
        scratch: &mut Vec<i64>,
        ids: &mut Vec<u32>,
    ) -> Result<BlockBuckets> {
        let span = selection.span();
        let (Some(time), false) = (self.time, self.buckets.is_single()) else {
            return Ok(BlockBuckets::Runs(vec![Run { rows: span, bucket: 0 }]));
        };
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
        self.buckets.assign(times, selection, ids)?;
        Ok(BlockBuckets::ByRow)
    }

    fn runs_of_block(
        &mut self,
        block: usize,
        selection: Selection<'_>,
        runs: &[Run],
    ) -> Result<()> {
        let answered = match runs {
            [only] => self.answer_by_statistics(block, selection, only.bucket)?,
            _ => Vec::new(),
        };
        self.load_and_assign(block, selection, &answered, |assign| {
            for run in runs {
                let part = selection.within(run.rows.clone());
                if !part.is_empty() {
                    assign(part, PartIds::Constant(run.bucket))?;
                }
            }
            Ok(())
        })
    }

    /// Decodes the columns that are needed of a block once, then lets `parts` hand over its rows.
    fn load_and_assign(
        &mut self,
        block: usize,
        selection: Selection<'_>,
        answered: &[bool],
        parts: impl FnOnce(&mut AssignRows<'_>) -> Result<()>,
    ) -> Result<()> {
        let bucket_count = self.buckets.starts().len();
        let Self { columns, grouper, grouper_slots, aggregators, .. } = self;
        let open = aggregators
            .all
            .iter()
            .enumerate()
            .filter(|(index, _)| !answered.get(*index).is_some_and(|answered| *answered))
            .flat_map(|(_, aggregator)| aggregator.slots());
        let wanted = grouper_slots.iter().chain(open).copied();
        let loaded = columns.load(block, selection, wanted)?;
        let input = BlockInput { block, loaded: &loaded };
        parts(&mut |part, bucket| {
            grouper.assign(block, part, (bucket, bucket_count), &loaded, &mut |batch, groups| {
                aggregators.update(batch, groups, &input, answered)
            })
        })
    }

    /// Lets aggregators without dimensions take a whole block from its statistics. Says which did.
    fn answer_by_statistics(
        &mut self,
        block: usize,
        selection: Selection<'_>,
        bucket: u32,
    ) -> Result<Vec<bool>> {
        let rows = self.view.block_rows(block);
        let whole = matches!(selection, Selection::Range { start: 0, end } if end == rows);
        if !(whole && self.ungrouped && self.use_statistics) {
            return Ok(Vec::new());
        }
        self.aggregators.make_room(self.buckets.starts().len());
        let columns = &self.columns;
        self.aggregators
            .all
            .iter_mut()
            .map(|aggregator| aggregator.update_by_stats(bucket, block, rows, columns))
            .collect()
    }

    fn check_memory(&mut self) -> Result<()> {
        let states: usize = self.aggregators.all.iter().map(Aggregator::memory_bytes).sum();
        let used = states + self.grouper.memory_bytes();
        if used > self.memory_budget_bytes {
            return Err(ExecError::ResourceLimit(format!(
                "groups need {used} bytes, the query's memory budget is {}: group by fewer values, \
                 filter more, or raise query.memory_budget_bytes",
                self.memory_budget_bytes
            )));
        }
        self.used_bytes = used;
        self.lease.set(used)
    }

    fn finish(
        self,
        data_range_ms: Vec<Option<(i64, i64)>>,
        cut: Option<&TopCut>,
        scope: Option<NodeScope<'_>>,
    ) -> Result<GroupedPartial> {
        let Self { buckets, grouper, mut aggregators, .. } = self;
        let positions = grouper.positions();
        if positions.is_none() {
            // Without rows the aggregators were never given room.
            aggregators.make_room(grouper.group_count());
        }
        let states = aggregators
            .all
            .into_iter()
            .map(|aggregator| aggregator.finish(positions.as_deref()))
            .collect::<Result<Vec<_>>>()?;
        let groups = positions.unwrap_or_else(|| (0..grouper.group_count() as u32).collect());
        // Each time bucket has an answer of its own: one bucket is the case that matters.
        let best = cut.filter(|_| buckets.is_single()).and_then(|cut| cut.best(&states));
        let (groups, states) = match best {
            None => (groups, states),
            Some(best) => (
                best.iter().map(|&group| groups[group as usize]).collect(),
                states.into_iter().map(|states| states.pick(&best)).collect(),
            ),
        };
        let (bucket_ids, keys) = grouper.into_keys(&groups, scope)?;
        let starts = buckets.starts();
        let bucket_start_ms = bucket_ids.iter().map(|&bucket| starts[bucket as usize]).collect();
        Ok(GroupedPartial { bucket_start_ms, keys, states, data_range_ms })
    }
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
