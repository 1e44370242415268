//! The tables in memory, and the operations that decide: allocate and publish.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use henge_types::{Interval, SegmentId, ShardSpec, Version};

use crate::metadata::error::{MetadataError, Result};
use crate::metadata::leases::StoredLease;
use crate::metadata::manifest::Manifest;
use crate::metadata::places::{Place, Surroundings, place_append, reach};
use crate::metadata::positions::SourceMarks;
use crate::metadata::records::{
    Allocation, DeadLetterTotals, Document, IdempotencyRecord, PendingSegment, PublishOutcome,
    PublishRequest, PublishedSegment, SegmentChange, SegmentChanges, SegmentObject,
    SegmentSnapshot, StoredDeadLetter, TaskRecord, UNPLACED,
};
use crate::metadata::rules::{
    UsedSegment, append_conflicts, check_request, check_source, fingerprint, manifest_of,
    replaced_segments, with_object,
};
use crate::metadata::unused::Deletion;
use crate::wal::LogMark;

type ChunkVersion = (String, Interval, Version);

#[derive(Debug, Default)]
pub(super) struct State {
    /// All versions of each, by kind and name.
    pub documents: BTreeMap<(String, String), Vec<Document>>,
    pub publications: BTreeMap<String, (String, PublishOutcome)>,
    pub sources: BTreeMap<String, SourceMarks>,
    /// Each with the uptime at its publication.
    pub idempotency: BTreeMap<(String, String), (IdempotencyRecord, u64)>,
    pub uptime_ms: u64,
    pub tasks: BTreeMap<String, TaskRecord>,
    /// Their ids in the order they were accepted.
    pub task_order: Vec<String>,
    pub dead_letters: BTreeMap<String, DeadLetters>,
    /// The last record of each log whose letters are kept.
    pub letter_logs: BTreeMap<String, u64>,
    pub segments: BTreeMap<SegmentId, Stored>,
    /// Change sequence to the segment that it changed last.
    pub changes: BTreeMap<u64, SegmentId>,
    next_partitions: BTreeMap<ChunkVersion, u32>,
    /// Each with who allocated it.
    pub pending: BTreeMap<SegmentId, Arc<str>>,
    /// Each with the node that buffers it.
    pub buffered: BTreeMap<SegmentId, Arc<str>>,
    pub version: u64,
    pub sequence: u64,
    pub manifests: Manifests,
    pub log_marks: BTreeMap<String, LogMark>,
    pub leases: BTreeMap<String, StoredLease>,
}

/// The outbox.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    pub waiting: BTreeMap<u64, String>,
    pub made: u64,
    pub complete: u64,
    pub marked: bool,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub segment: PublishedSegment,
    pub used: bool,
    /// Since when it is not.
    pub unused_ms: i64,
    pub deletion: Deletion,
    pub sequence: u64,
}

#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    pub letters: VecDeque<StoredDeadLetter>,
    pub received: u64,
}

impl DeadLetters {
    pub(super) fn totals(&self) -> DeadLetterTotals {
        let kept = self.letters.len() as u64;
        DeadLetterTotals { received: self.received, kept, dropped: self.received - kept }
    }
}

impl State {
    pub(super) fn next_version(&mut self) -> Version {
        self.version += 1;
        Version(self.version)
    }

    pub(super) fn add_document(
        &mut self,
        cluster_uuid: &str,
        kind: &str,
        name: &str,
        body_json: &str,
    ) -> Result<u64> {
        let versions = self.documents.entry((kind.to_owned(), name.to_owned())).or_default();
        let version = versions.len() as u64 + 1;
        let (kind, name, body_json) = (kind.to_owned(), name.to_owned(), body_json.to_owned());
        let document = Document { kind, name, body_json, version };
        versions.push(document.clone());
        let change = Manifest { documents: vec![document], ..Manifest::default() };
        self.enqueue(cluster_uuid, change)?;
        Ok(version)
    }

    pub(super) fn allocate_append(
        &mut self,
        owner: &str,
        datasource: &str,
        rows: Interval,
        bucket: Interval,
    ) -> Result<Allocation> {
        let around = self.around(datasource, rows.span(&bucket));
        let Place { interval, version, core_partitions, slice } =
            place_append(rows, bucket, &around)?;
        let version = version.unwrap_or_else(|| self.next_version());
        let next =
            self.next_partitions.entry((datasource.to_owned(), interval, version)).or_default();
        let partition = *next;
        *next += 1;
        let id = SegmentId::new(datasource, interval, version, partition);
        self.pending.insert(id.clone(), owner.into());
        let shard_spec = ShardSpec::numbered(partition, core_partitions);
        Ok(Allocation { segment: PendingSegment { id, shard_spec }, slice })
    }

