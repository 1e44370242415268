//! `/druid/coordinator/v1/datasources/{name}/segments`: what is served of a datasource, segment by segment.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use henge_platform::discovery::ServerKind;
use henge_platform::http::DruidError;
use henge_types::SegmentId;

use super::asked::Parameters;
use super::data_segment::{DataSegment, Writer};
use super::served::{self, View, nothing};
use crate::Coordinator;
use crate::inventory::of_datasource;

/// Ids; whole segments with `?full`; `?offset=&limit=`.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    served::of_datasource(&coordinator, name, move |served| {
        let place = parameters.page(served.len())?;
        let page = served.iter().skip(place.start).take(place.len());
        if !parameters.has("full") {
            let ids: Vec<String> = page.map(|(id, _)| id.to_string()).collect();
            return Ok(Json(ids).into_response());
        }
        let mut writer = Writer::default();
        let segments: Vec<DataSegment> =
            page.map(|(_, segment)| segment.written_by(&mut writer)).collect();
        Ok(Json(segments).into_response())
    })
    .await
}

/// One segment, and who serves it.
pub(super) async fn one(
    State(coordinator): State<Arc<Coordinator>>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, DruidError> {
    served::of_datasource(&coordinator, name, move |served| {
        let id = id.parse::<SegmentId>().ok();
        let one = id.and_then(|id| served.get(&id));
        Ok(match one.map(|one| one.with_servers(&mut Writer::default())) {
            Some(located) => Json(located).into_response(),
            None => nothing(),
        })
    })
    .await
}

/// Whether historical nodes have what a realtime node handed off: `?interval=&partitionNumber=&version=`.
pub(super) async fn handoff_complete(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Json<bool>, DruidError> {
    let lacks = |field| DruidError::invalid(format!("{field} is missing"));
    let interval = parameters.interval("interval")?.ok_or_else(|| lacks("interval"))?;
    let partition: u32 =
        parameters.number("partitionNumber")?.ok_or_else(|| lacks("partitionNumber"))?;
    let version: u64 = parameters.number("version")?.ok_or_else(|| lacks("version"))?;
    let View { servers, used } = View::of(&coordinator).await?;
    let asked = SegmentId::new(name.as_str(), interval, henge_types::Version(version), partition);
    // Replaced meanwhile: nobody will ever load it.
    let is_newer = |id: &SegmentId| {
        id.version > asked.version && id.interval.contains_interval(&asked.interval)
    };
    let is_replaced = of_datasource(&used, &name).any(|(id, _)| is_newer(id));
    let historical =
        servers.servers.values().filter(|server| server.description.kind == ServerKind::Historical);
    let is_loaded = historical.into_iter().any(|server| server.segments.contains_key(&asked));
    Ok(Json(is_loaded || is_replaced))
}
