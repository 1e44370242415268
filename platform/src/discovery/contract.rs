//! What every registry must do.

use henge_types::{ColumnType, Interval, Version};

use super::*;

fn columns(names: &[&str]) -> AnnouncedSchema {
    AnnouncedSchema::of(names.iter().map(|name| (*name, ColumnType::Long)))
}

fn segment(day: i64) -> AnnouncedSegment {
    let day_ms = 86_400_000;
    let interval = Interval { start_ms: day * day_ms, end_ms: (day + 1) * day_ms };
    AnnouncedSegment {
        id: SegmentId::new("events", interval, Version(1), 0),
        shard_spec: ShardSpec::appended(0),
        tier: Arc::from("_default_tier"),
        priority: 0,
        realtime: false,
        size_bytes: 10,
        schema: Arc::new(columns(&["__time", "a"])),
    }
}

fn days(snapshot: &DiscoverySnapshot, server: &str) -> Vec<i64> {
    let announced = snapshot.servers.get(server).expect("the server is known");
    announced.segments.keys().map(|id| id.interval.start_ms / 86_400_000).collect()
}

fn announces_and_withdraws(discovery: &dyn Discovery) {
    let server: ServerId = Arc::from("h1");
    discovery.announce(&server, vec![segment(1), segment(2)]).unwrap();
    let before = discovery.snapshot();
    let remove = vec![segment(1).id, segment(9).id];
    let changes = ChangeSet { add: vec![segment(3)], remove, ..ChangeSet::default() };
    let version = discovery.apply(&server, changes).unwrap();
    let after = discovery.snapshot();
    assert_eq!(days(&after, "h1"), [2, 3]);
    assert_eq!(after.version, version);
    // An earlier snapshot stays as it was.
    assert_eq!(days(&before, "h1"), [1, 2]);
    discovery.unannounce(&server, vec![segment(2).id]).unwrap();
    assert_eq!(days(&discovery.snapshot(), "h1"), [3]);
}

fn servers_join_and_leave(discovery: &dyn Discovery) {
    let server: ServerId = Arc::from("h2");
    let at = |address: &str| ServerDescription {
        address: ServerAddress::Network(address.into()),
        kind: ServerKind::Historical,
        zone: "a".into(),
        tier: "hot".into(),
        capacity_bytes: 7,
    };
    let joined = discovery.join(&server, &at("10.0.0.1:8889")).unwrap();
    assert_eq!(days(&discovery.snapshot(), "h2"), [0_i64; 0]);
    let announced = discovery.announce(&server, vec![segment(1)]).unwrap();
    assert_eq!(discovery.join(&server, &at("10.0.0.1:8889")).unwrap(), announced);
    let moved = discovery.join(&server, &at("10.0.0.2:8889")).unwrap();
    assert_eq!(days(&discovery.snapshot(), "h2"), [1], "it keeps what it has");
    assert_eq!(*discovery.snapshot().servers["h2"].description, at("10.0.0.2:8889"));
    let seen: Vec<_> = discovery.changes_since(joined - 1).unwrap();
    let addresses: Vec<String> =
        seen.iter().map(|change| change.description.address.to_string()).collect();
    assert_eq!(addresses, ["at 10.0.0.1:8889", "at 10.0.0.1:8889", "at 10.0.0.2:8889"]);
    assert_eq!(seen[2].version, moved);
    let version = discovery.leave(&server).unwrap();
    assert!(!discovery.snapshot().servers.contains_key("h2"));
    assert_eq!(discovery.leave(&server).unwrap(), version);
    let changes = discovery.changes_since(version - 1).unwrap();
    assert!(changes[0].left);
    assert_eq!(changes[0].changes.remove, [segment(1).id]);
}

