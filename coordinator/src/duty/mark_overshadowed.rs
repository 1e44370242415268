//! Overshadowed: a used segment that loaded newer versions hide completely is marked unused.

use std::collections::BTreeMap;

use henge_types::Timeline;

use crate::action::Action;
use crate::snapshot::ClusterSnapshot;

/// One action for all segments that are hidden for good.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let mut timelines: BTreeMap<&str, Timeline<()>> = BTreeMap::new();
    for server in snapshot.servers.values() {
        for (id, (shard_spec, _)) in &server.loaded {
            if snapshot.used.contains_key(id) {
                let timeline = timelines.entry(&id.datasource).or_default();
                timeline.add(id.clone(), *shard_spec, ());
            }
        }
    }
    let ids: Vec<_> = timelines.values().flat_map(Timeline::overshadowed).collect();
    if ids.is_empty() { Vec::new() } else { vec![Action::MarkUnused { ids }] }
}
