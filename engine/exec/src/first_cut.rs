//! The groups that can be in the answer of a groupBy with a limit and no order of its own: the first
//! by their keys, whatever their states are. So they can be cut before anything is merged.

use std::cmp::Ordering;

use henge_query::Query;
use henge_types::narrow::narrow;
use henge_vector::Column;

use crate::bucket_starts::BucketStarts;
use crate::partial::GroupedPartial;

/// Keeps the first groups by their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstCut {
    count: usize,
}

impl FirstCut {
    /// The cut of a query that wants the first groups in their natural order.
    pub(crate) fn of(query: &Query) -> Option<Self> {
        let Query::GroupBy(query) = query else { return None };
        let limit = query.limit_spec.as_ref()?;
        if !limit.columns.is_empty() || query.having.is_some() || query.subtotals.is_some() {
            return None;
        }
        let count = usize::try_from(limit.limit?.checked_add(limit.offset)?).ok()?;
        Some(Self { count })
    }

    /// The groups to keep; `None` keeps all, also where keys have no order: ids of a segment, or
    /// groups of several time buckets.
    pub(crate) fn best(self, groups: &GroupedPartial) -> Option<Vec<u32>> {
        let has_order = !groups.keys.iter().any(|keys| matches!(keys, Column::SegmentIds(_)));
        let has_one_bucket = matches!(groups.bucket_starts, BucketStarts::All(_));
        let count = groups.group_count();
        if !has_order || !has_one_bucket || self.count == 0 || count <= self.count {
            return None;
        }
        let compare = |a: u32, b: u32| {
            let mut orders = groups.keys.iter().map(|keys| keys.compare(a as usize, b as usize));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        // Whatever comes after the worst of those kept is dropped, which soon is nearly everything.
        let room = self.count.saturating_mul(2).max(1_024);
        let mut kept: Vec<u32> = Vec::with_capacity(room.min(count));
        let mut worst = None;
        for group in 0..narrow(count) {
            if worst.is_none_or(|worst| compare(group, worst).is_lt()) {
                kept.push(group);
                if kept.len() == room {
                    kept.select_nth_unstable_by(self.count - 1, |&a, &b| compare(a, b));
                    kept.truncate(self.count);
                    worst = kept.last().copied();
                }
            }
        }
        kept.sort_unstable_by(|&a, &b| compare(a, b));
        kept.truncate(self.count);
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use henge_vector::{Text, nulls_of};

    use super::*;

    #[test]
    fn the_first_by_all_keys_are_kept() {
        let count = 5_000;
        let scattered: Vec<i64> = (0..count).map(|n: i64| n * 7_919 % 5_003 / 4 - 90).collect();
        let texts: Vec<String> = (0..count).map(|n| format!("{}", n % 4_999)).collect();
        let nulls = nulls_of(scattered.len(), |row| row != 77);
        let groups = GroupedPartial {
            bucket_starts: BucketStarts::All(scattered.len()),
            keys: vec![
                Column::longs(scattered.clone(), nulls),
                Column::Text(Text::of(texts.iter().map(|text| Some(text.as_str())))),
            ],
            states: Vec::new(),
            data_range_ms: Vec::new(),
        };
        let key = |row: u32| {
            let row = row as usize;
            ((row != 77).then(|| scattered[row]), texts[row].clone())
        };
        let mut all: Vec<u32> = (0..count as u32).collect();
        all.sort_by_key(|row| key(*row));
        for count in [1, 7, 1_500] {
            assert_eq!(FirstCut { count }.best(&groups).as_deref(), Some(&all[..count]));
        }
        assert_eq!(FirstCut { count: all.len() }.best(&groups), None);
    }
}