    pub(super) fn buffer(
        &mut self,
        owner: &str,
        datasource: &str,
        chunk: Interval,
    ) -> Result<PendingSegment> {
        let segment = match self.allocate_append(owner, datasource, chunk, chunk) {
            Ok(allocation) => allocation.segment,
            Err(MetadataError::IntervalConflict { .. }) => {
                let unplaced = (datasource.to_owned(), chunk, UNPLACED);
                let next = self.next_partitions.entry(unplaced).or_default();
                let partition = *next;
                *next += 1;
                let id = SegmentId::new(datasource, chunk, UNPLACED, partition);
                PendingSegment { id, shard_spec: ShardSpec::appended(partition) }
            }
            Err(error) => return Err(error),
        };
        self.buffered.insert(segment.id.clone(), owner.into());
        Ok(segment)
    }

    pub(super) fn change_buffered(&mut self, owner: &str, add: &[SegmentId], remove: &[SegmentId]) {
        remove.iter().for_each(|id| {
            self.buffered.remove(id);
        });
        self.buffered.extend(add.iter().map(|id| (id.clone(), owner.into())));
    }

    fn around(&self, datasource: &str, asked: Interval) -> Surroundings {
        let overlaps =
            |id: &&SegmentId| *id.datasource == *datasource && id.interval.overlaps(&asked);
        let chunk = |id: &SegmentId| (id.interval, id.version);
        let pending: BTreeSet<_> = self.pending.keys().filter(overlaps).map(chunk).collect();
        let published: BTreeSet<_> = self.segments.keys().filter(overlaps).map(chunk).collect();
        let used = self.segments.values().filter(|stored| stored.used);
        let used = used.map(|stored| &stored.segment.id).filter(overlaps).map(|id| id.interval);
        let reach = reach(asked, pending.iter().map(|(interval, _)| *interval).chain(used));
        Surroundings {
            used: self.used_overlapping(datasource, &[reach]),
            pending: pending.into_iter().collect(),
            published: published.into_iter().collect(),
        }
    }

    fn used_overlapping(&self, datasource: &str, intervals: &[Interval]) -> Vec<UsedSegment> {
        let overlaps = |id: &SegmentId| {
            *id.datasource == *datasource && intervals.iter().any(|i| id.interval.overlaps(i))
        };
        self.segments
            .values()
            .filter(|stored| stored.used && overlaps(&stored.segment.id))
            .map(|stored| UsedSegment {
                id: stored.segment.id.clone(),
                shard_spec: stored.segment.shard_spec,
            })
            .collect()
    }

    pub(super) fn publish(
        &mut self,
        cluster_uuid: &str,
        request: &PublishRequest,
        now_ms: i64,
    ) -> Result<PublishOutcome> {
        check_request(request)?;
        let fingerprint = fingerprint(request);
        if let Some((published, outcome)) = self.publications.get(&request.transaction_id) {
            if *published != fingerprint {
                return Err(MetadataError::TransactionReused(request.transaction_id.clone()));
            }
            return Ok(PublishOutcome { already_published: true, ..outcome.clone() });
        }
        self.check_fence(request.fence.as_ref())?;
        self.check_source(request)?;
        let replaced = self.check_segments(request)?;
        // Nothing below fails: the change is applied whole.
        self.mark_unused(&replaced, now_ms);
        for segment in &request.segments {
            self.insert(segment.clone());
        }
        if let Some(source) = &request.source {
            let marks = self.sources.entry(source.source_id.clone()).or_default();
            let next = source.partitions.iter();
            marks
                .extend(next.map(|(partition, advance)| (partition.clone(), advance.next.clone())));
        }
        for record in &request.idempotency {
            let key = (record.datasource.clone(), record.key.clone());
            let uptime_ms = self.uptime_ms;
            self.idempotency.entry(key).or_insert_with(|| (record.clone(), uptime_ms));
        }
        let outcome =
            PublishOutcome { already_published: false, replaced, sequence: self.sequence };
        self.enqueue(cluster_uuid, manifest_of(request, &fingerprint, &outcome))?;
        self.publications.insert(request.transaction_id.clone(), (fingerprint, outcome.clone()));
        Ok(outcome)
    }

