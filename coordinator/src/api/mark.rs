//! Marking segments of a datasource used and unused: what is marked unused stays in deep storage until it is
//! deleted, and can be used again until then.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use henge_platform::http::{DruidError, LimitedBody};
use henge_types::json_read::{read_named, refuse_repeated};
use henge_types::{Interval, SegmentId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asker, Parameters};
use crate::Coordinator;
use crate::inventory::of_datasource;
use crate::marking::{Request, Selection, UsedAgain};

/// Unmatched ids that an error names.
const NAMED: usize = 5;

/// Druid's payload: an interval, perhaps of some versions only, or ids.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Payload {
    interval: Option<Interval>,
    segment_ids: Option<BTreeSet<String>>,
    versions: Option<Vec<String>>,
}

impl Asker {
    fn request(self, payload: Value) -> Request {
        let Self { author, comment } = self;
        Request { author, comment, payload }
    }
}

/// All segments of a datasource are unused from now on.
pub(super) async fn unuse_datasource(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    asker: Asker,
) -> Result<Json<Value>, DruidError> {
    // Older clients of Druid delete a part for good so: taken for the whole, it would be a disaster.
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        let shown: String = query.chars().take(100).collect();
        return Err(DruidError::invalid(format!(
            "'?{shown}' is not taken here: DELETE …/datasources/{{name}}/intervals/{{interval}} deletes what is \
             unused of an interval, POST …/markUnused marks a part unused"
        )));
    }
    let request = asker.request(json!({ "interval": "eternity" }));
    Ok(changed(coordinator.unuse(&name, &Selection::all(), request).await?))
}

/// `DELETE /v1/datasources/{name}?interval=`: the published rows of a datasource, or those of segments that
/// lie wholly in an interval, are in no answer from now on. They can be used again until they are deleted
/// for good; its schema, and rows that are buffered, stay.
pub(super) async fn drop_rows(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
    asker: Asker,
) -> Result<Json<Value>, DruidError> {
    parameters.only(&["interval"])?;
    let (selection, payload) = match parameters.interval("interval")? {
        Some(interval) => {
            (Selection::Within(interval, None), json!({ "interval": interval.to_string() }))
        }
        None => (Selection::all(), json!({ "interval": "eternity" })),
    };
    let dropped = coordinator.unuse(&name, &selection, asker.request(payload)).await?;
    Ok(Json(json!({ "datasource": name, "droppedSegments": dropped })))
}

/// All segments of a datasource that newer ones do not hide and rules do not drop are used again.
pub(super) async fn use_datasource(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    asker: Asker,
    _body: LimitedBody,
) -> Result<Json<Value>, DruidError> {
    let request = asker.request(json!({ "interval": "eternity" }));
    Ok(used_again(coordinator.use_again(&name, &Selection::all(), request).await?))
}

/// One segment is unused from now on.
pub(super) async fn unuse_segment(
    State(coordinator): State<Arc<Coordinator>>,
    Path((name, id)): Path<(String, String)>,
    asker: Asker,
) -> Result<Json<Value>, DruidError> {
    let request = asker.request(json!({ "segmentIds": [id.as_str()] }));
    let selection = Selection::These(vec![parse_id(&name, &id)?]);
    let changed = coordinator.unuse(&name, &selection, request).await? > 0;
    Ok(Json(json!({ "segmentStateChanged": changed })))
}

/// One segment is used again.
pub(super) async fn use_segment(
    State(coordinator): State<Arc<Coordinator>>,
    Path((name, id)): Path<(String, String)>,
    asker: Asker,
    _body: LimitedBody,
) -> Result<Json<Value>, DruidError> {
    let request = asker.request(json!({ "segmentIds": [id.as_str()] }));
    let ids = vec![parse_id(&name, &id)?];
    check_known(&coordinator, &name, &ids).await?;
    let used = coordinator.use_again(&name, &Selection::These(ids), request).await?;
    Ok(Json(json!({ "segmentStateChanged": used.segments > 0 })))
}

