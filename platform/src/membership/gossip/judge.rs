//! From what is gossiped to who is alive. The detector of failures knows two answers; a node that was only
//! just heard of deserves a third.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chitchat::{Chitchat, ChitchatId, NodeState};
use tokio::time::Instant;

use super::super::{ClusterView, NodeId};
use super::keys;

/// What is remembered of a node.
struct Known {
    first_heard: Instant,
    was_alive: bool,
    /// In the last view.
    is_alive: bool,
}

/// Judges nodes, and when the view of them is settled.
pub(super) struct Judge {
    own: ChitchatId,
    settle: Duration,
    /// A node that is silent for so long counts as dead.
    window: Duration,
    /// Whether there are seeds to hear of.
    has_other_seeds: bool,
    started: Instant,
    looked: Instant,
    /// Since when this process has gone on, after it stood still.
    resumed: Option<Instant>,
    known: HashMap<ChitchatId, Known>,
}

impl Judge {
    /// Views are asked for many times a `window`.
    pub(super) fn new(
        own: ChitchatId,
        settle: Duration,
        window: Duration,
        has_other_seeds: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            own,
            settle,
            window,
            has_other_seeds,
            started: now,
            looked: now,
            resumed: None,
            known: HashMap::new(),
        }
    }

    /// True while nobody's silence counts: this process stood still, and has not listened for a whole
    /// window since.
    fn has_just_resumed(&mut self, now: Instant) -> bool {
        if now.duration_since(self.looked) >= self.window / 2 {
            tracing::warn!(
                paused_ms = u64::try_from(now.duration_since(self.looked).as_millis()).ok(),
                "this process stood still: for a while nobody is taken for dead"
            );
            self.resumed = Some(now);
        }
        self.looked = now;
        self.resumed.is_some_and(|resumed| now < resumed + self.window)
    }

    /// The cluster as it is gossiped now.
    pub(super) fn view(&mut self, chitchat: &Chitchat) -> ClusterView {
        let now = Instant::now();
        let has_just_resumed = self.has_just_resumed(now);
        let live: HashSet<&ChitchatId> = chitchat.live_nodes().collect();
        let states = chitchat.node_states();
        self.known.retain(|id, _| states.contains_key(id));
        let mut view = ClusterView::default();
        for (name, (id, state)) in newest(states) {
            let is_own = *name == self.own.node_id;
            view.is_superseded |= is_own && *id != self.own;
            let unknown = Known { first_heard: now, was_alive: false, is_alive: false };
            let known = self.known.entry(id.clone()).or_insert(unknown);
            let is_heard = *id == self.own || live.contains(id);
            let is_alive = is_heard || known.is_alive && has_just_resumed;
            known.is_alive = is_alive;
            known.was_alive |= is_alive;
            let is_new = !known.was_alive && now < known.first_heard + self.settle;
            if keys::is_leaving(state) || !(is_alive || is_new) {
                continue;
            }
            match keys::member(state).filter(|_| is_alive) {
                Some(member) => _ = view.members.insert(NodeId::clone(name), member),
                None => _ = view.unknown.insert(NodeId::clone(name)),
            }
        }
        let has_heard = states.keys().any(|id| id.node_id != self.own.node_id);
        // Without a seed to ask, the others are given time to call.
        view.is_settled = now >= self.started + self.settle && (has_heard || !self.has_other_seeds);
        view
    }
}

/// Of each node the one that started last; those before it are dead, whatever is heard of them.
pub(super) fn newest(
    states: &BTreeMap<ChitchatId, NodeState>,
) -> BTreeMap<&NodeId, (&ChitchatId, &NodeState)> {
    let mut newest: BTreeMap<&NodeId, (&ChitchatId, &NodeState)> = BTreeMap::new();
    for (id, state) in states {
        let seen = newest.entry(&id.node_id).or_insert((id, state));
        if seen.0.generation_id <= id.generation_id {
            *seen = (id, state);
        }
    }
    newest
}
