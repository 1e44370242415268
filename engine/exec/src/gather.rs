//! The end of a query over many groups: its partitions are merged by several workers, and of each
//! only the groups that can be in the answer are left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use henge_query::Query;
use henge_scan::Result;

use crate::context::ExecContext;
use crate::extent::Extent;
use crate::merge::{Merger, Unmerged};
use crate::partial::{GroupedPartial, Partial};
use crate::spill::{may_cut, merge_partition};

/// Partitions of a query's groups, being merged.
pub struct Gathering {
    unmerged: Unmerged,
    partitions: Vec<Mutex<Vec<Partial>>>,
    next: AtomicUsize,
    merged: Mutex<Vec<(usize, Partial)>>,
}

impl std::fmt::Debug for Gathering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gathering")
            .field("partitions", &self.partitions.len())
            .finish_non_exhaustive()
    }
}

impl Gathering {
    /// What a merger has; `extent` says whether anything else will be merged with it.
    ///
    /// # Errors
    /// Internal ones: keys of different types.
    pub fn new(merger: Merger, extent: Extent) -> Result<Self> {
        let (unmerged, partitions) = merger.into_partitions(extent)?;
        Ok(Self {
            unmerged,
            partitions: partitions.into_iter().map(Mutex::new).collect(),
            next: AtomicUsize::new(0),
            merged: Mutex::default(),
        })
    }

    /// How many workers find something to do.
    #[must_use]
    pub fn worker_limit(&self) -> usize {
        self.partitions.len()
    }

    /// Merges the next partition. False when none was left.
    ///
    /// # Errors
    /// As [`crate::merge`].
    pub fn step(&self, ctx: &ExecContext) -> Result<bool> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(partition) = self.partitions.get(index) else { return Ok(false) };
        ctx.cancel.check()?;
        let merged = self.merge_one(std::mem::take(&mut *locked(partition)), ctx)?;
        locked(&self.merged).push((index, merged));
        Ok(true)
    }

    fn merge_one(&self, parts: Vec<Partial>, ctx: &ExecContext) -> Result<Partial> {
        let query = self.unmerged.query();
        let cuts = self.partitions.len() > 1
            && self.unmerged.extent().is_whole()
            && !self.unmerged.has_segment_ids()
            && matches!(query, Query::GroupBy(_))
            && may_cut(query);
        if !cuts {
            return self.unmerged.merge_one(parts, ctx);
        }
        let parts = self.unmerged.distinct(parts, ctx)?;
        let groups = parts.into_iter().filter_map(|part| match part {
            Partial::Grouped(groups) => Some(groups),
            _ => None,
        });
        merge_partition(query, groups.collect::<Vec<GroupedPartial>>(), ctx)
    }

    /// All of it, once every step was done.
    ///
    /// # Errors
    /// Internal ones: keys of different types.
    pub fn finish(&self) -> Result<Partial> {
        let mut merged = std::mem::take(&mut *locked(&self.merged));
        merged.sort_unstable_by_key(|(index, _)| *index);
        self.unmerged.together(merged.into_iter().map(|(_, partial)| partial).collect())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
