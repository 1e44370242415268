//! `/druid/coordinator/v1/servers` and `/tiers`: who serves segments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use henge_platform::discovery::{AnnouncedServer, ServerId, ServerKind};
use henge_platform::http::DruidError;
use henge_types::SegmentId;
use serde::Serialize;
use serde_json::{Value, json};

use super::asked::Parameters;
use super::data_segment::{DataSegment, Writer};
use super::served::{Extent, View};
use super::{compute, stream};
use crate::Coordinator;
use crate::inventory::Used;
use crate::preview::tier_name;

/// Druid's name of a kind of server.
pub(super) fn kind_of(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Historical => "historical",
        ServerKind::Realtime => "realtime",
    }
}

/// A server without its segments.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Simple {
    host: ServerId,
    tier: Arc<str>,
    #[serde(rename = "type")]
    kind: &'static str,
    priority: i32,
    curr_size: u64,
    max_size: u64,
}

/// A server with all of them.
#[derive(Debug, Clone, Serialize)]
struct Full {
    #[serde(flatten)]
    server: Simple,
    segments: BTreeMap<String, DataSegment>,
}

impl Simple {
    fn of(name: &ServerId, server: &AnnouncedServer) -> Self {
        Self {
            host: Arc::clone(name),
            tier: tier_name(&server.description.tier),
            kind: kind_of(server.description.kind),
            priority: server.segments.values().next().map_or(0, |segment| segment.priority),
            curr_size: server.segments.values().map(|segment| segment.size_bytes).sum(),
            max_size: server.description.capacity_bytes,
        }
    }
}

impl Full {
    fn of(name: &ServerId, server: &AnnouncedServer, used: &Used) -> Self {
        let segments = data_segments(server, used);
        Self { server: Simple::of(name, server), segments: segments.collect() }
    }
}

fn data_segments<'s>(
    server: &'s AnnouncedServer,
    used: &'s Used,
) -> impl Iterator<Item = (String, DataSegment)> + 's {
    let mut writer = Writer::default();
    server.segments.iter().map(move |(id, announced)| {
        let written = match used.get(id) {
            Some(segment) => writer.published(segment),
            None => writer.announced(announced),
        };
        (id.to_string(), written)
    })
}

/// Names; with `?simple` how full they are; with `?full` all of their segments.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let View { servers, used } = View::of(&coordinator).await?;
    let servers = servers.servers;
    if parameters.has("full") {
        let full = servers.into_iter().map(move |(name, server)| Full::of(&name, &server, &used));
        return Ok(stream::json_array(full));
    }
    if parameters.has("simple") {
        let simple: Vec<Simple> =
            servers.iter().map(|(name, server)| Simple::of(name, server)).collect();
        return Ok(Json(simple).into_response());
    }
    Ok(Json(servers.into_keys().collect::<Vec<_>>()).into_response())
}

/// One server, with its segments unless `?simple`.
pub(super) async fn one(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let Found { name, server, used } = find(&coordinator, &name).await?;
    if parameters.has("simple") {
        return Ok(Json(Simple::of(&name, &server)).into_response());
    }
    let full = compute(move || Full::of(&name, &server, &used)).await?;
    Ok(Json(full).into_response())
}

/// The ids of what it serves; whole segments with `?full`.
pub(super) async fn segments(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let Found { server, used, .. } = find(&coordinator, &name).await?;
    let place = parameters.page(server.segments.len())?;
    let ids: Vec<SegmentId> =
        server.segments.keys().skip(place.start).take(place.len()).cloned().collect();
    if !parameters.has("full") {
        return Ok(stream::json_array(ids.into_iter().map(|id| id.to_string())));
    }
    let mut writer = Writer::default();
    Ok(stream::json_array(ids.into_iter().filter_map(move |id| {
        let announced = server.segments.get(&id)?;
        Some(match used.get(&id) {
            Some(segment) => writer.published(segment),
            None => writer.announced(announced),
        })
    })))
}

/// One segment that it serves.
pub(super) async fn segment(
    State(coordinator): State<Arc<Coordinator>>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, DruidError> {
    let Found { server, used, .. } = find(&coordinator, &name).await?;
    let announced = id.parse::<SegmentId>().ok().and_then(|id| server.segments.get(&id));
    let Some(announced) = announced else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let mut writer = Writer::default();
    let written = match used.get(&announced.id) {
        Some(segment) => writer.published(segment),
        None => writer.announced(announced),
    };
    Ok(Json(written).into_response())
}

struct Found {
    name: ServerId,
    server: AnnouncedServer,
    used: Arc<Used>,
}

async fn find(coordinator: &Coordinator, name: &str) -> Result<Found, DruidError> {
    let View { mut servers, used } = View::of(coordinator).await?;
    match servers.servers.remove_entry(name) {
        Some((name, server)) => Ok(Found { name, server, used }),
        None => {
            let name = name.escape_debug();
            Err(DruidError::not_found(format!("no server '{name}' is known")))
        }
    }
}

/// The names of the tiers of historical nodes; with `?simple` how full they are.
pub(super) async fn tiers(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let mut sizes: BTreeMap<Arc<str>, (u64, u64)> = BTreeMap::new();
    for (name, server) in coordinator.discovery.snapshot().servers {
        if server.description.kind == ServerKind::Historical {
            let Simple { tier, curr_size, max_size, .. } = Simple::of(&name, &server);
            let size = sizes.entry(tier).or_default();
            *size = (size.0.saturating_add(curr_size), size.1.saturating_add(max_size));
        }
    }
    if !parameters.has("simple") {
        return Ok(Json(json!(sizes.keys().collect::<Vec<_>>())));
    }
    let shown = |(curr, max): &(u64, u64)| json!({ "currSize": curr, "maxSize": max });
    let sizes: BTreeMap<_, _> = sizes.iter().map(|(tier, size)| (tier, shown(size))).collect();
    Ok(Json(json!(sizes)))
}

/// The datasources that a tier serves; with `?simple` how much of them, by interval.
pub(super) async fn datasources_of_tier(
    State(coordinator): State<Arc<Coordinator>>,
    Path(tier): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let view = View::of(&coordinator).await?;
    let is_simple = parameters.has("simple");
    compute(move || {
        let served = view.served(None);
        let of_tier = served
            .iter()
            .filter(|(_, segment)| segment.holders.iter().any(|holder| *holder.tier == *tier));
        if !is_simple {
            let names: BTreeSet<&str> = of_tier.map(|(id, _)| &*id.datasource).collect();
            return Json(json!(names));
        }
        let mut extents: BTreeMap<&str, BTreeMap<String, Extent>> = BTreeMap::new();
        for (id, segment) in of_tier {
            let extents = extents.entry(&id.datasource).or_default();
            extents.entry(id.interval.to_string()).or_default().add(segment);
        }
        Json(json!(extents))
    })
    .await
}
