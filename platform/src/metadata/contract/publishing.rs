//! Segments, source position and idempotency keys change together or not at all.

use super::*;
use crate::metadata::manifest::{Manifest, fold};

/// F-40: a damaged object is mended under another key, if its segment is still used and nobody else
/// did it; whoever follows sees it, and so does a rebuild.
#[tokio::test]
async fn f_40_a_used_segment_is_given_another_object_once() {
    let (_directory, stores) = stores().await;
    for store in stores {
        store.make_complete_manifest().await.unwrap();
        let segment = allocate(&*store, day(1)).await;
        let new = SegmentObject { key: "mended".into(), size_bytes: 7, checksum: 9 };
        let replace = async |expected: &SegmentObject, new: &SegmentObject| {
            store.replace_object(&segment.id, expected, new, None).await
        };
        let refused = |outcome: Result<()>| matches!(outcome.unwrap_err(), MetadataError::ObjectChanged(id) if id == segment.id);
        assert!(refused(replace(&segment.object(), &new).await), "not published");
        store.publish(&append("t1", std::slice::from_ref(&segment))).await.unwrap();
        let before = store.used_segments().await.unwrap().sequence;
        let seen = *store.commits().borrow();
        for _ in 0..2 {
            replace(&segment.object(), &new).await.unwrap();
        }
        assert!(*store.commits().borrow() > seen);
        let other = SegmentObject { checksum: 10, ..new.clone() };
        assert!(refused(replace(&segment.object(), &other).await), "somebody else was first");
        let mended = segment.clone().with_object(new.clone());
        let changes = store.segment_changes(before, 10).await.unwrap();
        assert_eq!(changes.changes, [SegmentChange::Used(Box::new(mended.clone()))]);
        assert_eq!(store.used_segments().await.unwrap().segments, std::slice::from_ref(&mended));
        let waiting = store.waiting_manifests(usize::MAX).await.unwrap();
        let decode = |text: &str| Manifest::decode("w", text.as_bytes()).unwrap();
        let all = fold(waiting.iter().map(|manifest| decode(&manifest.text))).unwrap();
        assert_eq!((all.segments, all.unused), (vec![mended], Vec::new()));
        store.mark_unused(std::slice::from_ref(&segment.id), None).await.unwrap();
        assert!(refused(replace(&new, &other).await), "dropped meanwhile");
    }
}

fn advance(expected: u64, next: u64) -> Option<SourceAdvance> {
    let expected = if expected == 0 { SourceMark::default() } else { mark(expected, "") };
    advance_of("wal/events", expected, mark(next, ""))
}

fn record(key: &str, created_ms: i64) -> IdempotencyRecord {
    IdempotencyRecord {
        datasource: DS.into(),
        key: key.into(),
        response_json: format!("{{\"at\":{created_ms}}}"),
        created_ms,
        body_hash: Some("00ff".into()),
    }
}

#[tokio::test]
async fn i_03_one_transaction_brings_segments_position_and_keys() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let segment = allocate(&*store, day(1)).await;
        let request = PublishRequest {
            source: advance(0, 10),
            idempotency: vec![record("k1", 5), record("k2", 6)],
            ..append("t1", std::slice::from_ref(&segment))
        };
        let outcome = store.publish(&request).await.unwrap();
        assert!(!outcome.already_published);
        assert_eq!(mark_of(&*store, "wal/events").await, mark(10, ""));
        assert!(store.source("wal/other").await.unwrap().is_empty());
        assert_eq!(store.used_segments().await.unwrap().segments, [segment]);
        assert_eq!(store.find_idempotency(DS, "k2").await.unwrap(), Some(record("k2", 6)));
        assert_eq!(store.find_idempotency("other", "k2").await.unwrap(), None);
    }
}

