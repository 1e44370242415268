//! What is gossiped of a node: keys and values, all short.

use std::collections::BTreeSet;

use chitchat::{Chitchat, NodeState};

use super::super::{Member, NodeId, Role};

const ROLES: &str = "roles";
const HTTP: &str = "http";
const GRPC: &str = "grpc";
const ZONE: &str = "zone";
const TIER: &str = "tier";
const INVENTORY: &str = "inventory";
/// Of the program; older ones do not say it.
const VERSION: &str = "version";
/// There once a node is about to stop.
const LEAVING: &str = "leaving";

/// What a node says of itself at its start. The last one is that which others wait for.
pub(super) fn of(member: &Member) -> Vec<(String, String)> {
    let roles: Vec<&str> = member.roles.iter().map(|role| role.name()).collect();
    [
        (ROLES, roles.join(",")),
        (HTTP, member.http_address.to_string()),
        (GRPC, member.grpc_address.to_string()),
        (ZONE, member.zone.to_string()),
        (TIER, member.tier.to_string()),
        (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        (INVENTORY, member.inventory_version.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// The node that these keys describe; `None` while some of them are missing.
pub(super) fn member(state: &NodeState) -> Option<Member> {
    let id = state.chitchat_id();
    // Roles of a later release are none of ours.
    let roles: BTreeSet<Role> = state.get(ROLES)?.split(',').filter_map(Role::named).collect();
    Some(Member {
        node_id: NodeId::clone(&id.node_id),
        incarnation: id.generation_id,
        roles,
        http_address: state.get(HTTP)?.into(),
        grpc_address: state.get(GRPC)?.into(),
        zone: state.get(ZONE)?.into(),
        tier: state.get(TIER)?.into(),
        inventory_version: state.get(INVENTORY)?.parse().ok()?,
    })
}

/// The version of its program; empty when it does not say.
pub(super) fn version(state: &NodeState) -> &str {
    state.get(VERSION).unwrap_or_default()
}

pub(super) fn is_leaving(state: &NodeState) -> bool {
    state.contains_key(LEAVING)
}

pub(super) fn set_leaving(chitchat: &mut Chitchat) {
    chitchat.self_node_state().set(LEAVING, "");
}

/// Says the version, unless a later one was said.
pub(super) fn set_inventory(chitchat: &mut Chitchat, version: u64) {
    let state = chitchat.self_node_state();
    let said = state.get(INVENTORY).and_then(|said| said.parse().ok());
    if said.is_none_or(|said: u64| said < version) {
        state.set(INVENTORY, version);
    }
}
