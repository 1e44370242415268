//! Datasources, intervals and segments that are served.

use henge_platform::discovery::Discovery;
use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn datasources_are_listed_as_druid_does() {
    let (api, ids) = Api::over(&[("a", "")], 0..2).await;
    assert_eq!(api.druid("/datasources").await, json!(["d"]));
    assert_eq!(api.druid("/datasources?offset=1").await, json!([]));
    let simple = json!({
        "tiers": { "_default_tier": { "size": 14, "replicatedSize": 14, "segmentCount": 2 } },
        "segments": {
            "maxTime": "1970-01-03T00:00:00.000Z", "size": 14,
            "minTime": "1970-01-01T00:00:00.000Z", "count": 2, "replicatedSize": 14,
        },
    });
    assert_eq!(
        api.druid("/datasources?simple").await,
        json!([{ "name": "d", "properties": simple }])
    );
    assert_eq!(api.druid("/datasources/d").await, simple);
    let full = api.druid("/datasources/d?full").await;
    assert_eq!((&full["name"], &full["properties"]), (&json!("d"), &json!({})));
    assert_eq!(full["segments"][1]["identifier"], json!(ids[1].to_string()));
    assert_eq!(api.druid("/datasources?full").await, json!([full]));
    assert_eq!(api.druid("/datasources/d/tiers").await, json!(["_default_tier"]));
    for path in ["", "/tiers", "/intervals", "/segments", "/loadstatus"] {
        let path = format!("{V1}/datasources/none{path}");
        let answer = api.ask(Method::GET, &path, "").await;
        assert_eq!(answer, (StatusCode::NO_CONTENT, Value::Null), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn copies_count_in_replicated_sizes_alone() {
    let (api, ids) = Api::over(&[("a", ""), ("b", "")], 0..1).await;
    let announced = api.setup.discovery.snapshot().servers;
    let segment = announced.values().find_map(|server| server.segments.get(&ids[0])).unwrap();
    for name in ["a", "b"] {
        api.setup.discovery.announce(&name.into(), vec![segment.clone()]).unwrap();
    }
    let shown = api.druid("/datasources/d").await;
    assert_eq!(
        shown["tiers"]["_default_tier"],
        json!({ "size": 7, "replicatedSize": 14, "segmentCount": 1 })
    );
    let one = api.druid(&format!("/datasources/d/segments/{}", ids[0])).await;
    assert_eq!(one["servers"], json!(["a", "b"]));
    assert_eq!(one["metadata"]["identifier"], json!(ids[0].to_string()));
}

#[tokio::test(start_paused = true)]
async fn intervals_are_listed_the_latest_first() {
    let (api, ids) = Api::over(&[("a", "")], 0..2).await;
    let (first, second) = (ids[0].interval.to_string(), ids[1].interval.to_string());
    let one = json!({ "size": 7, "count": 1 });
    let all = api.druid("/intervals").await;
    assert_eq!(all, json!({ second.clone(): { "d": one }, first.clone(): { "d": one } }));
    let names: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert_eq!(names, [&second, &first]);
    assert_eq!(
        api.druid("/intervals/1970-01-01_1970-01-03").await,
        json!({ "size": 14, "count": 2 })
    );
    let within = "/intervals/1970-01-01_1970-01-02";
    assert_eq!(api.druid(&format!("{within}?simple")).await, json!({ first.clone(): one }));
    assert_eq!(api.druid(&format!("{within}?full")).await, json!({ first.clone(): { "d": one } }));
    let of = "/datasources/d/intervals";
    assert_eq!(api.druid(of).await, json!([second, first]));
    assert_eq!(api.druid(&format!("{of}?simple")).await[&first], one);
    let full = api.druid(&format!("{of}?full")).await;
    assert_eq!(full[&first][ids[0].to_string()]["servers"], json!(["a"]));
    let day = format!("{of}/1970-01-01_1970-01-02");
    assert_eq!(api.druid(&day).await, json!([ids[0].to_string()]));
    assert_eq!(api.druid(&format!("{day}?simple")).await, json!({ first.clone(): one }));
    assert_eq!(api.druid(&format!("{day}?full")).await[&first], full[&first]);
    let (status, body) = api.ask(Method::GET, &format!("{V1}{of}/yesterday"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
}

#[tokio::test(start_paused = true)]
async fn segments_are_listed_and_handed_off() {
    let (api, ids) = Api::over(&[("a", "")], 0..2).await;
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(api.druid("/datasources/d/segments").await, json!(names));
    assert_eq!(api.druid("/datasources/d/segments?limit=1").await, json!(names[..1]));
    assert_eq!(api.druid("/datasources/d/segments?full").await[0]["identifier"], json!(names[0]));
    let asked = |version: u64| {
        let interval = ids[0].interval;
        format!(
            "/datasources/d/handoffComplete?interval={interval}&partitionNumber=0&version={version}"
        )
    };
    assert_eq!(api.druid(&asked(ids[0].version.0)).await, json!(true));
    assert_eq!(api.druid(&asked(ids[0].version.0 + 1_000)).await, json!(false));
    let (status, body) =
        api.ask(Method::GET, &format!("{V1}/datasources/d/handoffComplete"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(message(&body).contains("interval"), "{body}");
}
