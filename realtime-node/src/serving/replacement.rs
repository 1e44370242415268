//! Replacing chunks while events are pushed into them.
//!
//! A task announces its intent before it publishes: from then on every sink in its chunks answers
//! under the coming version as well. So the moment the new segments become visible, the pushed
//! rows are visible beside them; not a moment earlier, because the coming version is complete only
//! with the task's own segments.

use std::sync::Arc;

use henge_types::{Interval, SegmentId, Version};

use super::{Serving, State};
use crate::error::Result;
use crate::sink::Sink;

/// One chunk that a task replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacedChunk {
    /// The chunk.
    pub interval: Interval,
    /// How many segments the task will publish for it; at least 1.
    pub core_partitions: u32,
}

/// A task's intent to replace chunks.
#[derive(Debug)]
pub struct Replacement {
    datasource: Arc<str>,
    version: Version,
    chunks: Vec<ReplacedChunk>,
}

impl Replacement {
    /// The id of a sink's rows under the coming version.
    pub(super) fn id_like(&self, id: &SegmentId) -> SegmentId {
        let chunk = self.chunk_of(id).map_or(id.interval, |chunk| chunk.interval);
        SegmentId { interval: chunk, version: self.version, ..id.clone() }
    }

    fn chunk_of(&self, id: &SegmentId) -> Option<&ReplacedChunk> {
        if id.datasource != self.datasource {
            return None;
        }
        self.chunks.iter().find(|chunk| chunk.interval.overlaps(&id.interval))
    }
}

impl State {
    /// The replacement under way that covers an id, and its number of core partitions there.
    pub(super) fn coming(&self, id: &SegmentId) -> Option<(Arc<Replacement>, u32)> {
        self.replacements.iter().rev().find_map(|replacement| {
            let chunk = replacement.chunk_of(id)?;
            Some((Arc::clone(replacement), chunk.core_partitions))
        })
    }
}

impl Serving {
    /// Announces the sinks in `chunks` under the coming version as well, and so all sinks opened
    /// from now on.
    ///
    /// # Errors
    /// When discovery is away; then the replacement must not go on.
    pub fn begin_replacement(
        &self,
        datasource: &Arc<str>,
        version: Version,
        chunks: Vec<ReplacedChunk>,
    ) -> Result<Arc<Replacement>> {
        let replacement =
            Arc::new(Replacement { datasource: Arc::clone(datasource), version, chunks });
        let mut state = self.state.lock();
        state.replacements.push(Arc::clone(&replacement));
        for (sink, target) in state.distinct_sinks() {
            let Some(chunk) = replacement.chunk_of(&target) else { continue };
            let add = vec![state.transient(&replacement.id_like(&target), chunk.core_partitions)];
            self.change(&mut state, &sink, add, &[])?;
        }
        Ok(replacement)
    }

    /// Ends a replacement: when the new segments are served, or when the task failed.
    ///
    /// # Errors
    /// When discovery is away; announcements under the version then stay, invisible.
    pub fn end_replacement(&self, replacement: &Arc<Replacement>, published: bool) -> Result<()> {
        let mut state = self.state.lock();
        state.replacements.retain(|other| !Arc::ptr_eq(other, replacement));
        if published {
            return Ok(());
        }
        for (sink, target) in state.distinct_sinks() {
            if replacement.chunk_of(&target).is_none() {
                continue;
            }
            let version = replacement.version;
            let remove = state.ids_of(&sink, |id| id.version == version && *id != target);
            // A sink opened meanwhile was not announced under its own target so far.
            let others = state.ids_of(&sink, |id| id.version == Version(0));
            let pending = sink.target();
            let add = vec![(pending.id, pending.shard_spec)];
            self.change(&mut state, &sink, add, &[remove, others].concat())?;
        }
        Ok(())
    }
}

impl State {
    fn distinct_sinks(&self) -> Vec<(Arc<Sink>, SegmentId)> {
        let mut sinks: Vec<(Arc<Sink>, SegmentId)> = Vec::new();
        for sink in self.sinks.values() {
            if !sinks.iter().any(|(known, _)| Arc::ptr_eq(known, sink)) {
                sinks.push((Arc::clone(sink), sink.id()));
            }
        }
        sinks
    }
}
