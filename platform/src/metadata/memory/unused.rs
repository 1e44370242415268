//! Segments that are not used, in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use henge_types::SegmentId;

use super::MemoryMetadataStore;
use super::state::{State, Stored};
use crate::metadata::error::Result;
use crate::metadata::leases::Fence;
use crate::metadata::manifest::Manifest;
use crate::metadata::records::PublishedSegment;
use crate::metadata::unused::{
    Deletion, UnusedFilter, UnusedSegment, UnusedSegments, provably_unreferenced, remains,
};

#[async_trait]
impl UnusedSegments for MemoryMetadataStore {
    async fn unused_segments(&self, filter: &UnusedFilter) -> Result<Vec<UnusedSegment>> {
        Ok(self.state.lock().unused_segments(filter))
    }

    async fn mark_used(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let _noted = self.commits.note();
        let mut state = self.state.lock();
        state.check_fence(fence)?;
        let segments = state.mark_used(ids);
        let marked = segments.len();
        if marked > 0 {
            state.enqueue(&self.cluster_uuid, Manifest { segments, ..Manifest::default() })?;
        }
        Ok(marked)
    }

    async fn condemn_segments(
        &self,
        ids: &[SegmentId],
        unused_before_ms: i64,
        fence: Option<&Fence>,
    ) -> Result<Vec<PublishedSegment>> {
        let mut state = self.state.lock();
        state.check_fence(fence)?;
        let new = state.condemn(ids, unused_before_ms);
        if !new.is_empty() {
            let change = Manifest { condemned: new, ..Manifest::default() };
            state.enqueue(&self.cluster_uuid, change)?;
        }
        let condemned = ids.iter().filter_map(|id| state.condemned(id));
        Ok(condemned.map(|stored| stored.segment.clone()).collect())
    }

    async fn forget_condemned(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize> {
        let mut state = self.state.lock();
        state.check_fence(fence)?;
        let mut forgotten = Vec::new();
        for id in ids {
            if state.condemned(id).is_none() {
                continue;
            }
            if let Some(stored) = state.segments.get_mut(id) {
                stored.deletion = Deletion::Forgotten;
                stored.segment = remains(stored.segment.clone());
                forgotten.push(stored.segment.clone());
            }
        }
        let count = forgotten.len();
        if count > 0 {
            state.enqueue(&self.cluster_uuid, Manifest::of_forgotten(forgotten))?;
        }
        Ok(count)
    }

    async fn unnamed_objects(&self, keys: &[String]) -> Result<Vec<String>> {
        let state = self.state.lock();
        let kept = state.segments.values().filter(|s| s.deletion != Deletion::Forgotten);
        let named: BTreeSet<&str> = kept.map(|s| s.segment.object_key.as_str()).collect();
        Ok(keys.iter().filter(|key| !named.contains(key.as_str())).cloned().collect())
    }
}

impl State {
    fn unused_segments(&self, filter: &UnusedFilter) -> Vec<UnusedSegment> {
        let after = filter.after.as_ref().map(ToString::to_string).unwrap_or_default();
        let is_asked = |id: &SegmentId, stored: &Stored| {
            !stored.used
                && stored.deletion != Deletion::Forgotten
                && filter.condemned.is_none_or(|is| is == (stored.deletion == Deletion::Condemned))
                && (filter.datasources.is_empty() || filter.datasources.contains(&*id.datasource))
                && filter.within.contains_interval(&id.interval)
                && stored.unused_ms < filter.before_ms
        };
        let asked = self.segments.iter().filter(|(id, stored)| is_asked(id, stored));
        let mut asked: Vec<(String, &Stored)> =
            asked.map(|(id, stored)| (id.to_string(), stored)).collect();
        asked.retain(|(text, _)| *text > after);
        asked.sort_by(|(left, _), (right, _)| left.cmp(right));
        let listed = asked.into_iter().take(filter.limit).map(|(_, stored)| UnusedSegment {
            segment: stored.segment.clone(),
            since_ms: stored.unused_ms,
            is_condemned: stored.deletion == Deletion::Condemned,
        });
        listed.collect()
    }

    fn mark_used(&mut self, ids: &[SegmentId]) -> Vec<PublishedSegment> {
        let mut marked = Vec::new();
        for id in ids {
            let stored = self.segments.get_mut(id);
            let stored = stored.filter(|s| !s.used && s.deletion == Deletion::None);
            let Some(stored) = stored else { continue };
            self.sequence += 1;
            self.changes.remove(&stored.sequence);
            self.changes.insert(self.sequence, id.clone());
            stored.used = true;
            stored.sequence = self.sequence;
            marked.push(stored.segment.clone());
        }
        marked
    }

    /// Gives those that were not condemned before.
    fn condemn(&mut self, ids: &[SegmentId], unused_before_ms: i64) -> Vec<SegmentId> {
        let known = ids.iter().filter_map(|id| self.segments.get(id));
        let eligible = known.filter(|stored| {
            !stored.used && stored.deletion == Deletion::None && stored.unused_ms < unused_before_ms
        });
        let eligible: Vec<PublishedSegment> =
            eligible.map(|stored| stored.segment.clone()).collect();
        let kept = self.segments.values().filter(|s| s.deletion != Deletion::Forgotten);
        let sharing: Vec<_> = kept
            .map(|s| (s.segment.id.clone(), s.segment.object_key.clone(), s.deletion))
            .collect();
        let new = provably_unreferenced(&eligible, &sharing);
        for id in &new {
            if let Some(stored) = self.segments.get_mut(id) {
                stored.deletion = Deletion::Condemned;
            }
        }
        new
    }

    fn condemned(&self, id: &SegmentId) -> Option<&Stored> {
        self.segments.get(id).filter(|stored| stored.deletion == Deletion::Condemned)
    }
}
