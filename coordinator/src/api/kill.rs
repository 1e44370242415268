//! Deleting for good: `DELETE …/datasources/{name}/intervals/{interval}` as in Druid, and
//! `/henge/v1/coordinator/kill`, which says what would go.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::http::DruidError;
use henge_platform::metadata::UnusedSegment;
use henge_platform::storage::ObjectInfo;
use henge_types::{Interval, SegmentId, format_timestamp};
use serde_json::{Value, json};

use super::asked::{self, Asker, Parameters};
use crate::Coordinator;
use crate::kill::{MOST, Scope};
use crate::marking::Request;

/// Segments deleted by one request, at most.
const MOST_AT_ONCE: usize = 1_000;

/// Deletes the unused segments of a datasource that lie within an interval, as far as nothing uses them;
/// says which went, which stay and why, and whether there are more.
pub(super) async fn kill_interval(
    State(coordinator): State<Arc<Coordinator>>,
    Path((name, text)): Path<(String, String)>,
    parameters: Parameters,
    Asker { author, comment }: Asker,
) -> Result<Json<Value>, DruidError> {
    let within = asked::interval(&text)?;
    if within == Interval::ETERNITY && !parameters.has("confirm") {
        let message = "this deletes all unused segments of the datasource for good: name an interval, or \
                       add ?confirm=true";
        return Err(DruidError::invalid(message));
    }
    let request = Request { author, comment, payload: json!({ "interval": within }) };
    let (killed, judged) = coordinator.kill_named(&name, within, MOST_AT_ONCE, request).await?;
    let stays = judged.stays.iter().map(|(one, why)| (&one.segment.id, why));
    let failed = killed.failed.iter().map(|(id, why)| (id, why));
    Ok(Json(json!({
        "numChangedSegments": killed.segments.len(),
        "bytes": killed.bytes,
        "segments": killed.segments.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "kept": stays.chain(failed).map(kept).collect::<Vec<_>>(),
        "more": judged.more,
    })))
}

/// What the next run would delete; with `?datasource=&interval=` what a request of these would.
pub(super) async fn dry_run(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let scope = match (parameters.value("datasource"), parameters.interval("interval")?) {
        (None, None) => Scope::GraceIsOver,
        (Some(datasource), within) => Scope::Named {
            datasource: datasource.to_owned(),
            within: within.unwrap_or(Interval::ETERNITY),
        },
        (None, Some(_)) => {
            return Err(DruidError::invalid("interval goes with a datasource: name one"));
        }
    };
    let most = parameters.number("limit")?.unwrap_or(MOST).min(MOST);
    let judged = coordinator.judge_unused(&scope, most).await?;
    let set = coordinator.config.read().await?;
    let now_ms = coordinator.now_ms();
    let goes = judged.goes.iter().chain(&judged.condemned);
    Ok(Json(json!({
        "enabled": set.kills(),
        "datasources": set.kill_whitelist(),
        "unusedBefore": format_timestamp(set.unused_before_ms(now_ms)),
        "endsBefore": format_timestamp(set.ends_before_ms(now_ms)),
        "segments": goes.clone().map(shown).collect::<Vec<_>>(),
        "bytes": goes.map(|one| one.segment.size_bytes).sum::<u64>(),
        "kept": judged
            .stays
            .iter()
            .map(|(one, why)| kept((&one.segment.id, why)))
            .collect::<Vec<_>>(),
        "more": judged.more,
    })))
}

/// Objects that were uploaded and never published, as the next run would delete them: `?limit=`. Lists all of deep
/// storage.
pub(super) async fn unpublished_uploads(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let most = parameters.number("limit")?.unwrap_or(MOST).min(MOST);
    let set = coordinator.config.read().await?;
    let before_ms = coordinator.uploads_before_ms(&set).await?;
    let found = coordinator.unpublished_uploads(&set, most).await?;
    let object = |object: &ObjectInfo| {
        json!({
            "object": object.key,
            "size": object.size_bytes,
            "modified": format_timestamp(object.modified_ms),
        })
    };
    Ok(Json(json!({
        "enabled": set.deletes_uploads(),
        "uploadedBefore": format_timestamp(before_ms),
        "objects": found.objects.iter().map(object).collect::<Vec<_>>(),
        "bytes": found.bytes(),
        "more": found.more,
    })))
}

fn kept((id, why): (&SegmentId, &String)) -> Value {
    json!({ "segment": id.to_string(), "reason": why })
}

fn shown(unused: &UnusedSegment) -> Value {
    let segment = &unused.segment;
    json!({
        "segment": segment.id.to_string(),
        "datasource": segment.id.datasource,
        "size": segment.size_bytes,
        "unusedSince": format_timestamp(unused.since_ms),
        "object": segment.object_key,
    })
}
