//! Assign: every used segment is to be where rules ask for it, in different zones where there are any. What
//! nobody has comes first, then the hottest tier, then the newest. A server that left a short while ago counts
//! with what it had.

use std::sync::Arc;

use henge_placement::balance::{LoadLimits, TimeBox};

use crate::action::Action;
use crate::picture::Picture;

/// Segments without room that are named; more are counted.
const NAMED_WITHOUT_ROOM: usize = 100;

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
        let segment = Arc::clone(picture.segment(load.segment));
        actions.push(Action::Load { server: picture.server(load.server), segment });
    }
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
