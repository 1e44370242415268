//! Replicate: every used segment is to be on as many servers as asked for, in different zones where there
//! are any. A server that left a short while ago counts with what it had.

use std::collections::BTreeSet;

use crate::action::Action;
use crate::placement::{Copies, Placement};
use crate::snapshot::ClusterSnapshot;

/// Loads for the used segments that have too few copies, or all in too few zones.
#[must_use]
pub(crate) fn plan(snapshot: &ClusterSnapshot, placement: &mut Placement<'_>) -> Vec<Action> {
    if snapshot.replicas <= 1 || snapshot.servers.len() <= 1 {
        return Vec::new();
    }
    let zones = placement.all_zones().len().min(snapshot.replicas);
    let mut wanted: Vec<_> = placement
        .segments()
        .filter(|(_, copies)| copies.count() > 0)
        .filter_map(|(segment, copies)| {
            let avoided = match copies.count() < snapshot.replicas {
                true => BTreeSet::new(),
                false => crowded(snapshot, placement, copies, zones)?,
            };
            Some((segment, avoided))
        })
        .collect();
    wanted.sort_by_key(|(segment, _)| std::cmp::Reverse(segment.id.interval.end_ms));
    let mut actions = Vec::new();
    for (segment, avoided) in wanted {
        if !placement.takes_loads() {
            break;
        }
        let missing = snapshot.replicas.saturating_sub(placement.copies(&segment.id).count());
        for _ in 0..missing.max(1) {
            let Some(load) = placement.place(segment, &avoided) else { break };
            actions.push(load);
        }
    }
    actions
}

/// The zones of the copies, when these are enough but share too few zones: then one more is made
/// elsewhere, and after that one of them is too many.
fn crowded<'a>(
    snapshot: &ClusterSnapshot,
    placement: &Placement<'a>,
    copies: &Copies<'a>,
    zones: usize,
) -> Option<BTreeSet<&'a str>> {
    let is_settled = copies.here.len() == snapshot.replicas && copies.count() == snapshot.replicas;
    if !snapshot.is_calm || !is_settled {
        return None;
    }
    let shared = placement.zones(copies.here.iter().copied());
    (shared.len() < zones).then_some(shared)
}
