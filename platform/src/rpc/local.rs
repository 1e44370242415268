//! Runs a query over views in this process: a few workers on the CPU pool share its segments.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use henge_exec::{ExecContext, Merger, NodeDictionaries, Partial, SharedRun, Worker};
use henge_segment::SegmentView;

use super::{NodeError, ReplyStats, SegmentDescriptor, SegmentQuery, SegmentReply};
use crate::runtime::{CpuPool, Priority};

/// A worker gives its thread back after this long, so that a query of higher priority waits no
/// longer than that and one segment.
const TIME_SLICE: Duration = Duration::from_millis(10);

/// What a node found for one descriptor: the views that together hold its rows, each row once.
pub type DescriptorViews = (SegmentDescriptor, Vec<Arc<dyn SegmentView>>);

/// Answers `request` from `found`; `missing` is passed through.
///
/// # Errors
/// When one view fails: then the whole call fails, never a part of it.
pub async fn run_views(
    pool: &CpuPool,
    dictionaries: Option<&Arc<NodeDictionaries>>,
    request: &SegmentQuery,
    found: Vec<DescriptorViews>,
    missing: Vec<SegmentDescriptor>,
) -> Result<SegmentReply, NodeError> {
    let mut views = Vec::new();
    for (descriptor, of_descriptor) in found {
        let query = descriptor.restrict(&request.query);
        views.extend(of_descriptor.into_iter().map(|view| (Arc::clone(&query), view)));
    }
    let context = ExecContext {
        cancel: request.cancel.clone(),
        memory_budget_bytes: request.memory_budget_bytes,
        // One segment's groups are merged with nobody's.
        dictionaries: dictionaries.filter(|_| views.len() > 1).cloned(),
        ..ExecContext::default()
    };
    let run = Arc::new(SharedRun::new(Arc::clone(&request.query), views));
    let workers = (0..pool.threads().min(run.worker_limit()))
        .map(|_| work(pool, request.priority, Worker::new(Arc::clone(&run)), &context));
    let mut stats = ReplyStats::default();
    let mut mergers = Vec::new();
    for (merger, spent) in try_join_all(workers).await? {
        mergers.push(merger);
        stats += spent;
    }
    let complete = request.is_complete && missing.is_empty();
    let gather = move || gather(mergers, complete, &context);
    let partials = pool.spawn(request.priority, gather).await??;
    Ok(SegmentReply { partials, missing, stats })
}

/// Merges what the workers found.
fn gather(
    mergers: Vec<Merger>,
    complete: bool,
    context: &ExecContext,
) -> Result<Vec<Partial>, NodeError> {
    let mut mergers = mergers.into_iter();
    let Some(mut all) = mergers.next() else { return Ok(Vec::new()) };
    mergers.try_for_each(|merger| all.absorb(merger, context))?;
    Ok(vec![match complete {
        true => all.finish_complete(context)?,
        false => all.finish(context)?,
    }])
}

/// How far a worker came in its time slice.
enum Progress {
    Paused(Box<Worker>),
    Done(Box<Merger>, ReplyStats),
}

/// Lets a worker do all it can, a time slice after the other.
async fn work(
    pool: &CpuPool,
    priority: Priority,
    mut worker: Worker,
    context: &ExecContext,
) -> Result<(Merger, ReplyStats), NodeError> {
    let mut spent = ReplyStats::default();
    loop {
        let (context, queued) = (context.clone(), Instant::now());
        let slice = move || {
            let started = Instant::now();
            context.cancel.check()?;
            let progress = run_slice(worker, started, &context)?;
            let times = ReplyStats {
                cpu_time_us: started.elapsed().as_micros() as u64,
                queue_time_us: (started - queued).as_micros() as u64,
                ..ReplyStats::default()
            };
            Ok::<_, NodeError>((progress, times))
        };
        let (progress, times) = pool.spawn(priority, slice).await??;
        spent += times;
        match progress {
            Progress::Paused(paused) => worker = *paused,
            Progress::Done(merger, scanned) => {
                spent += scanned;
                return Ok((*merger, spent));
            }
        }
    }
}

fn run_slice(
    mut worker: Worker,
    started: Instant,
    context: &ExecContext,
) -> Result<Progress, NodeError> {
    while worker.step(context)? {
        if started.elapsed() > TIME_SLICE {
            return Ok(Progress::Paused(Box::new(worker)));
        }
    }
    let (segments_scanned, rows_scanned) = worker.scanned();
    let stats = ReplyStats { segments_scanned, rows_scanned, ..ReplyStats::default() };
    Ok(Progress::Done(Box::new(worker.into_merger()), stats))
}
