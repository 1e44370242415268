//! What a realtime node took and refused, among the numbers for operators.

use std::sync::Arc;

use henge_platform::telemetry::Metrics;
use henge_realtime_node::{Ingested, RealtimeNode};

/// What is shown of it.
type Shown = fn(&Ingested) -> u64;

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
