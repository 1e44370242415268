//! What a broker has seen of the data nodes: it is ready once it has seen all of them that live.

use std::collections::BTreeMap;
use std::fmt;

use super::{ClusterView, Member, NodeId};

/// What somebody has still to see before it may answer for the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingInventory {
    /// The view of the cluster is not settled: there may be nodes that nobody has told of yet.
    Cluster,
    /// A node was heard of, and it is not known yet what it is or whether it lives.
    Unknown(NodeId),
    /// A live data node whose inventory was not pulled since it started.
    NotPulled(NodeId),
}

impl fmt::Display for MissingInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("the cluster's nodes are not known yet"),
            Self::Unknown(node) => write!(f, "it is not known yet whether '{node}' lives"),
            Self::NotPulled(node) => write!(f, "what '{node}' serves is not known yet"),
        }
    }
}

/// The inventories that were pulled, by node.
#[derive(Debug, Clone, Default)]
pub struct SeenInventories {
    /// Incarnation and version.
    seen: BTreeMap<NodeId, (u64, u64)>,
}

impl SeenInventories {
    /// Notes an inventory that was pulled from a node.
    pub fn saw(&mut self, node_id: &NodeId, incarnation: u64, version: u64) {
        let seen = self.seen.entry(NodeId::clone(node_id)).or_default();
        *seen = (*seen).max((incarnation, version));
    }

    /// Forgets nodes that are gone.
    pub fn retain(&mut self, view: &ClusterView) {
        self.seen.retain(|node_id, _| view.members.contains_key(node_id));
    }

    /// What has to be seen first; nothing when all that live were.
    #[must_use]
    pub fn missing(&self, view: &ClusterView) -> Vec<MissingInventory> {
        let cluster = (!view.is_settled).then_some(MissingInventory::Cluster);
        let unknown = view.unknown.iter().cloned().map(MissingInventory::Unknown);
        let not_pulled = view.data_nodes().filter(|node| !self.was_seen(node));
        let not_pulled = not_pulled.map(|node| MissingInventory::NotPulled(node.node_id.clone()));
        cluster.into_iter().chain(unknown).chain(not_pulled).collect()
    }

    /// Data nodes that serve something else than what was pulled.
    pub fn outdated<'v>(&'v self, view: &'v ClusterView) -> impl Iterator<Item = &'v Member> {
        view.data_nodes().filter(|node| {
            let seen = self.seen.get(&node.node_id);
            seen.is_none_or(|seen| *seen < (node.incarnation, node.inventory_version))
        })
    }

    fn was_seen(&self, node: &Member) -> bool {
        let seen = self.seen.get(&node.node_id);
        seen.is_some_and(|(incarnation, _)| *incarnation >= node.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::super::contract::member;
    use super::*;

    #[test]
    fn f_59_a_broker_is_ready_once_it_has_seen_every_live_data_node() {
        let mut view = ClusterView::default();
        let mut seen = SeenInventories::default();
        assert_eq!(seen.missing(&view), [MissingInventory::Cluster]);
        view.is_settled = true;
        for (name, role) in [("b", Role::Broker), ("h", Role::Historical), ("r", Role::Realtime)] {
            view.members.insert(name.into(), member(name, 7, role));
        }
        view.unknown.insert("x".into());
        let names = |seen: &SeenInventories, view: &ClusterView| -> Vec<String> {
            seen.outdated(view).map(|node| node.node_id.to_string()).collect()
        };
        assert_eq!(names(&seen, &view), ["h", "r"]);
        seen.saw(&"h".into(), 7, 3);
        // Of the start before: it may have served something else.
        seen.saw(&"r".into(), 6, 9);
        let missing: Vec<String> = seen.missing(&view).iter().map(ToString::to_string).collect();
        assert_eq!(
            missing,
            ["it is not known yet whether 'x' lives", "what 'r' serves is not known yet"]
        );
        view.unknown.clear();
        seen.saw(&"r".into(), 7, 0);
        assert!(seen.missing(&view).is_empty());
        assert!(names(&seen, &view).is_empty());
        // Changes make it pull again, and do not make it unready.
        view.members.get_mut("h").unwrap().inventory_version = 4;
        assert_eq!(names(&seen, &view), ["h"]);
        assert!(seen.missing(&view).is_empty());
        view.members.get_mut("h").unwrap().incarnation = 8;
        assert_eq!(seen.missing(&view), [MissingInventory::NotPulled("h".into())]);
        view.members.remove("h");
        seen.retain(&view);
        assert!(seen.missing(&view).is_empty());
    }
}
