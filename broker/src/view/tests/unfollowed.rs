//! What nobody followed: a server that comes with all it has, and segments of which only their load is told.

use super::*;

/// What a server buffers is followed change by change: nobody saw what it opened and published while it was
/// out of sight, and the metadata were read before that.
#[tokio::test]
async fn i_09_a_server_that_comes_with_all_it_has_is_not_believed_without_the_metadata() {
    let store = MemoryMetadataStore::new();
    let discovery = Arc::new(InProcessDiscovery::new());
    let views = ClusterViews::new(discovery.clone(), Arc::new(store.of_another_process()));
    let (rt, spec) = (ServerId::from("rt"), ShardSpec::appended);
    let sink = announced(&id(0), spec(0), true);
    discovery.announce(&rt, vec![sink.clone()]).unwrap();
    assert_eq!(views.current().await.unwrap().tables["t"].buffered.len(), 1);
    for number in 1..4 {
        if number == 2 {
            discovery.leave(&rt).unwrap();
        }
        let segments = vec![published(&id(number), spec(number))];
        let transaction_id = number.to_string();
        let request = PublishRequest { transaction_id, segments, ..Default::default() };
        store.publish(&request).await.unwrap();
        let mut all = vec![sink.clone()];
        // The last one is loaded elsewhere by now.
        all.extend((1..=number.min(2)).map(|of| announced(&id(of), spec(of), false)));
        discovery.replace(&rt, all).unwrap();
        let view = views.current().await.unwrap();
        assert_eq!(view.tables["t"].timeline.len(), number as usize);
        assert_eq!(view.tables["t"].lost.len(), usize::from(number == 3));
    }
}

#[tokio::test]
async fn f_28_i_09_a_server_that_comes_while_the_metadata_are_away_makes_answers_marked() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path().join("m.sqlite"));
    let metadata = Arc::new(SqlMetadataStore::open(options).await.unwrap());
    let discovery = Arc::new(InProcessDiscovery::new());
    let views = ClusterViews::new(discovery.clone(), metadata.clone());
    let (rt, spec) = (ServerId::from("rt"), ShardSpec::appended(0));
    let sink = |number| announced(&id(number), spec, true);
    discovery.announce(&rt, vec![sink(0)]).unwrap();
    views.current().await.unwrap();
    metadata.close().await;
    // That they are away stops nobody while all is seen.
    discovery.announce(&rt, vec![sink(1)]).unwrap();
    let view = views.current().await.unwrap();
    assert!(view.metadata.away.is_none() && view.tables["t"].buffered.len() == 2);
    discovery.replace(&rt, vec![sink(0), sink(1)]).unwrap();
    let view = views.current().await.unwrap();
    assert!(view.metadata.away.is_some() && view.tables["t"].buffered.len() == 2);
}

/// Once a coordinator sees that a segment is served it says that all is loaded: whoever asks then gets its rows,
/// although another process published it, of which this one is told nothing.
#[tokio::test]
async fn a_segment_that_somebody_loaded_is_answered_for_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.sqlite");
    let open = async || {
        let opened = SqlMetadataStore::open(SqliteOptions::new(path.clone())).await;
        Arc::new(opened.unwrap())
    };
    let (metadata, elsewhere) = (open().await, open().await);
    let discovery = Arc::new(InProcessDiscovery::new());
    let views = ClusterViews::new(discovery.clone(), metadata);
    assert!(views.current().await.unwrap().tables.is_empty());
    let spec = ShardSpec::appended(0);
    let segments = vec![published(&id(0), spec)];
    let request = PublishRequest { transaction_id: "1".into(), segments, ..Default::default() };
    elsewhere.publish(&request).await.unwrap();
    assert!(views.current().await.unwrap().tables.is_empty(), "nobody said so");
    discovery.announce(&"h".into(), vec![announced(&id(0), spec, false)]).unwrap();
    let view = views.current().await.unwrap();
    assert_eq!(view.tables["t"].timeline.len(), 1);
    assert!(view.is_served(&id(0)));
}