/// Observers see the difference, also when there is none, and that nobody saw what came before it.
fn all_of_a_server_is_replaced(discovery: &dyn Discovery) {
    let server: ServerId = Arc::from("h9");
    let start = discovery.announce(&server, vec![segment(1), segment(2)]).unwrap();
    let grown = AnnouncedSegment { size_bytes: 11, ..segment(2) };
    discovery.replace(&server, vec![grown.clone(), segment(3)]).unwrap();
    let version = discovery.replace(&server, vec![grown.clone(), segment(3)]).unwrap();
    assert_eq!(version, start + 2);
    assert_eq!(days(&discovery.snapshot(), "h9"), [2, 3]);
    let seen = discovery.changes_since(start - 1).unwrap();
    let whole: Vec<bool> = seen.iter().map(|change| change.is_whole).collect();
    assert_eq!(whole, [false, true, true]);
    let add = vec![grown, segment(3)];
    let difference = ChangeSet { add, remove: vec![segment(1).id], grow: Vec::new() };
    assert_eq!((&seen[1].changes, &seen[2].changes), (&difference, &ChangeSet::default()));
}

fn growth(day: i64, names: &[&str]) -> SchemaGrowth {
    SchemaGrowth { id: segment(day).id, columns: columns(names).columns().to_vec() }
}

/// However many segments have the same columns: they are kept once.
fn columns_are_shared(discovery: &dyn Discovery) {
    let server: ServerId = Arc::from("h5");
    discovery.announce(&server, (0..3).map(segment).collect()).unwrap();
    let grow = vec![growth(0, &["b"]), growth(1, &["b"])];
    discovery.apply(&server, ChangeSet { grow, ..ChangeSet::default() }).unwrap();
    let snapshot = discovery.snapshot();
    let schema = |day| Arc::clone(&snapshot.servers["h5"].segments[&segment(day).id].schema);
    assert!(Arc::ptr_eq(&schema(0), &schema(1)));
    assert_eq!((schema(0).columns().len(), schema(2).columns().len()), (3, 2));
    assert_eq!(schema(0).column_type("b"), Some(&ColumnType::Long));
    assert_ne!(schema(0).key(), schema(2).key());
    discovery.announce(&server, vec![segment(7), segment(8)]).unwrap();
    let snapshot = discovery.snapshot();
    let schema = |day| Arc::clone(&snapshot.servers["h5"].segments[&segment(day).id].schema);
    assert!(Arc::ptr_eq(&schema(2), &schema(7)) && Arc::ptr_eq(&schema(2), &schema(8)));
}

/// A follower that applies changes sees what a snapshot shows.
fn changes_lead_to_the_snapshot(discovery: &dyn Discovery) {
    let server: ServerId = Arc::from("h3");
    let start = discovery.snapshot();
    for day in 0..20 {
        let remove = vec![segment(day / 2).id];
        let grow = vec![growth(day, &["a", "b"]), growth(99, &["b"])];
        discovery.apply(&server, ChangeSet { add: vec![segment(day)], remove, grow }).unwrap();
    }
    let mut followed: BTreeMap<SegmentId, AnnouncedSegment> = BTreeMap::new();
    let changes = discovery.changes_since(start.version).unwrap();
    for (change, expected) in changes.iter().zip(start.version + 1..) {
        assert_eq!(change.version, expected);
        for id in &change.changes.remove {
            followed.remove(id);
        }
        followed.extend(change.changes.add.iter().map(|s| (s.id.clone(), s.clone())));
        for growth in &change.changes.grow {
            if let Some(segment) = followed.get_mut(&growth.id) {
                segment.schema = Arc::new(segment.schema.grown(&growth.columns));
            }
        }
    }
    let end = discovery.snapshot();
    assert_eq!(followed, *end.servers["h3"].segments);
    let grown = columns(&["__time", "a", "b"]);
    let schemas: Vec<_> = followed.values().map(|segment| (*segment.schema).clone()).collect();
    assert_eq!(schemas, vec![grown; 10]);
    assert!(discovery.changes_since(end.version).unwrap().is_empty());
    assert!(discovery.changes_since(end.version + 1).is_none());
}

