//! What is used, served or not.

use henge_platform::metadata::MetadataStore;
use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn used_segments_are_listed_as_druid_does() {
    let (api, ids) = Api::over(&[], 0..3).await;
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(api.druid("/metadata/datasources").await, json!(["d"]));
    let full = api.druid("/metadata/datasources/d").await;
    assert_eq!(full["segments"].as_array().unwrap().len(), 3);
    assert_eq!(api.druid("/metadata/datasources?full").await, json!([full]));
    let of = "/metadata/datasources/d/segments";
    assert_eq!(api.druid(of).await, json!(names));
    assert_eq!(api.druid(&format!("{of}?full")).await, full["segments"]);
    assert_eq!(api.druid(&format!("{of}/{}", names[1])).await, full["segments"][1]);
    let (_, within) = api.post(&format!("{V1}{of}"), r#"["1970-01-02/1970-01-03"]"#).await;
    assert_eq!(within, json!([names[1]]));
    let page = format!("{of}?limit=1&lastSegment={}", names[0]);
    assert_eq!(api.druid(&page).await, json!([names[1]]));
    assert_eq!(api.druid("/metadata/segments").await, full["segments"]);
    assert_eq!(api.druid("/metadata/segments?datasources=x").await, json!([]));
    assert_eq!(api.druid("/metadata/segments?datasources=x&datasources=d").await, full["segments"]);
    let page = format!("/metadata/segments?limit=1&lastSegment={}", names[1]);
    assert_eq!(api.druid(&page).await, json!([full["segments"][2]]));
    let rows = api.druid("/metadata/segments?includeOvershadowedStatus").await;
    let mut row = full["segments"][0].clone();
    row["overshadowed"] = false.into();
    row["replicationFactor"] = 1.into();
    row["numRows"] = 1.into();
    row["realtime"] = false.into();
    assert_eq!(rows[0], row);
    let (status, _) = api.ask(Method::GET, &format!("{V1}{of}/x"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = api.ask(Method::GET, &format!("{V1}/metadata/datasources/x"), "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn unused_ones_are_listed_when_they_are_asked_for() {
    let (api, ids) = Api::over(&[], 0..1).await;
    api.setup.metadata.mark_unused(&ids, None).await.unwrap();
    assert_eq!(api.druid("/metadata/datasources").await, json!([]));
    assert_eq!(api.druid("/metadata/datasources?includeUnused").await, json!(["d"]));
    let path = format!("/metadata/datasources/d/segments/{}?includeUnused", ids[0]);
    assert_eq!(api.druid(&path).await["identifier"], json!(ids[0].to_string()));
}
