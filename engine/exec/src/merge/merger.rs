//! Merging as partials come: a worker that runs over many segments keeps one state a group instead
//! of one a group and segment.

use std::sync::Arc;

use henge_query::{AggregatorSpec, Query};
use henge_segment::SegmentView;
use henge_types::Granularity;

use super::dense::Dense;
use super::merge;
use super::segment_ids::text_of_ids;
use crate::context::ExecContext;
use crate::error::Result;
use crate::finalise::pick_groups;
use crate::partial::{GroupedPartial, Partial};
use crate::run::TopCut;

/// Waiting groups that are merged before more come.
const MAX_WAITING_GROUPS: usize = 1 << 20;

/// Partials of one query, merged.
pub struct Merger {
    query: Arc<Query>,
    dense: Option<Dense>,
    waiting: Vec<Partial>,
    waiting_groups: usize,
    /// The start of the only time bucket, for granularity `all`. Segments of which a part is hidden
    /// answer for other intervals, whose start is not the query's.
    start_of_all_ms: Option<i64>,
    waiting_bytes: usize,
    /// While all that was added is of this one segment: string keys are its ids then, as LONG keys.
    segment: Option<Arc<dyn SegmentView>>,
    /// Groups were put aside that may be the same as those here.
    is_part: bool,
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
        let granularity = match query.as_ref() {
            Query::Timeseries(query) => Some(&query.granularity),
            Query::TopN(query) => Some(&query.granularity),
            Query::GroupBy(query) => Some(&query.granularity),
            _ => None,
        };
        let first = query.base().intervals.first().map_or(0, |interval| interval.start_ms);
        Self {
            start_of_all_ms: granularity.filter(|g| **g == Granularity::All).map(|_| first),
            query,
            dense: None,
            waiting: Vec::new(),
            waiting_groups: 0,
            waiting_bytes: 0,
            segment: None,
            is_part: false,
        }
    }

    /// Takes what is here out, to be put aside.
    pub(crate) fn take(&mut self) -> Self {
        let rest = Self { is_part: true, ..Self::new(Arc::clone(&self.query)) };
        std::mem::replace(self, rest)
    }

    /// Adds a partial of the query.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn add(&mut self, partial: Partial, ctx: &ExecContext) -> Result<()> {
        self.leave_segment()?;
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

    fn is_empty(&self) -> bool {
        self.dense.is_none() && self.waiting.is_empty()
    }

    /// Makes text of ids: other segments' groups are to be added.
    fn leave_segment(&mut self) -> Result<()> {
        if let Some(segment) = self.segment.take() {
            for partial in &mut self.waiting {
                let empty = Partial::Grouped(GroupedPartial::default());
                let ids = std::mem::replace(partial, empty);
                *partial = text_of_ids(&self.query, segment.as_ref(), ids)?;
            }
            self.waiting_bytes = self.waiting.iter().map(Partial::memory_bytes).sum();
        }
        Ok(())
    }

    fn push(&mut self, partial: Partial, ctx: &ExecContext) -> Result<()> {
        let partial = match partial {
            Partial::Grouped(mut groups) => {
                let differs = |start| groups.bucket_start_ms.first().is_some_and(|s| *s != start);
                if let Some(start) = self.start_of_all_ms.filter(|start| differs(*start)) {
                    groups.bucket_start_ms.fill(start);
                }
                match self.add_dense(groups, ctx)? {
                    Some(groups) => Partial::Grouped(groups),
                    None => return Ok(()),
                }
            }
            partial => partial,
        };
        if let Partial::Grouped(groups) = &partial {
            self.waiting_groups += groups.group_count();
        }
        self.waiting_bytes += partial.memory_bytes();
        self.waiting.push(partial);
        if self.waiting_groups > MAX_WAITING_GROUPS && self.waiting.len() > 1 {
            let merged = merge(&self.query, std::mem::take(&mut self.waiting), ctx)?;
            self.waiting_groups = match &merged {
                // What does not shrink is merged again only after as much again has come.
                Partial::Grouped(groups) => MAX_WAITING_GROUPS.saturating_sub(groups.group_count()),
                _ => 0,
            };
            self.waiting_bytes = merged.memory_bytes();
            self.waiting.push(merged);
        }
        Ok(())
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let dense = self.dense.as_ref().map_or(0, Dense::memory_bytes);
        self.waiting_bytes + dense
    }

    /// Everything added, as one partial.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn finish(self, ctx: &ExecContext) -> Result<Partial> {
        self.finish_with_cut(None, ctx)
    }

    /// As [`Merger::finish`], when nothing else will be merged with it: a topN, or a groupBy with a
    /// limit, then leaves out groups that cannot be in the answer.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn finish_complete(self, ctx: &ExecContext) -> Result<Partial> {
        let cut = TopCut::of(&self.query).filter(|_| !self.is_part);
        self.finish_with_cut(cut.as_ref(), ctx)
    }

    fn finish_with_cut(mut self, cut: Option<&TopCut>, ctx: &ExecContext) -> Result<Partial> {
        if let Some(dense) = self.dense.take() {
            // What waits may add to any group.
            let cut = cut.filter(|_| self.waiting.is_empty());
            self.waiting.push(Partial::Grouped(dense.finish(cut)));
        }
        let merged = merge(&self.query, self.waiting, ctx)?;
        let (Some(segment), Partial::Grouped(groups)) = (self.segment, &merged) else {
            return Ok(merged);
        };
        // Each time bucket has an answer of its own.
        let cut = cut.filter(|_| self.start_of_all_ms.is_some());
        let best = cut.and_then(|cut| cut.best(groups.states.get(cut.aggregator())?));
        let merged = match best {
            Some(best) => Partial::Grouped(pick_groups(groups, &best)),
            None => merged,
        };
        text_of_ids(&self.query, segment.as_ref(), merged)
    }

    /// Adds what another merger of the same query has.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn absorb(&mut self, mut other: Self, ctx: &ExecContext) -> Result<()> {
        self.is_part |= other.is_part;
        if other.is_empty() {
            return Ok(());
        }
        match (&self.segment, &other.segment) {
            (None, None) => {}
            (Some(own), Some(others)) if Arc::ptr_eq(own, others) => {}
            (None, Some(_)) if self.is_empty() => self.segment = other.segment.take(),
            _ => {
                self.leave_segment()?;
                other.leave_segment()?;
            }
        }
        match (&mut self.dense, other.dense.take()) {
            (_, None) => {}
            (Some(dense), Some(from)) if dense.is_alike(&from) => dense.absorb(from, ctx)?,
            (empty @ None, Some(from)) => *empty = Some(from),
            (_, Some(from)) => self.push(Partial::Grouped(from.finish(None)), ctx)?,
        }
        other.waiting.into_iter().try_for_each(|partial| self.push(partial, ctx))
    }

    /// Adds groups to the array, or gives them back.
    fn add_dense(
        &mut self,
        groups: GroupedPartial,
        ctx: &ExecContext,
    ) -> Result<Option<GroupedPartial>> {
        let starts = &groups.bucket_start_ms;
        let is_single = || starts.iter().all(|start| Some(start) == starts.first());
        if !(self.start_of_all_ms.is_some() || is_single()) {
            return Ok(Some(groups));
        }
        if self.dense.is_none() {
            self.dense = Dense::for_groups(&groups, aggregations_of(&self.query));
        }
        match &mut self.dense {
            Some(dense) if dense.takes(&groups) => dense.add(groups, ctx).map(|()| None),
            _ => Ok(Some(groups)),
        }
    }
}

