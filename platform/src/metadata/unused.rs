//! Segments that are not used any more: listing them, using them again, and deleting them for good.
//!
//! Deleting has an order that a crash at any step leaves safe (F-43): a segment is *condemned* in a
//! transaction that proves that nothing refers to it, then its object is deleted, then it is *forgotten*.
//! What is condemned is never used again, so nobody can ask for an object that is gone (F-44). Its row stays,
//! so that its id is never given out again, and followers hear that it is not used however late they ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use async_trait::async_trait;
use henge_types::{Interval, SegmentId};

use super::error::Result;
use super::leases::Fence;
use super::records::PublishedSegment;

/// A segment that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedSegment {
    /// The segment.
    pub segment: PublishedSegment,
    /// Since when, by the store's clock, in milliseconds since 1970.
    pub since_ms: i64,
    /// True when it cannot be used again: its object goes, or is gone.
    pub is_condemned: bool,
}

/// Which unused segments to list, in the order of the texts of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedFilter {
    /// Of these datasources only; of all when none is named.
    pub datasources: BTreeSet<String>,
    /// Those that lie in this time.
    pub within: Interval,
    /// Those that are not used since before this moment.
    pub before_ms: i64,
    /// Only those that are condemned, or only those that are not.
    pub condemned: Option<bool>,
    /// Those after this id, which is where the next page begins.
    pub after: Option<SegmentId>,
    /// At most so many.
    pub limit: usize,
}

impl Default for UnusedFilter {
    fn default() -> Self {
        Self {
            datasources: BTreeSet::new(),
            within: Interval::ETERNITY,
            before_ms: i64::MAX,
            condemned: None,
            after: None,
            limit: usize::MAX,
        }
    }
}

impl UnusedFilter {
    /// All of one datasource.
    #[must_use]
    pub fn of(datasource: &str) -> Self {
        Self { datasources: [datasource.to_owned()].into(), ..Self::default() }
    }
}

/// What can be done with unused segments. Part of every metadata store.
#[async_trait]
pub trait UnusedSegments: Send + Sync + Debug {
    /// Segments that are not used and not forgotten.
    async fn unused_segments(&self, filter: &UnusedFilter) -> Result<Vec<UnusedSegment>>;

    /// Marks segments used again; gives how many were not before. Unknown ids are ignored, and so are those
    /// that are condemned. `Fenced` when somebody else has the lease of the fence by now.
    async fn mark_used(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize>;

    /// Condemns those of these segments that are not used since before a moment and whose objects no
    /// other segment names, used or not, that is not condemned with it. Gives all of them that are condemned
    /// then; `Fenced` as above.
    async fn condemn_segments(
        &self,
        ids: &[SegmentId],
        unused_before_ms: i64,
        fence: Option<&Fence>,
    ) -> Result<Vec<PublishedSegment>>;

    /// The objects of these condemned segments are gone: they are not listed any more. Gives how many there
    /// were; `Fenced` as above.
    async fn forget_condemned(&self, ids: &[SegmentId], fence: Option<&Fence>) -> Result<usize>;

    /// Those of these objects that no segment names, used or not, that is not forgotten; by their keys.
    async fn unnamed_objects(&self, keys: &[String]) -> Result<Vec<String>>;
}

/// How far a segment's deletion is, as it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deletion {
    /// It is kept.
    #[default]
    None = 0,
    /// Its object goes.
    Condemned = 1,
    /// Its object is gone.
    Forgotten = 2,
}

/// Of `eligible` segments those whose objects nobody else names: `sharing` are all segments that are not
/// forgotten and name one of their objects, with how far each is.
pub(super) fn provably_unreferenced(
    eligible: &[PublishedSegment],
    sharing: &[(SegmentId, String, Deletion)],
) -> Vec<SegmentId> {
    let ids: BTreeSet<&SegmentId> = eligible.iter().map(|segment| &segment.id).collect();
    let mut named: BTreeMap<&str, bool> = BTreeMap::new();
    for (id, key, deletion) in sharing {
        let goes = ids.contains(id) || *deletion == Deletion::Condemned;
        let all_go = named.entry(key).or_insert(true);
        *all_go = *all_go && goes;
    }
    let goes = |segment: &&PublishedSegment| named.get(segment.object_key.as_str()) == Some(&true);
    eligible.iter().filter(goes).map(|segment| segment.id.clone()).collect()
}

/// What stays of a forgotten segment: its identity, not its columns.
pub(super) fn remains(segment: PublishedSegment) -> PublishedSegment {
    PublishedSegment { schema_json: "{}".to_owned(), ..segment }
}
