//! Ids are unique for ever, and versions come from a sequence.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn appends_share_a_version_and_number_their_partitions() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let first = allocate(&*store, day(1)).await;
        let second = allocate(&*store, day(1)).await;
        let other_day = allocate(&*store, day(2)).await;
        assert_eq!(first.id.version, second.id.version);
        assert_eq!((first.id.partition, second.id.partition), (0, 1));
        assert!(other_day.id.version > first.id.version);
        assert_eq!(first.shard_spec, ShardSpec::appended(0));
        // Published or not makes no difference to the next number.
        store.publish(&append("t1", &[second])).await.unwrap();
        assert_eq!(allocate(&*store, day(1)).await.id.partition, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f_30_concurrent_allocations_get_one_id_each() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let tasks: Vec<_> = (0..40)
            .map(|number| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { allocate(&*store, day(number % 2)).await.id })
            })
            .collect();
        let mut ids = BTreeSet::new();
        for task in tasks {
            assert!(ids.insert(task.await.unwrap()));
        }
        let versions: BTreeSet<_> = ids.iter().map(|id| id.version).collect();
        assert_eq!((ids.len(), versions.len()), (40, 2));
    }
}

#[tokio::test]
async fn f_32_appending_to_a_chunk_whose_segments_are_all_unused_gives_a_new_id() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let first = allocate(&*store, day(1)).await;
        store.publish(&append("t1", std::slice::from_ref(&first))).await.unwrap();
        store.mark_unused(std::slice::from_ref(&first.id), None).await.unwrap();
        let next = allocate(&*store, day(1)).await;
        assert!(next.id.version > first.id.version);
        store.publish(&append("t2", std::slice::from_ref(&next))).await.unwrap();
        assert_eq!(used_ids(&*store).await, [next.id]);
    }
}

#[tokio::test]
async fn appends_go_under_the_version_that_replaced() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let old = allocate(&*store, day(1)).await;
        store.publish(&append("t1", std::slice::from_ref(&old))).await.unwrap();
        let version = store.allocate_version().await.unwrap();
        let outcome = store.publish(&replace("t2", version, day(1))).await.unwrap();
        assert_eq!(outcome.replaced, [old.id]);
        let appended = allocate(&*store, day(1)).await;
        assert_eq!((appended.id.version, appended.id.partition), (version, 1));
        assert_eq!(appended.shard_spec, ShardSpec::numbered(1, 1));
    }
}

#[tokio::test]
async fn a_chunk_keeps_the_interval_that_it_has() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let whole_day = allocate(&*store, day(1)).await;
        store.publish(&append("t1", &[whole_day])).await.unwrap();
        // An hour of that day goes under the day; a day over hours is refused.
        assert_eq!(allocate(&*store, hour(25)).await.id.interval, day(1));
        let one_hour = allocate(&*store, hour(50)).await;
        assert_eq!(one_hour.id.interval, hour(50));
        store.publish(&append("t2", &[one_hour])).await.unwrap();
        let error = store.allocate_segment(OWNER, DS, day(2), day(2)).await.unwrap_err();
        assert!(
            matches!(&error, MetadataError::IntervalConflict { existing, .. } if *existing == [hour(50)]),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_row_between_chunks_of_other_sizes_has_a_place() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let at = async |number: i64| {
            let (start_ms, bucket) = (number * HOUR_MS + 9, day(number / 24));
            let rows = Interval { start_ms, end_ms: start_ms + 1 };
            store.allocate_segment(OWNER, DS, rows, bucket).await.unwrap()
        };
        let open = allocate(&*store, hour(26)).await;
        let published = allocate(&*store, hour(29)).await;
        store.publish(&append("t1", std::slice::from_ref(&published))).await.unwrap();
        // In the open hour, in the published one, and in what a day leaves between them.
        for (number, like) in [(26, &open), (29, &published)] {
            let allocation = at(number).await;
            let id = SegmentId { partition: 1, ..like.id.clone() };
            assert_eq!((allocation.segment.id, allocation.slice), (id, like.id.interval));
        }
        let six_hours = Interval { start_ms: 30 * HOUR_MS, end_ms: 36 * HOUR_MS };
        assert_eq!(at(31).await.segment.id.interval, six_hours);
        assert_eq!(at(24).await.segment.id.interval, hour(24));
        // A newer hour cuts a day into slices.
        let whole_day = allocate(&*store, day(2)).await;
        store.publish(&append("t2", std::slice::from_ref(&whole_day))).await.unwrap();
        let version = store.allocate_version().await.unwrap();
        store.publish(&replace("t3", version, hour(50))).await.unwrap();
        let slice = at(49).await.slice;
        assert_eq!(slice, Interval { start_ms: 48 * HOUR_MS, end_ms: 50 * HOUR_MS });
        let error = store.allocate_segment(OWNER, DS, day(2), day(2)).await.unwrap_err();
        assert!(matches!(error, MetadataError::IntervalConflict { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_nobody_will_publish_is_forgotten_and_its_id_not_given_again() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let left_behind = allocate(&*store, hour(26)).await;
        assert!(store.allocate_segment(OWNER, DS, day(1), day(1)).await.is_err());
        assert_eq!(store.forget_pending(OWNER).await.unwrap(), 1);
        assert_eq!(store.forget_pending(OWNER).await.unwrap(), 0);
        let whole_day = allocate(&*store, day(1)).await;
        assert_eq!(whole_day.id.interval, day(1));
        store.forget_pending(OWNER).await.unwrap();
        assert_ne!(allocate(&*store, hour(26)).await.id, left_behind.id);
        // Somebody knew of it after all.
        store.publish(&append("t1", &[left_behind])).await.unwrap();
    }
}

#[tokio::test]
async fn f_20_versions_ascend_also_across_restarts() {
    for place in places() {
        let mut last = Version(0);
        for _ in 0..3 {
            let store = place.open().await;
            for _ in 0..3 {
                let version = store.allocate_version().await.unwrap();
                assert!(version > last);
                last = version;
            }
            // No orderly end.
            drop(store);
        }
    }
}

#[tokio::test]
async fn h_32_names_that_are_refused_reach_no_table() {
    let (_directory, stores) = stores().await;
    for store in stores {
        for name in ["", "../x", "a/b", "a\0b"] {
            assert!(store.put_document(DATASOURCE, name, "{}").await.is_err(), "{name:?}");
            let allocated = store.allocate_segment(OWNER, name, day(1), day(1)).await;
            assert!(allocated.is_err(), "{name:?}");
        }
        let empty = Interval { start_ms: 5, end_ms: 5 };
        assert!(store.allocate_segment(OWNER, DS, empty, day(0)).await.is_err());
    }
}