#[tokio::test]
async fn keys_age_by_the_time_that_servers_run_after_their_publication() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let publish = |name: &'static str, source, created_ms| {
            let store = store.clone();
            async move {
                let segment = allocate(&*store, day(1)).await;
                let idempotency = vec![record(name, created_ms)];
                let request = PublishRequest { source, idempotency, ..append(name, &[segment]) };
                store.publish(&request).await.unwrap();
            }
        };
        assert_eq!(store.add_uptime(1_000).await.unwrap(), 1_000);
        publish("k1", advance(0, 1), i64::MAX).await;
        assert_eq!(store.add_uptime(500).await.unwrap(), 1_500);
        publish("k2", advance(1, 2), i64::MIN).await;
        assert_eq!(store.prune_idempotency(1_000).await.unwrap(), 0);
        assert_eq!(store.prune_idempotency(1_001).await.unwrap(), 1);
        assert_eq!(store.find_idempotency(DS, "k1").await.unwrap(), None);
        assert!(store.find_idempotency(DS, "k2").await.unwrap().is_some());
    }
}

fn from_to(expected: SourceMark, next: SourceMark) -> Option<SourceAdvance> {
    advance_of("s", expected, next)
}

#[tokio::test]
async fn i_03_a_source_leaves_its_state_with_its_position() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let mut expected = SourceMark::default();
        // The state may change where it is: something beyond the position was published.
        for (name, next) in [("a", mark(4, "a")), ("b", mark(4, "b")), ("c", mark(9, ""))] {
            let source = from_to(std::mem::replace(&mut expected, next.clone()), next.clone());
            let request = PublishRequest { source, ..append(name, &[]) };
            store.publish(&request).await.unwrap();
            assert_eq!(mark_of(&*store, "s").await, next);
        }
        assert!(store.source("t").await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn f_06_of_two_publishing_beyond_one_position_one_wins() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let (a, b) = (allocate(&*store, day(1)).await, allocate(&*store, day(2)).await);
        let start = SourceMark::default;
        let winner =
            PublishRequest { source: from_to(start(), mark(0, "day 1")), ..append("a", &[a]) };
        store.publish(&winner).await.unwrap();
        for next in [mark(0, "day 2"), mark(5, "")] {
            let source = from_to(start(), next);
            let loser = PublishRequest { source, ..append("b", std::slice::from_ref(&b)) };
            let error = store.publish(&loser).await.unwrap_err();
            assert!(matches!(error, MetadataError::SourceConflict { .. }), "{error}");
        }
        store
            .publish(&PublishRequest {
                source: from_to(mark(0, "day 1"), mark(5, "")),
                ..append("c", &[b])
            })
            .await
            .unwrap();
        assert_eq!(used_ids(&*store).await.len(), 2);
        assert_eq!(mark_of(&*store, "s").await, mark(5, ""));
    }
}

#[tokio::test]
async fn f_05_a_transaction_whose_answer_was_lost_is_asked_again() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let segment = allocate(&*store, day(1)).await;
        let request = PublishRequest { source: advance(0, 10), ..append("t1", &[segment]) };
        assert_eq!(store.publication("t1").await.unwrap(), None);
        let first = store.publish(&request).await.unwrap();
        let again = store.publish(&request).await.unwrap();
        assert!(again.already_published);
        assert_eq!(again.sequence, first.sequence);
        assert_eq!(store.publication("t1").await.unwrap(), Some(again));
        assert_eq!(used_ids(&*store).await.len(), 1);
        // Another content under the same id is a mistake of the caller.
        let other = allocate(&*store, day(2)).await;
        let error = store.publish(&append("t1", &[other])).await.unwrap_err();
        assert!(matches!(error, MetadataError::TransactionReused(_)), "{error}");
    }
}

