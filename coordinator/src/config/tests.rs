//! Settings in a store.

use henge_platform::metadata::MemoryMetadataStore;
use serde_json::json;

use super::*;

fn change(json: &str, time_ms: i64) -> ConfigChange {
    let config = DynamicConfig::parse(json.as_bytes()).unwrap();
    ConfigChange { config, author: "ann".into(), comment: "why".into(), time_ms }
}

#[tokio::test]
async fn what_is_set_stays_until_it_is_set_again() {
    let store = ConfigStore::new(Arc::new(MemoryMetadataStore::new()));
    assert_eq!(store.get().await.unwrap(), DynamicConfig::default());
    let first =
        r#"{"maxSegmentsToMove": 7, "mergeBytesLimit": 5, "killDataSourceWhitelist": "a, b"}"#;
    store.merge(change(first, 1), None).await.unwrap();
    store
        .merge(change(r#"{"maxSegmentsToMove": 8, "pauseCoordination": true}"#, 2), None)
        .await
        .unwrap();
    let config = store.get().await.unwrap();
    assert_eq!(config.max_segments_to_move, Some(8));
    assert_eq!(config.pause_coordination, Some(true));
    assert_eq!(config.kill_data_source_whitelist, Some(["a".into(), "b".into()].into()));
    assert_eq!(config.without_effect.get("mergeBytesLimit"), Some(&json!(5)));
    let history = store.history(10).await.unwrap();
    let moves: Vec<_> =
        history.iter().map(|c| (c.time_ms, c.config.max_segments_to_move)).collect();
    assert_eq!(moves, [(2, Some(8)), (1, Some(7))]);
}

#[test]
fn h_103_a_field_that_is_none_is_named() {
    for (json, part) in [
        (r#"{"maxSegmentToMove": 7}"#, "'maxSegmentToMove' is unknown"),
        (r#"{"maxSegmentsToMove": -1}"#, "'maxSegmentsToMove'"),
        (r#"{"pauseCoordination": "yes"}"#, "'pauseCoordination'"),
        ("[]", "an object of fields"),
        (r#"{"": {"enabled": true}}"#, "'' is unknown"),
    ] {
        let error = DynamicConfig::parse(json.as_bytes()).unwrap_err();
        assert!(error.contains(part), "{json}: {error}");
    }
}

fn said(time_ms: i64) -> Said {
    Said { author: "ann".into(), comment: "disk".into(), time_ms: Some(time_ms) }
}

#[tokio::test]
async fn nodes_that_drain_are_kept() {
    let store = ConfigStore::new(Arc::new(MemoryMetadataStore::new()));
    let (a, b): (ServerId, ServerId) = ("a".into(), "b".into());
    store.drain(&a, true, &said(5), None).await.unwrap();
    store.drain(&b, true, &said(5), None).await.unwrap();
    store.drain(&a, false, &said(6), None).await.unwrap();
    assert_eq!(store.draining().await.unwrap(), [Arc::clone(&b)].into());
    let before = store.read().await.unwrap().stamp;
    store.drain(&b, true, &said(5), None).await.unwrap();
    assert_eq!(store.read().await.unwrap().stamp, before, "nothing changed");
    store.drain_only([a.clone()].into(), &Said::default(), None).await.unwrap();
    assert_eq!(store.read().await.unwrap().draining, [a].into());
    let history = store.history(10).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|c| (c.time_ms, c.config.decommissioning_nodes.clone().unwrap()))
        .collect();
    let nodes = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    assert_eq!(told, [(6, nodes(&["b"])), (5, nodes(&["a", "b"])), (5, nodes(&["a"]))]);
    assert_eq!(history[0].author, "ann");
}

/// What is stored is read for ever.
#[test]
fn the_stored_form_is_this() {
    let stored = r#"{"config":{"maxSegmentsToMove":7,"decommissioningNodes":["a"],"replicantLifetime":15},"author":"ann","comment":"why","timeMs":1}"#;
    let change: ConfigChange = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string(&change).unwrap(), stored);
    for draining in [
        r#"{"servers":["historical-1"]}"#,
        r#"{"servers":["historical-1"],"author":"ann","comment":"disk","timeMs":5}"#,
    ] {
        let read: Draining = serde_json::from_str(draining).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), draining);
    }
}
