//! Runs a query over views in this process: what the cache knows is taken from there, the rest is
//! shared by a few workers on the CPU pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use henge_exec::{
    ExecContext, ExecError, Extent, MemoryLease, Merger, NodeDictionaries, Partial, SharedItem,
    SharedRun, Spill, Worker,
};
use henge_platform::runtime::{CpuPool, Step, Turn, mapped_damages};
use henge_query::Query;
use henge_segment::{SegmentError, SegmentView};
use henge_types::Interval;

use crate::cache::{PartialCache, PartialCaching};
use crate::{NodeError, ReplyStats, SegmentDescriptor, SegmentQuery, SegmentReply};

/// What a node found for one descriptor: the views that together hold its rows, each row once.
pub type DescriptorViews = (SegmentDescriptor, Vec<Arc<dyn SegmentView>>);

/// Waking a second thread costs more than reading this many rows.
const ONE_WORKER_ROWS: usize = 16 << 10;
/// What is merged on the spot: handing it to another thread would take longer.
const INLINE_BYTES: usize = 64 << 10;

/// What a node runs queries with.
#[derive(Debug, Clone, Copy)]
pub struct NodeState<'n> {
    /// CPU threads.
    pub pool: &'n CpuPool,
    /// Dictionaries for all segments.
    pub dictionaries: Option<&'n Arc<NodeDictionaries>>,
    /// What segments contributed before; for views of immutable segments only, one a descriptor.
    pub partials: Option<&'n Arc<dyn PartialCache>>,
}

/// Answers `request` from `found`; `missing` is passed through.
///
/// # Errors
/// When one view fails: then the whole call fails, never a part of it.
pub async fn run_views(
    node: NodeState<'_>,
    request: &SegmentQuery,
    found: Vec<DescriptorViews>,
    missing: Vec<SegmentDescriptor>,
) -> Result<SegmentReply, NodeError> {
    let damages = mapped_damages();
    let Sorted { known, items, mut stats } = sort(node, request, found);
    let context = context_of(node, request);
    let query = &request.query;
    let workers = worker_count(node.pool, query, &items);
    let shared = Extent::whole_if(known.is_empty());
    let run = Arc::new(SharedRun::new(Arc::clone(query), items, shared));
    let workers = (0..workers.min(run.worker_limit()))
        .map(|_| work(node.pool, request, Worker::new(Arc::clone(&run)), &context));
    let mut mergers = Vec::new();
    for (merger, spent) in try_join_all(workers).await? {
        mergers.push(merger);
        stats += spent;
    }
    let is_small = known.iter().map(Partial::memory_bytes).sum::<usize>()
        + mergers.iter().map(Merger::memory_bytes).sum::<usize>()
        <= INLINE_BYTES;
    let extent = request.extent.and(Extent::whole_if(missing.is_empty()));
    let query = Arc::clone(query);
    let gather = move || gather(query, mergers, known, extent, &context);
    let (partials, lease) = match is_small {
        true => gather()?,
        false => node.pool.spawn(request.priority, gather).await??,
    };
    if mapped_damages() != damages {
        // Of one of the files a part is gone; what was read of it may be zeros.
        let reason = "a mapped file was cut short while it was read";
        return Err(ExecError::Segment(SegmentError::Corrupt(reason.into())).into());
    }
    Ok(SegmentReply { partials, leases: vec![lease], missing, stats })
}

/// Segments by what is to be done about them.
#[derive(Default)]
struct Sorted {
    known: Vec<Partial>,
    items: Vec<SharedItem>,
    stats: ReplyStats,
}

fn sort(node: NodeState<'_>, request: &SegmentQuery, found: Vec<DescriptorViews>) -> Sorted {
    let mut sorted = Sorted::default();
    let caching = PartialCaching::of(node.partials, &request.query).map(Arc::new);
    let damages = mapped_damages();
    for (descriptor, views) in found {
        if let Some(partial) = caching.as_ref().and_then(|caching| caching.get(&descriptor)) {
            sorted.known.push(partial);
            sorted.stats.segments_cached += 1;
            continue;
        }
        let query = descriptor.restrict(&request.query);
        for view in views {
            if is_outside(&query, view.as_ref()) {
                sorted.stats.segments_pruned += 1;
                continue;
            }
            let whole = caching.as_ref().map(|caching| {
                let (caching, descriptor) = (Arc::clone(caching), descriptor.clone());
                Box::new(move |partial: &Partial| {
                    if mapped_damages() == damages {
                        caching.put(&descriptor, partial);
                    }
                }) as _
            });
            sorted.items.push(SharedItem { query: Arc::clone(&query), view, whole });
        }
    }
    sorted
}

