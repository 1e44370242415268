//! Servers and tiers as Druid lists them, and what they were told.

use serde_json::json;

use super::*;

fn data_segment(id: &SegmentId, day: i64) -> Value {
    json!({
        "dataSource": "d",
        "interval": id.interval,
        "version": id.version.to_string(),
        "loadSpec": { "type": "henge", "key": format!("segments/d/{day}") },
        "dimensions": "",
        "metrics": "",
        "shardSpec": { "type": "numbered", "partitionNum": 0, "partitions": 0 },
        "binaryVersion": 9,
        "size": 7,
        "identifier": id.to_string(),
    })
}

#[tokio::test(start_paused = true)]
async fn servers_are_listed_as_druid_does() {
    let (api, ids) = Api::over(&[("a", "")], 0..2).await;
    assert_eq!(api.druid("/servers").await, json!(["a"]));
    let simple = json!({
        "host": "a", "tier": "_default_tier", "type": "historical", "priority": 0,
        "currSize": 14, "maxSize": 1000,
    });
    assert_eq!(api.druid("/servers?simple").await, json!([simple]));
    let mut full = simple.clone();
    full["segments"] = json!({
        ids[0].to_string(): data_segment(&ids[0], 0),
        ids[1].to_string(): data_segment(&ids[1], 1),
    });
    assert_eq!(api.druid("/servers?full").await, json!([full]));
    assert_eq!(api.druid("/servers/a").await, full);
    assert_eq!(api.druid("/servers/a?simple").await, simple);
    let names = json!([ids[0].to_string(), ids[1].to_string()]);
    assert_eq!(api.druid("/servers/a/segments").await, names);
    assert_eq!(api.druid("/servers/a/segments?limit=1&offset=1").await, json!([names[1]]));
    assert_eq!(api.druid("/servers/a/segments?full").await[1], data_segment(&ids[1], 1));
    assert_eq!(
        api.druid(&format!("/servers/a/segments/{}", ids[0])).await,
        data_segment(&ids[0], 0)
    );
    let (status, _) = api.ask(Method::GET, &format!("{V1}/servers/b"), "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn tiers_are_listed_as_druid_does() {
    let (api, ids) = Api::over(&[("a", "")], 0..1).await;
    assert_eq!(api.druid("/tiers").await, json!(["_default_tier"]));
    assert_eq!(
        api.druid("/tiers?simple").await,
        json!({ "_default_tier": { "currSize": 7, "maxSize": 1000 } })
    );
    assert_eq!(api.druid("/tiers/_default_tier").await, json!(["d"]));
    assert_eq!(
        api.druid("/tiers/_default_tier?simple").await,
        json!({ "d": { ids[0].interval.to_string(): { "size": 7, "count": 1 } } })
    );
    assert_eq!(api.druid("/tiers/none").await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn what_nodes_were_told_is_listed_until_they_did_it() {
    let (api, ids) = Api::over(&[("a", "")], 0..1).await;
    let host = api.setup.host("b", "");
    *host.mood.lock() = crate::testing::Mood::Hangs;
    let rules = r#"[{"type": "loadForever", "tieredReplicants": {"_default_tier": 2}}]"#;
    api.post(&format!("{V1}/rules/d"), rules).await;
    let running = henge_platform::runtime::spawn({
        let coordinator = Arc::clone(&api.coordinator);
        async move { coordinator.run_woken_by(&tokio::sync::Notify::new()).await }
    });
    api.setup.pass(5_000).await;
    let nothing = json!({ "segmentsToLoad": [], "segmentsToDrop": [] });
    assert_eq!(
        api.druid("/loadqueue").await,
        json!({ "a": nothing, "b": { "segmentsToLoad": [ids[0].to_string()], "segmentsToDrop": [] } })
    );
    assert_eq!(
        api.druid("/loadqueue?simple").await["b"],
        json!({
            "segmentsToLoad": 1, "segmentsToDrop": 0, "segmentsToLoadSize": 7, "segmentsToDropSize": 0,
        })
    );
    let full = json!({ "segmentsToLoad": [data_segment(&ids[0], 0)], "segmentsToDrop": [] });
    assert_eq!(api.druid("/loadqueue?full").await["b"], full);
    // One of the two copies is there.
    assert_eq!(api.druid("/loadstatus").await, json!({ "d": 100.0 }));
    assert_eq!(api.druid("/loadstatus?simple").await, json!({ "d": 0 }));
    assert_eq!(api.druid("/loadstatus?full").await, json!({ "_default_tier": { "d": 1 } }));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn loading_is_told_in_percent_in_segments_and_in_copies() {
    let (api, _) = Api::over(&[("a", "")], 0..3).await;
    api.setup.publish(3..4).await;
    assert_eq!(api.druid("/loadstatus").await, json!({ "d": 75.0 }));
    assert_eq!(api.druid("/loadstatus?simple").await, json!({ "d": 1 }));
    let rules = r#"[{"type": "loadByInterval", "interval": "1970-01-04/1970-01-05",
        "tieredReplicants": {"_default_tier": 5}}, {"type": "loadForever", "tieredReplicants": {}}]"#;
    api.post(&format!("{V1}/rules/d"), rules).await;
    assert_eq!(api.druid("/loadstatus?full").await, json!({ "_default_tier": { "d": 5 } }));
    assert_eq!(
        api.druid("/loadstatus?full&computeUsingClusterView").await,
        json!({ "_default_tier": { "d": 1 } })
    );
    // What stays in deep storage is not waited for.
    assert_eq!(api.druid("/loadstatus").await, json!({ "d": 0.0 }));
    assert_eq!(api.druid("/datasources/d/loadstatus?simple").await, json!({ "d": 1 }));
    assert_eq!(
        api.druid("/datasources/d/loadstatus?interval=1970-01-01/1970-01-02").await,
        json!({ "d": 100.0 })
    );
}