#[tokio::test]
async fn f_06_of_two_publishing_the_same_range_one_wins_and_the_other_learns_where_it_is() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let (a, b) = (allocate(&*store, day(1)).await, allocate(&*store, day(1)).await);
        let winner = PublishRequest { source: advance(0, 10), ..append("a", &[a]) };
        let loser = PublishRequest { source: advance(0, 10), ..append("b", &[b]) };
        let (first, second) = tokio::join!(store.publish(&winner), store.publish(&loser));
        let errors: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
        assert!(
            matches!(&errors[..], [MetadataError::SourceConflict { actual, .. }] if **actual == 10.into()),
            "{errors:?}"
        );
        assert_eq!(used_ids(&*store).await.len(), 1);
        assert_eq!(mark_of(&*store, "wal/events").await, mark(10, ""));
    }
}

#[tokio::test]
async fn f_29_what_fails_changes_nothing() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let stale = allocate(&*store, day(1)).await;
        let version = store.allocate_version().await.unwrap();
        store.publish(&replace("r", version, day(1))).await.unwrap();
        let before = store.used_segments().await.unwrap();
        let fresh = allocate(&*store, day(2)).await;
        let request = PublishRequest {
            source: advance(0, 10),
            idempotency: vec![record("k", 1)],
            ..append("t", &[fresh, stale.clone()])
        };
        let error = store.publish(&request).await.unwrap_err();
        assert!(
            matches!(&error, MetadataError::VersionConflict { ids } if *ids == [stale.id]),
            "{error}"
        );
        assert_eq!(store.used_segments().await.unwrap(), before);
        assert!(store.source("wal/events").await.unwrap().is_empty());
        assert_eq!(store.find_idempotency(DS, "k").await.unwrap(), None);
        assert_eq!(store.publication("t").await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_append_that_would_hide_older_segments_is_refused() {
    let (_directory, stores) = stores().await;
    for store in stores {
        // An hour, and the day around it in a newer version: not what an allocation would give.
        let narrow = allocate(&*store, hour(25)).await;
        let version = store.allocate_version().await.unwrap();
        let wide = SegmentId::new(DS, day(1), version, 0);
        let wide = published(wide, ShardSpec::appended(0));
        store.publish(&append("narrow", &[narrow])).await.unwrap();
        let error = store.publish(&append("wide", &[wide])).await.unwrap_err();
        assert!(matches!(error, MetadataError::VersionConflict { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_replace_drops_only_what_lies_wholly_inside() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let (one, two) = (allocate(&*store, day(1)).await, allocate(&*store, day(2)).await);
        store.publish(&append("t1", &[one.clone(), two.clone()])).await.unwrap();
        let version = store.allocate_version().await.unwrap();
        let an_hour_of_day_two = hour(49);
        let mut request = replace("t2", version, an_hour_of_day_two);
        if let Some(scope) = &mut request.replace {
            scope.intervals = vec![day(1), an_hour_of_day_two];
        }
        let outcome = store.publish(&request).await.unwrap();
        assert_eq!(outcome.replaced, [one.id]);
        assert_eq!(used_ids(&*store).await, [two.id, request.segments[0].id.clone()]);
    }
}

#[tokio::test]
async fn a_replace_that_began_earlier_loses_and_compaction_notices_late_appends() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let first = allocate(&*store, day(1)).await;
        store.publish(&append("t1", std::slice::from_ref(&first))).await.unwrap();
        let (early, late) =
            (store.allocate_version().await.unwrap(), store.allocate_version().await.unwrap());
        let mut compaction = replace("late", late, day(1));
        if let Some(scope) = &mut compaction.replace {
            scope.inputs = Some(vec![first.id]);
        }
        let appended = allocate(&*store, day(1)).await;
        store.publish(&append("t2", &[appended])).await.unwrap();
        let error = store.publish(&compaction).await.unwrap_err();
        assert!(matches!(error, MetadataError::InputsChanged), "{error}");
        store.publish(&replace("late", late, day(1))).await.unwrap();
        let error = store.publish(&replace("early", early, day(1))).await.unwrap_err();
        assert!(matches!(error, MetadataError::VersionConflict { .. }), "{error}");
    }
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let segment = allocate(&*store, day(1)).await;
        let outside = PublishedSegment { max_time_ms: 0, ..segment.clone() };
        let other_partition =
            PublishedSegment { shard_spec: ShardSpec::appended(9), ..segment.clone() };
        let elsewhere = PublishRequest {
            replace: replace("x", Version(1), day(5)).replace,
            ..append("t", std::slice::from_ref(&segment))
        };
        let requests = [
            append("", std::slice::from_ref(&segment)),
            append("t", &[segment.clone(), segment.clone()]),
            append("t", &[outside]),
            append("t", &[other_partition]),
            elsewhere,
            PublishRequest { source: Some(SourceAdvance::default()), ..append("t", &[]) },
        ];
        for request in requests {
            let error = store.publish(&request).await.unwrap_err();
            assert!(matches!(error, MetadataError::Invalid(_)), "{error}");
        }
        store.publish(&append("t", std::slice::from_ref(&segment))).await.unwrap();
        let error = store.publish(&append("u", &[segment])).await.unwrap_err();
        assert!(matches!(error, MetadataError::SegmentExists(_)), "{error}");
    }
}

#[tokio::test]
async fn f_36_incremental_polls_lead_to_the_snapshot() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let start = store.used_segments().await.unwrap();
        assert!(start.complete && start.segments.is_empty());
        let mut segments = Vec::new();
        for number in 0..7 {
            segments.push(allocate(&*store, day(number)).await);
        }
        store.publish(&append("t1", &segments)).await.unwrap();
        let gone = [segments[2].id.clone(), segments[3].id.clone()];
        assert_eq!(store.mark_unused(&gone, None).await.unwrap(), 2);
        assert_eq!(store.mark_unused(&gone, None).await.unwrap(), 0);
        let mut followed = std::collections::BTreeMap::new();
        let mut sequence = start.sequence;
        loop {
            let polled = store.segment_changes(sequence, 3).await.unwrap();
            assert!(polled.changes.len() <= 3 && polled.sequence >= sequence);
            sequence = polled.sequence;
            for change in polled.changes {
                match change {
                    SegmentChange::Used(segment) => {
                        followed.insert(segment.id.clone(), *segment);
                    }
                    SegmentChange::Unused(id) => {
                        followed.remove(&id);
                    }
                }
            }
            if !polled.more {
                break;
            }
        }
        let end = store.used_segments().await.unwrap();
        assert_eq!(followed.into_values().collect::<Vec<_>>(), end.segments);
        assert_eq!(sequence, end.sequence);
        assert_eq!(store.segment_changes(sequence, 3).await.unwrap().changes, []);
    }
}

