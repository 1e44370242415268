//! A few workers on the CPU pool share the segments of a query, and what they find is merged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use henge_exec::{ExecContext, MemoryLease, Merger, NodeDictionaries, Partial, SharedRun, Worker};
use parking_lot::Mutex;

use super::local::{Work, micros};
use super::{NodeError, ReplyStats, SegmentDescriptor, SegmentQuery, SegmentReply};
use crate::cache::PartialCaching;
use crate::runtime::CpuPool;

/// A worker gives its thread back after this long, so that a query of higher priority waits no
/// longer than that and one segment.
const TIME_SLICE: Duration = Duration::from_millis(10);

/// Waking a second thread costs more than reading this many rows.
const ONE_WORKER_ROWS: usize = 16 << 10;

/// How a query is to be run.
pub(super) struct Options {
    /// Nothing else will be merged with the result.
    pub(super) is_complete: bool,
    pub(super) dictionaries: Option<Arc<NodeDictionaries>>,
    pub(super) caching: Option<PartialCaching>,
}

/// Reads the views.
pub(super) async fn run(
    pool: &CpuPool,
    request: &SegmentQuery,
    options: Options,
    work: Vec<Work>,
) -> Result<SegmentReply, NodeError> {
    let rows: usize = work.iter().map(|(_, _, view)| view.row_count()).sum();
    let (descriptors, views): (Vec<_>, Vec<_>) =
        work.into_iter().map(|(descriptor, query, view)| (descriptor, (query, view))).unzip();
    let shared = Arc::new(SharedRun::new(Arc::clone(&request.query), views));
    let count = match rows <= ONE_WORKER_ROWS {
        true => 1,
        false => pool.threads().min(shared.worker_limit()).max(1),
    };
    let context = ExecContext {
        cancel: request.cancel.clone(),
        memory_budget_bytes: request.memory_budget_bytes,
        memory: request.memory.clone(),
        dictionaries: options.dictionaries,
        ..ExecContext::default()
    };
    let job = Arc::new(Job {
        descriptors,
        caching: options.caching,
        is_complete: options.is_complete,
        working: Mutex::new((count, Vec::with_capacity(count))),
        context,
    });
    let workers = (0..count).map(|_| {
        let worker = Busy {
            worker: Worker::new(Arc::clone(&shared)),
            lease: job.context.memory.lease(),
            stats: ReplyStats::default(),
        };
        work_on(pool, request.priority, Arc::clone(&job), worker)
    });
    let mut reply = SegmentReply::default();
    for (partial, lease, stats) in try_join_all(workers).await? {
        reply.partials.extend(partial);
        reply.leases.extend(lease);
        reply.stats += stats;
    }
    Ok(reply)
}

/// What the workers of a query have in common.
struct Job {
    descriptors: Vec<SegmentDescriptor>,
    caching: Option<PartialCaching>,
    is_complete: bool,
    context: ExecContext,
    /// Workers that are not done, and what the others found.
    working: Mutex<(usize, Vec<(Merger, MemoryLease)>)>,
}

/// A worker between two time slices.
struct Busy {
    worker: Worker,
    lease: MemoryLease,
    stats: ReplyStats,
}

/// What a worker leaves: the last one has the partial result of all.
type Done = (Option<Partial>, Option<MemoryLease>, ReplyStats);

enum Progress {
    Paused(Box<Busy>),
    Done(Box<Done>),
}

/// Lets a worker do all it can, a time slice after the other.
async fn work_on(
    pool: &CpuPool,
    priority: i32,
    job: Arc<Job>,
    mut busy: Busy,
) -> Result<Done, NodeError> {
    loop {
        let (job, queued) = (Arc::clone(&job), Instant::now());
        let slice = move || {
            let started = Instant::now();
            busy.stats.queue_time_us += micros(started - queued);
            job.slice(busy, started)
        };
        match pool.spawn(priority, slice).await?? {
            Progress::Paused(paused) => busy = *paused,
            Progress::Done(done) => return Ok(*done),
        }
    }
}

impl Job {
    fn slice(&self, mut busy: Busy, started: Instant) -> Result<Progress, NodeError> {
        self.context.cancel.check()?;
        let mut keep = |position: usize, partial: &Partial| {
            if let (Some(caching), Some(descriptor)) =
                (&self.caching, self.descriptors.get(position))
            {
                caching.put(descriptor, partial);
            }
        };
        while busy.worker.step(&self.context, &mut keep)? {
            busy.lease.set(busy.worker.memory_bytes())?;
            if started.elapsed() > TIME_SLICE {
                busy.stats.cpu_time_us += micros(started.elapsed());
                return Ok(Progress::Paused(Box::new(busy)));
            }
        }
        let Busy { worker, lease, mut stats } = busy;
        (stats.segments_scanned, stats.rows_scanned) = worker.scanned();
        let (partial, lease) = match self.leave(worker.into_merger(), lease) {
            Some(all) => self.gather(all)?,
            None => (None, None),
        };
        stats.cpu_time_us += micros(started.elapsed());
        Ok(Progress::Done(Box::new((partial, lease, stats))))
    }

    /// Hands in what a worker found; the last one gets it all.
    fn leave(&self, merger: Merger, lease: MemoryLease) -> Option<Vec<(Merger, MemoryLease)>> {
        let mut working = self.working.lock();
        working.0 -= 1;
        working.1.push((merger, lease));
        (working.0 == 0).then(|| std::mem::take(&mut working.1))
    }

    fn gather(
        &self,
        all: Vec<(Merger, MemoryLease)>,
    ) -> Result<(Option<Partial>, Option<MemoryLease>), NodeError> {
        let mut all = all.into_iter();
        let Some((mut merger, mut lease)) = all.next() else { return Ok((None, None)) };
        for (other, _other_lease) in all {
            merger.absorb(other, &self.context)?;
        }
        let partial = match self.is_complete {
            true => merger.finish_complete(&self.context)?,
            false => merger.finish(&self.context)?,
        };
        lease.set(partial.memory_bytes())?;
        Ok((Some(partial), Some(lease)))
    }
}
