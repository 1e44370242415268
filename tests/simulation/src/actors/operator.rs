//! Creates the datasource, changes its schema, and hands off by hand now and then.

use anyhow::{Context, Result, ensure};
use axum::body::Body;
use axum::http::Request;
use rand::Rng;
use serde_json::json;

use super::{Stage, pause};
use crate::cluster::{Cluster, REALTIME};

/// Makes the datasource that everybody uses.
pub(crate) async fn create_datasource(cluster: &Cluster) -> Result<()> {
    let answer = cluster.request("operator", REALTIME, put_schema("DAY")?).await;
    let (status, body) = answer.context("no answer")?;
    ensure!(status.is_success(), "create the datasource: {}", String::from_utf8_lossy(&body));
    Ok(())
}

fn put_schema(segment_granularity: &str) -> Result<Request<Body>> {
    let schema = json!({
        "timestampSpec": {"column": "t"}, "dimensionsSpec": {"useSchemaDiscovery": true},
        "granularitySpec": {"segmentGranularity": segment_granularity},
    });
    let request = Request::put("/v1/datasources/t").header("content-type", "application/json");
    request.body(Body::from(schema.to_string())).context("a request")
}

pub(super) async fn run(stage: Stage) {
    let mut random = stage.random(300);
    while !stage.is_over() {
        pause(&mut random, 20_000).await;
        if random.random_bool(0.5) {
            stage.tally.count("hand-offs asked for", 1);
            if let Some(node) = stage.cluster.realtime() {
                // Whoever waits for it may wait for ever when the node dies.
                let wait = std::time::Duration::from_secs(5);
                let _ = tokio::time::timeout(wait, node.flush()).await;
            }
        } else {
            let granularity = ["DAY", "HOUR", "SIX_HOUR"][random.random_range(0..3)];
            let Ok(request) = put_schema(granularity) else { return };
            let answer = stage.cluster.request("operator", REALTIME, request).await;
            let changed = answer.is_some_and(|(status, _)| status.is_success());
            stage.tally.count("schema changes", u64::from(changed));
        }
    }
}
