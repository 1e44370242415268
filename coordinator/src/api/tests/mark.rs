//! Dropping and undoing it.

use henge_platform::metadata::MetadataStore;
use serde_json::json;

use super::*;

async fn used(api: &Api) -> Vec<String> {
    let snapshot = api.setup.metadata.used_segments().await.unwrap();
    snapshot.segments.iter().map(|segment| segment.id.to_string()).collect()
}

fn changed(count: u64) -> (StatusCode, Value) {
    (StatusCode::OK, json!({ "numChangedSegments": count }))
}

#[tokio::test(start_paused = true)]
async fn f_44_what_is_dropped_can_be_used_again() {
    let (api, ids) = Api::over(&[("a", "")], 0..4).await;
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let of = format!("{V1}/datasources/d");
    assert_eq!(api.delete(&of).await, changed(4));
    assert_eq!(used(&api).await.len(), 0);
    assert_eq!(api.delete(&of).await, changed(0));
    let two_days = r#"{"interval": "1970-01-01/1970-01-03"}"#;
    assert_eq!(api.post(&format!("{of}/markUsed"), two_days).await, changed(2));
    assert_eq!(used(&api).await, names[..2]);
    let one = format!(r#"{{"segmentIds": ["{}"]}}"#, names[0]);
    assert_eq!(api.post(&format!("{of}/markUnused"), &one).await, changed(1));
    assert_eq!(api.post(&format!("{of}/markUsed"), &one).await, changed(1));
    assert_eq!(api.post(&of, "").await, changed(2));
    assert_eq!(used(&api).await, names);
    let segment = format!("{of}/segments/{}", names[3]);
    let state = |changed: bool| (StatusCode::OK, json!({ "segmentStateChanged": changed }));
    assert_eq!(api.delete(&segment).await, state(true));
    assert_eq!(api.delete(&segment).await, state(false));
    assert_eq!(api.post(&segment, "").await, state(true));
    let audit = api.get(&format!("{HENGE}/audit/d")).await;
    let actions: Vec<_> = audit.as_array().unwrap().iter().map(|entry| &entry["type"]).collect();
    assert_eq!(actions.len(), 7);
    assert_eq!(
        (actions[0], actions[1]),
        (&json!("segment.markUsed"), &json!("segment.markUnused"))
    );
    assert_eq!((&audit[6]["author"], &audit[6]["segments"]), (&json!("ann"), &json!(4)));
}

#[tokio::test(start_paused = true)]
async fn what_newer_segments_hide_is_not_used_again() {
    let (api, ids) = Api::over(&[("a", "")], 0..1).await;
    let metadata = &api.setup.metadata;
    let version = metadata.allocate_version().await.unwrap();
    let old = metadata.find_used(&ids).await.unwrap().remove(0);
    let id = SegmentId::new("d", ids[0].interval, version, 0);
    let shard_spec = henge_types::ShardSpec::SINGLE;
    let new = henge_platform::metadata::PublishedSegment { id, shard_spec, ..old };
    let replace = henge_platform::metadata::ReplaceScope {
        datasource: "d".into(),
        intervals: vec![ids[0].interval],
        inputs: None,
    };
    let request = henge_platform::metadata::PublishRequest {
        transaction_id: "replace".into(),
        segments: vec![new.clone()],
        replace: Some(replace),
        ..Default::default()
    };
    metadata.publish(&request).await.unwrap();
    assert_eq!(api.post(&format!("{V1}/datasources/d"), "").await, changed(0));
    // Once that is dropped too, the newest of them comes back, and not what it hid.
    api.delete(&format!("{V1}/datasources/d")).await;
    assert_eq!(api.post(&format!("{V1}/datasources/d"), "").await, changed(1));
    assert_eq!(used(&api).await, [new.id.to_string()]);
    // But the older one does when that is what is asked for.
    api.delete(&format!("{V1}/datasources/d")).await;
    let versions =
        format!(r#"{{"interval": "1970-01-01/1970-01-02", "versions": ["{}"]}}"#, ids[0].version);
    assert_eq!(api.post(&format!("{V1}/datasources/d/markUsed"), &versions).await, changed(1));
    assert_eq!(used(&api).await, [ids[0].to_string()]);
}

#[tokio::test(start_paused = true)]
async fn h_35_h_105_what_is_not_meant_is_refused() {
    let (api, _) = Api::over(&[("a", "")], 0..1).await;
    let of = format!("{V1}/datasources/d");
    let foreign = "e_1970-01-01T00:00:00.000Z_1970-01-02T00:00:00.000Z_000000000001";
    let unknown = "d_1970-01-01T00:00:00.000Z_1970-01-02T00:00:00.000Z_000000000099";
    for (body, status, part) in [
        ("{}", 400, "interval"),
        (r#"{"segmentIds": []}"#, 400, "no empty list"),
        (r#"{"interval": "1970/1971", "segmentIds": ["x"]}"#, 400, "one of them"),
        (r#"{"intervall": "1970/1971"}"#, 400, "intervall"),
        (r#"{"segmentIds": ["d_1970"]}"#, 400, "d_1970"),
        (&format!(r#"{{"segmentIds": ["{foreign}"]}}"#), 400, "another datasource"),
        (&format!(r#"{{"segmentIds": ["{unknown}"]}}"#), 404, "000000000099"),
    ] {
        let (was, answer) = api.post(&format!("{of}/markUsed"), body).await;
        assert_eq!(was.as_u16(), status, "{body}: {answer}");
        assert!(message(&answer).contains(part), "{body}: {answer}");
    }
    let (status, body) = api.delete(&format!("{of}/intervals/eternity")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(message(&body).contains("confirm"), "{body}");
    assert_eq!(used(&api).await.len(), 1);
}
