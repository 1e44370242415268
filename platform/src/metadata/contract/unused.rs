//! Segments that are not used: used again, and deleted in an order that a crash at any step leaves safe.

use super::*;
use crate::metadata::manifest::{Manifest, fold};

/// Some days with a segment each, whose objects are their own.
async fn published_days(store: &dyn MetadataStore, days: i64) -> Vec<PublishedSegment> {
    let mut segments = Vec::new();
    for number in 0..days {
        let segment = allocate(store, day(number)).await;
        segments.push(PublishedSegment { object_key: format!("segments/day-{number}"), ..segment });
    }
    store.publish(&append("t", &segments)).await.unwrap();
    segments
}

fn ids(segments: &[PublishedSegment]) -> Vec<SegmentId> {
    segments.iter().map(|segment| segment.id.clone()).collect()
}

async fn unused(store: &dyn MetadataStore, filter: UnusedFilter) -> Vec<SegmentId> {
    let found = store.unused_segments(&filter).await.unwrap();
    found.into_iter().map(|unused| unused.segment.id).collect()
}

/// Later than all that happened.
const LATER_MS: i64 = i64::MAX;

#[tokio::test]
async fn f_44_what_was_dropped_is_used_again_and_everybody_hears_of_it() {
    let (_directory, stores) = stores().await;
    for store in stores {
        store.make_complete_manifest().await.unwrap();
        let segments = published_days(&*store, 3).await;
        let ids = ids(&segments);
        store.mark_unused(&ids[..2], None).await.unwrap();
        let sequence = store.used_segments().await.unwrap().sequence;
        assert_eq!(store.mark_used(&ids, None).await.unwrap(), 2);
        assert_eq!(store.mark_used(&ids, None).await.unwrap(), 0);
        assert_eq!(used_ids(&*store).await, ids);
        let changes = store.segment_changes(sequence, 10).await.unwrap().changes;
        let heard: Vec<_> =
            segments[..2].iter().cloned().map(Box::new).map(SegmentChange::Used).collect();
        assert_eq!(changes, heard);
        let waiting = store.waiting_manifests(usize::MAX).await.unwrap();
        let manifests = waiting.iter().map(|w| Manifest::decode("w", w.text.as_bytes()).unwrap());
        assert_eq!(fold(manifests).unwrap().unused, []);
    }
}

#[tokio::test]
async fn unused_segments_are_listed_by_datasource_time_and_page() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let ids = ids(&published_days(&*store, 4).await);
        store.mark_unused(&ids[..3], None).await.unwrap();
        let all = UnusedFilter::default();
        assert_eq!(unused(&*store, all.clone()).await, ids[..3]);
        let within = Interval { start_ms: DAY_MS, end_ms: 4 * DAY_MS };
        assert_eq!(unused(&*store, UnusedFilter { within, ..all.clone() }).await, ids[1..3]);
        let after = Some(ids[0].clone());
        let page = UnusedFilter { after, limit: 1, ..all.clone() };
        assert_eq!(unused(&*store, page).await, ids[1..2]);
        assert_eq!(unused(&*store, UnusedFilter::of("other")).await, []);
        // A name within another one is not that one.
        assert_eq!(unused(&*store, UnusedFilter::of(&DS[..DS.len() - 1])).await, []);
        let datasources = ["other".into(), DS.into(), format!("{DS}2")].into();
        let of = UnusedFilter { datasources, ..all.clone() };
        assert_eq!(unused(&*store, of).await.len(), 3);
        let long_ago = UnusedFilter { before_ms: 0, ..all.clone() };
        assert_eq!(unused(&*store, long_ago).await, []);
        store.condemn_segments(&ids[..1], LATER_MS, None).await.unwrap();
        for (condemned, listed) in [(Some(true), &ids[..1]), (Some(false), &ids[1..3])] {
            assert_eq!(unused(&*store, UnusedFilter { condemned, ..all.clone() }).await, listed);
        }
    }
}

