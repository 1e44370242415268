//! What every membership must do.

mod worlds;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use worlds::{ChannelWorld, MemoryWorld, UdpWorld, World};

/// A node that describes itself.
pub(super) fn member(name: &str, incarnation: u64, role: Role) -> Member {
    Member {
        node_id: name.into(),
        incarnation,
        roles: BTreeSet::from([role]),
        http_address: format!("{name}.example:8888").into(),
        grpc_address: format!("{name}.example:8889").into(),
        zone: "zone-1".into(),
        tier: if role == Role::Historical { "_default_tier".into() } else { "".into() },
        inventory_version: 0,
    }
}

/// Waits until a node's view is as wanted, and gives that view: the next one may be another.
async fn until(
    node: &dyn Membership,
    what: &str,
    holds: impl Fn(&ClusterView) -> bool,
) -> Arc<ClusterView> {
    let mut watch = node.watch();
    let waited = timeout(Duration::from_secs(60), watch.wait_for(|view| holds(view))).await;
    match waited {
        Ok(Ok(view)) => Arc::clone(&view),
        _ => panic!("{what}: {:?}", node.view()),
    }
}

/// Whether a node is there, and its inventory at this version.
fn serves(view: &ClusterView, name: &str, version: u64) -> bool {
    view.members.get(name).is_some_and(|member| member.inventory_version == version)
}

fn has(view: &ClusterView, names: &[&str]) -> bool {
    view.is_complete() && view.members.keys().map(|name| &**name).eq(names.iter().copied())
}

async fn all_see(nodes: &[&dyn Membership], names: &[&str]) {
    for node in nodes {
        until(*node, &format!("sees {names:?}"), |view| has(view, names)).await;
    }
}

const OURS: &str = "ours";

async fn nodes_join_and_leave(world: &mut dyn World) {
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let b = world.start(OURS, member("b", 1, Role::Historical)).await;
    all_see(&[&*a, &*b], &["a", "b"]).await;
    let c = world.start(OURS, member("c", 1, Role::Realtime)).await;
    all_see(&[&*a, &*b, &*c], &["a", "b", "c"]).await;
    let view = until(&*c, "all", |view| has(view, &["a", "b", "c"])).await;
    assert_eq!(view.members["b"], member("b", 1, Role::Historical), "all that it says of itself");
    let names =
        |nodes: Vec<&Member>| nodes.iter().map(|n| n.node_id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(view.data_nodes().collect()), ["b", "c"]);
    assert_eq!(names(view.with_role(Role::Broker).collect()), ["a"]);
    b.leave().await;
    all_see(&[&*a, &*c], &["a", "c"]).await;
    drop((a, c));
}

async fn inventories_change(world: &mut dyn World) {
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let b = world.start(OURS, member("b", 1, Role::Historical)).await;
    all_see(&[&*a, &*b], &["a", "b"]).await;
    for version in [1, 2, 900] {
        b.set_inventory_version(version).await;
        until(&*a, "the inventory", |view| serves(view, "b", version)).await;
    }
    b.set_inventory_version(3).await;
    b.set_inventory_version(901).await;
    let mut watch = a.watch();
    loop {
        let version = watch.borrow_and_update().members.get("b").map(|b| b.inventory_version);
        assert!(version.is_none_or(|version| version >= 900), "went back to {version:?}");
        if version == Some(901) {
            break;
        }
        watch.changed().await.unwrap();
    }
}

/// A node that dies is gone for all, and back under a new incarnation, with what it says then.
async fn a_node_crashes_and_starts_again(world: &mut dyn World) {
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let b = world.start(OURS, member("b", 1, Role::Historical)).await;
    let c = world.start(OURS, member("c", 1, Role::Historical)).await;
    all_see(&[&*a, &*b, &*c], &["a", "b", "c"]).await;
    b.set_inventory_version(7).await;
    until(&*a, "the inventory", |view| serves(view, "b", 7)).await;
    drop(b);
    all_see(&[&*a, &*c], &["a", "c"]).await;
    let b = world.start(OURS, member("b", 2, Role::Historical)).await;
    all_see(&[&*a, &*b, &*c], &["a", "b", "c"]).await;
    let view = until(&*a, "all", |view| has(view, &["a", "b", "c"])).await;
    let restarted = &view.members["b"];
    assert_eq!((restarted.incarnation, restarted.inventory_version), (2, 0));
    // So fast that nobody noticed its death.
    drop(b);
    let b = world.start(OURS, member("b", 3, Role::Historical)).await;
    for node in [&a, &b, &c] {
        let is_new =
            |view: &ClusterView| has(view, &["a", "b", "c"]) && view.members["b"].incarnation == 3;
        until(&**node, "the third incarnation", is_new).await;
    }
}

/// Two processes under one name: the one that started later is the node, and the other one is told.
async fn a_node_is_superseded(world: &mut dyn World) {
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let old = world.start(OURS, member("b", 1, Role::Historical)).await;
    all_see(&[&*a, &*old], &["a", "b"]).await;
    let new = world.start(OURS, member("b", 2, Role::Historical)).await;
    until(&*old, "superseded", |view| view.is_superseded).await;
    until(&*a, "the new one", |view| view.members.get("b").is_some_and(|b| b.incarnation == 2))
        .await;
    assert!(!new.view().is_superseded && !a.view().is_superseded);
}

