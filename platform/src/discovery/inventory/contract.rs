//! What every inventory does: followed by a mirror, it is the same in another registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use henge_types::{ColumnType, Interval, SegmentId, ShardSpec, Version};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::service::Routes;

use super::super::{
    AnnouncedColumn, AnnouncedSchema, AnnouncedSegment, Discovery, InProcessDiscovery, LoadReport,
    SchemaGrowth, SegmentLoad, ServerAddress, ServerDescription, ServerKind,
};
use super::*;
use crate::rpc::{RpcOptions, RpcServices, endpoint, serve};

const CLUSTER: &str = "b3a2";

fn segment(day: i64, columns: &[&str]) -> AnnouncedSegment {
    let day_ms = 86_400_000;
    let interval = Interval { start_ms: day * day_ms, end_ms: (day + 1) * day_ms };
    AnnouncedSegment {
        id: SegmentId::new("wiki_é", interval, Version(7), 3),
        shard_spec: ShardSpec::numbered(3, 9),
        tier: "hot".into(),
        priority: -5,
        realtime: day % 2 == 1,
        size_bytes: u64::MAX,
        schema: Arc::new(AnnouncedSchema::of(columns.iter().map(|c| (*c, ColumnType::Double)))),
    }
}

/// What a registry says of nodes that are reached at `address`, and what they are.
fn seen(
    discovery: &dyn Discovery,
    address: &ServerAddress,
) -> BTreeMap<ServerId, (ServerDescription, Vec<AnnouncedSegment>)> {
    let servers = discovery.snapshot().servers;
    let there = servers.into_iter().filter(|(_, server)| server.description.address == *address);
    let told = there.map(|(name, server)| {
        let description = server.description.reached_at(&ServerAddress::InProcess);
        (name, (description, server.segments.values().cloned().collect()))
    });
    told.collect()
}

/// A node of this process.
fn historical() -> ServerDescription {
    ServerDescription {
        kind: ServerKind::Historical,
        zone: "é".into(),
        tier: "cold".into(),
        capacity_bytes: u64::MAX,
        ..ServerDescription::default()
    }
}

async fn over_grpc(inventory: Arc<dyn Inventory>, caller: &str) -> Arc<dyn Inventory> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let services = RpcServices {
        routes: Routes::new(inventory_service(inventory, CLUSTER.into())),
        ..RpcServices::default()
    };
    let options = RpcOptions::default();
    tokio::spawn(serve(listener, services, options, std::future::pending()));
    let channel = endpoint(&address, &options).unwrap().connect_lazy();
    Arc::new(connect_inventory(address.into(), channel, &caller.into()).unwrap())
}

/// A registry, its inventory as it is and over gRPC.
async fn ways() -> [(Arc<InProcessDiscovery>, Arc<dyn Inventory>); 2] {
    let (near, far) = (Arc::new(InProcessDiscovery::new()), Arc::new(InProcessDiscovery::new()));
    let of_far = Arc::new(LocalInventory::of(Arc::clone(&far) as _));
    let over = over_grpc(of_far, CLUSTER).await;
    [(Arc::clone(&near), Arc::new(LocalInventory::of(near as _)) as _), (far, over)]
}

fn there() -> ServerAddress {
    ServerAddress::Network("10.0.0.1:8889".into())
}

