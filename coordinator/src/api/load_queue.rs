//! `/druid/coordinator/v1/loadqueue`: what nodes were told to load and to drop, and have not done yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use henge_platform::discovery::ServerId;
use henge_platform::http::DruidError;
use henge_types::SegmentId;
use serde_json::{Value, json};

use super::asked::Parameters;
use super::data_segment::{DataSegment, Writer};
use crate::Coordinator;
use crate::inventory::Used;
use crate::snapshot::ServerState;

/// By node: ids; numbers and bytes with `?simple`; whole segments with `?full`.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<BTreeMap<ServerId, Value>>, DruidError> {
    let used = coordinator.used_now().await?;
    coordinator.hosts.follow(&coordinator.discovery.snapshot());
    let servers = coordinator.hosts.servers();
    let shown = |server: &ServerState| match () {
        () if parameters.has("simple") => simple(server, &used),
        () if parameters.has("full") => json!({
            "segmentsToLoad": full(server.coming.keys(), &used),
            "segmentsToDrop": full(server.going.iter(), &used),
        }),
        () => json!({
            "segmentsToLoad": names(server.coming.keys()),
            "segmentsToDrop": names(server.going.iter()),
        }),
    };
    Ok(Json(servers.iter().map(|(name, server)| (Arc::clone(name), shown(server))).collect()))
}

fn simple(server: &ServerState, used: &Used) -> Value {
    let size = |id: &SegmentId| used.get(id).map_or(0, |segment| segment.size_bytes);
    json!({
        "segmentsToLoad": server.coming.len(),
        "segmentsToDrop": server.going.len(),
        "segmentsToLoadSize": server.coming.values().sum::<u64>(),
        "segmentsToDropSize": server.going.iter().map(size).sum::<u64>(),
    })
}

fn names<'i>(ids: impl Iterator<Item = &'i SegmentId>) -> Vec<String> {
    ids.map(ToString::to_string).collect()
}

/// What is not used any more is dropped without anybody knowing more of it than its id.
fn full<'i>(ids: impl Iterator<Item = &'i SegmentId>, used: &Used) -> Vec<DataSegment> {
    let mut writer = Writer::default();
    ids.filter_map(|id| used.get(id)).map(|segment| writer.published(segment)).collect()
}
