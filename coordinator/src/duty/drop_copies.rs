//! Drop copies: what more servers have than rules ask for is dropped, a copy at a time, once no server came or
//! left for a while: first on servers that are to be empty, then where it costs most. Those that keep it
//! prove before that they have it. This is also how a move ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::ServerId;

use crate::action::Action;
use crate::picture::Picture;

/// Copies dropped in one run, at most.
const MOST: usize = 100;

/// One drop for each of some segments that have too many copies.
#[must_use]
pub(crate) fn plan(picture: &mut Picture<'_>) -> Vec<Action> {
    let snapshot = picture.snapshot;
    if !snapshot.is_calm {
        return Vec::new();
    }
    let mut rooms: BTreeMap<&ServerId, usize> =
        snapshot.servers.iter().map(|(name, server)| (name, server.room_for_drops)).collect();
    let names: Vec<ServerId> =
        picture.balancer.cluster().servers().iter().map(|s| Arc::clone(&s.name)).collect();
    let ids: Vec<_> = (0..picture.balancer.cluster().segments().len() as u32)
        .map(|index| &picture.segment(index).id)
        .collect();
    let drops = picture.balancer.drop_surplus(MOST, |drop| {
        let name = &names[usize::from(drop.server)];
        let id = ids[drop.segment as usize];
        let rests = snapshot.resting_drops.contains(&(Arc::clone(name), id.clone()));
        match rooms.get_mut(name) {
            Some(room) if *room > 0 && !rests => {
                *room -= 1;
                true
            }
            _ => false,
        }
    });
    let action = |drop: henge_placement::balance::PlannedDrop| Action::DropCopy {
        server: picture.server(drop.server),
        segment: Arc::clone(picture.segment(drop.segment)),
        keepers: picture.keepers(drop.segment),
    };
    drops.into_iter().map(action).filter(has_keepers).collect()
}

/// Others have it now, not only before they went away.
fn has_keepers(action: &Action) -> bool {
    matches!(action, Action::DropCopy { keepers, .. } if !keepers.is_empty())
}
