//! What may be allocated and published: decisions without storage, shared by all implementations.
//!
//! Two rules keep appended rows visible through every interleaving of append, replace and drop:
//! an append never begins a version above used segments that it would hide, and its rows are never
//! below a newer version that would hide them. Who loses allocates again.

use std::collections::BTreeSet;

use henge_types::{Interval, SegmentId, ShardSpec, Version, condense, validate_datasource_name};

use super::error::{MetadataError, Result};
use super::records::{PublishRequest, PublishedSegment, ReplaceScope};

/// A segment that was published and is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsedSegment {
    pub id: SegmentId,
    pub shard_spec: ShardSpec,
}

/// What an allocation sees of its chunk: everything that overlaps it.
#[derive(Debug, Clone, Default)]
pub(super) struct ChunkState {
    pub used: Vec<UsedSegment>,
    /// Allocated and not published.
    pub pending: Vec<(Interval, Version)>,
    /// The highest version ever published there, used or not.
    pub highest_published: Option<Version>,
}

/// Where an allocation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// The next partition of a version that is there.
    Existing { interval: Interval, version: Version, core_partitions: u32 },
    /// A version of its own.
    New,
}

pub(super) fn place_append(requested: Interval, chunk: &ChunkState) -> Result<Placement> {
    if let Some(version) = chunk.used.iter().map(|segment| segment.id.version).max() {
        let newest = || chunk.used.iter().filter(|segment| segment.id.version == version);
        return match newest().find(|s| s.id.interval.contains_interval(&requested)) {
            Some(segment) => Ok(Placement::Existing {
                interval: segment.id.interval,
                version,
                core_partitions: segment.shard_spec.core_partitions(),
            }),
            None => {
                let existing: BTreeSet<_> = chunk.used.iter().map(|s| s.id.interval).collect();
                let existing = existing.into_iter().collect();
                Err(MetadataError::IntervalConflict { requested, existing })
            }
        };
    }
    // A pending version below one that was published and dropped could come to be hidden again.
    let pending = chunk
        .pending
        .iter()
        .filter(|(_, version)| chunk.highest_published.is_none_or(|highest| *version > highest))
        .max_by_key(|(_, version)| *version);
    match pending {
        Some((interval, version)) if interval.contains_interval(&requested) => {
            Ok(Placement::Existing { interval: *interval, version: *version, core_partitions: 0 })
        }
        _ => Ok(Placement::New),
    }
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
    if let Some(source) = &request.source
        && source.next < source.expected
    {
        return Err(invalid(format!("source '{}' would go backwards", source.source_id)));
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

/// The ids of an append that cannot be published, given the used segments that overlap them.
pub(super) fn append_conflicts(
    segments: &[PublishedSegment],
    used: &[UsedSegment],
) -> Vec<SegmentId> {
    let conflicts = |segment: &&PublishedSegment| {
        let id = &segment.id;
        let same_datasource = || used.iter().filter(|u| u.id.datasource == id.datasource);
        let rows = rows_interval(segment);
        let hidden =
            same_datasource().any(|u| u.id.version > id.version && u.id.interval.overlaps(&rows));
        let version_is_used = same_datasource()
            .any(|u| u.id.version == id.version && u.id.interval == id.interval);
        let hides = !version_is_used
            && same_datasource()
                .any(|u| u.id.version < id.version && u.id.interval.overlaps(&id.interval));
        hidden || hides
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
    let inside: BTreeSet<SegmentId> = used
        .iter()
        .filter(|u| intervals.iter().any(|i| i.contains_interval(&u.id.interval)))
        .map(|u| u.id.clone())
        .collect();
    if let Some(inputs) = &scope.inputs {
        let inputs: BTreeSet<_> = inputs.iter().cloned().collect();
        if inputs != inside {
            return Err(MetadataError::InputsChanged);
        }
    }
    Ok(inside.into_iter().collect())
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

pub(super) fn invalid(message: impl Into<String>) -> MetadataError {
    MetadataError::Invalid(message.into())
}

/// Identifies what a transaction published: asking again must bring the same.
pub(super) fn fingerprint(request: &PublishRequest) -> String {
    let mut ids: Vec<_> = request.segments.iter().map(|segment| segment.id.to_string()).collect();
    ids.sort_unstable();
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(ids.join("\n").as_bytes()))
}
