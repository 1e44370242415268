//! Planning: a pure function of a snapshot. One duty a file, each adds its actions.

use henge_placement::balance::TimeBox;

use crate::action::Action;
use crate::duty;
use crate::error::Result;
use crate::picture::{Copied, Picture};
use crate::snapshot::ClusterSnapshot;

/// What is to be done now, and what is so far.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    pub actions: Vec<Action>,
    /// Segments that are to be loaded and that no server has and keeps.
    pub waiting_to_load: usize,
    /// Copies that rules ask for, of what is served, and that no node has.
    pub missing_copies: usize,
    /// The first of the loads that copy what a node has.
    pub copied: Vec<Copied>,
}

/// What is to be done now, as far as there is time to find out.
///
/// # Errors
/// When the cluster is larger than can be counted.
pub(crate) fn plan(snapshot: &ClusterSnapshot, time: &TimeBox<'_>) -> Result<Planned> {
    let mut picture = Picture::of(snapshot)?;
    let waiting_to_load = picture.waiting_to_load;
    let mut actions = Vec::new();
    if snapshot.may_load {
        actions.extend(duty::assign::plan(&mut picture, time));
    }
    // "Unknown" is not "empty": what takes away needs to have seen everything.
    if snapshot.is_complete {
        actions.extend(duty::unload::plan(snapshot));
        actions.extend(duty::drop_copies::plan(&mut picture));
        actions.extend(duty::balance::plan(&mut picture, time));
        actions.extend(duty::mark_overshadowed::plan(snapshot));
        actions.extend(duty::mark_dropped::plan(&picture));
    }
    let Picture { missing_copies, copied, .. } = picture;
    Ok(Planned { actions, waiting_to_load, missing_copies, copied })
}

#[cfg(test)]
pub(crate) mod tests;
