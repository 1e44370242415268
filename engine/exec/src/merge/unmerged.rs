//! What is left to do once all partials are there: merging partitions, of which each has all of its
//! groups.

use std::sync::Arc;

use henge_query::Query;
use henge_scan::Result;
use henge_segment::SegmentView;

use super::parted::put_together;
use super::segment_ids::text_of_ids;
use super::{merge, regroup};
use crate::bucket_starts::BucketStarts;
use crate::context::ExecContext;
use crate::extent::Extent;
use crate::partial::{Distinctness, Partial};
use crate::top_cut::TopCut;

/// How the partitions of a query are merged.
pub(crate) struct Unmerged {
    query: Arc<Query>,
    /// The one segment whose ids string keys are.
    segment: Option<Arc<dyn SegmentView>>,
    extent: Extent,
    /// The time range of all partitions, when there are several.
    data_range_ms: Option<Vec<Option<(i64, i64)>>>,
    /// Whether what one partial of a partition has is distinct.
    distinctness: Distinctness,
}

impl Unmerged {
    pub(super) fn new(
        query: Arc<Query>,
        segment: Option<Arc<dyn SegmentView>>,
        extent: Extent,
        data_range_ms: Option<Vec<Option<(i64, i64)>>>,
        distinctness: Distinctness,
    ) -> Self {
        Self { query, segment, extent, data_range_ms, distinctness }
    }

    /// The partials of a partition, of which a single one would not be merged, made distinct.
    pub(crate) fn distinct(
        &self,
        mut parts: Vec<Partial>,
        ctx: &ExecContext,
    ) -> Result<Vec<Partial>> {
        if self.distinctness == Distinctness::Repeating
            && let [Partial::Grouped(only)] = &mut parts[..]
            && let Some(query) = self.query.grouped()
        {
            *only = regroup(query.aggregations, std::mem::take(only), ctx)?;
        }
        Ok(parts)
    }

    /// The query.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// True when string keys are ids of a segment until the partition is merged.
    pub(crate) fn has_segment_ids(&self) -> bool {
        self.segment.is_some()
    }

    /// Whether anything else is merged with the partitions.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// A partition merged; of its groups only those that can be in the answer, where a plain order
    /// says so.
    pub(crate) fn merge_one(&self, parts: Vec<Partial>, ctx: &ExecContext) -> Result<Partial> {
        self.named(self.merge_unnamed(parts, ctx)?)
    }

    /// As [`Unmerged::merge_one`], with keys that still are ids of the one segment.
    pub(crate) fn merge_unnamed(&self, parts: Vec<Partial>, ctx: &ExecContext) -> Result<Partial> {
        let merged = merge(&self.query, self.distinct(parts, ctx)?, ctx)?;
        let Partial::Grouped(groups) = &merged else { return Ok(merged) };
        // What is in one piece is cut by whoever finishes it, but ids become text here.
        let pays = self.segment.is_some() || self.data_range_ms.is_some();
        // Each time bucket has an answer of its own.
        let has_one_bucket = matches!(groups.bucket_starts, BucketStarts::All(_));
        let cut = TopCut::of(&self.query)
            .filter(|_| self.extent.is_whole() && has_one_bucket && pays)
            .and_then(|cut| cut.best(groups.states.get(cut.aggregator())?));
        Ok(match cut {
            Some(best) => Partial::Grouped(groups.pick(&best)),
            None => merged,
        })
    }

    /// Makes text of keys that are ids of the one segment.
    pub(crate) fn named(&self, merged: Partial) -> Result<Partial> {
        match &self.segment {
            Some(segment) => text_of_ids(&self.query, segment.as_ref(), merged),
            None => Ok(merged),
        }
    }

    /// All merged partitions as one partial.
    pub(crate) fn together(&self, mut merged: Vec<Partial>) -> Result<Partial> {
        let Some(data_range_ms) = &self.data_range_ms else {
            return merged
                .pop()
                .map_or_else(|| merge(&self.query, Vec::new(), &ExecContext::default()), Ok);
        };
        let groups = merged.into_iter().filter_map(|partial| match partial {
            Partial::Grouped(groups) if groups.group_count() > 0 => Some(groups),
            _ => None,
        });
        match put_together(groups.collect())? {
            Some(groups) => {
                let data_range_ms = data_range_ms.clone();
                Ok(Partial::Grouped(crate::partial::GroupedPartial { data_range_ms, ..groups }))
            }
            None => merge(&self.query, Vec::new(), &ExecContext::default()),
        }
    }
}