/// What was told last counts, observers are told, and who left has nothing to tell.
fn loads_are_told(discovery: &dyn Discovery) {
    let server: ServerId = Arc::from("h8");
    let load = |queries| SegmentLoad { queries, rows: 2.0, cpu_us: 3.0 };
    let report = |queries| LoadReport {
        segments: vec![(segment(1).id, load(queries)), (segment(2).id, load(queries))],
        together: vec![(0, 1, queries)],
    };
    let version = discovery.report_loads(&server, report(1.0)).unwrap();
    assert!(!discovery.snapshot().servers.contains_key("h8"));
    discovery.announce(&server, vec![segment(1)]).unwrap();
    assert_eq!(*discovery.snapshot().servers["h8"].loads, LoadReport::default());
    for queries in [1.0, 1.0, 7.0] {
        discovery.report_loads(&server, report(queries)).unwrap();
    }
    assert_eq!(*discovery.snapshot().servers["h8"].loads, report(7.0));
    let told = discovery.changes_since(version).unwrap();
    let told: Vec<_> = told.iter().map(|change| change.loads.as_deref().cloned()).collect();
    assert_eq!(told, [None, Some(report(1.0)), Some(report(7.0))]);
    discovery.leave(&server).unwrap();
    discovery.join(&server, &ServerDescription::default()).unwrap();
    assert_eq!(*discovery.snapshot().servers["h8"].loads, LoadReport::default());
}

async fn watchers_wake(discovery: &dyn Discovery) {
    let mut watch = discovery.watch();
    watch.mark_unchanged();
    let version = discovery.announce(&Arc::from("h4"), vec![segment(1)]).unwrap();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), version);
}

/// What other processes announce, and how far they were followed, is not what this one announces.
fn versions_of_processes_are_kept_apart(discovery: &dyn Discovery) {
    let (near, far): (ServerId, ServerId) = ("h6".into(), "h7".into());
    let local = discovery.announce(&near, vec![segment(1)]).unwrap();
    assert_eq!(discovery.local_version(), local);
    let address: Arc<str> = "10.0.0.7:8889".into();
    let there = ServerAddress::Network(Arc::clone(&address));
    discovery.join(&far, &ServerDescription::default().reached_at(&there)).unwrap();
    assert!(discovery.announce(&far, vec![segment(1)]).unwrap() > local);
    assert_eq!(discovery.local_version(), local);
    let at = |version| inventory::InventoryVersion { incarnation: 5, version };
    discovery.note_followed(&address, Some(at(3)));
    let before = discovery.followed();
    discovery.note_followed(&address, Some(at(4)));
    assert_eq!((before.get(&address), discovery.followed()[&address]), (Some(&at(3)), at(4)));
    discovery.note_followed(&address, None);
    assert!(discovery.followed().is_empty());
    discovery.leave(&far).unwrap();
    assert_eq!(discovery.local_version(), local);
    assert_eq!(discovery.leave(&near).unwrap(), discovery.local_version());
}

#[tokio::test]
async fn in_process() {
    let discovery = InProcessDiscovery::new();
    versions_of_processes_are_kept_apart(&discovery);
    announces_and_withdraws(&discovery);
    servers_join_and_leave(&discovery);
    all_of_a_server_is_replaced(&discovery);
    changes_lead_to_the_snapshot(&discovery);
    columns_are_shared(&discovery);
    loads_are_told(&discovery);
    watchers_wake(&discovery).await;
}

#[test]
fn a_follower_too_far_behind_is_told_to_take_a_snapshot() {
    let discovery = InProcessDiscovery::new();
    let server: ServerId = Arc::from("h1");
    for _ in 0..5_000 {
        discovery.apply(&server, ChangeSet::default()).unwrap();
    }
    assert!(discovery.changes_since(1).is_none());
    assert_eq!(discovery.changes_since(4_990).unwrap().len(), 10);
}

/// I-02: while a segment moves, no observer sees it on no server, because the new server announces
/// it before the old one withdraws it, and each change set is atomic.
#[test]
fn i_02_a_change_set_is_seen_whole() {
    let discovery = Arc::new(InProcessDiscovery::new());
    let server: ServerId = Arc::from("h1");
    discovery.announce(&server, vec![segment(0)]).unwrap();
    let writer = {
        let (discovery, server) = (Arc::clone(&discovery), Arc::clone(&server));
        std::thread::spawn(move || {
            for day in 0..2_000 {
                let remove = vec![segment(day).id];
                discovery
                    .apply(
                        &server,
                        ChangeSet { add: vec![segment(day + 1)], remove, ..ChangeSet::default() },
                    )
                    .unwrap();
            }
        })
    };
    while !writer.is_finished() {
        assert_eq!(discovery.snapshot().servers["h1"].segments.len(), 1);
    }
    writer.join().unwrap();
}