fn aggregations_of(query: &Query) -> &[AggregatorSpec] {
    match query {
        Query::Timeseries(query) => &query.aggregations,
        Query::TopN(query) => &query.aggregations,
        Query::GroupBy(query) => &query.aggregations,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::finalise::testing::{partial, text_keys};
    use crate::partial::StateColumn;

    /// A segment of which a newer version hides the beginning answers from a later start on.
    #[test]
    fn segments_that_are_partly_hidden_add_to_the_same_bucket() {
        let query = json!({
            "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-03",
            "granularity": "all", "dimensions": ["a"],
            "aggregations": [{"type": "count", "name": "n"}],
        });
        let query = Arc::new(Query::parse(query.to_string().as_bytes()).unwrap());
        let of = |start, count| {
            let states = vec![StateColumn::Long { values: vec![count], valid: None }];
            Partial::Grouped(partial(&[start], vec![text_keys(&[Some("x")])], states))
        };
        let ctx = ExecContext::default();
        let mut merger = Merger::new(query);
        merger.add(of(0, 2), &ctx).unwrap();
        merger.add(of(86_400_000, 3), &ctx).unwrap();
        let Partial::Grouped(groups) = merger.finish(&ctx).unwrap() else { panic!("groups") };
        assert_eq!(groups.bucket_start_ms, [0]);
        let StateColumn::Long { values, .. } = &groups.states[0] else { panic!("counts") };
        assert_eq!(values, &[5]);
    }
}