#[tokio::test]
async fn f_43_deleting_is_condemned_then_gone_then_forgotten_and_stays_so() {
    let (_directory, stores) = stores().await;
    for store in stores {
        store.make_complete_manifest().await.unwrap();
        let segments = published_days(&*store, 4).await;
        let ids = ids(&segments);
        store.mark_unused(&ids[..3], None).await.unwrap();
        assert_eq!(
            store.condemn_segments(&ids[..1], 0, None).await.unwrap(),
            [],
            "not for long enough"
        );
        // What is used is never condemned.
        let condemned = store.condemn_segments(&ids[1..], LATER_MS, None).await.unwrap();
        assert_eq!(condemned, segments[1..3]);
        assert_eq!(
            store.condemn_segments(&ids[1..2], LATER_MS, None).await.unwrap(),
            segments[1..2]
        );
        assert_eq!(store.mark_used(&ids, None).await.unwrap(), 1);
        assert_eq!(used_ids(&*store).await, [ids[0].clone(), ids[3].clone()]);
        let keys = ["segments/day-0", "segments/day-1", "segments/of-nobody"].map(str::to_owned);
        assert_eq!(store.unnamed_objects(&keys).await.unwrap(), keys[2..]);
        let all = UnusedFilter { condemned: Some(true), ..UnusedFilter::default() };
        assert_eq!(unused(&*store, all.clone()).await, ids[1..3]);
        assert_eq!(store.forget_condemned(&ids, None).await.unwrap(), 2);
        assert_eq!(store.forget_condemned(&ids, None).await.unwrap(), 0);
        assert_eq!(store.unnamed_objects(&keys).await.unwrap(), keys[1..]);
        assert_eq!(unused(&*store, UnusedFilter::default()).await, []);
        assert_eq!(store.condemn_segments(&ids, LATER_MS, None).await.unwrap(), []);
        // The id is not given out again, and who asks late still hears that it is not used.
        let again = store.publish(&append("again", &segments[1..2])).await;
        assert!(matches!(again, Err(MetadataError::SegmentExists(_))), "{again:?}");
        let changes = store.segment_changes(0, 10).await.unwrap().changes;
        assert!(changes.contains(&SegmentChange::Unused(ids[1].clone())));
        // The same after the metadata are lost.
        let waiting = store.waiting_manifests(usize::MAX).await.unwrap();
        let manifests = waiting.iter().map(|w| Manifest::decode("w", w.text.as_bytes()).unwrap());
        let said = fold(manifests).unwrap();
        assert_eq!((said.condemned.as_slice(), said.unused.as_slice()), (&ids[1..3], &ids[1..3]));
        assert!(said.segments.iter().filter(|s| s.id == ids[1]).all(|s| s.schema_json == "{}"));
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("restored.sqlite"));
        let restored = SqlMetadataStore::restore(options, &said, Version(100), &[]).await.unwrap();
        assert_eq!(restored.mark_used(&ids, None).await.unwrap(), 0);
        assert_eq!(unused(&restored, all).await, ids[1..3]);
        assert_eq!(restored.everything().await.unwrap().condemned, ids[1..3]);
    }
}

#[tokio::test]
async fn f_44_an_object_that_another_segment_names_is_not_deleted() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let mut segments = Vec::new();
        for (number, key) in [(0, "shared"), (1, "shared"), (2, "own")] {
            let segment = allocate(&*store, day(number)).await;
            segments.push(PublishedSegment { object_key: key.into(), ..segment });
        }
        store.publish(&append("t", &segments)).await.unwrap();
        let ids = ids(&segments);
        store.mark_unused(&[ids[0].clone(), ids[2].clone()], None).await.unwrap();
        let condemned = store.condemn_segments(&ids, LATER_MS, None).await.unwrap();
        assert_eq!(condemned, segments[2..]);
        // Not used either, but nobody asked for it to go.
        store.mark_unused(&ids[1..2], None).await.unwrap();
        assert_eq!(store.condemn_segments(&ids[..1], LATER_MS, None).await.unwrap(), []);
        let condemned = store.condemn_segments(&ids[..2], LATER_MS, None).await.unwrap();
        assert_eq!(condemned, segments[..2]);
    }
}

#[tokio::test]
async fn f_68_f_69_a_coordinator_that_leads_no_more_deletes_nothing() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let ids = ids(&published_days(&*store, 1).await);
        let first = store.acquire_lease("l", "a", 10_000).await.unwrap().fence();
        store.mark_unused(&ids, Some(&first)).await.unwrap();
        store.release_lease(&first).await.unwrap();
        let second = store.acquire_lease("l", "b", 10_000).await.unwrap().fence();
        let fenced = |outcome: bool| assert!(outcome, "refused");
        let of = Some(&first);
        fenced(matches!(store.mark_used(&ids, of).await, Err(MetadataError::Fenced { .. })));
        let condemned = store.condemn_segments(&ids, LATER_MS, of).await;
        fenced(matches!(condemned, Err(MetadataError::Fenced { .. })));
        let of_second = Some(&second);
        assert_eq!(store.condemn_segments(&ids, LATER_MS, of_second).await.unwrap().len(), 1);
        let forgotten = store.forget_condemned(&ids, of).await;
        fenced(matches!(forgotten, Err(MetadataError::Fenced { .. })));
    }
}
