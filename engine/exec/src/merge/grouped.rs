//! Merging groups: keys get ids of one dictionary, ids get group numbers, states are combined.

use henge_aggregate::function;
use henge_query::{AggregatorSpec, GroupedQuery};
use henge_scan::{PartIds, Result};
use henge_types::ValueType;
use henge_vector::{Column, Text};
use rustc_hash::FxHashMap;

use super::accumulated::Accumulated;
use super::packed::MergedKeys;
use crate::bucket_starts::BucketStarts;
use crate::context::ExecContext;
use crate::partial::GroupedPartial;

/// The contribution of no rows.
pub(super) fn empty(query: &GroupedQuery<'_>) -> GroupedPartial {
    let keys = query.dimensions.iter().map(|dimension| match dimension.output_type {
        ValueType::Long => Column::longs(Vec::new(), None),
        ValueType::Double => Column::doubles(Vec::new(), None),
        ValueType::Float => Column::wide_floats(Vec::new(), None),
        ValueType::String => Column::Text(Text::nulls(0)),
    });
    let states = query.aggregations.iter().map(|spec| function(&spec.kind).merged().finish(&[]));
    GroupedPartial {
        bucket_starts: BucketStarts::empty(query.has_one_bucket()),
        keys: keys.collect(),
        states: states.collect(),
        data_range_ms: vec![None; query.base.intervals.len()],
    }
}

/// For each interval: smallest and largest time over all partials.
pub(super) fn data_range(
    parts: &[GroupedPartial],
    interval_count: usize,
) -> Vec<Option<(i64, i64)>> {
    let mut merged: Vec<Option<(i64, i64)>> = vec![None; interval_count];
    parts.iter().for_each(|part| widen_range(&mut merged, &part.data_range_ms));
    merged
}

/// Widens each interval's time range to include another.
pub(super) fn widen_range(merged: &mut [Option<(i64, i64)>], by: &[Option<(i64, i64)>]) {
    for (merged, range) in merged.iter_mut().zip(by) {
        if let Some((low, high)) = range {
            let (min, max) = merged.unwrap_or((*low, *high));
            *merged = Some((min.min(*low), max.max(*high)));
        }
    }
}

/// Combines the groups of partials of one shape. Keeps the first partial's data range.
pub(super) fn combine(
    aggregations: &[AggregatorSpec],
    mut parts: Vec<GroupedPartial>,
    ctx: &ExecContext,
) -> Result<GroupedPartial> {
    let data_range_ms = parts.first().map_or_else(Vec::new, |part| part.data_range_ms.clone());
    let buckets = MergedBuckets::of(&parts);
    ctx.cancel.check()?;
    let mut keys = MergedKeys::of(&mut parts, buckets.count(), &ctx.tuning)?;
    let mut groups_by_part = Vec::with_capacity(parts.len());
    for (part, groups) in parts.iter().enumerate() {
        ctx.cancel.check()?;
        groups_by_part.push(keys.number(part, groups.group_count(), buckets.ids(part)));
    }
    let mut accumulated = Accumulated::new(aggregations, keys.group_limit());
    for (part, groups) in parts.into_iter().zip(&groups_by_part) {
        accumulated.add(part.states, groups, ctx)?;
    }
    let (groups, states) = accumulated.finish();
    let (bucket_ids, keys) = keys.finish(&groups);
    let bucket_starts = buckets.starts_of(bucket_ids);
    Ok(GroupedPartial { bucket_starts, keys, states, data_range_ms })
}

/// A number for each group of each partial, the same for the same groups, and what all numbers are below.
pub(crate) fn numbers_of(
    parts: &[GroupedPartial],
    ctx: &ExecContext,
) -> Result<(Vec<Vec<u32>>, usize)> {
    let keys_of = |part: &GroupedPartial| GroupedPartial {
        bucket_starts: part.bucket_starts.clone(),
        keys: part.keys.clone(),
        ..GroupedPartial::default()
    };
    // What has no groups may have no types either.
    let some = parts.iter().filter(|part| part.group_count() > 0);
    let mut some: Vec<GroupedPartial> = some.map(keys_of).collect();
    let buckets = MergedBuckets::of(&some);
    let mut keys = MergedKeys::of(&mut some, buckets.count(), &ctx.tuning)?;
    let mut numbers = Vec::with_capacity(parts.len());
    let mut at = 0;
    for part in parts {
        ctx.cancel.check()?;
        numbers.push(match part.group_count() {
            0 => Vec::new(),
            count => {
                at += 1;
                keys.number(at - 1, count, buckets.ids(at - 1))
            }
        });
    }
    Ok((numbers, keys.group_limit()))
}

/// The time buckets of several partials.
enum MergedBuckets {
    /// The one of granularity `all`.
    All,
    /// The distinct starts, ascending, and for each partial the position of each group's among them.
    At { starts: Vec<i64>, positions: Vec<Vec<u32>> },
}

impl MergedBuckets {
    fn of(parts: &[GroupedPartial]) -> Self {
        if parts.iter().all(|part| matches!(part.bucket_starts, BucketStarts::All(_))) {
            return Self::All;
        }
        let mut starts: Vec<i64> = Vec::new();
        for part in parts {
            let mut last = None;
            for &start in part.bucket_starts.at() {
                if last != Some(start) {
                    starts.push(start);
                    last = Some(start);
                }
            }
        }
        starts.sort_unstable();
        starts.dedup();
        let ordinals: FxHashMap<i64, u32> = starts.iter().copied().zip(0..).collect();
        let positions = parts
            .iter()
            .map(|part| {
                let mut last: Option<(i64, u32)> = None;
                let ordinal = |&start: &i64| match last {
                    Some((seen, ordinal)) if seen == start => ordinal,
                    _ => {
                        let ordinal = ordinals[&start];
                        last = Some((start, ordinal));
                        ordinal
                    }
                };
                part.bucket_starts.at().iter().map(ordinal).collect()
            })
            .collect();
        Self::At { starts, positions }
    }

    fn count(&self) -> usize {
        match self {
            Self::All => 1,
            Self::At { starts, .. } => starts.len(),
        }
    }

    /// The bucket of each group of a partial.
    fn ids(&self, part: usize) -> PartIds<'_> {
        match self {
            Self::All => PartIds::Constant(0),
            Self::At { positions, .. } => PartIds::Rows(&positions[part]),
        }
    }

    /// The starts of merged groups.
    fn starts_of(&self, buckets: Vec<u32>) -> BucketStarts {
        match self {
            Self::All => BucketStarts::All(buckets.len()),
            Self::At { starts, .. } => {
                BucketStarts::At(buckets.into_iter().map(|b| starts[b as usize]).collect())
            }
        }
    }
}
