//! What may be published: decisions without storage, shared by all implementations.
//!
//! Three rules keep appended rows visible through every interleaving of append, replace and drop:
//! an append never begins a version above visible segments that it would hide, its rows are never
//! below a newer version that would hide them, and the core partitions it joins are still there.
//! Who loses allocates again.

use std::collections::{BTreeMap, BTreeSet};

use henge_types::{Interval, SegmentId, ShardSpec, Version, condense, validate_datasource_name};

use super::error::{MetadataError, Result};
use super::manifest::{FinishedTransaction, Manifest, SourcePosition};
use super::positions::{PartitionAdvance, SourceAdvance, SourceMarks};
use super::records::{
    PublishOutcome, PublishRequest, PublishedSegment, ReplaceScope, SegmentObject,
};
use crate::wal::LogMark;

/// A segment that was published and is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsedSegment {
    pub id: SegmentId,
    pub shard_spec: ShardSpec,
}

/// Checks all that does not depend on what is stored.
pub(super) fn check_request(request: &PublishRequest) -> Result<()> {
    if request.transaction_id.is_empty() {
        return Err(invalid("transaction_id is empty"));
    }
    let mut ids = BTreeSet::new();
    for segment in &request.segments {
        check_segment(segment)?;
        if !ids.insert(&segment.id) {
            return Err(invalid(format!("segment '{}' is given twice", segment.id)));
        }
    }
    if let Some(scope) = &request.replace {
        let intervals = condense(scope.intervals.clone());
        for segment in &request.segments {
            let inside = intervals.iter().any(|i| i.contains_interval(&segment.id.interval));
            if *segment.id.datasource != *scope.datasource || !inside {
                return Err(invalid(format!("'{}' is outside of what it replaces", segment.id)));
            }
        }
    }
    if let Some(source) = &request.source {
        let has_gone = |advance: &PartitionAdvance| !advance.next.position.is_some();
        if source.partitions.is_empty() || source.partitions.values().any(has_gone) {
            let id = &source.source_id;
            return Err(invalid(format!("source '{id}' would have no position in a partition")));
        }
    }
    Ok(())
}

fn check_segment(segment: &PublishedSegment) -> Result<()> {
    let id = &segment.id;
    validate_datasource_name(&id.datasource).map_err(|error| invalid(error.to_string()))?;
    if segment.shard_spec.partition() != id.partition {
        return Err(invalid(format!("the shard spec of '{id}' names another partition")));
    }
    let rows_inside = id.interval.contains(segment.min_time_ms)
        && id.interval.contains(segment.max_time_ms)
        && segment.min_time_ms <= segment.max_time_ms;
    if segment.row_count > 0 && !rows_inside {
        return Err(invalid(format!("the rows of '{id}' are outside of its interval")));
    }
    Ok(())
}

/// Leaves out versions of a chunk whose core partitions are not all used: nobody sees those.
pub(super) fn complete_sets(used: &[UsedSegment]) -> Vec<&UsedSegment> {
    let mut core_partitions: BTreeMap<(&str, Interval, Version), BTreeSet<u32>> = BTreeMap::new();
    let set = |id: &SegmentId| (id.interval, id.version);
    for segment in used {
        let (interval, version) = set(&segment.id);
        let core = core_partitions.entry((&segment.id.datasource, interval, version)).or_default();
        if segment.id.partition < segment.shard_spec.core_partitions() {
            core.insert(segment.id.partition);
        }
    }
    let is_complete = |segment: &&UsedSegment| {
        let (interval, version) = set(&segment.id);
        let core = core_partitions.get(&(&*segment.id.datasource, interval, version));
        core.map_or(0, BTreeSet::len) >= segment.shard_spec.core_partitions() as usize
    };
    used.iter().filter(is_complete).collect()
}

/// The ids of an append that cannot be published, given the used segments that overlap them.
pub(super) fn append_conflicts(
    segments: &[PublishedSegment],
    used: &[UsedSegment],
) -> Vec<SegmentId> {
    let visible = complete_sets(used);
    let conflicts = |segment: &&PublishedSegment| {
        let id = &segment.id;
        let same_datasource = || visible.iter().filter(|u| u.id.datasource == id.datasource);
        let rows = rows_interval(segment);
        let hidden =
            same_datasource().any(|u| u.id.version > id.version && u.id.interval.overlaps(&rows));
        let version_is_visible =
            same_datasource().any(|u| u.id.version == id.version && u.id.interval == id.interval);
        let hides = !version_is_visible
            && same_datasource()
                .any(|u| u.id.version < id.version && u.id.interval.overlaps(&id.interval));
        // Without its core partitions, which were dropped meanwhile, nobody would see it.
        let incomplete = !version_is_visible && segment.shard_spec.core_partitions() > 0;
        hidden || hides || incomplete
    };
    segments.iter().filter(conflicts).map(|segment| segment.id.clone()).collect()
}

