//! The cache of what immutable segments contribute to queries.

#[cfg(test)]
mod contract;
mod memory;
mod partials;

use std::fmt::Debug;
use std::sync::Arc;

use henge_exec::Partial;
use henge_platform::cache::CacheStats;
use henge_types::SegmentId;

pub use memory::MemoryPartialCache;
pub(crate) use partials::PartialCaching;

/// Names the contribution of one segment to one query. Segment ids carry a version that is never
/// given out twice, so an entry can become useless but never wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartialKey {
    /// The segment, with its version.
    pub segment: SegmentId,
    /// The query, its intervals within the segment, and the visible part of the segment.
    pub query: u128,
}

/// Contributions of immutable segments.
pub trait PartialCache: Send + Sync + Debug {
    /// What was put under the key, unless it was dropped since.
    fn get(&self, key: &PartialKey) -> Option<Arc<Partial>>;

    /// Keeps a contribution, if there is room and it is not too large.
    fn put(&self, key: PartialKey, partial: Arc<Partial>);

    /// Larger contributions are not kept: do not copy them for `put`.
    fn max_entry_bytes(&self) -> usize;

    /// How the cache does.
    fn stats(&self) -> CacheStats;
}
