//! Groups numbered by a node-wide dictionary: partials that have many of its ids are added to an
//! array of them all, without looking keys up.

use std::sync::Arc;

use henge_query::AggregatorSpec;
use henge_scan::Result;
use henge_vector::{Column, NodeIds, Numbering};

use super::accumulated::Accumulated;
use super::grouped::widen_range;
use crate::bucket_starts::BucketStarts;
use crate::context::ExecContext;
use crate::partial::GroupedPartial;
use crate::top_cut::TopCut;

/// A partial goes to the array of all the dictionary's ids when it has at least this share of them.
const DENSE_SHARE: usize = 16;

/// Groups of one dimension in one time bucket, numbered by a node-wide dictionary: the ids are the
/// positions of their states.
pub(super) struct Dense {
    numbering: Arc<dyn Numbering>,
    /// The start of their bucket; `None` for granularity `all`.
    bucket_start_ms: Option<i64>,
    data_range_ms: Vec<Option<(i64, i64)>>,
    accumulated: Accumulated,
}

impl Dense {
    /// An array for groups that are many of their dictionary's ids.
    pub(super) fn for_groups(
        groups: &GroupedPartial,
        aggregations: &[AggregatorSpec],
    ) -> Option<Self> {
        let (keys, bucket_start_ms) = numbered(groups)?;
        let id_count = keys.numbering().id_count();
        (groups.group_count().saturating_mul(DENSE_SHARE) >= id_count).then(|| Self {
            numbering: Arc::clone(keys.numbering()),
            bucket_start_ms,
            data_range_ms: vec![None; groups.data_range_ms.len()],
            accumulated: Accumulated::new(aggregations, id_count),
        })
    }

    /// True when groups, all in one time bucket, have places here.
    pub(super) fn takes(&self, groups: &GroupedPartial) -> bool {
        numbered(groups).is_some_and(|(keys, start)| {
            self.numbering.dictionary() == keys.numbering().dictionary()
                && self.bucket_start_ms == start
        })
    }

    /// Adds groups that have places here.
    pub(super) fn add(&mut self, groups: GroupedPartial, ctx: &ExecContext) -> Result<()> {
        let GroupedPartial { keys, states, data_range_ms, .. } = groups;
        let Some(Column::NodeIds(keys)) = keys.into_iter().next() else { return Ok(()) };
        self.see(keys.numbering());
        self.accumulated.make_room(self.numbering.id_count());
        widen_range(&mut self.data_range_ms, &data_range_ms);
        self.accumulated.add(states, keys.ids(), ctx)
    }

    /// Keeps the later of two states of the dictionary.
    fn see(&mut self, numbering: &Arc<dyn Numbering>) {
        if numbering.id_count() > self.numbering.id_count() {
            self.numbering = Arc::clone(numbering);
        }
    }

    /// True when the states of both are of the same groups.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        self.numbering.dictionary() == other.numbering.dictionary()
            && self.bucket_start_ms == other.bucket_start_ms
    }

    /// Adds the states of another, which is alike.
    pub(super) fn absorb(&mut self, other: Self, ctx: &ExecContext) -> Result<()> {
        self.see(&other.numbering);
        widen_range(&mut self.data_range_ms, &other.data_range_ms);
        self.accumulated.absorb(other.accumulated, ctx)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.accumulated.memory_bytes()
    }

    /// The groups that were added to; of these only what a cut leaves.
    pub(super) fn finish(self, cut: Option<&TopCut>) -> GroupedPartial {
        let Self { numbering, bucket_start_ms, data_range_ms, accumulated } = self;
        let (mut ids, mut states) = accumulated.finish();
        if let Some(best) = cut.and_then(|cut| cut.best(states.get(cut.aggregator())?)) {
            ids = best.iter().map(|&group| ids[group as usize]).collect();
            states = states.into_iter().map(|states| states.into_taken(&best)).collect();
        }
        GroupedPartial {
            bucket_starts: match bucket_start_ms {
                None => BucketStarts::All(ids.len()),
                Some(start) => BucketStarts::At(vec![start; ids.len()]),
            },
            keys: vec![Column::NodeIds(NodeIds::new(ids, numbering))],
            states,
            data_range_ms,
        }
    }
}

/// The keys of groups that a node-wide dictionary numbers, and the start of their time bucket.
fn numbered(groups: &GroupedPartial) -> Option<(&NodeIds, Option<i64>)> {
    match groups.keys.as_slice() {
        [Column::NodeIds(keys)] if groups.group_count() > 0 => {
            Some((keys, groups.bucket_starts.get(0)))
        }
        _ => None,
    }
}
