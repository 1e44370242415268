//! Queries over joins, unnests and filters: each segment's rows are made in memory, read, and let go,
//! as many at once as there are threads.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::future::try_join_all;
use henge_exec::{ExecContext, ExecError, Extent, Merger, SharedItem};
use henge_inline::Derivation;
use henge_platform::runtime::{CpuPool, Priority};
use henge_query::Query;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::NodeError;
use crate::reply::ReplyStats;

/// What segments contribute to a query whose rows are made of theirs.
pub(super) async fn work(
    pool: &CpuPool,
    priority: Priority,
    query: &Arc<Query>,
    items: Vec<SharedItem>,
    context: &ExecContext,
) -> Result<Vec<(Merger, ReplyStats)>, NodeError> {
    // What is known of dictionaries is known of those of segments.
    let context = ExecContext { dictionaries: None, spill: None, ..context.clone() };
    let (whole, limits) = (Arc::clone(query), context.clone());
    let derivation = pool.spawn(priority, move || Derivation::of(&whole, &limits)).await??;
    let derivation = derivation
        .ok_or_else(|| ExecError::Internal("a query is over no rows that are made".to_owned()))?;
    let shared = Shared {
        derivation: Arc::new(derivation),
        items: Arc::new(Mutex::new(items.into())),
        context,
    };
    let workers = pool.threads().max(1);
    let workers = (0..workers).map(|_| one(pool, priority, query, shared.clone()));
    try_join_all(workers).await
}

#[derive(Clone)]
struct Shared {
    derivation: Arc<Derivation>,
    items: Arc<Mutex<VecDeque<SharedItem>>>,
    context: ExecContext,
}

/// Takes segments until none is left.
async fn one(
    pool: &CpuPool,
    priority: Priority,
    query: &Arc<Query>,
    shared: Shared,
) -> Result<(Merger, ReplyStats), NodeError> {
    let (mut merger, mut spent) = (Merger::new(Arc::clone(query)), ReplyStats::default());
    loop {
        let next = shared.items.lock().pop_front();
        let Some(item) = next else { return Ok((merger, spent)) };
        let (shared, queued) = (shared.clone(), Instant::now());
        let read = move || {
            let started = Instant::now();
            let view = item.view.as_ref();
            let partial = view
                .ready()
                .map_err(ExecError::from)
                .and_then(|()| {
                    let (query, context) = (&item.query, &shared.context);
                    shared.derivation.run(query, view, Extent::Part, context)
                })
                .map_err(|error| error.of_segment(view))?;
            merger.add(partial, &shared.context)?;
            spent.segments_scanned += 1;
            spent.rows_scanned += view.row_count() as u64;
            spent.queue_time_us += micros(started - queued);
            spent.cpu_time_us += micros(started.elapsed());
            Ok::<_, ExecError>((merger, spent))
        };
        (merger, spent) = pool.spawn(priority, read).await??;
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