/// Some segments are unused from now on.
pub(super) async fn mark_unused(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    asker: Asker,
    LimitedBody(body): LimitedBody,
) -> Result<Json<Value>, DruidError> {
    let (selection, payload) = parse(&name, &body)?;
    let count = coordinator.unuse(&name, &selection, asker.request(payload)).await?;
    Ok(changed(count))
}

/// Some segments are used again, unless newer ones hide them or rules drop them.
pub(super) async fn mark_used(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    asker: Asker,
    LimitedBody(body): LimitedBody,
) -> Result<Json<Value>, DruidError> {
    let (selection, payload) = parse(&name, &body)?;
    if let Selection::These(ids) = &selection {
        check_known(&coordinator, &name, ids).await?;
    }
    Ok(used_again(coordinator.use_again(&name, &selection, asker.request(payload)).await?))
}

fn changed(count: usize) -> Json<Value> {
    Json(json!({ "numChangedSegments": count }))
}

/// Beside Druid's answer, what is left because the rules would drop it again in the next run.
fn used_again(UsedAgain { segments, dropped_by_rules }: UsedAgain) -> Json<Value> {
    let mut answer = json!({ "numChangedSegments": segments });
    if dropped_by_rules > 0 {
        answer["numDroppedByRules"] = dropped_by_rules.into();
    }
    Json(answer)
}

fn parse(name: &str, body: &[u8]) -> Result<(Selection, Value), DruidError> {
    let invalid = |reason: String| {
        let shape = "write {\"interval\": …} or {\"segmentIds\": […]}";
        DruidError::invalid(format!("{shape}: {reason}"))
    };
    let payload: Value =
        serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    refuse_repeated(body).map_err(invalid)?;
    let Payload { interval, segment_ids, versions } = read_named(&payload).map_err(invalid)?;
    let selection = match (interval, segment_ids) {
        (Some(interval), None) => Selection::Within(interval, versions),
        (None, Some(_)) if versions.is_some() => {
            return Err(invalid("field 'versions' goes with an interval".to_owned()));
        }
        (None, Some(ids)) if !ids.is_empty() => {
            let ids = ids.iter().map(|id| parse_id(name, id));
            Selection::These(ids.collect::<Result<_, _>>()?)
        }
        _ => return Err(invalid("one of them, and no empty list".to_owned())),
    };
    Ok((selection, payload))
}

fn parse_id(name: &str, text: &str) -> Result<SegmentId, DruidError> {
    let id: SegmentId = text.parse()?;
    if *id.datasource == *name {
        return Ok(id);
    }
    let id = text.escape_debug();
    Err(DruidError::invalid(format!("segment '{id}' is of another datasource")))
}

/// Fails when one of these segments was never there, or cannot be used again.
async fn check_known(
    coordinator: &Coordinator,
    name: &str,
    ids: &[SegmentId],
) -> Result<(), DruidError> {
    let unused = coordinator.unused_of(name, Interval::ETERNITY).await?;
    let (goes, stays): (Vec<_>, Vec<_>) = unused.iter().partition(|one| one.is_condemned);
    let used = coordinator.used_now().await?;
    let known: BTreeSet<&SegmentId> = stays
        .iter()
        .map(|one| &one.segment.id)
        .chain(of_datasource(&used, name).map(|(id, _)| id))
        .collect();
    let lacking: Vec<String> =
        ids.iter().filter(|id| !known.contains(id)).map(ToString::to_string).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let is_going = ids.iter().any(|id| goes.iter().any(|one| one.segment.id == *id));
    let named = lacking.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let message = match is_going {
        true => format!("deleting them has begun, they cannot be used again: {named}"),
        false => format!("{} segment(s) are not known: {named}", lacking.len()),
    };
    Err(DruidError::not_found(message))
}
