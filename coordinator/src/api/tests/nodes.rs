//! Nodes, tiers and moves.

use henge_platform::discovery::{Discovery, ServerAddress, ServerDescription, ServerKind};
use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn nodes_are_drained_and_filled_again() {
    let (api, ids) = Api::over(&[("a", "x")], 0..2).await;
    let row = json!({
        "server": "a", "kind": "historical", "tier": "_default_tier", "zone": "x",
        "capacityBytes": 1000, "usedBytes": 14, "segments": 2, "load": 0.0, "draining": false,
        "alive": true, "queued": { "load": 0, "drop": 0 },
    });
    assert_eq!(api.get(&format!("{HENGE}/nodes")).await, json!([row]));
    let mut drained = row.clone();
    drained["draining"] = true.into();
    let path = format!("{HENGE}/nodes/a/drain");
    assert_eq!(api.post(&path, "").await, (StatusCode::OK, drained.clone()));
    assert_eq!(api.get(&format!("{HENGE}/nodes")).await, json!([drained]));
    assert_eq!(api.druid("/config").await["decommissioningNodes"], json!(["a"]));
    // Whoever leads next goes by the same: what it has is loaded elsewhere, and goes then.
    api.setup.host("b", "x");
    let next = api.setup.coordinator(1, Leadership::alone());
    let running = henge_platform::runtime::spawn(async move {
        next.run_woken_by(&tokio::sync::Notify::new()).await;
    });
    api.setup.pass(90_000).await;
    running.abort();
    assert!(ids.iter().all(|id| api.setup.holders(id) == ["b".to_owned()].into()));
    assert_eq!(api.delete(&path).await.0, StatusCode::OK);
    assert_eq!(api.druid("/config").await["decommissioningNodes"], json!([]));
    let (status, body) = api.post(&format!("{HENGE}/nodes/c/drain"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(message(&body).contains("'c'"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_left_is_listed_for_a_while() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    api.setup.discovery.leave(&"a".into()).unwrap();
    let nodes = api.get(&format!("{HENGE}/nodes")).await;
    assert_eq!((&nodes[0]["server"], &nodes[0]["alive"]), (&json!("a"), &json!(false)));
    api.setup.pass(40_000).await;
    assert_eq!(api.get(&format!("{HENGE}/nodes")).await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn tiers_have_other_names_that_rules_may_give() {
    let (api, _) = Api::over(&[("a", "")], 0..2).await;
    let description = ServerDescription {
        address: ServerAddress::Network("h:1".into()),
        kind: ServerKind::Historical,
        tier: "hot_1".into(),
        capacity_bytes: 50,
        ..ServerDescription::default()
    };
    api.setup.host("h", "");
    api.setup.discovery.join(&"h".into(), &description).unwrap();
    api.coordinator.run_once().await.unwrap();
    let path = format!("{HENGE}/tiers/hot");
    let (status, body) = api.ask(Method::PUT, &path, r#"{"tier": "hot_1"}"#).await;
    assert_eq!((status, body), (StatusCode::OK, json!({ "hot": ["hot_1"] })));
    let rules = r#"[{"type": "loadForever", "tieredReplicants": {"hot": 1, "_default_tier": 1}}]"#;
    api.post(&format!("{V1}/rules/d"), rules).await;
    api.coordinator.run_once().await.unwrap();
    assert_eq!(
        api.get(&format!("{HENGE}/tiers")).await,
        json!([
            { "tier": "_default_tier", "nodes": 1, "capacityBytes": 1000, "usedBytes": 14,
              "segments": 2, "replicationFactor": 1, "aliases": [] },
            { "tier": "hot_1", "nodes": 1, "capacityBytes": 50, "usedBytes": 14,
              "segments": 2, "replicationFactor": 1, "aliases": ["hot"] },
        ])
    );
    let other = api.ask(Method::PUT, &format!("{HENGE}/tiers/warm"), r#"{"tier": "hot_1"}"#).await;
    assert_eq!(other.0, StatusCode::BAD_REQUEST);
    assert!(message(&other.1).contains("two aliases"), "{}", other.1);
    let none = api.ask(Method::PUT, &path, r#"{"tier": "a", "tiers": ["b"]}"#).await;
    assert_eq!(none.0, StatusCode::BAD_REQUEST);
    assert_eq!(api.delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.delete(&path).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn moves_are_explained() {
    let (api, _) = Api::over(&[("a", "")], 0..2).await;
    // A run more finds nothing to do.
    api.coordinator.run_once().await.unwrap();
    let explained = api.get(&format!("{HENGE}/balancer/explain?limit=3")).await;
    assert_eq!(explained["moves"], json!([]));
    assert!(explained["settled"].is_boolean());
}
