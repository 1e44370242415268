//! Drop copies: what more servers have than asked for is dropped, a copy at a time, once no server came or
//! left for a while. Those that keep it prove before that they have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::ServerId;

use crate::action::Action;
use crate::placement::{Copies, Placement};
use crate::snapshot::ClusterSnapshot;

/// Copies dropped in one run, at most.
const MOST: usize = 100;

/// One drop for each of some segments that have too many copies.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot, placement: &Placement<'_>) -> Vec<Action> {
    if !snapshot.is_calm {
        return Vec::new();
    }
    let mut rooms: BTreeMap<&ServerId, usize> =
        snapshot.servers.iter().map(|(name, server)| (name, server.room_for_drops)).collect();
    let mut actions = Vec::new();
    for (segment, copies) in placement.segments() {
        if actions.len() == MOST {
            break;
        }
        if copies.here.len() <= snapshot.replicas.max(1) {
            continue;
        }
        let rests =
            |name: &ServerId| snapshot.resting_drops.contains(&(name.clone(), segment.id.clone()));
        let Some(server) = most_crowded(placement, copies).filter(|name| !rests(name)) else {
            continue;
        };
        let Some(room) = rooms.get_mut(server).filter(|room| **room > 0) else { continue };
        *room -= 1;
        let keepers = copies.here.iter().filter(|name| **name != server);
        actions.push(Action::DropCopy {
            server: ServerId::clone(server),
            segment: Arc::clone(segment),
            keepers: keepers.map(|name| ServerId::clone(name)).collect(),
        });
    }
    actions
}

/// The fullest server in the zone with most copies.
fn most_crowded<'a>(placement: &Placement<'a>, copies: &Copies<'a>) -> Option<&'a ServerId> {
    let crowd = |name: &ServerId| {
        let zone = placement.zones([name]);
        copies.here.iter().filter(|other| placement.zones([**other]) == zone).count()
    };
    copies.here.iter().copied().max_by(|left, right| {
        crowd(left).cmp(&crowd(right)).then_with(|| placement.fullness(left, right))
    })
}