/// Each side counts the other as gone, and both find together again.
async fn a_cluster_is_parted_and_heals(world: &mut dyn World) {
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let b = world.start(OURS, member("b", 1, Role::Historical)).await;
    let c = world.start(OURS, member("c", 1, Role::Historical)).await;
    all_see(&[&*a, &*b, &*c], &["a", "b", "c"]).await;
    for other in ["b", "c"] {
        world.cut("a", other).await;
    }
    all_see(&[&*a], &["a"]).await;
    all_see(&[&*b, &*c], &["b", "c"]).await;
    c.set_inventory_version(5).await;
    for other in ["b", "c"] {
        world.heal("a", other).await;
    }
    all_see(&[&*a, &*b, &*c], &["a", "b", "c"]).await;
    until(&*a, "what it missed", |view| serves(view, "c", 5)).await;
}

/// Whoever belongs to another cluster is nobody, though it knows where to call.
async fn a_stranger_is_not_joined(world: &mut dyn World) {
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let stranger = world.start("theirs", member("s", 1, Role::Historical)).await;
    let b = world.start(OURS, member("b", 1, Role::Historical)).await;
    let mut watch = a.watch();
    loop {
        let view = watch.borrow_and_update().clone();
        assert!(!view.members.contains_key("s") && !view.unknown.contains("s"));
        if has(&view, &["a", "b"]) {
            break;
        }
        watch.changed().await.unwrap();
    }
    all_see(&[&*b], &["a", "b"]).await;
    let theirs = stranger.view();
    assert!(!theirs.members.contains_key("a") && !theirs.members.contains_key("b"));
}

async fn contract(new_world: impl Fn() -> Box<dyn World>) {
    nodes_join_and_leave(&mut *new_world()).await;
    inventories_change(&mut *new_world()).await;
    a_node_crashes_and_starts_again(&mut *new_world()).await;
    a_node_is_superseded(&mut *new_world()).await;
}

#[tokio::test]
async fn memory() {
    contract(|| Box::new(MemoryWorld::default())).await;
    a_cluster_is_parted_and_heals(&mut MemoryWorld::default()).await;
}

/// Time is not real here: silence that a detector needs costs nothing.
#[tokio::test(start_paused = true)]
async fn gossip_over_channels() {
    contract(|| Box::new(ChannelWorld::default())).await;
    a_cluster_is_parted_and_heals(&mut ChannelWorld::default()).await;
}

#[tokio::test]
async fn gossip_over_udp() {
    contract(|| Box::new(UdpWorld::default())).await;
}

#[tokio::test]
async fn f_34_a_node_of_another_cluster_is_not_joined() {
    a_stranger_is_not_joined(&mut MemoryWorld::default()).await;
    a_stranger_is_not_joined(&mut ChannelWorld::default()).await;
    a_stranger_is_not_joined(&mut UdpWorld::default()).await;
}

/// A broker that has heard nobody does not take itself for the cluster.
#[tokio::test(start_paused = true)]
async fn f_26_f_59_a_view_is_not_settled_before_anybody_was_heard() {
    let mut world = ChannelWorld::default();
    let seed = world.reserve();
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let mut watch = a.watch();
    let alone = timeout(Duration::from_secs(600), watch.wait_for(|view| view.is_settled)).await;
    assert!(alone.is_err(), "{:?}", a.view());
    assert!(a.view().members.contains_key("a"));
    let b = world.start_at(seed, OURS, member("b", 1, Role::Historical)).await;
    all_see(&[&*a, &*b], &["a", "b"]).await;
}

/// After a pause everybody seems to have been silent. Who really is silent is found out a window later.
#[tokio::test(start_paused = true)]
async fn nobody_is_taken_for_dead_because_this_process_stood_still() {
    let mut world = ChannelWorld::default();
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    let b = world.start(OURS, member("b", 1, Role::Realtime)).await;
    all_see(&[&*a, &*b], &["a", "b"]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut watch = a.watch();
    for pause_ms in [500, 900, 4_000, 60_000] {
        tokio::time::advance(Duration::from_millis(pause_ms)).await;
        let losing = watch.wait_for(|view| !view.members.contains_key("b"));
        let lost = timeout(Duration::from_secs(10), losing).await.is_ok();
        assert!(!lost, "after {pause_ms} ms");
    }
    drop(b);
    tokio::time::advance(Duration::from_secs(4)).await;
    all_see(&[&*a], &["a"]).await;
}

/// Without seeds it is the first one, and others are given time to call.
#[tokio::test(start_paused = true)]
async fn the_first_node_is_a_cluster_after_a_while() {
    let mut world = ChannelWorld::default();
    let a = world.start(OURS, member("a", 1, Role::Broker)).await;
    assert!(!a.view().is_complete());
    all_see(&[&*a], &["a"]).await;
}

/// Many nodes: the state of each is small, so that a new one knows all of them after a few rounds.
#[tokio::test(start_paused = true)]
async fn a_new_node_learns_of_a_hundred_others() {
    let mut world = ChannelWorld::default();
    let mut nodes: Vec<Box<dyn Membership>> = Vec::new();
    for number in 0..100 {
        nodes.push(world.start(OURS, member(&format!("n{number:03}"), 1, Role::Historical)).await);
    }
    let is_whole = |view: &ClusterView| view.is_complete() && view.members.len() == 100;
    for node in &nodes {
        until(&**node, "a hundred", is_whole).await;
    }
}

#[test]
fn roles_are_named() {
    for role in Role::ALL {
        assert_eq!(Role::named(role.name()), Some(role));
    }
    assert_eq!(Role::named("overlord"), None);
    assert_eq!(Arc::<str>::from(Role::Broker.to_string()), "broker".into());
}
