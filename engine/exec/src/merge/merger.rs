//! Merging as partials come: a worker that runs over many segments keeps one state a group instead
//! of one a group and segment.

use std::sync::Arc;

use henge_query::Query;
use henge_scan::Result;
use henge_segment::SegmentView;

use super::dense::Dense;
use super::parted::{self, Parted};
use super::segment_ids::text_of_ids;
use super::unmerged::Unmerged;
use super::{another_query, merge, regroup};
use crate::context::ExecContext;
use crate::extent::Extent;
use crate::partial::{Distinctness, GroupedPartial, Partial};
use crate::top_cut::TopCut;

/// Waiting groups that are merged before more come.
const MAX_WAITING_GROUPS: usize = 1 << 20;

/// Partials of one query, merged.
pub struct Merger {
    query: Arc<Query>,
    dense: Option<Dense>,
    /// Groups that are too many for one table.
    parted: Option<Parted>,
    /// True when groups came that are better cut into partitions.
    parts_pay: bool,
    waiting: Vec<Partial>,
    waiting_groups: usize,
    waiting_bytes: usize,
    /// While all that was added is of this one segment: string keys are its ids then.
    segment: Option<Arc<dyn SegmentView>>,
    /// `Part` when groups were put aside that may be the same as those here.
    extent: Extent,
}

