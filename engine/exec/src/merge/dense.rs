//! Groups numbered by a node-wide dictionary: partials that have many of its ids are added to an
//! array of them all, without looking keys up.

use std::sync::Arc;

use henge_query::AggregatorSpec;

use super::accumulated::Accumulated;
use super::grouped::widen_range;
use crate::bucket_starts::BucketStarts;
use crate::context::ExecContext;
use crate::error::Result;
use crate::node::{NodeDictionary, NodeValues};
use crate::partial::{GroupedPartial, KeyColumn, NodeKeys};
use crate::top_cut::TopCut;

/// A partial goes to the array of all the dictionary's ids when it has at least this share of them.
const DENSE_SHARE: usize = 16;

/// Groups of one dimension in one time bucket, numbered by a node-wide dictionary: the ids are the
/// positions of their states.
pub(super) struct Dense {
    dictionary: Arc<NodeDictionary>,
    values: Arc<NodeValues>,
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
        let id_count = keys.values.id_count();
        (groups.group_count().saturating_mul(DENSE_SHARE) >= id_count).then(|| Self {
            dictionary: Arc::clone(&keys.dictionary),
            values: Arc::clone(&keys.values),
            bucket_start_ms,
            data_range_ms: vec![None; groups.data_range_ms.len()],
            accumulated: Accumulated::new(aggregations, id_count),
        })
    }

    /// True when groups, all in one time bucket, have places here.
    pub(super) fn takes(&self, groups: &GroupedPartial) -> bool {
        numbered(groups).is_some_and(|(keys, start)| {
            Arc::ptr_eq(&self.dictionary, &keys.dictionary) && self.bucket_start_ms == start
        })
    }

    /// Adds groups that have places here.
    pub(super) fn add(&mut self, groups: GroupedPartial, ctx: &ExecContext) -> Result<()> {
        let GroupedPartial { keys, states, data_range_ms, .. } = groups;
        let Some(KeyColumn::Node(keys)) = keys.into_iter().next() else { return Ok(()) };
        if keys.values.id_count() > self.values.id_count() {
            self.values = keys.values;
        }
        self.accumulated.make_room(self.values.id_count());
        widen_range(&mut self.data_range_ms, &data_range_ms);
        self.accumulated.add(states, &keys.ids, ctx)
    }

    /// True when the states of both are of the same groups.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dictionary, &other.dictionary)
            && self.bucket_start_ms == other.bucket_start_ms
    }

    /// Adds the states of another, which is alike.
    pub(super) fn absorb(&mut self, other: Self, ctx: &ExecContext) -> Result<()> {
        if other.values.id_count() > self.values.id_count() {
            self.values = other.values;
        }
        widen_range(&mut self.data_range_ms, &other.data_range_ms);
        self.accumulated.absorb(other.accumulated, ctx)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.accumulated.memory_bytes()
    }

    /// The groups that were added to; of these only what a cut leaves.
    pub(super) fn finish(self, cut: Option<&TopCut>) -> GroupedPartial {
        let Self { dictionary, values, bucket_start_ms, data_range_ms, accumulated } = self;
        let (mut ids, mut states) = accumulated.finish();
        if let Some(best) = cut.and_then(|cut| cut.best(states.get(cut.aggregator())?)) {
            ids = best.iter().map(|&group| ids[group as usize]).collect();
            states = states.into_iter().map(|states| states.pick(&best)).collect();
        }
        GroupedPartial {
            bucket_starts: match bucket_start_ms {
                None => BucketStarts::All(ids.len()),
                Some(start) => BucketStarts::At(vec![start; ids.len()]),
            },
            keys: vec![KeyColumn::Node(NodeKeys { ids, dictionary, values })],
            states,
            data_range_ms,
        }
    }
}

/// The keys of groups that a node-wide dictionary numbers, and the start of their time bucket.
fn numbered(groups: &GroupedPartial) -> Option<(&NodeKeys, Option<i64>)> {
    match groups.keys.as_slice() {
        [KeyColumn::Node(keys)] if groups.group_count() > 0 => {
            Some((keys, groups.bucket_starts.get(0)))
        }
        _ => None,
    }
}
