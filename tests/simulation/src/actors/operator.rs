//! Creates the datasources, changes their schemas, hands off by hand, and stops nodes in order.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::body::Body;
use axum::http::Request;
use rand::Rng;
use serde_json::json;

use super::{Stage, any_realtime, pause};
use crate::cluster::{Cluster, REALTIMES};
use crate::model::{DATASOURCES, REPLICATED};

/// Nobody waits longer for a hand-off, which may end with its node.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the datasources that everybody uses.
pub(crate) async fn create_datasources(cluster: &Cluster) -> Result<()> {
    for datasource in DATASOURCES {
        let schema = put_schema(datasource, "DAY")?;
        let answer = cluster.request("operator", REALTIMES[0].0, schema).await;
        let answer = answer.context("no answer")?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status.is_success(), "create a datasource: {said}");
    }
    Ok(())
}

fn put_schema(datasource: &str, segment_granularity: &str) -> Result<Request<Body>> {
    let schema = json!({
        "timestampSpec": {"column": "t"}, "dimensionsSpec": {"useSchemaDiscovery": true},
        "granularitySpec": {"segmentGranularity": segment_granularity},
        "ack": if datasource == REPLICATED { "replicated" } else { "local" },
    });
    let request = Request::put(format!("/v1/datasources/{datasource}"));
    let request = request.header("content-type", "application/json");
    request.body(Body::from(schema.to_string())).context("a request")
}

pub(super) async fn run(stage: Stage) {
    let mut random = stage.random(300);
    while !stage.is_over() {
        pause(&mut random, 15_000).await;
        let name = any_realtime(&mut random);
        match random.random_range(0..10) {
            0..4 => {
                stage.tally.count("hand-offs asked for", 1);
                if let Some((process, node)) = stage.cluster.realtime(name) {
                    let flush = process.spawn(async move { node.flush().await });
                    let _ = tokio::time::timeout(PATIENCE, flush).await;
                }
            }
            4..9 => {
                let granularity = ["DAY", "HOUR", "SIX_HOUR"][random.random_range(0..3)];
                let datasource = DATASOURCES[random.random_range(0..DATASOURCES.len())];
                let Ok(request) = put_schema(datasource, granularity) else { return };
                let answer = stage.cluster.request("operator", name, request).await;
                let changed = answer.is_some_and(|answer| answer.status.is_success());
                stage.tally.count("schema changes", u64::from(changed));
            }
            _ => {
                let Some((process, node)) = stage.cluster.realtime(name) else { continue };
                let drain = process.spawn(async move { node.drain().await });
                let drained = tokio::time::timeout(PATIENCE * 2, drain).await;
                let is_drained = matches!(drained, Ok(Ok(())));
                stage.tally.count("realtime nodes drained", u64::from(is_drained));
                if !process.is_dead() {
                    stage.cluster.kill(name);
                    stage.cluster.revive(name, Duration::from_secs(random.random_range(0..20)));
                }
            }
        }
    }
}
