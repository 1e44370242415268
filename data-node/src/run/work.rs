//! A worker, on the CPU pool or on the thread that took the request.

use std::sync::Arc;
use std::time::Duration;

use henge_exec::{ExecContext, Merger, Worker};
use henge_platform::runtime::{CpuPool, PageReads, Priority, Step, Turn};
use tokio::time::Instant;

use super::slight::Readers;
use crate::error::NodeError;
use crate::reads::DatasourceReads;
use crate::reply::ReplyStats;

/// A worker whose reads are counted.
pub(super) struct Watched {
    worker: Worker,
    reads: Option<Arc<DatasourceReads>>,
}

impl Watched {
    pub(super) fn new(worker: Worker, reads: Option<Arc<DatasourceReads>>) -> Self {
        Self { worker, reads }
    }

    /// Reads a segment, or some blocks of one; false when nothing was left.
    fn step(&mut self, turn: &Turn<'_>, context: &ExecContext) -> Result<bool, NodeError> {
        let should_yield = || turn.should_yield();
        let Some(reads) = &self.reads else {
            return Ok(self.worker.step(context, &should_yield)?);
        };
        let (started, before) = (Instant::now(), PageReads::of_thread());
        let is_read = self.worker.step(context, &should_yield)?;
        if is_read {
            reads.note(started.elapsed(), PageReads::of_thread().since(before));
        }
        Ok(is_read)
    }
}

/// Lets a worker do all it can, in as many turns as it takes.
pub(super) async fn work(
    pool: &CpuPool,
    priority: Priority,
    worker: Watched,
    readers: Readers,
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
    match readers {
        Readers::Here => pool.spawn_steps_here(priority, turn).await?,
        Readers::OfThePool(_) => pool.spawn_steps(priority, turn).await?,
    }
}

type Finished = (Merger, (u64, u64));

/// Works until others should have the thread; gives what was found once all is done.
fn work_a_turn(
    place: &mut Option<Watched>,
    turn: &Turn<'_>,
    context: &ExecContext,
) -> Result<Option<Finished>, NodeError> {
    let Some(mut worker) = place.take() else { return Ok(None) };
    while worker.step(turn, context)? {
        if turn.should_yield() {
            *place = Some(worker);
            return Ok(None);
        }
    }
    let scanned = worker.worker.scanned();
    Ok(Some((worker.worker.into_merger(), scanned)))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