/// The segments that a replace marks unused, given the used segments that overlap its scope.
pub(super) fn replaced_segments(
    scope: &ReplaceScope,
    segments: &[PublishedSegment],
    used: &[UsedSegment],
) -> Result<Vec<SegmentId>> {
    let intervals = condense(scope.intervals.clone());
    let oldest_new = segments.iter().map(|segment| segment.id.version).min();
    if let Some(version) = oldest_new
        && used.iter().any(|u| u.id.version >= version)
    {
        let ids = segments.iter().map(|segment| segment.id.clone()).collect();
        return Err(MetadataError::VersionConflict { ids });
    }
    if let Some(inputs) = &scope.inputs {
        // Also those that reach beyond the scope: the new segments hide their rows within it.
        let overlapping: BTreeSet<_> = used.iter().map(|used| &used.id).collect();
        if inputs.iter().collect::<BTreeSet<_>>() != overlapping {
            return Err(MetadataError::InputsChanged);
        }
    }
    let inside: BTreeSet<SegmentId> = used
        .iter()
        .filter(|u| intervals.iter().any(|i| i.contains_interval(&u.id.interval)))
        .map(|u| u.id.clone())
        .collect();
    Ok(inside.into_iter().collect())
}

/// A used segment with its new object; `None` when it has that already.
pub(super) fn with_object(
    id: &SegmentId,
    known: Option<PublishedSegment>,
    expected: &SegmentObject,
    new: &SegmentObject,
) -> Result<Option<PublishedSegment>> {
    let changed = || MetadataError::ObjectChanged(id.clone());
    let known = known.ok_or_else(changed)?;
    match known.object() {
        object if object == *new => Ok(None),
        object if object == *expected => Ok(Some(known.with_object(new.clone()))),
        _ => Err(changed()),
    }
}

fn rows_interval(segment: &PublishedSegment) -> Interval {
    if segment.row_count == 0 {
        return segment.id.interval;
    }
    Interval {
        start_ms: segment.min_time_ms,
        end_ms: segment.max_time_ms.saturating_add(1).min(segment.id.interval.end_ms),
    }
}

/// Only whoever saw the newest version of a document changes it.
pub(super) fn check_version(kind: &str, name: &str, expected: u64, current: u64) -> Result<()> {
    if expected == current {
        return Ok(());
    }
    let (kind, name) = (kind.to_owned(), name.to_owned());
    Err(MetadataError::DocumentChanged { kind, name, expected, current })
}

/// The marks of logs that are newer than what is known of them.
pub(super) fn newer_marks<'m>(
    known: &BTreeMap<String, LogMark>,
    marks: &'m BTreeMap<String, LogMark>,
) -> BTreeMap<&'m str, LogMark> {
    let is_newer =
        |name: &str, mark: &LogMark| known.get(name).is_none_or(|known| mark.is_newer_than(known));
    let newer = marks.iter().filter(|(name, mark)| is_newer(name, mark));
    newer.map(|(name, mark)| (name.as_str(), *mark)).collect()
}

pub(super) fn invalid(message: impl Into<String>) -> MetadataError {
    MetadataError::Invalid(message.into())
}

/// Identifies what a transaction published: asking again must bring the same.
pub(super) fn fingerprint(request: &PublishRequest) -> String {
    let mut ids: Vec<_> = request.segments.iter().map(|segment| segment.id.to_string()).collect();
    ids.sort_unstable();
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(ids.join("\n").as_bytes()))
}

/// Checks what is committed of a source against what a request expects.
pub(super) fn check_source(advance: &SourceAdvance, actual: &SourceMarks) -> Result<()> {
    for (partition, PartitionAdvance { expected, .. }) in &advance.partitions {
        let actual = actual.get(partition).cloned().unwrap_or_default();
        if actual != *expected {
            return Err(MetadataError::SourceConflict {
                source_id: advance.source_id.clone(),
                partition: partition.clone(),
                expected: Box::new(expected.position.clone()),
                actual: Box::new(actual.position),
            });
        }
    }
    Ok(())
}

/// What a publication changes. The id of one with a source is never asked for again by another
/// process, so it is not kept.
pub(super) fn manifest_of(
    request: &PublishRequest,
    fingerprint: &str,
    outcome: &PublishOutcome,
) -> Manifest {
    let source = request.source.as_ref();
    let transaction = source.is_none().then(|| FinishedTransaction {
        id: request.transaction_id.clone(),
        fingerprint: fingerprint.to_owned(),
        outcome: outcome.clone(),
    });
    let positions = source.into_iter().flat_map(|source| {
        let position = |(partition, advance): (&String, &PartitionAdvance)| {
            SourcePosition::new(&source.source_id, partition, &advance.next)
        };
        source.partitions.iter().map(position)
    });
    Manifest {
        segments: request.segments.clone(),
        unused: outcome.replaced.clone(),
        positions: positions.collect(),
        keys: request.idempotency.clone(),
        transactions: transaction.into_iter().collect(),
        ..Manifest::default()
    }
}