/// True when no row of the view can lie in the query's intervals. Metadata queries say of segments,
/// not of rows, what they say.
fn is_outside(query: &Query, view: &dyn SegmentView) -> bool {
    if matches!(query, Query::SegmentMetadata(_) | Query::DataSourceMetadata(_)) {
        return false;
    }
    let Some((first_ms, last_ms)) = view.time_range() else { return true };
    let meets = |i: &Interval| i.start_ms <= last_ms && first_ms < i.end_ms;
    !query.base().intervals.iter().any(meets)
}

fn worker_count(pool: &CpuPool, query: &Query, items: &[SharedItem]) -> usize {
    let expected = |item: &SharedItem| expected_rows(&item.query, item.view.as_ref());
    let rows: usize = items.iter().map(expected).sum();
    let by_footer = matches!(query, Query::TimeBoundary(_) | Query::DataSourceMetadata(_));
    if rows <= ONE_WORKER_ROWS || by_footer { 1 } else { pool.threads() }
}

/// About how many rows of the view lie in the query's intervals, as if they were spread evenly.
fn expected_rows(query: &Query, view: &dyn SegmentView) -> usize {
    let Some((first_ms, last_ms)) = view.time_range() else { return 0 };
    let end_ms = last_ms.saturating_add(1);
    let within =
        |i: &Interval| i.end_ms.min(end_ms).saturating_sub(i.start_ms.max(first_ms)).max(0);
    let within_ms: f64 = query.base().intervals.iter().map(|i| within(i) as f64).sum();
    let share = within_ms / end_ms.saturating_sub(first_ms).max(1) as f64;
    (view.row_count() as f64 * share.min(1.0)).ceil() as usize
}

fn context_of(node: NodeState<'_>, request: &SegmentQuery) -> ExecContext {
    // Workers together hold half of the budget: merging takes as much again.
    let above_bytes = request.memory_budget_bytes / (2 * node.pool.threads().max(1));
    ExecContext {
        cancel: request.cancel.clone(),
        memory_budget_bytes: request.memory_budget_bytes,
        memory: request.memory.clone(),
        dictionaries: node.dictionaries.cloned(),
        spill: request.spill.clone().map(|sink| Spill { sink, above_bytes }),
        ..ExecContext::default()
    }
}

/// Merges what was known and what the workers found.
fn gather(
    query: Arc<Query>,
    mergers: Vec<Merger>,
    known: Vec<Partial>,
    extent: Extent,
    context: &ExecContext,
) -> Result<(Vec<Partial>, MemoryLease), NodeError> {
    let mut lease = context.memory.lease();
    let mut mergers = mergers.into_iter();
    let mut all = match mergers.next() {
        Some(first) => first,
        None if known.is_empty() => return Ok((Vec::new(), lease)),
        None => Merger::new(query),
    };
    mergers.try_for_each(|merger| all.absorb(merger, context))?;
    known.into_iter().try_for_each(|partial| all.add(partial, context))?;
    let merged = all.finish(extent, context)?;
    lease.set(merged.memory_bytes())?;
    Ok((vec![merged], lease))
}

/// Lets a worker do all it can, in as many turns as it takes.
async fn work(
    pool: &CpuPool,
    request: &SegmentQuery,
    worker: Worker,
    context: &ExecContext,
) -> Result<(Merger, ReplyStats), NodeError> {
    let (mut worker, context) = (Some(worker), context.clone());
    let mut spent = ReplyStats::default();
    let mut queued = Instant::now();
    let turn = move |turn: &Turn<'_>| {
        let started = Instant::now();
        spent.queue_time_us += micros(started - queued);
        let more = work_a_turn(&mut worker, turn, &context);
        queued = Instant::now();
        spent.cpu_time_us += micros(queued - started);
        match more {
            Err(error) => Step::Done(Err(error)),
            Ok(None) => Step::Again,
            Ok(Some((merger, (segments, rows)))) => {
                spent.segments_scanned += segments;
                spent.rows_scanned += rows;
                Step::Done(Ok((merger, spent)))
            }
        }
    };
    pool.spawn_steps(request.priority, turn).await?
}

type Finished = (Merger, (u64, u64));

/// Works until others should have the thread; gives what was found once all is done.
fn work_a_turn(
    place: &mut Option<Worker>,
    turn: &Turn<'_>,
    context: &ExecContext,
) -> Result<Option<Finished>, NodeError> {
    let Some(mut worker) = place.take() else { return Ok(None) };
    while worker.step(context, &|| turn.should_yield())? {
        if turn.should_yield() {
            *place = Some(worker);
            return Ok(None);
        }
    }
    let scanned = worker.scanned();
    Ok(Some((worker.into_merger(), scanned)))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
