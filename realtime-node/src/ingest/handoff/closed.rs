//! A closed generation while it is handed off, cut into the chunks that are handed off by themselves.

use std::sync::Arc;

use henge_types::{Interval, SegmentId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::backlog::Waiting;
use super::retry::Retry;
use crate::ingest::generation::Generation;
use crate::options::RealtimeOptions;
use crate::publication::Outgoing;
use crate::sink::{PartFiles, Sink};

/// A generation that takes no more rows.
#[derive(Debug)]
pub(crate) struct ClosedGeneration {
    /// What it holds.
    pub(crate) generation: Generation,
    /// Told once all of it is published.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

impl ClosedGeneration {
    /// What waits of it before the hand-off looked at it.
    pub(super) fn waiting(&self) -> Waiting {
        let Generation { sinks, request_bytes, .. } = &self.generation;
        let (chunks, request_bytes) = (sinks.len(), *request_bytes);
        Waiting { generations: 1, unwritten: 1, chunks, request_bytes }
    }
}

/// A closed generation on its way.
#[derive(Debug)]
pub(super) struct Closed {
    /// What it held; its sinks are in the chunks.
    pub(super) generation: Generation,
    pub(super) files: PartFiles,
    /// Those that are not published.
    pub(super) chunks: Vec<ClosedChunk>,
    /// Of the commit of its position, once no chunk is left.
    pub(super) retry: Retry,
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// The rows of a generation that lie in one time chunk, or in several that overlap. No other row of
/// the generation has a time in the interval.
#[derive(Debug)]
pub(super) struct ClosedChunk {
    pub(super) interval: Interval,
    /// Those that are not written to segment files.
    pub(super) sinks: Vec<Arc<Sink>>,
    /// Segment files, on their way to deep storage.
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) retry: Retry,
}

impl Closed {
    pub(super) fn new(closed: ClosedGeneration, options: &RealtimeOptions) -> Self {
        let ClosedGeneration { mut generation, done } = closed;
        let files = generation.part_files(options);
        let sinks = std::mem::take(&mut generation.sinks);
        let chunks = in_chunks(sinks.into_values());
        Self { generation, files, chunks, retry: Retry::new(), done }
    }

    /// What waits of it.
    pub(super) fn waiting(&self) -> Waiting {
        let is_written = self.chunks.iter().all(|chunk| chunk.sinks.is_empty());
        Waiting {
            generations: 1,
            unwritten: usize::from(!is_written),
            chunks: self.chunks.len(),
            request_bytes: self.generation.request_bytes,
        }
    }

    /// The first chunk with something to do before it can be published.
    pub(super) fn next_to_prepare(&self, now: Instant) -> Option<usize> {
        self.chunks.iter().position(|chunk| !chunk.is_ready() && chunk.retry.is_due(now))
    }

    /// What is still held in memory is what it is charged for.
    pub(super) fn note_memory(&mut self) {
        let sinks = self.chunks.iter().flat_map(|chunk| &chunk.sinks);
        self.generation.held.force(sinks.map(|sink| sink.in_memory().1).sum());
    }

    /// All attempts, those at chunks first.
    pub(super) fn retries(&self) -> impl Iterator<Item = &Retry> {
        self.chunks.iter().map(|chunk| &chunk.retry).chain([&self.retry])
    }

    pub(super) fn hurry(&mut self) {
        self.chunks.iter_mut().for_each(|chunk| chunk.retry.hurry());
        self.retry.hurry();
    }
}

impl ClosedChunk {
    /// What its rows are announced under.
    pub(super) fn ids(&self) -> impl Iterator<Item = SegmentId> {
        let sinks = self.sinks.iter().map(|sink| sink.target().id.clone());
        sinks.chain(self.outgoing.iter().map(|segment| segment.file.published.id.clone()))
    }

    /// True when all of its segments are in deep storage.
    pub(super) fn is_ready(&self) -> bool {
        self.sinks.is_empty() && self.outgoing.iter().all(|segment| segment.pushed.is_some())
    }
}

/// Sinks in the order of their start, those that overlap together.
fn in_chunks(sinks: impl Iterator<Item = Arc<Sink>>) -> Vec<ClosedChunk> {
    let mut chunks: Vec<ClosedChunk> = Vec::new();
    for sink in sinks {
        match chunks.last_mut() {
            Some(last) if last.interval.overlaps(&sink.chunk) => {
                last.interval = last.interval.span(&sink.chunk);
                last.sinks.push(sink);
            }
            _ => chunks.push(ClosedChunk {
                interval: sink.chunk,
                sinks: vec![sink],
                outgoing: Vec::new(),
                retry: Retry::new(),
            }),
        }
    }
    chunks
}
