//! A query whose groups do not fit into memory: one task a view, whose groups go to disk.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use futures::future::try_join_all;
use henge_exec::{ExecContext, ExecError, MemoryLease, Partial};
use henge_query::Query;
use henge_segment::SegmentView;

use super::local::{Work, micros};
use super::{NodeError, ReplyStats, SegmentQuery, SegmentReply};
use crate::runtime::CpuPool;
use crate::spill::GroupSpill;

/// Reads the views. What `spill` takes is not in the reply.
pub(super) async fn run(
    pool: &CpuPool,
    request: &SegmentQuery,
    spill: &Arc<GroupSpill>,
    work: Vec<Work>,
) -> Result<SegmentReply, NodeError> {
    let tasks = work.into_iter().map(|one| {
        let task = Task::new(request, Arc::clone(spill), pool.threads());
        pool.spawn(request.priority, move || task.run(&one))
    });
    let mut reply = SegmentReply::default();
    for outcome in try_join_all(tasks).await? {
        let done = outcome?;
        reply.partials.extend(done.partials);
        reply.leases.push(done.lease);
        reply.stats += done.stats;
    }
    Ok(reply)
}

/// Reads one view.
struct Task {
    context: ExecContext,
    spill: Arc<GroupSpill>,
    /// What one block may take, which cannot be read in parts.
    block_budget_bytes: usize,
    queued: Instant,
    partials: Vec<Partial>,
    held_bytes: usize,
    lease: MemoryLease,
    stats: ReplyStats,
}

impl Task {
    fn new(request: &SegmentQuery, spill: Arc<GroupSpill>, threads: usize) -> Self {
        let context = ExecContext {
            cancel: request.cancel.clone(),
            // What goes to disk in pieces is to leave room for the pieces of the other threads.
            memory_budget_bytes: request.memory_budget_bytes / (4 * threads.max(1)),
            memory: request.memory.clone(),
            ..ExecContext::default()
        };
        Self {
            lease: context.memory.lease(),
            context,
            spill,
            block_budget_bytes: request.memory_budget_bytes,
            queued: Instant::now(),
            partials: Vec::new(),
            held_bytes: 0,
            stats: ReplyStats::default(),
        }
    }

    fn run(mut self, (_, query, view): &Work) -> Result<Self, NodeError> {
        let started = Instant::now();
        let whole = 0..view.block_count();
        match self.read(query, view.as_ref(), whole.clone(), &self.context) {
            Ok(partial) => self.keep(partial)?,
            Err(error) => self.read_parts(query, view.as_ref(), whole, error)?,
        }
        self.stats.segments_scanned = 1;
        self.stats.rows_scanned = view.row_count() as u64;
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
        error: ExecError,
    ) -> Result<(), ExecError> {
        if !matches!(error, ExecError::ResourceLimit(_)) {
            return Err(error);
        }
        if blocks.len() <= 1 {
            let memory_budget_bytes = self.block_budget_bytes;
            let context = ExecContext { memory_budget_bytes, ..self.context.clone() };
            let partial = self.read(query, view, blocks, &context)?;
            return self.keep(partial);
        }
        let middle = blocks.start + blocks.len() / 2;
        for half in [blocks.start..middle, middle..blocks.end] {
            match self.read(query, view, half.clone(), &self.context) {
                Ok(partial) => self.keep(partial)?,
                Err(error) => self.read_parts(query, view, half, error)?,
            }
        }
        Ok(())
    }

    fn keep(&mut self, partial: Partial) -> Result<(), ExecError> {
        if let Some(partial) = self.spill.offer(partial)? {
            self.held_bytes += partial.memory_bytes();
            self.lease.set(self.held_bytes)?;
            self.partials.push(partial);
        }
        Ok(())
    }
}