    fn check_source(&self, request: &PublishRequest) -> Result<()> {
        let Some(source) = &request.source else {
            return Ok(());
        };
        let none = SourceMarks::default();
        check_source(source, self.sources.get(&source.source_id).unwrap_or(&none))
    }

    /// Gives the segments that the request replaces.
    fn check_segments(&self, request: &PublishRequest) -> Result<Vec<SegmentId>> {
        let exists = |segment: &&PublishedSegment| self.segments.contains_key(&segment.id);
        if let Some(segment) = request.segments.iter().find(exists) {
            return Err(MetadataError::SegmentExists(segment.id.clone()));
        }
        if let Some(scope) = &request.replace {
            let used = self.used_overlapping(&scope.datasource, &scope.intervals);
            return replaced_segments(scope, &request.segments, &used);
        }
        let used: Vec<_> = request
            .segments
            .iter()
            .flat_map(|s| self.used_overlapping(&s.id.datasource, &[s.id.interval]))
            .collect();
        let ids = append_conflicts(&request.segments, &used);
        if ids.is_empty() { Ok(Vec::new()) } else { Err(MetadataError::VersionConflict { ids }) }
    }

    fn insert(&mut self, segment: PublishedSegment) {
        let id = segment.id.clone();
        self.pending.remove(&id);
        self.buffered.remove(&id);
        let chunk = (id.datasource.to_string(), id.interval, id.version);
        let next = self.next_partitions.entry(chunk).or_default();
        *next = (*next).max(id.partition.saturating_add(1));
        self.sequence += 1;
        let sequence = self.sequence;
        self.changes.insert(sequence, id.clone());
        let stored =
            Stored { segment, used: true, unused_ms: 0, deletion: Deletion::None, sequence };
        self.segments.insert(id, stored);
    }

    /// Gives those that were used before.
    pub(super) fn mark_unused(&mut self, ids: &[SegmentId], now_ms: i64) -> Vec<SegmentId> {
        let mut marked = Vec::new();
        for id in ids {
            let Some(stored) = self.segments.get_mut(id).filter(|stored| stored.used) else {
                continue;
            };
            self.sequence += 1;
            self.changes.remove(&stored.sequence);
            self.changes.insert(self.sequence, id.clone());
            stored.used = false;
            stored.unused_ms = now_ms;
            stored.sequence = self.sequence;
            marked.push(id.clone());
        }
        marked
    }

    pub(super) fn replace_object(
        &mut self,
        cluster_uuid: &str,
        id: &SegmentId,
        expected: &SegmentObject,
        new: &SegmentObject,
    ) -> Result<()> {
        let known = self.segments.get(id).filter(|stored| stored.used);
        let known = known.map(|stored| stored.segment.clone());
        let Some(changed) = with_object(id, known, expected, new)? else { return Ok(()) };
        if let Some(before) = self.segments.get(id) {
            self.changes.remove(&before.sequence);
        }
        self.insert(changed.clone());
        let change = Manifest { segments: vec![changed], ..Manifest::default() };
        self.enqueue(cluster_uuid, change).map(|_| ())
    }

    pub(super) fn snapshot(&self) -> SegmentSnapshot {
        let used = self.segments.values().filter(|stored| stored.used);
        SegmentSnapshot {
            segments: used.map(|stored| stored.segment.clone()).collect(),
            sequence: self.sequence,
            complete: true,
        }
    }

    pub(super) fn find_used(&self, ids: &[SegmentId]) -> Vec<PublishedSegment> {
        let known = ids.iter().filter_map(|id| self.segments.get(id));
        known.filter(|stored| stored.used).map(|stored| stored.segment.clone()).collect()
    }

    pub(super) fn changes(&self, after: u64, limit: usize) -> SegmentChanges {
        let mut answer = SegmentChanges { sequence: after, ..SegmentChanges::default() };
        for (sequence, id) in self.changes.range(after.saturating_add(1)..) {
            if answer.changes.len() == limit {
                answer.more = true;
                break;
            }
            answer.sequence = *sequence;
            answer.changes.extend(self.segments.get(id).map(|stored| match stored.used {
                true => SegmentChange::Used(Box::new(stored.segment.clone())),
                false => SegmentChange::Unused(id.clone()),
            }));
        }
        answer
    }
}