/// What a node that starts has on its disk: some of it is used, some not any more, some was never.
#[tokio::test]
async fn f_52_what_is_used_is_found_by_its_ids() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let mut segments = Vec::new();
        for number in 0..120 {
            segments.push(allocate(&*store, day(number)).await);
        }
        store.publish(&append("t1", &segments[..119])).await.unwrap();
        store.mark_unused(&[segments[7].id.clone()], None).await.unwrap();
        assert_eq!(store.find_used(&[]).await.unwrap(), []);
        let ids: Vec<_> = segments.iter().map(|segment| segment.id.clone()).collect();
        let mut found = store.find_used(&ids).await.unwrap();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        let mut used: Vec<_> = segments.into_iter().take(119).collect();
        used.remove(7);
        assert_eq!(found, used);
        assert_eq!(store.find_used(&ids[3..4]).await.unwrap(), used[3..4]);
    }
}

/// An observer that sees the number of commits unmoved has missed nothing.
#[tokio::test]
async fn commits_are_counted_when_they_are_there_to_be_read() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let mut commits = store.commits();
        let segment = allocate(store.as_ref(), day(1)).await;
        commits.mark_unchanged();
        store.publish(&append("t1", std::slice::from_ref(&segment))).await.unwrap();
        assert!(commits.has_changed().unwrap());
        commits.mark_unchanged();
        store.mark_unused(&[segment.id], None).await.unwrap();
        assert!(commits.has_changed().unwrap());
    }
}
