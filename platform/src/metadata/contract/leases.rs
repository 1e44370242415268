//! Leases change hands by the store's clock, and who led before does no harm.

use std::collections::BTreeSet;

use super::*;
use crate::metadata::manifest::{Manifest, fold};
use crate::runtime::ManualClock;

const LEADER: &str = "coordinator";
const TTL_MS: u64 = 10_000;

/// A store and how its time passes: PostgreSQL's cannot be moved, so what it keeps is moved back.
enum Passing {
    Manual(Arc<ManualClock>),
    Of(&'static Postgres, String),
}

impl Passing {
    fn pass(&self, elapsed_ms: u64) {
        match self {
            Self::Manual(clock) => clock.pass(elapsed_ms),
            Self::Of(server, database) => {
                let sql = format!("UPDATE leases SET expires_ms = expires_ms - {elapsed_ms}");
                server.sql(database, &sql);
            }
        }
    }
}

async fn timed() -> (tempfile::TempDir, Vec<(Arc<dyn MetadataStore>, Passing)>) {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(1_000));
    let memory = MemoryMetadataStore::with_clock(clock.clone());
    let options = SqliteOptions::new(directory.path().join("metadata.db"));
    let sqlite = SqlMetadataStore::open(SqliteOptions { clock: clock.clone(), ..options });
    let sqlite = sqlite.await.unwrap();
    let mut stores: Vec<(Arc<dyn MetadataStore>, _)> = vec![
        (Arc::new(memory), Passing::Manual(clock.clone())),
        (Arc::new(sqlite), Passing::Manual(clock)),
    ];
    if let Some(server) = Postgres::shared() {
        let address = server.new_database();
        let name = address.rsplit('/').next().unwrap().to_owned();
        let store = SqlMetadataStore::open(PostgresOptions::new(&address).unwrap()).await.unwrap();
        stores.push((Arc::new(store), Passing::Of(server, name)));
    }
    (directory, stores)
}

fn is_fenced<T: std::fmt::Debug>(outcome: Result<T>) -> bool {
    matches!(outcome.unwrap_err(), MetadataError::Fenced { lease, .. } if lease == LEADER)
}

#[tokio::test]
async fn a_lease_is_kept_by_renewing_it_and_taken_once_it_ran_out() {
    let (_directory, stores) = timed().await;
    for (store, time) in stores {
        assert_eq!(store.lease(LEADER).await.unwrap(), None);
        let first = store.acquire_lease(LEADER, "a", TTL_MS).await.unwrap();
        assert!(first.is_held_by("a") && first.remaining_ms == TTL_MS, "{first:?}");
        let refused = store.acquire_lease(LEADER, "b", TTL_MS).await.unwrap();
        assert!(refused.is_held_by("a") && refused.epoch == first.epoch, "{refused:?}");
        time.pass(TTL_MS - 2_000);
        // Asked for again and renewed, it lasts on under its epoch.
        let again = store.acquire_lease(LEADER, "a", TTL_MS).await.unwrap();
        assert_eq!((again.epoch, again.remaining_ms), (first.epoch, TTL_MS));
        time.pass(TTL_MS - 2_000);
        let renewed = store.renew_lease(&first.fence(), TTL_MS).await.unwrap();
        assert_eq!((renewed.epoch, renewed.remaining_ms), (first.epoch, TTL_MS));
        // Nobody took it when it ran out, so it can still be renewed.
        time.pass(TTL_MS + 1);
        assert_eq!(store.lease(LEADER).await.unwrap().unwrap().remaining_ms, 0);
        store.renew_lease(&first.fence(), TTL_MS).await.unwrap();
        time.pass(TTL_MS + 1);
        let second = store.acquire_lease(LEADER, "b", TTL_MS).await.unwrap();
        assert!(second.is_held_by("b") && second.epoch > first.epoch, "{second:?}");
        assert!(is_fenced(store.renew_lease(&first.fence(), TTL_MS).await));
        assert!(is_fenced(store.release_lease(&first.fence()).await));
        // Given back, anybody may have it, its last holder under a new epoch too.
        store.release_lease(&second.fence()).await.unwrap();
        assert!(is_fenced(store.renew_lease(&second.fence(), TTL_MS).await));
        let third = store.acquire_lease(LEADER, "b", TTL_MS).await.unwrap();
        assert!(third.epoch > second.epoch);
        let other = store.acquire_lease("another", "a", TTL_MS).await.unwrap();
        assert!(other.is_held_by("a") && other.epoch > third.epoch);
        store.release_lease(&third.fence()).await.unwrap();
        let all = store.leases().await.unwrap();
        let all: Vec<_> = all.iter().map(|l| (l.name.as_str(), l.is_held_by("a"))).collect();
        assert_eq!(all, [("another", true), (LEADER, false)]);
    }
}

