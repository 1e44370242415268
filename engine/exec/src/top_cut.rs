//! The groups of a topN that can be in its answer, when nothing else will be merged with them.

use henge_query::{Direction, GroupByQuery, Query, TopNMetric, TopNQuery};

use henge_vector::{Array, Column, Sets};

/// Keeps the best groups by one aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopCut {
    aggregator: usize,
    smallest: bool,
    threshold: usize,
}

impl TopCut {
    /// The cut of a query that wants the first groups in the order of one of its aggregators.
    pub(crate) fn of(query: &Query) -> Option<Self> {
        match query {
            Query::TopN(query) => Self::of_top_n(query),
            Query::GroupBy(query) => Self::of_group_by(query),
            _ => None,
        }
    }

    fn of_top_n(query: &TopNQuery) -> Option<Self> {
        let (metric, smallest) = match &query.metric {
            TopNMetric::Inverted(inner) => (inner.as_ref(), true),
            metric => (metric, false),
        };
        let TopNMetric::Numeric(name) = metric else { return None };
        let shadowed = query.post_aggregations.iter().any(|post| post.name() == name);
        let aggregator = query.aggregations.iter().position(|spec| spec.name == *name)?;
        let threshold = usize::try_from(query.threshold).ok().filter(|_| !shadowed)?;
        Some(Self { aggregator, smallest, threshold })
    }

    /// Ties with the last group are kept, so what decides between them does not matter.
    fn of_group_by(query: &GroupByQuery) -> Option<Self> {
        let limit = query.limit_spec.as_ref()?;
        let first = limit.columns.first()?;
        if query.having.is_some() || query.subtotals.is_some() {
            return None;
        }
        let name = &first.column;
        let shadowed = query.post_aggregations.iter().any(|post| post.name() == name)
            || query.dimensions.iter().any(|dimension| dimension.output_name == *name);
        let aggregator = query.aggregations.iter().position(|spec| spec.name == *name)?;
        let threshold = usize::try_from(limit.limit?.checked_add(limit.offset)?).ok();
        Some(Self {
            aggregator,
            smallest: first.direction == Direction::Ascending,
            threshold: threshold.filter(|_| !shadowed)?,
        })
    }

    /// The aggregator that decides.
    pub(crate) fn aggregator(&self) -> usize {
        self.aggregator
    }

    /// True when small values are the better ones.
    pub(crate) fn is_smallest_first(&self) -> bool {
        self.smallest
    }

    /// How many groups are wanted.
    pub(crate) fn count(&self) -> usize {
        self.threshold
    }

    /// The same cut where that aggregator is at another position.
    pub(crate) fn by(&self, aggregator: usize) -> Self {
        Self { aggregator, ..self.clone() }
    }

    /// The groups to keep, ascending: the best ones and all that tie with the last of them. `None`
    /// keeps all, also when values that have no place in a plain order (null, NaN) occur.
    pub(crate) fn best(&self, states: &Column) -> Option<Vec<u32>> {
        match states {
            Column::Long(states) if states.null_count() == 0 => self.of_values(states.values()),
            Column::Double(states)
                if states.null_count() == 0
                    && states.values().iter().all(|value| !value.is_nan()) =>
            {
                self.of_values(states.values())
            }
            Column::Objects(_) => self.of_values(&states.objects::<Sets>()?.counts()),
            Column::Null(_)
            | Column::Long(_)
            | Column::Wide(_)
            | Column::Float(_)
            | Column::Double(_)
            | Column::WideFloat(_)
            | Column::Text(_)
            | Column::Lists(_)
            | Column::Timed(_)
            | Column::Mixed(_)
            | Column::SegmentIds(_)
            | Column::NodeIds(_) => None,
        }
    }

    fn of_values<T: Copy + PartialOrd>(&self, values: &[T]) -> Option<Vec<u32>> {
        if self.threshold == 0 || values.len() <= self.threshold {
            return None;
        }
        let last = if self.smallest {
            nth_of(values, self.threshold, |a, b| a < b)?
        } else {
            nth_of(values, self.threshold, |a, b| a > b)?
        };
        let is_worse = |value: &T| if self.smallest { *value > last } else { *value < last };
        let kept = (0..).zip(values).filter(|(_, value)| !is_worse(value));
        Some(kept.map(|(group, _)| group).collect())
    }
}

/// The value at place `count` (from 1) when the better ones come first. One pass that drops whatever
/// is no better than the worst value kept, which soon is nearly everything.
pub(crate) fn nth_of<T: Copy>(
    values: &[T],
    count: usize,
    is_better: impl Fn(T, T) -> bool,
) -> Option<T> {
    let order = |a: &T, b: &T| match (is_better(*a, *b), is_better(*b, *a)) {
        (true, _) => std::cmp::Ordering::Less,
        (_, true) => std::cmp::Ordering::Greater,
        _ => std::cmp::Ordering::Equal,
    };
    let room = count.saturating_mul(2).max(1_024);
    let mut kept: Vec<T> = Vec::with_capacity(room.min(values.len()));
    let mut worst: Option<T> = None;
    for &value in values {
        if worst.is_none_or(|worst| is_better(value, worst)) {
            kept.push(value);
            if kept.len() == room {
                kept.select_nth_unstable_by(count - 1, order);
                kept.truncate(count);
                worst = kept.last().copied();
            }
        }
    }
    let last = count.checked_sub(1).filter(|last| *last < kept.len())?;
    Some(*kept.select_nth_unstable_by(last, order).1)
}

#[cfg(test)]
mod tests {
    use henge_vector::nulls_of;

    use super::*;

    #[test]
    fn ties_with_the_last_are_kept() {
        let states = Column::longs(vec![5, 1, 3, 3, 9, 2], None);
        let cut = |smallest, threshold| TopCut { aggregator: 0, smallest, threshold };
        assert_eq!(cut(false, 3).best(&states), Some(vec![0, 2, 3, 4]));
        assert_eq!(cut(true, 2).best(&states), Some(vec![1, 5]));
        assert_eq!(cut(false, 6).best(&states), None);
        let nulls = Column::longs(vec![5, 1], nulls_of(2, |row| row == 0));
        assert_eq!(cut(false, 1).best(&nulls), None);
        // Scattered by an odd factor: many replacements of the worst value kept.
        let values: Vec<i64> = (0..50_000).map(|n: i64| n * 7_919 % 50_021 / 3).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        for threshold in [1, 100, 1_024, 5_000, 49_999] {
            let states = Column::longs(values.clone(), None);
            let kept = cut(true, threshold).best(&states).unwrap();
            let last = sorted[threshold - 1];
            assert!(kept.iter().all(|group| values[*group as usize] <= last));
            assert_eq!(kept.len(), values.iter().filter(|value| **value <= last).count());
        }
    }
}
