//! Segments of one datasource and chunk: every query that reads one reads all of them.
//!
//! Segments are ordered by datasource and time, so those of a chunk are beside each other and are counted when
//! that is asked. Of chunks with very many the counts are kept.

use rustc_hash::FxHashMap;

use crate::cluster::{Cluster, SegmentIndex, ServerIndex};

/// Chunks with more segments than this have their counts kept.
const FEW: usize = 64;

/// The chunks of a cluster.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    /// By segment.
    chunk: Vec<u32>,
    /// The first segment of each chunk, and of one more.
    starts: Vec<u32>,
    /// Copies by node, of the chunks with many.
    kept: FxHashMap<u32, Vec<u32>>,
}

impl Chunks {
    /// Of these segments; copies are not counted yet.
    pub(super) fn of(cluster: &Cluster) -> Self {
        let segments = cluster.segments();
        let mut chunk = Vec::with_capacity(segments.len());
        let mut starts = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            let is_same = at > 0 && {
                let before = &segments[at - 1];
                (before.datasource, before.interval) == (segment.datasource, segment.interval)
            };
            if !is_same {
                starts.push(at as u32);
            }
            chunk.push(starts.len() as u32 - 1);
        }
        starts.push(segments.len() as u32);
        let many =
            starts.windows(2).enumerate().filter(|(_, ends)| (ends[1] - ends[0]) as usize > FEW);
        let kept = many.map(|(at, _)| (at as u32, vec![0; cluster.servers().len()])).collect();
        Self { chunk, starts, kept }
    }

    /// Segments of the chunk of a segment.
    fn members(&self, segment: SegmentIndex) -> std::ops::Range<u32> {
        let chunk = self.chunk[segment as usize] as usize;
        self.starts[chunk]..self.starts[chunk + 1]
    }

    /// A copy came or went.
    pub(super) fn count(&mut self, segment: SegmentIndex, server: ServerIndex, comes: bool) {
        if self.kept.is_empty() {
            return;
        }
        let chunk = self.chunk[segment as usize];
        if let Some(counts) = self.kept.get_mut(&chunk) {
            let count = &mut counts[usize::from(server)];
            *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Calls `visit` for nodes with others of the chunk, with how many they are; perhaps more than once for
    /// a node.
    pub(super) fn others(
        &self,
        cluster: &Cluster,
        segment: SegmentIndex,
        mut visit: impl FnMut(ServerIndex, u32),
    ) {
        let members = self.members(segment);
        if members.len() <= 1 {
            return;
        }
        let own = &cluster.segment(segment).holders;
        if let Some(counts) = self.kept.get(&self.chunk[segment as usize]) {
            for (server, count) in (0..).zip(counts) {
                let others = count - u32::from(own.contains(&server));
                if others > 0 {
                    visit(server, others);
                }
            }
            return;
        }
        for other in members.filter(|other| *other != segment) {
            for server in &cluster.segment(other).holders {
                visit(*server, 1);
            }
        }
    }
}
