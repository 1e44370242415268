//! Load: every used segment is to be on a server; the newest data first, on the emptiest server.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::ServerId;

use crate::action::Action;
use crate::snapshot::ClusterSnapshot;

/// Loads for the used segments that no server has.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let mut sizes: BTreeMap<&ServerId, u64> =
        snapshot.servers.iter().map(|(id, server)| (id, server.size_bytes())).collect();
    let mut wanted: Vec<_> =
        snapshot.used.values().filter(|segment| !snapshot.is_loaded(&segment.id)).collect();
    wanted.sort_by_key(|segment| std::cmp::Reverse(segment.id.interval.end_ms));
    let mut actions = Vec::with_capacity(wanted.len());
    for segment in wanted {
        let Some((server, size_bytes)) = sizes.iter_mut().min_by_key(|(_, size)| **size) else {
            return Vec::new();
        };
        *size_bytes += segment.size_bytes;
        actions
            .push(Action::Load { server: ServerId::clone(server), segment: Arc::clone(segment) });
    }
    actions
}
