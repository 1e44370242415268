//! Positions of a source with several partitions.

use super::*;
use crate::metadata::manifest::{Manifest, fold};

fn at(position: &str, state: &str) -> SourceMark {
    SourceMark { position: position.into(), state: state.into() }
}

/// Moves partitions, each from what must be committed to what is then.
fn advance(moves: &[(&str, SourceMark, SourceMark)]) -> Option<SourceAdvance> {
    let partition = |(name, expected, next): &(&str, SourceMark, SourceMark)| {
        ((*name).to_owned(), PartitionAdvance { expected: expected.clone(), next: next.clone() })
    };
    let partitions = moves.iter().map(partition).collect();
    Some(SourceAdvance { source_id: "stream".into(), partitions })
}

#[tokio::test]
async fn i_03_partitions_move_together_and_those_not_named_stay() {
    let (_directory, stores) = stores().await;
    for store in stores {
        store.make_complete_manifest().await.unwrap();
        let none = SourceMark::default;
        let source = advance(&[
            ("a", none(), at("5-1", "x")),
            ("b", none(), SourceMark { position: 7.into(), ..none() }),
        ]);
        let segment = allocate(&*store, day(1)).await;
        let request = PublishRequest { source, ..append("t1", &[segment]) };
        store.publish(&request).await.unwrap();
        let source = advance(&[("a", at("5-1", "x"), at("6-0", ""))]);
        store.publish(&PublishRequest { source, ..append("t2", &[]) }).await.unwrap();
        let marks = store.source("stream").await.unwrap();
        let expected = [("a", at("6-0", "")), ("b", SourceMark { position: 7.into(), ..none() })];
        assert_eq!(marks, expected.map(|(name, mark)| (name.to_owned(), mark)).into());
        // A store that is made anew knows them too.
        let waiting = store.waiting_manifests(usize::MAX).await.unwrap();
        let decode = |text: &str| Manifest::decode("w", text.as_bytes()).unwrap();
        let all = fold(waiting.iter().map(|manifest| decode(&manifest.text))).unwrap();
        assert_eq!(all.positions, store.source_positions().await.unwrap());
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(directory.path().join("restored.sqlite"));
        let restored =
            SqlMetadataStore::restore(options, &all, Version(all.version), &[]).await.unwrap();
        assert_eq!(restored.source("stream").await.unwrap(), marks);
    }
}

#[tokio::test]
async fn f_06_a_partition_that_moved_stops_all_of_a_publication_and_is_named() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let none = SourceMark::default;
        let publish = async |name: &str, moves: &[(&str, SourceMark, SourceMark)]| {
            store.publish(&PublishRequest { source: advance(moves), ..append(name, &[]) }).await
        };
        publish("t1", &[("b", none(), at("3", ""))]).await.unwrap();
        let lost = [("a", none(), at("1", "")), ("b", none(), at("4", ""))];
        let error = publish("t2", &lost).await.unwrap_err();
        let MetadataError::SourceConflict { partition, expected, actual, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((&*partition, *expected, *actual), ("b", none().position, "3".into()));
        assert_eq!(store.source("stream").await.unwrap().len(), 1, "nothing of 'a' is kept");
        for wrong in [&[][..], &[("a", none(), none())]] {
            let error = publish("t3", wrong).await.unwrap_err();
            assert!(matches!(error, MetadataError::Invalid(_)), "{error}");
        }
    }
}
