//! Whether there may be something to do: a plan over a million segments takes seconds, and most of the time
//! nothing has changed since the last one, which found nothing.

use std::collections::BTreeSet;

use henge_platform::discovery::ServerId;

use crate::Coordinator;
use crate::inventory::Inventory;
use crate::snapshot::ClusterSnapshot;

/// A plan is made at least this often: periods of rules go on with time.
const AT_LEAST_EVERY_MS: u64 = 60_000;

/// All that a plan is made from, by what changes with it, while nothing is under way and nothing failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    used: u64,
    announced: u64,
    rules: Vec<(String, u64)>,
    draining: BTreeSet<ServerId>,
    away: Vec<ServerId>,
    is_complete: bool,
    may_load: bool,
    is_calm: bool,
    /// In spans of [`AT_LEAST_EVERY_MS`].
    time: u64,
}

impl Coordinator {
    /// What is seen now; `None` while something is under way or waits for another try.
    pub(crate) fn seen(
        &self,
        snapshot: &ClusterSnapshot,
        inventory: &Inventory,
        rules: Vec<(String, u64)>,
    ) -> Option<Seen> {
        let is_busy = snapshot.servers.values().any(|server| {
            !server.coming.is_empty() || !server.going.is_empty() || !server.remembered.is_empty()
        });
        if is_busy || !snapshot.resting_loads.is_empty() || !snapshot.resting_drops.is_empty() {
            return None;
        }
        Some(Seen {
            used: inventory.sequence(),
            announced: snapshot.view_version,
            rules,
            draining: snapshot.draining.clone(),
            away: snapshot.away.keys().cloned().collect(),
            is_complete: snapshot.is_complete,
            may_load: snapshot.may_load,
            is_calm: snapshot.is_calm,
            time: self.shared.clock.running_ms() / AT_LEAST_EVERY_MS,
        })
    }

    /// True when this was seen before, and there was nothing to do.
    pub(crate) fn is_settled(&self, seen: Option<&Seen>) -> bool {
        seen.is_some() && self.settled.lock().as_ref() == seen
    }
}
