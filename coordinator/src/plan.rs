//! Planning: a pure function of a snapshot. One duty a file, each adds its actions.

use crate::action::Action;
use crate::duty;
use crate::placement::Placement;
use crate::snapshot::ClusterSnapshot;

/// Segments without room that are named; more are counted.
const NAMED_WITHOUT_ROOM: usize = 100;

/// What is to be done now.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let mut placement = Placement::of(snapshot);
    let mut actions = Vec::new();
    if snapshot.may_load {
        actions.extend(duty::load::plan(&mut placement));
        actions.extend(duty::replicate::plan(snapshot, &mut placement));
    }
    // "Unknown" is not "empty": what takes away needs to have seen everything.
    if snapshot.is_complete {
        actions.extend(duty::unload::plan(snapshot));
        actions.extend(duty::drop_copies::plan(snapshot, &placement));
        actions.extend(duty::mark_overshadowed::plan(snapshot));
    }
    let without_room = placement.without_room();
    if !without_room.is_empty() {
        let named = without_room.iter().take(NAMED_WITHOUT_ROOM).map(|id| (*id).clone());
        let (segments, named) = (without_room.len(), named.collect());
        actions.push(Action::ReportFull { segments, named });
    }
    actions
}

#[cfg(test)]
pub(crate) mod tests;
