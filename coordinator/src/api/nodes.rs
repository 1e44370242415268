//! `/henge/v1/coordinator/nodes`: data nodes as the coordinator sees them, and emptying one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::discovery::{AnnouncedServer, ServerId};
use henge_platform::http::{DruidError, LimitedBody};
use serde::Serialize;

use super::asked::Asker;
use crate::Coordinator;
use crate::config::Said;
use crate::preview::tier_name;
use crate::snapshot::ServerState;

/// A data node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeRow {
    server: ServerId,
    /// `historical` or `realtime`.
    kind: &'static str,
    tier: Arc<str>,
    zone: Arc<str>,
    /// 0 where that was not told.
    capacity_bytes: u64,
    used_bytes: u64,
    segments: usize,
    /// Seconds on CPU threads that queries took of late, as it told last: each counts less the longer it is ago.
    load: f64,
    draining: bool,
    /// False for one that left a short while ago.
    alive: bool,
    queued: Queued,
}

/// What it was told and has not done.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Queued {
    load: usize,
    drop: usize,
}

/// All of them.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
) -> Result<Json<Vec<NodeRow>>, DruidError> {
    Ok(Json(rows(&coordinator).await?.into_values().collect()))
}

/// The node is to be empty from now on.
pub(super) async fn drain(
    State(coordinator): State<Arc<Coordinator>>,
    Path(server): Path<String>,
    asker: Asker,
    _body: LimitedBody,
) -> Result<Json<NodeRow>, DruidError> {
    set_draining(&coordinator, &server, true, asker).await
}

/// The node may hold segments again.
pub(super) async fn undrain(
    State(coordinator): State<Arc<Coordinator>>,
    Path(server): Path<String>,
    asker: Asker,
    _body: LimitedBody,
) -> Result<Json<NodeRow>, DruidError> {
    set_draining(&coordinator, &server, false, asker).await
}

async fn set_draining(
    coordinator: &Coordinator,
    server: &str,
    drains: bool,
    Asker { author, comment }: Asker,
) -> Result<Json<NodeRow>, DruidError> {
    let term = coordinator.leading()?;
    let mut rows = rows(coordinator).await?;
    let Some(mut row) = rows.remove(server) else {
        let server = server.escape_debug();
        return Err(DruidError::not_found(format!("no node '{server}' is known")));
    };
    let said = Said { author, comment, time_ms: Some(coordinator.now_ms()) };
    coordinator.config.drain(&row.server, drains, &said, term.fence.as_ref()).await?;
    coordinator.shared.wake.notify_one();
    row.draining = drains;
    Ok(Json(row))
}

async fn rows(coordinator: &Coordinator) -> Result<BTreeMap<ServerId, NodeRow>, DruidError> {
    let draining = coordinator.config.draining().await?;
    let view = coordinator.discovery.snapshot();
    coordinator.hosts.follow(&view);
    let hosts = coordinator.hosts.servers();
    let mut rows: BTreeMap<ServerId, NodeRow> = BTreeMap::new();
    for (name, server) in &view.servers {
        rows.insert(Arc::clone(name), seen(name, server, hosts.get(name), &draining));
    }
    for (name, server) in coordinator.hosts.away() {
        rows.entry(Arc::clone(&name)).or_insert_with(|| NodeRow {
            draining: draining.contains(&name),
            server: name,
            kind: "historical",
            tier: tier_name(&server.tier),
            zone: server.zone,
            capacity_bytes: 0,
            used_bytes: server.loaded.values().map(|segment| segment.size_bytes).sum(),
            segments: server.loaded.len(),
            load: 0.0,
            alive: false,
            queued: Queued::default(),
        });
    }
    Ok(rows)
}

fn seen(
    name: &ServerId,
    server: &AnnouncedServer,
    host: Option<&ServerState>,
    draining: &BTreeSet<ServerId>,
) -> NodeRow {
    let description = &server.description;
    // An empty sum of these is -0.0.
    let cpu_us = server.loads.segments.iter().fold(0.0, |sum, (_, load)| sum + load.cpu_us);
    NodeRow {
        server: Arc::clone(name),
        kind: super::servers::kind_of(description.kind),
        tier: tier_name(&description.tier),
        zone: Arc::clone(&description.zone),
        capacity_bytes: description.capacity_bytes,
        used_bytes: server.segments.values().map(|segment| segment.size_bytes).sum(),
        segments: server.segments.len(),
        load: cpu_us / 1e6,
        draining: draining.contains(name),
        alive: true,
        queued: host.map_or(Queued::default(), |host| Queued {
            load: host.coming.len(),
            drop: host.going.len(),
        }),
    }
}
