//! What a realtime node took and refused, among the numbers for operators.

use std::sync::Arc;

use henge_platform::telemetry::Metrics;
use henge_realtime_node::{Ingested, RealtimeNode, TaskCounts};

/// What is shown of it.
type Shown = fn(&Ingested) -> u64;

/// Batch tasks of this node: what there is to do, and what became of the others since its start.
pub(crate) fn tasks(metrics: &Metrics, realtime: &Arc<RealtimeNode>) {
    let by = |counted: fn(TaskCounts) -> [(&'static str, u64); 2]| {
        let node = Arc::clone(realtime);
        move || {
            let counted = counted(node.task_counts());
            counted.map(|(label, count)| ([label.to_owned()], count)).to_vec()
        }
    };
    let there = by(|of| [("waiting", of.waiting), ("running", of.running)]);
    metrics.gauge_by("henge_tasks", "Batch tasks that wait and run.", ["state"], there);
    let ended = by(|of| [("success", of.succeeded), ("failed", of.failed)]);
    metrics.counter_by("henge_tasks_ended_total", "Batch tasks that ended.", ["outcome"], ended);
}

/// Events by datasource, since the start of the process. Batch tasks tell of theirs in their reports.
pub(crate) fn ingestion(metrics: &Metrics, realtime: &Arc<RealtimeNode>) {
    let shown: [(&str, &str, Shown); 6] = [
        ("henge_ingest_events_total", "Events that were pushed.", |of| of.received),
        ("henge_ingest_accepted_events_total", "Events of pushes that were stored.", |of| {
            of.accepted
        }),
        ("henge_ingest_rejected_events_total", "Events of pushes that were refused.", |of| {
            of.rejected
        }),
        ("henge_ingest_duplicate_requests_total", "Pushes that were stored before.", |of| {
            of.duplicate_requests
        }),
        ("henge_ingest_bytes_total", "Bytes of pushes, inflated.", |of| of.bytes),
        (
            "henge_dead_letters_total",
            "Refused events of pushes, streams and tasks that were kept.",
            |of| of.dead_letters,
        ),
    ];
    for (name, help, read) in shown {
        let node = Arc::clone(realtime);
        metrics.counter_by(name, help, ["datasource"], move || {
            let ingested = node.ingested().into_iter();
            ingested.map(|(datasource, of)| ([datasource], read(&of))).collect()
        });
    }
}
