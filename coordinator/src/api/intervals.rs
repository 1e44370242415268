//! `/druid/coordinator/v1/intervals`, and those of a datasource: how much is served of which time, the latest
//! first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use henge_platform::http::DruidError;
use henge_types::{Interval, SegmentId};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::asked::{self, Parameters};
use super::compute;
use super::data_segment::Writer;
use super::served::{self, Extent, Segments, Served, View};
use crate::Coordinator;

/// Something by interval, the latest first.
type ByInterval<T> = BTreeMap<Reverse<Interval>, T>;

/// All intervals, with what each datasource has in them.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
) -> Result<Json<Value>, DruidError> {
    let view = View::of(&coordinator).await?;
    compute(move || Json(object(by_datasource(&view.served(None), None)))).await
}

/// The intervals within one: summed up; each of them with `?simple`, and by datasource with `?full`.
pub(super) async fn one(
    State(coordinator): State<Arc<Coordinator>>,
    Path(text): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let within = asked::interval(&text)?;
    let view = View::of(&coordinator).await?;
    compute(move || {
        let served = view.served(None);
        if parameters.has("full") {
            return Json(object(by_datasource(&served, Some(within))));
        }
        if parameters.has("simple") {
            return Json(object(extents(&served, Some(within))));
        }
        let mut all = Extent::default();
        let inside = served.iter().filter(|(id, _)| within.contains_interval(&id.interval));
        inside.for_each(|(_, segment)| all.add(segment));
        Json(json!(all))
    })
    .await
}

/// The intervals of a datasource; how much is in each with `?simple`, and what with `?full`.
pub(super) async fn of_datasource(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    served::of_datasource(&coordinator, name, move |served| {
        if parameters.has("full") {
            return Ok(Json(object(located(served, None))).into_response());
        }
        let extents = extents(served, None);
        if parameters.has("simple") {
            return Ok(Json(object(extents)).into_response());
        }
        let names: Vec<String> =
            extents.keys().map(|Reverse(interval)| interval.to_string()).collect();
        Ok(Json(names).into_response())
    })
    .await
}

/// The ids of a datasource's segments within an interval; with `?simple` how much by interval, with `?full`
/// whole segments and who serves them.
pub(super) async fn one_of_datasource(
    State(coordinator): State<Arc<Coordinator>>,
    Path((name, text)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<Response, DruidError> {
    let within = asked::interval(&text)?;
    served::of_datasource(&coordinator, name, move |served| {
        if parameters.has("full") {
            return Ok(Json(object(located(served, Some(within)))).into_response());
        }
        if parameters.has("simple") {
            return Ok(Json(object(extents(served, Some(within)))).into_response());
        }
        let inside = served.keys().filter(|id| within.contains_interval(&id.interval));
        Ok(Json(inside.map(ToString::to_string).collect::<Vec<_>>()).into_response())
    })
    .await
}

fn inside<'s>(
    served: &'s Segments<'s>,
    within: Option<Interval>,
) -> impl Iterator<Item = (&'s SegmentId, &'s Served<'s>)> {
    let is_inside =
        move |id: &SegmentId| within.is_none_or(|within| within.contains_interval(&id.interval));
    served.iter().filter(move |(id, _)| is_inside(id)).map(|(id, segment)| (*id, segment))
}

fn extents(served: &Segments<'_>, within: Option<Interval>) -> ByInterval<Extent> {
    let mut extents = ByInterval::<Extent>::new();
    for (id, segment) in inside(served, within) {
        extents.entry(Reverse(id.interval)).or_default().add(segment);
    }
    extents
}

fn by_datasource<'s>(
    served: &'s Segments<'s>,
    within: Option<Interval>,
) -> ByInterval<BTreeMap<&'s str, Extent>> {
    let mut extents = ByInterval::<BTreeMap<&str, Extent>>::new();
    for (id, segment) in inside(served, within) {
        let interval = extents.entry(Reverse(id.interval)).or_default();
        interval.entry(&id.datasource).or_default().add(segment);
    }
    extents
}

fn located(
    served: &Segments<'_>,
    within: Option<Interval>,
) -> ByInterval<BTreeMap<String, super::served::Located>> {
    let mut writer = Writer::default();
    let mut located = ByInterval::<BTreeMap<String, _>>::new();
    for (id, segment) in inside(served, within) {
        let interval = located.entry(Reverse(id.interval)).or_default();
        interval.insert(id.to_string(), segment.with_servers(&mut writer));
    }
    located
}

/// An object with intervals for names, in their order.
fn object<T: Serialize>(by_interval: ByInterval<T>) -> Value {
    let pairs = by_interval.into_iter();
    Value::Object(
        pairs.map(|(Reverse(i), value)| (i.to_string(), json!(value))).collect::<Map<_, _>>(),
    )
}
