//! `/druid/coordinator/v1/datasources`: the datasources that are served, and how much of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use henge_platform::http::DruidError;
use henge_types::{SegmentId, format_timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::asked::Parameters;
use super::compute;
use super::data_segment::{DataSegment, Writer};
use super::served::{self, Segments, Served, View};
use crate::Coordinator;

/// Druid's `ImmutableDruidDataSource`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Full {
    pub name: Arc<str>,
    pub properties: BTreeMap<String, String>,
    pub segments: Vec<DataSegment>,
}

/// Names; with `?simple` sizes, with `?full` segments.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let view = View::of(&coordinator).await?;
    compute(move || {
        let names = names(&view);
        let place = parameters.page(names.len())?;
        let names = &names[place];
        if !parameters.has("full") && !parameters.has("simple") {
            return Ok(Json(json!(names)).into_response());
        }
        let served = view.served(None);
        let shown: Vec<Value> = names
            .iter()
            .map(|name| match parameters.has("full") {
                true => json!(full(name, &served)),
                false => json!({ "name": name, "properties": simple(of(&served, name)) }),
            })
            .collect();
        Ok(Json(shown).into_response())
    })
    .await?
}

/// One of them: sizes, or with `?full` segments.
pub(super) async fn one(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let shown: Arc<str> = name.as_str().into();
    served::of_datasource(&coordinator, name, move |served| {
        Ok(match parameters.has("full") {
            true => Json(full(&shown, served)).into_response(),
            false => Json(simple(of(served, &shown))).into_response(),
        })
    })
    .await
}

/// The tiers that serve some of it.
pub(super) async fn tiers(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
) -> Result<Response, DruidError> {
    served::of_datasource(&coordinator, name, |served| {
        let holders = served.values().flat_map(|segment| &segment.holders);
        let tiers: BTreeSet<&str> = holders.map(|holder| &*holder.tier).collect();
        Ok(Json(json!(tiers)).into_response())
    })
    .await
}

fn names(view: &View) -> Vec<Arc<str>> {
    let ids = view.servers.servers.values().flat_map(|server| server.segments.keys());
    let mut names: Vec<Arc<str>> = Vec::new();
    for id in ids {
        // Segments of a server come by datasource.
        if names.last() != Some(&id.datasource) {
            names.push(Arc::clone(&id.datasource));
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn of<'s>(
    served: &'s Segments<'s>,
    name: &Arc<str>,
) -> impl Iterator<Item = (&'s SegmentId, &'s Served<'s>)> {
    let asked = served.iter().filter(move |(id, _)| id.datasource == *name);
    asked.map(|(id, segment)| (*id, segment))
}

fn full(name: &Arc<str>, served: &Segments<'_>) -> Full {
    let mut writer = Writer::default();
    let segments = of(served, name).map(|(_, segment)| segment.written_by(&mut writer)).collect();
    Full { name: Arc::clone(name), properties: BTreeMap::new(), segments }
}

/// What a tier has of a datasource; copies count once in `size`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfTier {
    size: u64,
    replicated_size: u64,
    segment_count: u64,
}

/// Sizes by tier and of all, as Druid words them.
fn simple<'s>(served: impl Iterator<Item = (&'s SegmentId, &'s Served<'s>)>) -> Value {
    let mut tiers: BTreeMap<&str, OfTier> = BTreeMap::new();
    let (mut count, mut size, mut replicated_size) = (0_u64, 0, 0);
    let (mut min_ms, mut max_ms) = (i64::MAX, i64::MIN);
    for (id, segment) in served {
        let bytes = segment.size_bytes();
        count += 1;
        size += bytes;
        replicated_size += bytes * segment.holders.len() as u64;
        min_ms = min_ms.min(id.interval.start_ms);
        max_ms = max_ms.max(id.interval.end_ms);
        let mut counted = BTreeSet::new();
        for holder in &segment.holders {
            let tier = tiers.entry(&holder.tier).or_default();
            tier.replicated_size += bytes;
            if counted.insert(&holder.tier) {
                tier.size += bytes;
                tier.segment_count += 1;
            }
        }
    }
    json!({
        "tiers": tiers,
        "segments": {
            "maxTime": format_timestamp(max_ms),
            "size": size,
            "minTime": format_timestamp(min_ms),
            "count": count,
            "replicatedSize": replicated_size,
        },
    })
}
