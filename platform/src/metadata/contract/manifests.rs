//! What the manifests say is what the store said: after any history, at any of its moments.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::interleavings::{Step, World, in_runtime, steps};
use super::*;
use crate::metadata::manifest::{
    Manifest, ManifestedStore, fold, list_manifests, manifest_key, read_manifest,
};
use crate::storage::{DeepStorage, FaultPlan, ObjectDeepStorage, UnreliableStorage};

async fn waiting(store: &dyn MetadataStore) -> Vec<Manifest> {
    let waiting = store.waiting_manifests(usize::MAX).await.unwrap();
    waiting.iter().map(|w| Manifest::decode("w", w.text.as_bytes()).unwrap()).collect()
}

/// The used segments, as a manifest says it.
fn used_of(manifest: &Manifest) -> Vec<PublishedSegment> {
    let mut used = manifest.segments.clone();
    used.retain(|segment| !manifest.unused.contains(&segment.id));
    used.sort_by(|a, b| a.id.cmp(&b.id));
    used
}

async fn used(store: &dyn MetadataStore) -> Vec<PublishedSegment> {
    let mut used = store.used_segments().await.unwrap().segments;
    used.sort_by(|a, b| a.id.cmp(&b.id));
    used
}

async fn every_prefix_is_a_moment(store: Arc<dyn MetadataStore>, steps: &[Step]) {
    store.make_complete_manifest().await.unwrap();
    let mut moments = BTreeMap::from([(1, Vec::new())]);
    let mut world = World::new(Arc::clone(&store));
    for step in steps {
        world.step(step.clone()).await;
        let number = store.manifest_state().await.unwrap().made;
        moments.insert(number, used(&*store).await);
    }
    let manifests = waiting(&*store).await;
    assert!(manifests.iter().zip(1..).all(|(manifest, number)| manifest.number == number));
    for (number, used) in moments {
        let count = usize::try_from(number).unwrap();
        let folded = fold(manifests[..count].iter().cloned()).unwrap();
        assert_eq!(used_of(&folded), used);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn f_33_every_prefix_of_the_manifests_is_a_moment_of_the_store_in_memory(steps in steps()) {
        in_runtime(every_prefix_is_a_moment(Arc::new(MemoryMetadataStore::new()), &steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn f_33_every_prefix_of_the_manifests_is_a_moment_of_the_store_in_sqlite(steps in steps()) {
        in_runtime(async {
            let directory = tempfile::tempdir().unwrap();
            every_prefix_is_a_moment(Arc::new(open_sqlite(&directory).await.unwrap()), &steps).await;
        });
    }

    #[test]
    fn f_33_every_prefix_of_the_manifests_is_a_moment_of_the_store_in_postgresql(steps in steps()) {
        let Some(options) = new_postgres() else { return Ok(()) };
        in_runtime(async {
            let store = SqlMetadataStore::open(options).await.unwrap();
            every_prefix_is_a_moment(Arc::new(store), &steps).await;
        });
    }
}

/// A store with one of everything; the number of its last manifest.
async fn fill(store: &dyn MetadataStore) -> u64 {
    store.make_complete_manifest().await.unwrap();
    store.put_document(DATASOURCE, DS, "{\"a\":1}").await.unwrap();
    store.put_document(DATASOURCE, DS, "{\"a\":2}").await.unwrap();
    store.put_document("rules", DS, "[]").await.unwrap();
    let (first, second) = (allocate(store, day(1)).await, allocate(store, day(1)).await);
    let key = IdempotencyRecord {
        datasource: DS.into(),
        key: "k".into(),
        response_json: "{}".into(),
        created_ms: 5,
        body_hash: Some("0a".into()),
    };
    let request = PublishRequest {
        source: advance_of("push:events", SourceMark::default(), mark(9, "s")),
        idempotency: vec![key],
        ..append("t1", &[first, second])
    };
    store.publish(&request).await.unwrap();
    let version = store.allocate_version().await.unwrap();
    store.publish(&replace("task-7", version, day(1))).await.unwrap();
    let kept = allocate(store, day(2)).await;
    let dropped = allocate(store, day(3)).await;
    store.publish(&append("t2", &[kept, dropped.clone()])).await.unwrap();
    store.mark_unused(&[dropped.id], None).await.unwrap();
    store.manifest_state().await.unwrap().made
}

#[tokio::test]
async fn f_33_a_store_is_restored_from_its_manifests_alone_and_gives_nothing_out_twice() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let number = fill(&*store).await;
        let all = fold(waiting(&*store).await).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let sqlite = SqliteOptions::new(directory.path().join("restored.sqlite"));
        let into = [Some(SqlOptions::from(sqlite)), new_postgres().map(SqlOptions::from)];
        for options in into.into_iter().flatten() {
            restores(&*store, options, &all, number).await;
        }
    }
}

/// What a store says, restored elsewhere.
async fn restores(store: &dyn MetadataStore, into: SqlOptions, all: &Manifest, number: u64) {
    assert!(SqlMetadataStore::is_unmade(into.clone()).await.unwrap());
    let highest = Version(all.version + 10);
    let restored = SqlMetadataStore::restore(into.clone(), all, highest, &[]).await.unwrap();
    assert_eq!(restored.cluster_uuid().await.unwrap(), store.cluster_uuid().await.unwrap());
    assert_eq!(used(&restored).await, used(store).await);
    let snapshot = restored.used_segments().await.unwrap();
    assert!(snapshot.sequence > store.used_segments().await.unwrap().sequence);
    assert_eq!(mark_of(&restored, "push:events").await, mark(9, "s"));
    let key = store.find_idempotency(DS, "k").await.unwrap();
    assert!(key.is_some());
    assert_eq!(restored.find_idempotency(DS, "k").await.unwrap(), key);
    for version in [1, 2] {
        let schema = store.get_document_version(DATASOURCE, DS, version).await.unwrap();
        assert!(schema.is_some());
        assert_eq!(restored.get_document_version(DATASOURCE, DS, version).await.unwrap(), schema);
    }
    assert!(restored.publication("task-7").await.unwrap().is_some());
    assert_eq!(restored.manifest_state().await.unwrap().made, number);
    assert!(restored.manifest_state().await.unwrap().marked);
    // The next partition of a chunk, and a version above all that were given out.
    assert_eq!(allocate(&restored, day(2)).await.id.partition, 1);
    assert!(restored.allocate_version().await.unwrap() > highest);
    assert!(!SqlMetadataStore::is_unmade(into.clone()).await.unwrap());
    assert!(SqlMetadataStore::restore(into, all, highest, &[]).await.is_err());
}

#[tokio::test]
async fn f_33_manifests_with_a_gap_or_of_two_clusters_are_not_believed() {
    let store = MemoryMetadataStore::new();
    fill(&store).await;
    let manifests = waiting(&store).await;
    let mut gap = manifests.clone();
    gap.remove(2);
    let error = fold(gap).unwrap_err().to_string();
    assert!(error.contains("manifests 3 to 3 are missing"), "{error}");
    assert!(fold(manifests[1..].to_vec()).is_err());
    assert!(fold([]).is_err());
    let mut mixed = manifests;
    mixed[2].cluster_uuid = "another".into();
    assert!(fold(mixed).is_err());
}

#[tokio::test]
async fn f_05_a_change_is_answered_once_its_manifest_is_in_deep_storage() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let objects: Arc<dyn DeepStorage> = Arc::new(ObjectDeepStorage::in_memory());
        let away = FaultPlan { refuse: 1.0, ..FaultPlan::default() };
        let faulty = Arc::new(UnreliableStorage::new(Arc::clone(&objects), away, 7));
        let written = ManifestedStore::new(Arc::clone(&store), faulty.clone());
        store.make_complete_manifest().await.unwrap();
        let segment = allocate(&written, day(1)).await;
        let request = append("t1", std::slice::from_ref(&segment));
        let error = written.publish(&request).await.unwrap_err();
        assert!(matches!(error, MetadataError::OutcomeUnknown { .. }), "{error}");
        assert!(written.publication("t1").await.is_err());
        assert!(written.put_document(DATASOURCE, DS, "{}").await.is_err());
        // The answer of a write may be lost as well.
        faulty.set_plan(FaultPlan { lose_answer: 0.5, ..FaultPlan::default() });
        while written.publication("t1").await.is_err() {}
        faulty.set_plan(FaultPlan::default());
        assert_eq!(written.put_document(DATASOURCE, DS, "{}").await.unwrap(), 1);
        assert_eq!(list_manifests(&*objects).await.unwrap().numbers, [1, 2, 3]);
        assert_eq!(store.manifest_state().await.unwrap().waiting, 0);
        assert_eq!(read_manifest(&*objects, 2).await.unwrap().segments, [segment]);
        assert!(objects.exists(&manifest_key(3)).await.unwrap());
    }
}

#[tokio::test]
async fn many_manifests_are_followed_by_one_that_says_everything_and_old_ones_go() {
    let store: Arc<dyn MetadataStore> = Arc::new(MemoryMetadataStore::new());
    let objects: Arc<dyn DeepStorage> = Arc::new(ObjectDeepStorage::in_memory());
    let written = ManifestedStore::new(Arc::clone(&store), Arc::clone(&objects));
    store.make_complete_manifest().await.unwrap();
    for number in 0..2_100 {
        written.put_document(DATASOURCE, DS, &format!("{{\"a\":{number}}}")).await.unwrap();
    }
    let state = store.manifest_state().await.unwrap();
    assert!(state.complete > 2_000 && state.made == 2_103, "{state:?}");
    let numbers = list_manifests(&*objects).await.unwrap().numbers;
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    assert!(first > 1_000 && last == state.made, "{first} to {last}");
    let mut manifests = Vec::new();
    for number in numbers {
        manifests.push(read_manifest(&*objects, number).await.unwrap());
    }
    assert!(manifests[0].complete);
    assert_eq!(fold(manifests).unwrap().documents.len(), 2_100);
}
