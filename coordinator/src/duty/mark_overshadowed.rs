//! Overshadowed: a used segment that loaded newer versions hide completely is marked unused.

use std::collections::BTreeMap;

use henge_types::Timeline;

use crate::action::{Action, Unused};
use crate::snapshot::ClusterSnapshot;

/// One action for all segments that are hidden for good.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let mut timelines: BTreeMap<&str, Timeline<()>> = BTreeMap::new();
    for server in snapshot.servers.values() {
        for (id, announced) in server.loaded.iter().filter(|(id, _)| !server.going.contains(id)) {
            if snapshot.used.contains_key(id) {
                let timeline = timelines.entry(&id.datasource).or_default();
                timeline.add(id.clone(), announced.shard_spec, ());
            }
        }
    }
    let ids: Vec<_> = timelines.values().flat_map(Timeline::overshadowed).collect();
    match ids.is_empty() {
        true => Vec::new(),
        false => vec![Action::MarkUnused { ids, why: Unused::Overshadowed }],
    }
}
