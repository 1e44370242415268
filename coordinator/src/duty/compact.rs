//! Small segments: which parts of which datasources are to be compacted next. A task for each; not where one is
//! at it already, and not too soon where one failed.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_compaction::{
    CompactTask, CompactionConfig, Forms, Judged, SegmentFacts, Skip, Verdict, choose, judge,
};
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId, Version};
use serde_json::Map;

use crate::compaction::{AtWork, Failed};
use crate::error::Result;

/// After a failed attempt the next one waits this long, then twice as long each time.
const FIRST_REST_MS: i64 = 10 * 60_000;
/// But no longer than this.
const LONGEST_REST_MS: i64 = 24 * 3_600_000;

/// What a datasource is judged by.
pub(crate) struct Seen<'a> {
    /// Used segments of all datasources.
    pub used: &'a BTreeMap<SegmentId, Arc<PublishedSegment>>,
    /// Compactions under way.
    pub at_work: &'a [AtWork],
    /// Those of the datasource that failed.
    pub failed: &'a [Failed],
    pub now_ms: i64,
}

/// A datasource, and what is thought of each part of its time, the newest first.
#[derive(Debug)]
pub(crate) struct JudgedDatasource {
    pub config: CompactionConfig,
    pub parts: Vec<Judged>,
}

/// Judges all of a datasource.
///
/// # Errors
/// When its configuration asks for what cannot be.
pub(crate) fn judge_datasource(
    config: CompactionConfig,
    seen: &Seen<'_>,
    forms: &mut Forms,
) -> Result<JudgedDatasource> {
    let datasource: Arc<str> = config.data_source.as_str().into();
    let first = Interval { start_ms: i64::MIN, end_ms: i64::MIN };
    let first = SegmentId::new(Arc::clone(&datasource), first, Version(0), 0);
    let own = seen.used.range(first..).take_while(|(id, _)| id.datasource == datasource);
    let facts = own.map(|(id, segment)| SegmentFacts {
        id: id.clone(),
        shard_spec: segment.shard_spec,
        rows: segment.row_count,
        size_bytes: segment.size_bytes,
        form: forms.of(&segment.schema_json),
    });
    let facts: Vec<SegmentFacts> = facts.collect();
    let limits = config.limits(&facts, seen.now_ms);
    let mut parts = judge(&config.goal()?, &facts, &limits, seen.now_ms);
    let at_work: Vec<&AtWork> =
        seen.at_work.iter().filter(|work| work.datasource == config.data_source).collect();
    for Judged { unit, verdict } in &mut parts {
        if !matches!(verdict, Verdict::Awaiting(_)) {
            continue;
        }
        let running = at_work.iter().find(|work| work.interval.overlaps(&unit.interval));
        if let Some(work) = running {
            *verdict = Verdict::Skipped(Skip::Running { task: work.task.clone() });
        } else if let Some(skip) = rests(unit.interval, seen) {
            *verdict = Verdict::Skipped(skip);
        }
    }
    Ok(JudgedDatasource { config, parts })
}

/// Whether a part is not to be tried yet.
fn rests(interval: Interval, seen: &Seen<'_>) -> Option<Skip> {
    let failed = seen.failed.iter().filter(|failed| failed.interval.overlaps(&interval));
    let attempts = failed.clone().count() as u32;
    let last = failed.max_by_key(|failed| failed.ended_ms)?;
    let doubled = FIRST_REST_MS.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let until_ms = last.ended_ms + doubled.min(LONGEST_REST_MS);
    (seen.now_ms < until_ms).then(|| Skip::Failed { error: last.error.clone(), until_ms })
}

/// The next tasks, at most so many: the datasources in turn, the newest part of each first.
pub(crate) fn plan(judged: &[JudgedDatasource], most: usize) -> Vec<CompactTask> {
    let mut queues: Vec<_> = judged
        .iter()
        .map(|datasource| (&datasource.config, choose(&datasource.parts, most).into_iter()))
        .collect();
    let mut tasks = Vec::new();
    let mut before = usize::MAX;
    while tasks.len() < most && tasks.len() != before {
        before = tasks.len();
        for (config, parts) in &mut queues {
            let Some(unit) = parts.next().filter(|_| tasks.len() < most) else { continue };
            let mut task =
                CompactTask::new(&config.data_source, unit.interval, unit.wanted.clone());
            task.context = config.task_context.clone().unwrap_or_else(Map::new);
            task.context.entry("priority").or_insert_with(|| config.task_priority.into());
            tasks.push(task);
        }
    }
    tasks
}
