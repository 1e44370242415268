//! Load: every used segment is to be on a server; the newest data first.

use std::collections::BTreeSet;

use crate::action::Action;
use crate::placement::Placement;

/// Loads for the used segments that no server has, or was asked for.
#[must_use]
pub(crate) fn plan(placement: &mut Placement<'_>) -> Vec<Action> {
    let is_wanted =
        |copies: &crate::placement::Copies<'_>| copies.here.is_empty() && copies.coming.is_empty();
    let mut wanted: Vec<_> = placement
        .segments()
        .filter(|(_, copies)| is_wanted(copies))
        .map(|(segment, _)| segment)
        .collect();
    wanted.sort_by_key(|segment| std::cmp::Reverse(segment.id.interval.end_ms));
    let mut actions = Vec::new();
    for segment in wanted {
        if !placement.takes_loads() {
            break;
        }
        actions.extend(placement.place(segment, &BTreeSet::new()));
    }
    actions
}
