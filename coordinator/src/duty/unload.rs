//! Unload: a segment that is no longer used goes, but not before what replaces it is there.

use std::collections::BTreeMap;

use henge_types::SegmentId;

use crate::action::Action;
use crate::snapshot::{ClusterSnapshot, ServerState};

/// Unloads of segments that are not used any more.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let waiting = match snapshot.servers.values().any(|server| has_unused(snapshot, server)) {
        true => waiting(snapshot),
        false => return Vec::new(),
    };
    let is_awaited = |old: &SegmentId| {
        waiting
            .get(&*old.datasource)
            .into_iter()
            .flatten()
            .any(|new| new.version > old.version && new.interval.overlaps(&old.interval))
    };
    let mut actions = Vec::new();
    for (name, server) in &snapshot.servers {
        let rests = |id: &SegmentId| snapshot.resting_drops.contains(&(name.clone(), id.clone()));
        let unused = server.loaded.keys().filter(|id| !snapshot.used.contains_key(id));
        let goes = unused.filter(|id| !server.going.contains(id) && !is_awaited(id) && !rests(id));
        let unload = |id: &SegmentId| Action::Unload { server: name.clone(), id: id.clone() };
        actions.extend(goes.take(server.room_for_drops).map(unload));
    }
    actions
}

fn has_unused(snapshot: &ClusterSnapshot, server: &ServerState) -> bool {
    server.loaded.keys().any(|id| !snapshot.used.contains_key(id))
}

/// Used segments that nobody has yet, by datasource.
fn waiting(snapshot: &ClusterSnapshot) -> BTreeMap<&str, Vec<&SegmentId>> {
    let mut waiting: BTreeMap<&str, Vec<&SegmentId>> = BTreeMap::new();
    for id in snapshot.used.keys().filter(|id| !snapshot.is_loaded(id)) {
        waiting.entry(&id.datasource).or_default().push(id);
    }
    waiting
}
