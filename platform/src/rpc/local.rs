//! Runs a query over views in this process, on the CPU pool: one task a view, or one for all when
//! there is little to read.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use henge_exec::{ExecContext, ExecError, MemoryLease, Partial};
use henge_query::Query;
use henge_segment::SegmentView;

use super::{NodeError, ReplyStats, SegmentDescriptor, SegmentQuery, SegmentReply};
use crate::cache::{PartialCache, PartialCaching};
use crate::runtime::CpuPool;
use crate::spill::GroupSpill;

/// What a node found for one descriptor: the views that together hold its rows, each row once.
pub type DescriptorViews = (SegmentDescriptor, Vec<Arc<dyn SegmentView>>);

/// Waking a second thread costs more than reading this many rows.
const ONE_TASK_ROWS: usize = 16 << 10;

/// Answers `request` from `found`; `missing` is passed through. `cache` is for views of immutable
/// segments only, one a descriptor.
///
/// # Errors
/// When one view fails: then the whole call fails, never a part of it.
pub async fn run_views(
    pool: &CpuPool,
    request: &SegmentQuery,
    found: Vec<DescriptorViews>,
    missing: Vec<SegmentDescriptor>,
    cache: Option<&Arc<dyn PartialCache>>,
) -> Result<SegmentReply, NodeError> {
    let mut reply = SegmentReply { missing, ..SegmentReply::default() };
    let caching = PartialCaching::of(cache, &request.query);
    let (mut work, mut partials) = (Vec::new(), Vec::new());
    for (position, (descriptor, views)) in found.into_iter().enumerate() {
        if let Some(partial) = caching.as_ref().and_then(|caching| caching.get(&descriptor)) {
            partials.push((position, partial));
            reply.stats.segments_cached += 1;
            continue;
        }
        let query = descriptor.restrict(&request.query);
        for view in views {
            if is_outside(&query, view.as_ref()) {
                reply.stats.segments_pruned += 1;
            } else {
                work.push((position, descriptor.clone(), Arc::clone(&query), view));
            }
        }
    }
    let rows: usize = work.iter().map(|(_, _, _, view)| view.row_count()).sum();
    let tasks: Vec<Vec<_>> = match rows <= ONE_TASK_ROWS {
        true if work.is_empty() => Vec::new(),
        true => vec![work],
        false => work.into_iter().map(|one| vec![one]).collect(),
    };
    let tasks = tasks.into_iter().map(|views| {
        let task = Task::new(request, caching.clone(), pool.threads());
        pool.spawn(request.priority, move || task.run(views))
    });
    for outcome in try_join_all(tasks).await? {
        let done = outcome?;
        partials.extend(done.partials);
        reply.leases.push(done.lease);
        reply.stats += done.stats;
    }
    // Sums of doubles depend on the order: it is not to tell what came from the cache.
    partials.sort_by_key(|(position, _)| *position);
    reply.partials = partials.into_iter().map(|(_, partial)| partial).collect();
    Ok(reply)
}

type Work = (usize, SegmentDescriptor, Arc<Query>, Arc<dyn SegmentView>);

/// Reads some views one after the other.
struct Task {
    context: ExecContext,
    caching: Option<PartialCaching>,
    spill: Option<Arc<GroupSpill>>,
    /// What one block may take, which cannot be read in parts.
    block_budget_bytes: usize,
    queued: Instant,
    partials: Vec<(usize, Partial)>,
    held_bytes: usize,
    lease: MemoryLease,
    stats: ReplyStats,
}

impl Task {
    fn new(request: &SegmentQuery, caching: Option<PartialCaching>, threads: usize) -> Self {
        // What goes to disk in pieces is to leave room for the pieces of the other threads.
        let share = if request.spill.is_some() { 4 * threads.max(1) } else { 1 };
        let context = ExecContext {
            cancel: request.cancel.clone(),
            memory_budget_bytes: request.memory_budget_bytes / share,
            memory: request.memory.clone(),
            ..ExecContext::default()
        };
        Self {
            lease: context.memory.lease(),
            context,
            caching,
            spill: request.spill.clone(),
            block_budget_bytes: request.memory_budget_bytes,
            queued: Instant::now(),
            partials: Vec::new(),
            held_bytes: 0,
            stats: ReplyStats::default(),
        }
    }

    fn run(mut self, views: Vec<Work>) -> Result<Self, NodeError> {
        let started = Instant::now();
        for (position, descriptor, query, view) in views {
            let whole = 0..view.block_count();
            match self.read(&query, view.as_ref(), whole.clone(), &self.context) {
                Ok(partial) => {
                    if let Some(caching) = &self.caching {
                        caching.put(&descriptor, &partial);
                    }
                    self.keep(position, partial)?;
                }
                Err(error) => self.read_parts(&query, view.as_ref(), whole, (position, error))?,
            }
            self.stats.segments_scanned += 1;
            self.stats.rows_scanned += view.row_count() as u64;
        }
        self.stats.queue_time_us = micros(started - self.queued);
        self.stats.cpu_time_us = micros(started.elapsed());
        Ok(self)
    }

    fn read(
        &self,
        query: &Query,
        view: &dyn SegmentView,
        blocks: Range<usize>,
        context: &ExecContext,
    ) -> Result<Partial, ExecError> {
        context.cancel.check()?;
        henge_exec::run_blocks(query, view, blocks, context)
    }

    /// After blocks had too many groups for memory: reads them in parts, each of which goes to disk.
    fn read_parts(
        &mut self,
        query: &Query,
        view: &dyn SegmentView,
        blocks: Range<usize>,
        (position, error): (usize, ExecError),
    ) -> Result<(), ExecError> {
        if self.spill.is_none() || !matches!(error, ExecError::ResourceLimit(_)) {
            return Err(error);
        }
        if blocks.len() <= 1 {
            let memory_budget_bytes = self.block_budget_bytes;
            let context = ExecContext { memory_budget_bytes, ..self.context.clone() };
            let partial = self.read(query, view, blocks, &context)?;
            return self.keep(position, partial);
        }
        let middle = blocks.start + blocks.len() / 2;
        for half in [blocks.start..middle, middle..blocks.end] {
            match self.read(query, view, half.clone(), &self.context) {
                Ok(partial) => self.keep(position, partial)?,
                Err(error) => self.read_parts(query, view, half, (position, error))?,
            }
        }
        Ok(())
    }

    fn keep(&mut self, position: usize, partial: Partial) -> Result<(), ExecError> {
        let kept = match &self.spill {
            Some(spill) => spill.offer(partial)?,
            None => Some(partial),
        };
        if let Some(partial) = kept {
            self.held_bytes += partial.memory_bytes();
            self.lease.set(self.held_bytes)?;
            self.partials.push((position, partial));
        }
        Ok(())
    }
}

/// True when no row of the view can lie in the query's intervals. Metadata queries say of segments,
/// not of rows, what they say.
fn is_outside(query: &Query, view: &dyn SegmentView) -> bool {
    if matches!(query, Query::SegmentMetadata(_) | Query::DataSourceMetadata(_)) {
        return false;
    }
    let Some((first_ms, last_ms)) = view.time_range() else { return true };
    let meets = |i: &henge_types::Interval| i.start_ms <= last_ms && first_ms < i.end_ms;
    !query.base().intervals.iter().any(meets)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
