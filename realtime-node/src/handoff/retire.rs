//! Retiring: the realtime copy goes once a historical node serves the segments.

use std::sync::Arc;

use henge_types::{SegmentId, ShardSpec, Timeline};

use crate::Shared;
use crate::sink::Sink;

/// Waits until every segment is served by another server, then withdraws the sinks.
pub(super) async fn retire(shared: Arc<Shared>, sinks: Vec<Arc<Sink>>, ids: Vec<SegmentId>) {
    let mut versions = shared.discovery.watch();
    while !are_served_elsewhere(&shared, &ids) {
        if versions.changed().await.is_err() {
            return;
        }
    }
    if let Err(error) = shared.serving.withdraw(&sinks) {
        // Served twice under one id is counted once: nothing is wrong, only memory is not freed.
        tracing::error!(%error, "failed to withdraw handed-off segments");
        return;
    }
    for sink in &sinks {
        sink.remove_files();
    }
}

/// True when each segment is announced by another server, or is hidden for good by a newer version
/// that others serve completely (then nobody will ever load it).
fn are_served_elsewhere(shared: &Shared, ids: &[SegmentId]) -> bool {
    let snapshot = shared.discovery.snapshot();
    let own = shared.serving.server_id();
    let others: Vec<_> = snapshot.servers.iter().filter(|(server, _)| *server != own).collect();
    ids.iter().all(|id| {
        if others.iter().any(|(_, segments)| segments.contains_key(id)) {
            return true;
        }
        let mut timeline = Timeline::new();
        timeline.add(id.clone(), ShardSpec::appended(id.partition), ());
        let newer = others
            .iter()
            .flat_map(|(_, segments)| segments.values())
            .filter(|other| other.id.datasource == id.datasource && other.id.version > id.version);
        for other in newer {
            timeline.add(other.id.clone(), other.shard_spec, ());
        }
        timeline.is_overshadowed(id)
    })
}
