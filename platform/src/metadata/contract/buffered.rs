//! What nodes buffer is noted until it is published, whatever becomes of the node.

use std::collections::BTreeSet;

use super::*;

async fn buffered(store: &dyn MetadataStore) -> BTreeSet<(SegmentId, String)> {
    let all = store.buffered_segments().await.unwrap().into_iter();
    all.map(|buffered| (buffered.id, buffered.owner.to_string())).collect()
}

#[tokio::test]
async fn i_09_what_a_node_buffers_is_noted_until_it_is_published() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let seen = *store.commits().borrow();
        let first = store.buffer_segment("a", DS, day(1)).await.unwrap();
        let second = store.buffer_segment("b", DS, day(1)).await.unwrap();
        assert!(*store.commits().borrow() > seen, "observers look again");
        assert_eq!((first.id.partition, second.id.partition), (0, 1));
        let noted = |of: &[(&SegmentId, &str)]| -> BTreeSet<(SegmentId, String)> {
            of.iter().map(|(id, owner)| ((*id).clone(), (*owner).to_owned())).collect()
        };
        assert_eq!(buffered(&*store).await, noted(&[(&first.id, "a"), (&second.id, "b")]));
        // The node comes back: what it buffered stays noted until it has replayed its log.
        assert_eq!(store.forget_pending("a").await.unwrap(), 1);
        assert_eq!(buffered(&*store).await, noted(&[(&first.id, "a"), (&second.id, "b")]));
        let again = store.buffer_segment("a", DS, day(1)).await.unwrap();
        assert!(again.id != first.id && again.id.version == second.id.version);
        store.change_buffered("a", &[], std::slice::from_ref(&first.id)).await.unwrap();
        assert_eq!(buffered(&*store).await, noted(&[(&again.id, "a"), (&second.id, "b")]));
        store.publish(&append("t1", &[published(again.id, again.shard_spec)])).await.unwrap();
        assert_eq!(buffered(&*store).await, noted(&[(&second.id, "b")]));
        // A publication that is refused ends nothing.
        let version = store.allocate_version().await.unwrap();
        store.publish(&replace("t2", version, day(1))).await.unwrap();
        let late = append("t3", &[published(second.id.clone(), second.shard_spec)]);
        assert!(store.publish(&late).await.is_err());
        assert_eq!(buffered(&*store).await, noted(&[(&second.id, "b")]));
        let pieces = [hour(24), hour(25)].map(|hour| SegmentId::new(DS, hour, version, 7));
        store.change_buffered("b", &pieces, std::slice::from_ref(&second.id)).await.unwrap();
        assert_eq!(buffered(&*store).await, noted(&[(&pieces[0], "b"), (&pieces[1], "b")]));
    }
}

/// Batch tasks reserve ids for rows that nobody was told of.
#[tokio::test]
async fn i_09_what_is_only_reserved_is_not_buffered() {
    let (_directory, stores) = stores().await;
    for store in stores {
        allocate(&*store, day(1)).await;
        assert!(buffered(&*store).await.is_empty());
        assert_eq!(store.forget_pending("somebody else").await.unwrap(), 0);
        assert_eq!(store.forget_pending(OWNER).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn rows_whose_time_several_chunks_share_are_buffered_without_a_place() {
    let (_directory, stores) = stores().await;
    for store in stores {
        store.buffer_segment("a", DS, hour(26)).await.unwrap();
        let mut ids = BTreeSet::new();
        for _ in 0..2 {
            let unplaced = store.buffer_segment("a", DS, day(1)).await.unwrap();
            assert_eq!((unplaced.id.version, unplaced.id.interval), (UNPLACED, day(1)));
            assert!(ids.insert(unplaced.id));
        }
        // They are no chunks that lie there.
        let moment = Interval { start_ms: 30 * HOUR_MS, end_ms: 30 * HOUR_MS + 1 };
        let allocation = store.allocate_segment(OWNER, DS, moment, day(1)).await.unwrap();
        assert!(allocation.segment.id.version > UNPLACED);
        assert_eq!(buffered(&*store).await.len(), 3);
    }
}

/// Also through a restart of the store, and not through a rebuild: no manifest says it.
#[tokio::test]
async fn i_09_what_is_buffered_outlives_the_process() {
    for place in places() {
        let store = place.open().await;
        let segment = store.buffer_segment("a", DS, day(1)).await.unwrap();
        let unplaced = store.buffer_segment("a", DS, hour(26)).await.unwrap();
        // No orderly end.
        drop(store);
        let store = place.open().await;
        let expected = [segment.id, unplaced.id].map(|id| (id, "a".to_owned()));
        assert_eq!(buffered(&store).await, expected.into());
        assert!(store.waiting_manifests(10).await.unwrap().is_empty());
    }
}
