//! Unload: a segment that is no longer used goes, but not before what replaces it is there.

use std::collections::BTreeMap;

use henge_types::SegmentId;

use crate::action::Action;
use crate::snapshot::ClusterSnapshot;

/// Unloads of segments that are not used any more.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let mut waiting: BTreeMap<&str, Vec<&SegmentId>> = BTreeMap::new();
    for id in snapshot.used.keys().filter(|id| !snapshot.is_loaded(id)) {
        waiting.entry(&id.datasource).or_default().push(id);
    }
    let is_awaited = |old: &SegmentId| {
        waiting
            .get(&*old.datasource)
            .into_iter()
            .flatten()
            .any(|new| new.version > old.version && new.interval.overlaps(&old.interval))
    };
    let mut actions = Vec::new();
    for (server, state) in &snapshot.servers {
        for id in state.loaded.keys() {
            if !snapshot.used.contains_key(id) && !is_awaited(id) {
                actions.push(Action::Unload { server: server.clone(), id: id.clone() });
            }
        }
    }
    actions
}
