//! What operators set while the coordinator runs.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn settings_are_set_shown_and_told_in_their_history() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    let path = format!("{V1}/config");
    assert_eq!(
        api.druid("/config").await,
        json!({
            "millisToWaitBeforeDeleting": 900000, "maxSegmentsToMove": 0,
            "replicationThrottleLimit": 5000, "maxSegmentsInNodeLoadingQueue": 1000,
            "killDataSourceWhitelist": [], "killUnusedSegments": true,
            "killUnpublishedUploads": false,
            "killDurationToRetain": "P90D", "killBufferPeriod": "P30D",
            "decommissioningNodes": [], "pauseCoordination": false, "historicalTierAliases": {},
        })
    );
    let set = r#"{"maxSegmentsToMove": 9, "replicantLifetime": 15, "decommissioningNodes": ["a:1"],
        "historicalTierAliases": {"hot": ["hot_1"]}, "killDurationToRetain": "P7D"}"#;
    let (status, body) = api.post(&path, set).await;
    assert_eq!(
        (status, body),
        (
            StatusCode::OK,
            json!({
                "keptWithoutEffect": ["replicantLifetime"], "warnings": ["tier 'hot_1' has no nodes"],
            })
        )
    );
    api.post(&path, r#"{"pauseCoordination": true}"#).await;
    let shown = api.druid("/config").await;
    for (name, value) in [
        ("maxSegmentsToMove", json!(9)),
        ("replicantLifetime", json!(15)),
        ("decommissioningNodes", json!(["a"])),
        ("historicalTierAliases", json!({ "hot": ["hot_1"] })),
        ("killDurationToRetain", json!("P7D")),
        ("pauseCoordination", json!(true)),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    let history = api.druid("/config/history?count=1").await;
    assert_eq!(history.as_array().unwrap().len(), 1);
    assert_eq!(history[0]["key"], json!("coordinator.config"));
    assert_eq!(history[0]["auditInfo"], json!({ "author": "ann", "comment": "why", "ip": "" }));
    let payload: Value = serde_json::from_str(history[0]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["pauseCoordination"], json!(true));
    assert_eq!(api.druid("/config/history").await.as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn h_103_what_is_refused_changes_nothing() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    let before = api.druid("/config").await;
    for (body, part) in [
        (r#"{"maxSegmentToMove": 1}"#, "maxSegmentToMove"),
        (r#"{"decommissioningNodes": ["a"], "maxSegmentsToMove": "many"}"#, "maxSegmentsToMove"),
        (r#"{"decommissioningNodes": ["a"], "historicalTierAliases": {"a": []}}"#, "names no tier"),
        (r#"{"historicalTierAliases": {"a": ["a"]}}"#, "stands for itself"),
        (r#"{"historicalTierAliases": {"a": ["hot\nWARN"]}}"#, "tier name"),
        (r#"{"killDataSourceWhitelist": ["a\u0000b"]}"#, "killDataSourceWhitelist"),
        (r#"{"decommissioningNodes": ["a\nb"]}"#, "decommissioningNodes"),
        (r#"{"maxSegmentsToMove": 1, "maxSegmentsToMove": 2}"#, "given twice"),
        (r#"{"killBufferPeriod": "a month"}"#, "killBufferPeriod"),
    ] {
        let (status, answer) = api.post(&format!("{V1}/config"), body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(message(&answer).contains(part), "{body}: {answer}");
    }
    assert_eq!(api.druid("/config").await, before);
}

#[tokio::test(start_paused = true)]
async fn a_paused_coordinator_plans_nothing() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    api.post(&format!("{V1}/config"), r#"{"pauseCoordination": true}"#).await;
    let ids = api.setup.publish(1..2).await;
    api.coordinator.run_once().await.unwrap();
    assert!(api.setup.holders(&ids[0]).is_empty());
    api.post(&format!("{V1}/config"), r#"{"pauseCoordination": false}"#).await;
    api.coordinator.run_once().await.unwrap();
    assert!(!api.setup.holders(&ids[0]).is_empty());
}

#[tokio::test(start_paused = true)]
async fn h_103_what_may_not_be_meant_is_said() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    let set = r#"{"maxSegmentsInNodeLoadingQueue": 0, "replicationThrottleLimit": 0,
        "decommissioningNodes": ["a", "x"]}"#;
    let (_, body) = api.post(&format!("{V1}/config"), set).await;
    let warnings = body["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 3, "{body}");
    assert_eq!(warnings[2], json!("no node 'x' is known"));
    let (status, body) =
        api.ask(Method::PUT, &format!("{HENGE}/tiers/fast"), r#"{"tier": "hott"}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert!(message(&body).contains("?force=true"), "{body}");
}
