//! A worker, on the CPU pool or on the thread that took the request.

use std::time::Duration;

use henge_exec::{ExecContext, Merger, Worker};
use henge_platform::runtime::{CpuPool, Priority, Step, Turn};
use tokio::time::Instant;

use super::slight::Readers;
use crate::error::NodeError;
use crate::reply::ReplyStats;

/// Lets a worker do all it can, in as many turns as it takes.
pub(super) async fn work(
    pool: &CpuPool,
    priority: Priority,
    worker: Worker,
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
