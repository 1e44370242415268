//! Assign: every used segment is to be where rules ask for it, in different zones where there are any. What
//! nobody has comes first, then the hottest tier, then the newest. A server that left a short while ago counts
//! with what it had.

use std::sync::Arc;

use henge_placement::balance::{LoadLimits, TimeBox};
use henge_placement::cluster::{SegmentIndex, ServerIndex};
use henge_platform::discovery::ServerId;

use crate::action::Action;
use crate::picture::{Copied, Picture};

/// Segments without room that are named; more are counted.
const NAMED_WITHOUT_ROOM: usize = 100;
/// Loads of what another node has that are told of, in one run.
const NOTED_COPIES: usize = 100;

/// Loads for the copies that are missing, and what stands in their way.
#[must_use]
pub(crate) fn plan(picture: &mut Picture<'_>, time: &TimeBox<'_>) -> Vec<Action> {
    let limits = LoadLimits {
        further_copies: picture.snapshot.limits.further_copies,
        rooms: picture.rooms.clone(),
    };
    let assigned = picture.balancer.assign(&limits, time);
    let mut actions = Vec::with_capacity(assigned.loads.len());
    for load in &assigned.loads {
        let room = &mut picture.rooms[usize::from(load.server)];
        *room -= u32::from(*room != u32::MAX);
        note_copy(picture, load.segment, load.server);
        let segment = Arc::clone(picture.segment(load.segment));
        actions.push(Action::Load { server: picture.server(load.server), segment });
    }
    picture.missing_copies += assigned.without_room.len();
    let mut without_room = assigned.without_room;
    without_room.dedup();
    if !without_room.is_empty() {
        let named = without_room.iter().take(NAMED_WITHOUT_ROOM);
        let named = named.map(|index| picture.segment(*index).id.clone()).collect();
        actions.push(Action::ReportFull { segments: without_room.len(), named });
    }
    if !assigned.without_nodes.is_empty() {
        actions.push(Action::ReportTiers { tiers: assigned.without_nodes });
    }
    actions
}

/// Counts a load of what another node has, and notes the first of them.
fn note_copy(picture: &mut Picture<'_>, segment: SegmentIndex, to: ServerIndex) {
    let keepers = picture.keepers(segment);
    picture.missing_copies += usize::from(!keepers.is_empty());
    if picture.copied.len() == NOTED_COPIES {
        return;
    }
    let drains = |keeper: &&ServerId| picture.snapshot.draining.contains(*keeper);
    let drained = keepers.iter().find(drains);
    let Some(from) = drained.or(keepers.first()).cloned() else { return };
    let (is_drained, id) = (drained.is_some(), picture.segment(segment).id.clone());
    picture.copied.push(Copied { id, from, to: picture.server(to), is_drained });
}
