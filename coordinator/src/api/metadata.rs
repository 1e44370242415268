//! `/druid/coordinator/v1/metadata`: what is used, served or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use henge_platform::http::{DruidError, LimitedBody};
use henge_platform::metadata::{PublishedSegment, UnusedFilter};
use henge_types::{Interval, SegmentId, Timeline, condense};
use serde::Serialize;

use super::asked::Parameters;
use super::data_segment::{DataSegment, Writer};
use super::datasources::Full;
use super::served::nothing;
use super::{compute, stream};
use crate::Coordinator;
use crate::inventory::{Used, of_datasource};

/// The names of datasources with used segments; `?includeUnused` adds those with unused ones, `?full` all
/// segments that are used.
pub(super) async fn datasources(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let used = coordinator.used_now().await?;
    let mut names = names(&used);
    if parameters.has("full") {
        let full = names.into_iter().map(move |name| full(name, &used));
        return Ok(stream::json_array(full));
    }
    if parameters.has("includeUnused") {
        let unused = coordinator.metadata.unused_segments(&UnusedFilter::default()).await?;
        names.extend(unused.into_iter().map(|one| one.segment.id.datasource));
    }
    let place = parameters.page(names.len())?;
    Ok(Json(names.into_iter().skip(place.start).take(place.len()).collect::<Vec<_>>())
        .into_response())
}

/// One datasource with its used segments.
pub(super) async fn datasource(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
) -> Result<Response, DruidError> {
    let used = coordinator.used_now().await?;
    compute(move || match of_datasource(&used, &name).next() {
        Some((id, _)) => Json(full(Arc::clone(&id.datasource), &used)).into_response(),
        None => nothing(),
    })
    .await
}

/// The ids of its used segments; whole segments with `?full`; `?limit=&lastSegment=`.
pub(super) async fn segments_of(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    listed(&coordinator, &name, &[Interval::ETERNITY], &parameters).await
}

/// The same of the segments that share time with some intervals, an array in the body.
pub(super) async fn segments_within(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
    LimitedBody(body): LimitedBody,
) -> Result<Response, DruidError> {
    let intervals: Vec<Interval> = serde_json::from_slice(&body)
        .map_err(|error| DruidError::invalid(format!("write an array of intervals: {error}")))?;
    listed(&coordinator, &name, &condense(intervals), &parameters).await
}

async fn listed(
    coordinator: &Coordinator,
    name: &str,
    intervals: &[Interval],
    parameters: &Parameters,
) -> Result<Response, DruidError> {
    let used = coordinator.used_now().await?;
    let page = Page::of(parameters)?;
    let is_asked = |id: &SegmentId| intervals.iter().any(|i| i.overlaps(&id.interval));
    let asked = of_datasource(&used, name).filter(|(id, _)| is_asked(id) && page.is_after(id));
    let segments: Vec<Arc<PublishedSegment>> =
        asked.take(page.limit).map(|(_, segment)| Arc::clone(segment)).collect();
    if segments.is_empty() && of_datasource(&used, name).next().is_none() {
        return Ok(nothing());
    }
    if !parameters.has("full") {
        return Ok(stream::json_array(segments.into_iter().map(|one| one.id.to_string())));
    }
    let mut writer = Writer::default();
    Ok(stream::json_array(segments.into_iter().map(move |one| writer.published(&one))))
}

