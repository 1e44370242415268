//! Runs a query over views in this process, one task a view on the CPU pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use henge_exec::{ExecContext, Partial};
use henge_segment::SegmentView;

use super::{NodeError, ReplyStats, SegmentDescriptor, SegmentQuery, SegmentReply};
use crate::runtime::CpuPool;

/// What a node found for one descriptor: the views that together hold its rows, each row once.
pub type DescriptorViews = (SegmentDescriptor, Vec<Arc<dyn SegmentView>>);

/// Answers `request` from `found`; `missing` is passed through.
///
/// # Errors
/// When one view fails: then the whole call fails, never a part of it.
pub async fn run_views(
    pool: &CpuPool,
    request: &SegmentQuery,
    found: Vec<DescriptorViews>,
    missing: Vec<SegmentDescriptor>,
) -> Result<SegmentReply, NodeError> {
    let context = ExecContext {
        cancel: request.cancel.clone(),
        memory_budget_bytes: request.memory_budget_bytes,
        ..ExecContext::default()
    };
    let mut tasks = Vec::new();
    for (descriptor, views) in found {
        let query = descriptor.restrict(&request.query);
        for view in views {
            let (query, context, queued) = (Arc::clone(&query), context.clone(), Instant::now());
            tasks.push(pool.spawn(request.priority, move || {
                let started = Instant::now();
                context.cancel.check()?;
                let partial = henge_exec::run(&query, view.as_ref(), &context)?;
                let stats = stats_of(view.as_ref(), started - queued, started.elapsed());
                Ok::<_, NodeError>((partial, stats))
            }));
        }
    }
    let outcomes = try_join_all(tasks).await?;
    let answered: Vec<(Partial, ReplyStats)> = outcomes.into_iter().collect::<Result<_, _>>()?;
    let mut reply = SegmentReply { missing, ..SegmentReply::default() };
    for (partial, stats) in answered {
        reply.partials.push(partial);
        reply.stats += stats;
    }
    Ok(reply)
}

fn stats_of(view: &dyn SegmentView, queued: Duration, busy: Duration) -> ReplyStats {
    ReplyStats {
        segments_scanned: 1,
        rows_scanned: view.row_count() as u64,
        cpu_time_us: busy.as_micros() as u64,
        queue_time_us: queued.as_micros() as u64,
    }
}
