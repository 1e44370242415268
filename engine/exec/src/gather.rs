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
use crate::ranking::{LeftOut, RankCut};
use crate::spill::{may_cut, merge_partition};

/// Partitions of a query's groups, being merged.
pub struct Gathering {
    unmerged: Unmerged,
    partitions: Vec<Mutex<Vec<Partial>>>,
    next: AtomicUsize,
    merged: Mutex<Vec<(usize, Partial)>>,
    /// Which groups are wanted where anything else will be merged.
    rank: Option<RankCut>,
    left_out: Mutex<Option<LeftOut>>,
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
            rank: None,
            left_out: Mutex::default(),
        })
    }

    /// Only the groups that are wanted are left, although something else will be merged with them.
    #[must_use]
    pub fn ranked(self, rank: Option<RankCut>) -> Self {
        let rank = rank.filter(|_| !self.unmerged.extent().is_whole());
        Self { rank, ..self }
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
            let merged = self.unmerged.merge_unnamed(parts, ctx)?;
            let part = |rank: &RankCut| match self.partitions.len() {
                1 => rank.clone(),
                several => rank.of_one(several),
            };
            let merged = self.wanted(self.rank.as_ref().map(part).as_ref(), merged);
            return self.unmerged.named(merged);
        }
        let parts = self.unmerged.distinct(parts, ctx)?;
        let groups = parts.into_iter().filter_map(|part| match part {
            Partial::Grouped(groups) => Some(groups),
            _ => None,
        });
        merge_partition(query, groups.collect::<Vec<GroupedPartial>>(), ctx)
    }

    /// Of what was merged the groups that are wanted; what is left out is noted.
    fn wanted(&self, rank: Option<&RankCut>, merged: Partial) -> Partial {
        let (Some(rank), Partial::Grouped(groups)) = (rank, &merged) else { return merged };
        match rank.apply(groups, None) {
            None => merged,
            Some((kept, now)) => {
                let mut left_out = locked(&self.left_out);
                *left_out = Some(now.and(*left_out));
                Partial::Grouped(kept)
            }
        }
    }

    /// All of it, once every step was done, and what bounds the groups that are not wanted.
    ///
    /// # Errors
    /// Internal ones: keys of different types.
    pub fn finish(&self) -> Result<(Partial, Option<LeftOut>)> {
        let mut merged = std::mem::take(&mut *locked(&self.merged));
        merged.sort_unstable_by_key(|(index, _)| *index);
        let together =
            self.unmerged.together(merged.into_iter().map(|(_, partial)| partial).collect())?;
        let left_out = locked(&self.left_out).take();
        let Some(rank) = self.rank.as_ref().filter(|_| self.partitions.len() > 1) else {
            return Ok((together, left_out));
        };
        Ok(match &together {
            Partial::Grouped(groups) => match rank.apply(groups, left_out) {
                Some((kept, left_out)) => (Partial::Grouped(kept), Some(left_out)),
                None => (together, left_out),
            },
            _other_kinds => (together, left_out),
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
