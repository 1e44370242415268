//! Dropped by rules: a used segment that a rule drops is marked unused; it stays in deep storage, and can be
//! marked used again.

use crate::action::{Action, Unused};
use crate::picture::Picture;

/// Segments marked in one run, at most: a wrong rule is noticed before it is through.
const MOST: usize = 10_000;

/// One action for the segments that rules drop.
#[must_use]
pub(crate) fn plan(picture: &Picture<'_>) -> Vec<Action> {
    let ids: Vec<_> = picture.dropped.iter().take(MOST).cloned().collect();
    match ids.is_empty() {
        true => Vec::new(),
        false => vec![Action::MarkUnused { ids, why: Unused::DroppedByRule }],
    }
}
