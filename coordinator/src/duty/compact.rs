//! Small segments: which parts of which datasources are to be compacted next. A task for each; not where one is
//! at it already, and not too soon where one failed, or was done and little came since.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_compaction::{
    CompactTask, CompactionConfig, Forms, Judged, SegmentFacts, Skip, Verdict, choose, judge,
};
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId, Version};
use serde_json::Map;

use crate::compaction::{AtWork, Ended};
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
    pub failed: &'a [Ended],
    /// Those of the datasource that were done lately.
    pub done: &'a [Ended],
    pub now_ms: i64,
}

/// A datasource, and what is thought of each part of its time, the newest first.
#[derive(Debug)]
pub(crate) struct JudgedDatasource {
    pub config: CompactionConfig,
    pub parts: Vec<Judged>,
}

impl JudgedDatasource {
    /// Whether something is to be compacted.
    pub(crate) fn waits(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.verdict, Verdict::Awaiting(_)))
    }
}

/// Which datasource was given a task when, so that the one that waits longest is next: there may be room for
/// one task only, and one that always has something to do is not to keep it. Who leads next begins anew.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    given: u64,
    last: BTreeMap<String, u64>,
}

impl Turns {
    /// A datasource was given a task.
    pub(crate) fn took(&mut self, datasource: &str) {
        self.given += 1;
        self.last.insert(datasource.to_owned(), self.given);
    }

    /// 0 for one that never was given any.
    fn last(&self, datasource: &str) -> u64 {
        self.last.get(datasource).copied().unwrap_or_default()
    }
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
        } else if let Some(skip) = failed_lately(unit.interval, seen) {
            *verdict = Verdict::Skipped(skip);
        } else if let Some(compacted_ms) = done_ms(unit.interval, seen)
            && let Some(skip) = config.rests(verdict, compacted_ms, seen.now_ms)
        {
            *verdict = Verdict::Skipped(skip);
        }
    }
    Ok(JudgedDatasource { config, parts })
}

/// When a part was compacted last, as far as that is known.
fn done_ms(interval: Interval, seen: &Seen<'_>) -> Option<i64> {
    let done = seen.done.iter().filter(|done| done.interval.overlaps(&interval));
    done.map(|done| done.ended_ms).max()
}

/// Whether a part is not to be tried yet.
fn failed_lately(interval: Interval, seen: &Seen<'_>) -> Option<Skip> {
    let failed = seen.failed.iter().filter(|failed| failed.interval.overlaps(&interval));
    let attempts = failed.clone().count() as u32;
    let last = failed.max_by_key(|failed| failed.ended_ms)?;
    let doubled = FIRST_REST_MS.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let until_ms = last.ended_ms + doubled.min(LONGEST_REST_MS);
    (seen.now_ms < until_ms).then(|| Skip::Failed { error: last.error.clone(), until_ms })
}

/// The next tasks, at most so many: the datasources in turn, beginning with the one whose last turn is longest
/// ago, and the parts of each in their order.
pub(crate) fn plan(judged: &[JudgedDatasource], most: usize, turns: &Turns) -> Vec<CompactTask> {
    let mut queues: Vec<_> = judged
        .iter()
        .map(|datasource| (&datasource.config, choose(&datasource.parts, most).into_iter()))
        .collect();
    queues.sort_by_key(|(config, _)| turns.last(&config.data_source));
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

#[cfg(test)]
mod tests;
