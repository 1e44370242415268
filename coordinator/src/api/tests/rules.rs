//! Rules: set, got, told in their history, tried before they are set.

use serde_json::json;

use super::*;

const DROP_OLD: &str = r#"[{"type": "dropBeforeByPeriod", "period": "P30D"},
    {"type": "loadForever", "tieredReplicants": {"_default_tier": 1}}]"#;

#[tokio::test(start_paused = true)]
async fn f_74_rules_are_set_and_their_history_says_who_did() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    let default = json!([{"type": "loadForever", "tieredReplicants": {"_default_tier": 1}}]);
    assert_eq!(api.druid("/rules").await, json!({ "_default": default }));
    assert_eq!(api.druid("/rules/d").await, json!([]));
    assert_eq!(api.druid("/rules/d?full").await, default);
    let (status, body) = api.post(&format!("{V1}/rules/d"), DROP_OLD).await;
    assert_eq!((status, body), (StatusCode::OK, Value::Null));
    let mut both = serde_json::from_str::<Vec<Value>>(DROP_OLD).unwrap();
    assert_eq!(api.druid("/rules/d").await, json!(both));
    both.extend(default.as_array().unwrap().clone());
    assert_eq!(api.druid("/rules/d?full").await, json!(both));
    let history = api.druid("/rules/d/history?count=5").await;
    let payload: Value = serde_json::from_str(history[0]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload, serde_json::from_str::<Value>(DROP_OLD).unwrap());
    let mut entry = history[0].clone();
    entry["payload"] = "".into();
    assert_eq!(
        entry,
        json!({
            "key": "d", "type": "rules", "payload": "",
            "auditInfo": { "author": "ann", "comment": "why", "ip": "" },
            "auditTime": "1970-01-01T00:00:00.000Z",
        })
    );
    assert_eq!(api.druid("/rules/history").await, history);
    assert_eq!(api.druid("/rules/history?interval=1971/1972").await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn h_103_refused_rules_leave_the_old_ones_and_name_the_field() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    api.post(&format!("{V1}/rules/d"), DROP_OLD).await;
    for (rules, part) in [
        (r#"[{"type": "loadForever", "tieredReplicants": {"a": -1}}]"#, "rule 1: "),
        (r#"[{"type": "loadForever"}, {"type": "dropForever"}]"#, "never match"),
        (r#"[{"type": "loadByPeriod"}]"#, "period"),
        (r#"{"type": "loadForever"}"#, "array of rules"),
        ("", "array of rules"),
    ] {
        let (status, body) = api.post(&format!("{V1}/rules/d"), rules).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{rules}");
        assert!(message(&body).contains(part), "{rules}: {body}");
    }
    let (status, body) = api.post(&format!("{V1}/rules/%20"), DROP_OLD).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert_eq!(api.druid("/rules/d").await, serde_json::from_str::<Value>(DROP_OLD).unwrap());
}

#[tokio::test(start_paused = true)]
async fn f_74_rules_that_drop_segments_say_how_many_and_are_undone() {
    let (api, ids) = Api::over(&[("a", "")], 0..3).await;
    let request = Request::builder().method(Method::POST).uri(format!("{V1}/rules/d"));
    let request = request.body(Body::from(r#"[{"type": "dropForever"}]"#)).unwrap();
    let answer = api.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let warnings = answer.headers()["x-henge-warnings"].to_str().unwrap();
    assert!(warnings.contains("drops 3 of 3 segments of 'd'"), "{warnings}");
    api.coordinator.run_once().await.unwrap();
    assert_eq!(api.druid("/metadata/datasources").await, json!([]));
    // What they would drop again at once is not loaded for that moment.
    let (_, body) = api.post(&format!("{V1}/datasources/d"), "").await;
    assert_eq!(body, json!({ "numChangedSegments": 0, "numDroppedByRules": ids.len() }));
    assert_eq!(api.druid("/metadata/datasources").await, json!([]));
    api.post(&format!("{V1}/rules/d"), "[]").await;
    let (_, body) = api.post(&format!("{V1}/datasources/d"), "").await;
    assert_eq!(body, json!({ "numChangedSegments": ids.len() }));
}

#[tokio::test(start_paused = true)]
async fn f_74_rules_are_tried_before_they_are_set() {
    let (api, _) = Api::over(&[("a", "")], 0..4).await;
    let path = format!("{HENGE}/rules/test");
    let rules = r#"[{"type": "dropByInterval", "interval": "1970-01-01/1970-01-02"},
        {"type": "loadByInterval", "interval": "1970-01-02/1970-01-03", "tieredReplicants": {"hot": 2}},
        {"type": "loadForever", "tieredReplicants": {"_default_tier": 2}}]"#;
    let (status, body) =
        api.post(&path, &format!(r#"{{"datasource": "d", "rules": {rules}}}"#)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let expected = json!({
        "datasources": [{
            "datasource": "d", "segments": 4, "bytes": 28,
            "load": [
                { "tier": "_default_tier", "replicas": 2, "segments": 2, "bytes": 28 },
                { "tier": "hot", "replicas": 2, "segments": 1, "bytes": 14 },
            ],
            "dropped": { "segments": 1, "bytes": 7 },
            "changed": { "loadMore": 3, "loadLess": 1, "drop": 1 },
        }],
        "tiersWithoutNodes": ["hot"],
    });
    assert_eq!(body, expected);
    // As the rules of all, and of a datasource that is not there.
    let (_, body) = api.post(&path, &format!(r#"{{"datasource": null, "rules": {rules}}}"#)).await;
    assert_eq!(body, expected);
    let (_, body) = api.post(&path, &format!(r#"{{"datasource": "x", "rules": {rules}}}"#)).await;
    assert_eq!(body, json!({ "datasources": [], "tiersWithoutNodes": [] }));
    let (status, body) = api.post(&path, r#"{"rules": [{"type": "x"}]}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert_eq!(api.druid("/rules/d").await, json!([]), "nothing was set");
}
