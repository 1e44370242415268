//! Planning: a pure function of a snapshot. One duty a file, each adds its actions.

use crate::action::Action;
use crate::duty;
use crate::snapshot::ClusterSnapshot;

/// What is to be done now.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    let mut actions = duty::load::plan(snapshot);
    // "Unknown" is not "empty": what takes away needs to have seen everything.
    if snapshot.complete {
        actions.extend(duty::unload::plan(snapshot));
        actions.extend(duty::mark_overshadowed::plan(snapshot));
    }
    actions
}

#[cfg(test)]
mod tests;