impl std::fmt::Debug for Merger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merger").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Merger {
    /// Nothing merged yet.
    #[must_use]
    pub fn new(query: Arc<Query>) -> Self {
        Self {
            query,
            dense: None,
            parted: None,
            parts_pay: false,
            waiting: Vec::new(),
            waiting_groups: 0,
            waiting_bytes: 0,
            segment: None,
            extent: Extent::Whole,
        }
    }

    /// Takes what is here out, to be put aside.
    pub(crate) fn take(&mut self) -> Self {
        let rest = Self { extent: Extent::Part, ..Self::new(Arc::clone(&self.query)) };
        std::mem::replace(self, rest)
    }

    /// Adds a partial of the query.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn add(&mut self, partial: Partial, ctx: &ExecContext) -> Result<()> {
        self.leave_segment(ctx)?;
        self.push(partial, ctx)
    }

    /// Adds a partial whose string keys are ids of the segment's dictionaries.
    pub(crate) fn add_of_segment(
        &mut self,
        segment: &Arc<dyn SegmentView>,
        partial: Partial,
        ctx: &ExecContext,
    ) -> Result<()> {
        if self.is_empty() {
            self.segment = Some(Arc::clone(segment));
        }
        match &self.segment {
            Some(own) if Arc::ptr_eq(own, segment) => self.push(partial, ctx),
            _ => self.add(text_of_ids(&self.query, segment.as_ref(), partial)?, ctx),
        }
    }

    /// Adds groups of which several may be the same to partitions, if there are some, and else gives them
    /// back, the same ones combined. `segment` as for [`Merger::add_of_segment`].
    pub(crate) fn add_repeating(
        &mut self,
        segment: Option<&Arc<dyn SegmentView>>,
        partial: Partial,
        ctx: &ExecContext,
    ) -> Result<Option<Partial>> {
        let (Partial::Grouped(groups), Some(query)) = (partial, self.query.grouped()) else {
            return Err(another_query());
        };
        let is_own = match (&self.segment, segment) {
            (None, None) => true,
            (Some(own), Some(segment)) => Arc::ptr_eq(own, segment),
            (None, Some(_)) | (Some(_), None) => false,
        };
        match &mut self.parted {
            Some(parted) if is_own && parted.takes(&groups) => {
                parted.add_repeating(&groups, query.aggregations, ctx)?;
                Ok(None)
            }
            _ => regroup(query.aggregations, groups, ctx)
                .map(|groups| Some(Partial::Grouped(groups))),
        }
    }

    fn is_empty(&self) -> bool {
        self.dense.is_none() && self.parted.is_none() && self.waiting.is_empty()
    }

    /// Makes text of ids: other segments' groups are to be added.
    fn leave_segment(&mut self, ctx: &ExecContext) -> Result<()> {
        if let Some(segment) = self.segment.take() {
            if let Some(parted) = self.parted.take() {
                let partials = self.partials_of(parted, ctx)?;
                self.waiting.extend(partials);
            }
            for partial in &mut self.waiting {
                let empty = Partial::Grouped(GroupedPartial::default());
                let ids = std::mem::replace(partial, empty);
                *partial = text_of_ids(&self.query, segment.as_ref(), ids)?;
            }
            self.waiting_bytes = self.waiting.iter().map(Partial::memory_bytes).sum();
        }
        Ok(())
    }

    /// What is in partitions, each partial's groups distinct.
    fn partials_of(
        &self,
        parted: Parted,
        ctx: &ExecContext,
    ) -> Result<impl Iterator<Item = Partial> + use<>> {
        let aggregations = self.query.grouped().map_or(&[][..], |query| query.aggregations);
        Ok(parted.into_partials(aggregations, ctx)?.into_iter().map(Partial::Grouped))
    }

    fn push(&mut self, partial: Partial, ctx: &ExecContext) -> Result<()> {
        let Partial::Grouped(groups) = partial else {
            self.wait(partial);
            return Ok(());
        };
        let Some(groups) = self.add_dense(groups, ctx)? else { return Ok(()) };
        let Some(groups) = self.add_parted(groups, ctx)? else { return Ok(()) };
        self.waiting_groups += groups.group_count();
        self.parts_pay |= parted::pays(&groups, &ctx.tuning);
        self.wait(Partial::Grouped(groups));
        let is_much = self.waiting_groups > ctx.tuning.parted_groups;
        if is_much && self.parts_pay && self.parted.is_none() {
            self.part_waiting(ctx)?;
        }
        if self.waiting_groups > MAX_WAITING_GROUPS && self.waiting.len() > 1 {
            let merged = merge(&self.query, std::mem::take(&mut self.waiting), ctx)?;
            self.waiting_groups = match &merged {
                // What does not shrink is merged again only after as much again has come.
                Partial::Grouped(groups) => MAX_WAITING_GROUPS.saturating_sub(groups.group_count()),
                _ => 0,
            };
            self.waiting_bytes = 0;
            self.wait(merged);
        }
        Ok(())
    }

    fn wait(&mut self, partial: Partial) {
        self.waiting_bytes += partial.memory_bytes();
        self.waiting.push(partial);
    }

    /// Cuts what waits into partitions, if its groups can be.
    fn part_waiting(&mut self, ctx: &ExecContext) -> Result<()> {
        let Some(Partial::Grouped(last)) = self.waiting.last() else { return Ok(()) };
        let Some(parted) = Parted::for_groups(last) else { return Ok(()) };
        self.parted = Some(parted);
        (self.waiting_groups, self.waiting_bytes) = (0, 0);
        for partial in std::mem::take(&mut self.waiting) {
            let Partial::Grouped(groups) = partial else {
                self.wait(partial);
                continue;
            };
            if let Some(groups) = self.add_parted(groups, ctx)? {
                self.waiting_groups += groups.group_count();
                self.wait(Partial::Grouped(groups));
            }
        }
        Ok(())
    }

    /// Adds groups to their partitions, or gives them back.
    fn add_parted(
        &mut self,
        groups: GroupedPartial,
        ctx: &ExecContext,
    ) -> Result<Option<GroupedPartial>> {
        match (&mut self.parted, self.query.grouped()) {
            (Some(parted), Some(query)) if parted.takes(&groups) => {
                parted.add(&groups, query.aggregations, ctx)?;
                Ok(None)
            }
            _ => Ok(Some(groups)),
        }
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let dense = self.dense.as_ref().map_or(0, Dense::memory_bytes);
        let parted = self.parted.as_ref().map_or(0, Parted::memory_bytes);
        self.waiting_bytes + dense + parted
    }

    /// Everything added, as one partial. `extent` says whether anything else will be merged with it.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn finish(self, extent: Extent, ctx: &ExecContext) -> Result<Partial> {
        let (unmerged, partitions) = self.into_partitions(extent)?;
        let parts = partitions.into_iter().map(|parts| unmerged.merge_one(parts, ctx));
        unmerged.together(parts.collect::<Result<_>>()?)
    }

    /// Everything added, in partitions that can be merged one by one, in any order.
    pub(crate) fn into_partitions(
        mut self,
        extent: Extent,
    ) -> Result<(Unmerged, Vec<Vec<Partial>>)> {
        let extent = extent.and(self.extent);
        if let Some(dense) = self.dense.take() {
            let cut = TopCut::of(&self.query).filter(|_| extent.is_whole());
            // What waits may add to any group.
            let cut = cut.filter(|_| self.waiting.is_empty() && self.parted.is_none());
            self.waiting.push(Partial::Grouped(dense.finish(cut.as_ref())));
        }
        let Self { query, parted, waiting, segment, .. } = self;
        let Some(mut parted) = parted else {
            let unmerged = Unmerged::new(query, segment, extent, None, Distinctness::Distinct);
            return Ok((unmerged, vec![waiting]));
        };
        for partial in waiting {
            let Partial::Grouped(groups) = partial else { continue };
            parted.push(&parted.fitted(groups)?);
        }
        let data_range_ms = Some(parted.data_range_ms().to_vec());
        let distinctness = parted.distinctness();
        let unmerged = Unmerged::new(query, segment, extent, data_range_ms, distinctness);
        Ok((unmerged, parted.into_partitions()))
    }

    /// Adds what another merger of the same query has.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn absorb(&mut self, mut other: Self, ctx: &ExecContext) -> Result<()> {
        self.extent = self.extent.and(other.extent);
        if other.is_empty() {
            return Ok(());
        }
        match (&self.segment, &other.segment) {
            (None, None) => {}
            (Some(own), Some(others)) if Arc::ptr_eq(own, others) => {}
            (None, Some(_)) if self.is_empty() => self.segment = other.segment.take(),
            _ => {
                self.leave_segment(ctx)?;
                other.leave_segment(ctx)?;
            }
        }
        match (&mut self.dense, other.dense.take()) {
            (_, None) => {}
            (Some(dense), Some(from)) if dense.is_alike(&from) => dense.absorb(from, ctx)?,
            (empty @ None, Some(from)) => *empty = Some(from),
            (_, Some(from)) => self.push(Partial::Grouped(from.finish(None)), ctx)?,
        }
        match (&mut self.parted, other.parted.take()) {
            (_, None) => {}
            (Some(parted), Some(from)) if parted.is_alike(&from) => parted.absorb(from),
            (empty @ None, Some(from)) => *empty = Some(from),
            (Some(_), Some(from)) => {
                let mut partials = self.partials_of(from, ctx)?;
                partials.try_for_each(|partial| self.push(partial, ctx))?;
            }
        }
        other.waiting.into_iter().try_for_each(|partial| self.push(partial, ctx))
    }

    /// Adds groups to the array, or gives them back.
    fn add_dense(
        &mut self,
        groups: GroupedPartial,
        ctx: &ExecContext,
    ) -> Result<Option<GroupedPartial>> {
        if !groups.bucket_starts.is_one() {
            return Ok(Some(groups));
        }
        if self.dense.is_none() {
            self.dense = self
                .query
                .grouped()
                .and_then(|query| Dense::for_groups(&groups, query.aggregations));
        }
        match &mut self.dense {
            Some(dense) if dense.takes(&groups) => dense.add(groups, ctx).map(|()| None),
            _ => Ok(Some(groups)),
        }
    }
}