/// One used segment; with `?includeUnused` also one that is not.
pub(super) async fn segment(
    State(coordinator): State<Arc<Coordinator>>,
    Path((name, id)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<Json<DataSegment>, DruidError> {
    let unknown = || {
        let id = id.escape_debug();
        DruidError::not_found(format!("no segment '{id}' of this datasource is used"))
    };
    let parsed: SegmentId = id.parse().map_err(|_| unknown())?;
    if *parsed.datasource != *name {
        return Err(unknown());
    }
    let mut writer = Writer::default();
    if let Some(segment) = coordinator.used_now().await?.get(&parsed) {
        return Ok(Json(writer.published(segment)));
    }
    if parameters.has("includeUnused") {
        let unused = coordinator.unused_of(&name, parsed.interval).await?;
        if let Some(one) = unused.iter().find(|one| one.segment.id == parsed) {
            return Ok(Json(writer.published(&one.segment)));
        }
    }
    Err(unknown())
}

/// A used segment and, when it was asked for, how it stands.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    segment: DataSegment,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    overshadowed: bool,
    /// Copies that rules ask for, in all tiers.
    replication_factor: u32,
    num_rows: u64,
    realtime: bool,
}

/// All used segments, of the datasources named by `?datasources=` or of all; `?includeOvershadowedStatus`;
/// `?limit=&lastSegment=`.
pub(super) async fn segments(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let used = coordinator.used_now().await?;
    let page = Page::of(&parameters)?;
    let with_standing = parameters.has("includeOvershadowedStatus");
    let rules = coordinator.rules.book(coordinator.replicas()).await?.book;
    let nodes = crate::preview::nodes_by_tier(coordinator.hosts.servers().values());
    let now_ms = coordinator.shared.clock.now_ms();
    let asked: BTreeSet<String> = parameters.all("datasources").map(str::to_owned).collect();
    let all = Arc::clone(&used);
    let (ids, overshadowed) = compute(move || {
        let is_asked = |id: &SegmentId| asked.is_empty() || asked.contains(&*id.datasource);
        let ids = used.keys().filter(|id| is_asked(id) && page.is_after(id));
        let ids: Vec<SegmentId> = ids.take(page.limit).cloned().collect();
        let overshadowed = with_standing.then(|| overshadowed(&used, &is_asked));
        (ids, overshadowed)
    })
    .await?;
    let mut writer = Writer::default();
    let row = move |id: SegmentId| {
        let segment = all.get(&id)?;
        let standing = overshadowed.as_ref().map(|overshadowed| Standing {
            overshadowed: overshadowed.contains(&id),
            replication_factor: crate::preview::copies(
                &rules.wanted(&id.datasource, id.interval, now_ms),
                &nodes,
            )
            .values()
            .sum(),
            num_rows: segment.row_count,
            realtime: false,
        });
        Some(Row { segment: writer.published(segment), standing })
    };
    Ok(stream::json_array(ids.into_iter().filter_map(row)))
}

/// Where a page of segments begins and how long it is.
#[derive(Debug, Clone)]
struct Page {
    after: Option<SegmentId>,
    limit: usize,
}

impl Page {
    fn of(parameters: &Parameters) -> Result<Self, DruidError> {
        let after = parameters.value("lastSegment").map(str::parse).transpose()?;
        Ok(Self { after, limit: parameters.number("limit")?.unwrap_or(usize::MAX) })
    }

    fn is_after(&self, id: &SegmentId) -> bool {
        self.after.as_ref().is_none_or(|after| id > after)
    }
}

fn overshadowed(used: &Used, is_asked: &impl Fn(&SegmentId) -> bool) -> BTreeSet<SegmentId> {
    let mut timelines: BTreeMap<&str, Timeline<()>> = BTreeMap::new();
    for (id, segment) in used.iter().filter(|(id, _)| is_asked(id)) {
        timelines.entry(&id.datasource).or_default().add(id.clone(), segment.shard_spec, ());
    }
    timelines.values().flat_map(Timeline::overshadowed).collect()
}

fn names(used: &Used) -> BTreeSet<Arc<str>> {
    let mut names = BTreeSet::new();
    let mut last: Option<&Arc<str>> = None;
    for id in used.keys() {
        if last != Some(&id.datasource) {
            names.insert(Arc::clone(&id.datasource));
            last = Some(&id.datasource);
        }
    }
    names
}

fn full(name: Arc<str>, used: &Used) -> Full {
    let mut writer = Writer::default();
    let segments = of_datasource(used, &name).map(|(_, segment)| writer.published(segment));
    Full { segments: segments.collect(), name, properties: BTreeMap::new() }
}