async fn next(updates: &mut Updates) -> InventoryUpdate {
    updates.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_mirror_is_what_it_mirrors_after_every_change() {
    for (source, inventory) in ways().await {
        let (a, b): (ServerId, ServerId) = ("a".into(), "b".into());
        source.announce(&a, vec![segment(1, &["x"]), segment(2, &["x", "y"])]).unwrap();
        let target = Arc::new(InProcessDiscovery::new());
        let mut mirror = Mirror::new(Arc::clone(&target) as _, there());
        let mut updates = inventory.follow(None);
        let steps: [&dyn Fn(); 7] = [
            &|| {},
            &|| {
                source.join(&b, &historical()).unwrap();
            },
            &|| {
                source.announce(&b, vec![segment(1, &[])]).unwrap();
            },
            &|| {
                let (add, remove) = (vec![segment(3, &["z"])], vec![segment(1, &[]).id]);
                let changes = ChangeSet { add, remove, ..ChangeSet::default() };
                source.apply(&a, changes).unwrap();
            },
            &|| {
                let column = AnnouncedColumn { name: "é".into(), column_type: ColumnType::Long };
                let growth = SchemaGrowth { id: segment(3, &[]).id, columns: vec![column] };
                source.apply(&a, ChangeSet { grow: vec![growth], ..ChangeSet::default() }).unwrap();
            },
            &|| {
                source.leave(&b).unwrap();
            },
            &|| {
                source.unannounce(&a, vec![segment(3, &[]).id]).unwrap();
            },
        ];
        for (number, step) in steps.iter().enumerate() {
            step();
            let update = next(&mut updates).await;
            assert_eq!(update.is_whole, number == 0);
            let before = target.snapshot().version;
            mirror.apply(update).unwrap();
            let changes = target.changes_since(before).unwrap();
            assert_eq!(changes.iter().any(|change| change.is_whole), number == 0);
            let expected = seen(&*source, &ServerAddress::InProcess);
            assert_eq!(seen(&*target, &there()), expected, "step {number}");
            assert_eq!(mirror.known().unwrap().version, source.snapshot().version);
            assert_eq!(target.followed()["10.0.0.1:8889"], mirror.known().unwrap());
        }
        assert_eq!(
            (source.local_version(), target.local_version()),
            (source.snapshot().version, 0)
        );
        mirror.forget().unwrap();
        assert!(target.followed().is_empty());
        assert!(target.snapshot().servers.is_empty() && mirror.known().is_none());
    }
}

#[tokio::test]
async fn who_was_away_is_told_what_changed_or_everything() {
    for (source, inventory) in ways().await {
        let a: ServerId = "a".into();
        source.announce(&a, vec![segment(1, &["x"])]).unwrap();
        let known = next(&mut inventory.follow(None)).await.at;
        source.announce(&a, vec![segment(2, &["x"])]).unwrap();
        let missed = next(&mut inventory.follow(Some(known))).await;
        assert!(!missed.is_whole && missed.nodes[0].changes.add == [segment(2, &["x"])]);
        // Another start of the process: the same numbers mean something else.
        let other = InventoryVersion { incarnation: known.incarnation ^ 1, ..known };
        assert!(next(&mut inventory.follow(Some(other))).await.is_whole);
        // More than is kept.
        for _ in 0..5_000 {
            source.unannounce(&a, Vec::new()).unwrap();
        }
        assert!(next(&mut inventory.follow(Some(known))).await.is_whole);
    }
}

#[tokio::test]
async fn large_updates_are_taken_whole() {
    for (source, inventory) in ways().await {
        let a: ServerId = "a".into();
        let names: Vec<String> = (0..7).map(|number| format!("column {number}")).collect();
        let many: Vec<_> =
            (0..3_500).map(|day| segment(day, &[&names[day as usize % 7]])).collect();
        source.announce(&a, many.clone()).unwrap();
        let target = Arc::new(InProcessDiscovery::new());
        let mut mirror = Mirror::new(Arc::clone(&target) as _, there());
        let mut updates = inventory.follow(None);
        mirror.apply(next(&mut updates).await).unwrap();
        assert_eq!(seen(&*target, &there())["a"].1, many);
        let before = target.snapshot().version;
        let ids: Vec<SegmentId> = many.iter().map(|segment| segment.id.clone()).collect();
        source.unannounce(&a, ids).unwrap();
        mirror.apply(next(&mut updates).await).unwrap();
        assert_eq!(target.snapshot().version, before + 1, "at one instant");
        assert!(seen(&*target, &there())["a"].1.is_empty());
    }
}

#[tokio::test]
async fn how_much_segments_are_read_is_told_with_everything_and_as_it_changes() {
    for (source, inventory) in ways().await {
        let a: ServerId = "a".into();
        source.announce(&a, vec![segment(1, &["x"])]).unwrap();
        let report = |queries| LoadReport {
            segments: vec![(segment(1, &[]).id, SegmentLoad { queries, rows: 0.5, cpu_us: 1e300 })],
            together: vec![(0, 0, queries)],
        };
        let target = Arc::new(InProcessDiscovery::new());
        let mut mirror = Mirror::new(Arc::clone(&target) as _, there());
        let mut updates = inventory.follow(None);
        source.report_loads(&a, report(1.0)).unwrap();
        mirror.apply(next(&mut updates).await).unwrap();
        let told = || LoadReport::clone(&target.snapshot().servers["a"].loads);
        assert_eq!(told(), report(1.0));
        source.report_loads(&a, report(2.0)).unwrap();
        mirror.apply(next(&mut updates).await).unwrap();
        assert_eq!(told(), report(2.0));
        assert_eq!(seen(&*target, &there())["a"].1, [segment(1, &["x"])]);
        source.announce(&a, vec![segment(2, &["x"])]).unwrap();
        mirror.apply(next(&mut updates).await).unwrap();
        assert_eq!(told(), report(2.0));
    }
}

/// A process that started again announces less at first: nothing of before stays.
#[tokio::test]
async fn everything_replaces_what_was_mirrored_and_nothing_else() {
    for (source, inventory) in ways().await {
        let (a, b): (ServerId, ServerId) = ("a".into(), "b".into());
        source.announce(&a, vec![segment(1, &["x"])]).unwrap();
        let target = Arc::new(InProcessDiscovery::new());
        let other: ServerId = "other".into();
        target.announce(&other, vec![segment(1, &["x"])]).unwrap();
        let mut mirror = Mirror::new(Arc::clone(&target) as _, there());
        let before = NodeChange {
            server: a.clone(),
            description: Arc::default(),
            changes: ChangeSet {
                add: vec![segment(1, &["x"]), segment(2, &[])],
                ..ChangeSet::default()
            },
            left: false,
            loads: None,
        };
        let nodes = vec![before.clone(), NodeChange { server: b, ..before }];
        let at = InventoryVersion { incarnation: 5, version: 9 };
        mirror.apply(InventoryUpdate { at, is_whole: true, nodes }).unwrap();
        let told = Notify::new();
        tokio::select! {
            ended = mirror.follow(&*inventory, |_| told.notify_one()) => panic!("{ended:?}"),
            () = told.notified() => {}
        }
        assert_eq!(seen(&*target, &there()), seen(&*source, &ServerAddress::InProcess));
        assert_eq!(seen(&*target, &ServerAddress::InProcess)["other"].1.len(), 1);
    }
}

#[tokio::test]
async fn f_34_strangers_are_refused_and_processes_that_are_away_are_named() {
    let local = Arc::new(LocalInventory::of(Arc::new(InProcessDiscovery::new())));
    let stranger = over_grpc(local, "c0de").await;
    let error = stranger.follow(None).next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("c0de"), "{error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let channel = endpoint(&address, &RpcOptions::default()).unwrap().connect_lazy();
    let away = connect_inventory(address.as_str().into(), channel, &CLUSTER.into()).unwrap();
    let error = away.follow(None).next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
}
