//! What there is to do: the next part of the task's time that is not as it is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_compaction::{
    CompactTask, Forms, Judged, Limits, SegmentFacts, Skip, Unit, Verdict, judge,
};
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId};

use super::Compaction;
use crate::error::Result;
use crate::priority::COMPACT_PRIORITY;

/// A part of the time, with what is published there.
pub(super) struct Work {
    pub(super) unit: Unit,
    /// All used segments that overlap it, also those that newer ones hide: they are what is replaced.
    pub(super) used: BTreeMap<SegmentId, PublishedSegment>,
}

/// The next part, and what is left alone.
struct Found {
    work: Option<Work>,
    skipped: Vec<(Interval, Skip)>,
}

impl Compaction {
    /// The newest part that overlaps the task's time, is not as it is wanted and none of those that are done:
    /// rows that come there after they were compacted are left to a later task.
    pub(super) async fn next(&mut self, done: &[Interval]) -> Result<Option<Work>> {
        let mut used = self.shared.metadata.used_segments().await?.segments;
        used.retain(|segment| *segment.id.datasource == *self.task.data_source);
        let (task, done) = (Arc::clone(&self.task), done.to_vec());
        let find = move || find(&task, used, &done);
        let found = self.shared.ingest_pool.spawn(COMPACT_PRIORITY, find).await?;
        for (interval, skip) in found.skipped {
            self.note(format!("{interval} is left as it is: {skip}"));
        }
        Ok(found.work)
    }
}

fn find(task: &CompactTask, used: Vec<PublishedSegment>, done: &[Interval]) -> Found {
    let mut forms = Forms::default();
    let facts = used.iter().map(|segment| SegmentFacts {
        id: segment.id.clone(),
        shard_spec: segment.shard_spec,
        rows: segment.row_count,
        size_bytes: segment.size_bytes,
        form: forms.of(&segment.schema_json),
    });
    let facts: Vec<SegmentFacts> = facts.collect();
    let mut found = Found { work: None, skipped: Vec::new() };
    // Whatever its age, and however large it is: it was asked for.
    for Judged { unit, verdict } in judge(&task.goal(), &facts, &Limits::default(), 0) {
        let interval = unit.interval;
        if !interval.overlaps(&task.interval) || done.iter().any(|done| done.overlaps(&interval)) {
            continue;
        }
        match verdict {
            Verdict::Compact => {}
            Verdict::Skipped(skip) => found.skipped.push((interval, skip)),
            Verdict::Awaiting(_) => {
                let inside = used.into_iter().filter(|s| s.id.interval.overlaps(&interval));
                let used = inside.map(|segment| (segment.id.clone(), segment)).collect();
                found.work = Some(Work { unit, used });
                break;
            }
        }
    }
    found
}