/// Whoever replaces the metadata looks who lives on them by this list.
#[tokio::test]
async fn f_34_a_lease_that_was_given_back_is_nobody_s_at_once_and_stays_so() {
    for place in places() {
        let store = place.open().await;
        let kept = store.acquire_lease("process/a", "a/1", TTL_MS).await.unwrap();
        let given = store.acquire_lease("process/b", "b/2", TTL_MS).await.unwrap();
        store.release_lease(&given.fence()).await.unwrap();
        // One that renews it late makes nobody live again.
        assert!(store.renew_lease(&given.fence(), TTL_MS).await.is_err());
        drop(store);
        let all = place.open().await.leases().await.unwrap();
        let all: Vec<_> =
            all.iter().map(|lease| (lease.holder.as_deref(), lease.remaining_ms > 0)).collect();
        assert_eq!(all, [(Some("a/1"), true), (None, false)]);
        assert!(kept.is_held_by("a/1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f_68_of_many_who_ask_at_once_one_leads() {
    let (_directory, stores) = timed().await;
    for (store, time) in stores {
        for round in 0..3 {
            let asking: Vec<_> = (0..20)
                .map(|number| {
                    let store = Arc::clone(&store);
                    let name = format!("{round}-{number}");
                    tokio::spawn(async move {
                        let lease = store.acquire_lease(LEADER, &name, TTL_MS).await.unwrap();
                        (lease.is_held_by(&name), lease.holder, lease.epoch)
                    })
                })
                .collect();
            let (mut leaders, mut seen) = (0, BTreeSet::new());
            for asked in asking {
                let (leads, holder, epoch) = asked.await.unwrap();
                leaders += u32::from(leads);
                seen.insert((holder, epoch));
            }
            assert_eq!((leaders, seen.len()), (1, 1), "{seen:?}");
            time.pass(TTL_MS + 1);
        }
    }
}

/// It was paused, its lease ran out, another leads; it wakes and goes on with what it was about to do.
#[tokio::test]
async fn f_68_f_69_i_08_a_leader_that_was_paused_does_no_harm_when_it_wakes() {
    let (_directory, stores) = timed().await;
    for (store, time) in stores {
        let old = store.acquire_lease(LEADER, "a", TTL_MS).await.unwrap().fence();
        let segments = [allocate(&*store, day(1)).await, allocate(&*store, day(2)).await];
        let fenced = PublishRequest { fence: Some(old.clone()), ..append("t1", &segments) };
        store.publish(&fenced).await.unwrap();
        let ids = segments.each_ref().map(|segment| segment.id.clone());
        assert_eq!(store.mark_unused(&ids[1..], Some(&old)).await.unwrap(), 1);
        time.pass(TTL_MS + 1);
        // Nobody else leads yet, so nothing is in its way.
        let object = |key: &str| SegmentObject { key: key.into(), size_bytes: 1, checksum: 1 };
        let (first, mended) = (segments[0].object(), object("mended"));
        store.replace_object(&ids[0], &first, &mended, Some(&old)).await.unwrap();
        let new = store.acquire_lease(LEADER, "b", TTL_MS).await.unwrap().fence();
        let before = (store.used_segments().await.unwrap(), store.manifest_state().await.unwrap());
        assert!(is_fenced(store.mark_unused(&ids, Some(&old)).await));
        let again = store.replace_object(&ids[0], &mended, &object("late"), Some(&old)).await;
        assert!(is_fenced(again));
        let late = allocate(&*store, day(3)).await;
        let late = PublishRequest { fence: Some(old), ..append("t2", &[late]) };
        assert!(is_fenced(store.publish(&late).await));
        let after = (store.used_segments().await.unwrap(), store.manifest_state().await.unwrap());
        assert_eq!(before, after);
        // What it had published before is answered all the same, and the other goes on.
        assert!(store.publish(&fenced).await.unwrap().already_published);
        store.publish(&PublishRequest { fence: Some(new.clone()), ..late }).await.unwrap();
        assert_eq!(store.mark_unused(&ids, Some(&new)).await.unwrap(), 1);
        let unknown = Fence { lease: LEADER.into(), epoch: new.epoch + 1 };
        assert!(is_fenced(store.mark_unused(&ids, Some(&unknown)).await));
    }
}

#[tokio::test]
async fn f_68_a_document_is_changed_by_whoever_saw_its_newest_version_and_leads() {
    let (_directory, stores) = timed().await;
    for (store, time) in stores {
        let old = store.acquire_lease(LEADER, "a", TTL_MS).await.unwrap().fence();
        let swap = |expected, body: &'static str, fence: Option<Fence>| {
            let store = Arc::clone(&store);
            async move { store.swap_document("owners", DS, expected, body, fence.as_ref()).await }
        };
        assert_eq!(swap(0, "[]", Some(old.clone())).await.unwrap(), 1);
        // The same body is another change.
        assert_eq!(swap(1, "[]", None).await.unwrap(), 2);
        for stale in [0, 1, 3] {
            let changed = swap(stale, "[9]", None).await.unwrap_err();
            let current = matches!(changed, MetadataError::DocumentChanged { current: 2, .. });
            assert!(current, "{changed}");
        }
        time.pass(TTL_MS + 1);
        let new = store.acquire_lease(LEADER, "b", TTL_MS).await.unwrap().fence();
        assert!(is_fenced(swap(2, "[1]", Some(old)).await));
        assert_eq!(swap(2, "[2]", Some(new)).await.unwrap(), 3);
        let newest = store.get_document("owners", DS).await.unwrap().unwrap();
        assert_eq!((newest.version, newest.body_json.as_str()), (3, "[2]"));
        assert_eq!(store.list_documents(DATASOURCE).await.unwrap(), []);
        assert!(swap(0, "[]", None).await.is_err());
        let waiting = store.waiting_manifests(usize::MAX).await.unwrap();
        assert_eq!(waiting.len(), 3);
    }
}

/// F-09: the epoch of a shard's assignment is that of a lease with the shard's name.
#[tokio::test]
async fn f_09_a_shard_that_was_assigned_anew_takes_nothing_from_who_had_it() {
    let (_directory, stores) = timed().await;
    for (store, time) in stores {
        let start = SourceMark::default;
        let had = store.acquire_lease(LEADER, "node-1", TTL_MS).await.unwrap().fence();
        time.pass(TTL_MS + 1);
        let has = store.acquire_lease(LEADER, "node-2", TTL_MS).await.unwrap().fence();
        let mut outcomes = Vec::new();
        for (name, fence) in [("zombie", had), ("owner", has)] {
            let segment = allocate(&*store, day(1)).await;
            let source = advance_of("shard", start(), mark(5, ""));
            let request = PublishRequest { source, fence: Some(fence), ..append(name, &[segment]) };
            outcomes.push(store.publish(&request).await);
        }
        outcomes.pop().unwrap().unwrap();
        assert!(is_fenced(outcomes.pop().unwrap()));
        assert_eq!(used_ids(&*store).await.len(), 1);
    }
}

#[tokio::test]
async fn f_68_epochs_rise_also_across_restarts_and_rebuilds() {
    for place in places() {
        let store = place.open().await;
        store.make_complete_manifest().await.unwrap();
        let first = store.acquire_lease(LEADER, "a", TTL_MS).await.unwrap();
        // No orderly end.
        drop(store);
        let store = place.open().await;
        let kept = store.lease(LEADER).await.unwrap().unwrap();
        assert!(kept.is_held_by("a") && kept.epoch == first.epoch);
        store.put_document(DATASOURCE, DS, "{}").await.unwrap();
        let waiting = store.waiting_manifests(usize::MAX).await.unwrap();
        let decode = |text: &str| Manifest::decode("w", text.as_bytes()).unwrap();
        let all = fold(waiting.iter().map(|manifest| decode(&manifest.text))).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("restored.db"));
        let version = Version(all.version);
        let rebuilt = SqlMetadataStore::restore(options, &all, version, &[]).await.unwrap();
        assert!(is_fenced(rebuilt.mark_unused(&[], Some(&first.fence())).await));
        let next = rebuilt.acquire_lease(LEADER, "b", TTL_MS).await.unwrap();
        assert!(next.epoch > first.epoch);
    }
}
