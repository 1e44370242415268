//! The groups of a topN that can be in its answer, when nothing else will be merged with them.

use henge_query::{TopNMetric, TopNQuery};

use crate::partial::StateColumn;

/// Keeps the best groups by one aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopCut {
    aggregator: usize,
    smallest: bool,
    threshold: usize,
}

impl TopCut {
    /// The cut of a query that is ordered by one of its aggregators.
    pub(super) fn of(query: &TopNQuery) -> Option<Self> {
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

    /// The aggregator that decides.
    pub(super) fn aggregator(&self) -> usize {
        self.aggregator
    }

    /// The groups to keep, ascending: the best ones and all that tie with the last of them. `None`
    /// keeps all, also when values that have no place in a plain order (null, NaN) occur.
    pub(super) fn best(&self, states: &StateColumn) -> Option<Vec<u32>> {
        match states {
            StateColumn::Long { values, valid: None } => self.of_values(values),
            StateColumn::Double { values, valid: None, float: false }
                if values.iter().all(|value| !value.is_nan()) =>
            {
                self.of_values(values)
            }
            _ => None,
        }
    }

    fn of_values<T: Copy + PartialOrd>(&self, values: &[T]) -> Option<Vec<u32>> {
        if self.threshold == 0 || values.len() <= self.threshold {
            return None;
        }
        let last = match self.smallest {
            true => last_of_best(values, self.threshold, |a, b| a < b),
            false => last_of_best(values, self.threshold, |a, b| a > b),
        }?;
        let kept = (0..).zip(values).filter(|(_, value)| match self.smallest {
            true => **value <= last,
            false => **value >= last,
        });
        Some(kept.map(|(group, _)| group).collect())
    }
}

/// The worst of the `count` best values. Most values are only compared with the worst of the best
/// so far; those that are better are collected until there are enough to choose among again.
fn last_of_best<T: Copy>(values: &[T], count: usize, better: impl Fn(T, T) -> bool) -> Option<T> {
    let order = |a: &T, b: &T| match (better(*a, *b), better(*b, *a)) {
        (true, _) => std::cmp::Ordering::Less,
        (_, true) => std::cmp::Ordering::Greater,
        _ => std::cmp::Ordering::Equal,
    };
    let (first, rest) = values.split_at_checked(count)?;
    let mut best = first.to_vec();
    let mut last = *best.select_nth_unstable_by(count.checked_sub(1)?, order).1;
    let room = count.saturating_mul(2).max(1024);
    for &value in rest {
        if better(value, last) {
            best.push(value);
            if best.len() >= room.saturating_add(count) {
                last = *best.select_nth_unstable_by(count - 1, order).1;
                best.truncate(count);
            }
        }
    }
    Some(*best.select_nth_unstable_by(count - 1, order).1)
}

/// The states of some groups.
pub(crate) fn pick(states: StateColumn, groups: &[u32]) -> StateColumn {
    fn copy<T: Copy>(values: &[T], groups: &[u32]) -> Vec<T> {
        groups.iter().map(|&group| values[group as usize]).collect()
    }
    fn take<T>(mut values: Vec<Option<T>>, groups: &[u32]) -> Vec<Option<T>> {
        groups.iter().map(|&group| values[group as usize].take()).collect()
    }
    let flags = |valid: Option<Vec<bool>>| valid.map(|valid| copy(&valid, groups));
    match states {
        StateColumn::Long { values, valid } => {
            StateColumn::Long { values: copy(&values, groups), valid: flags(valid) }
        }
        StateColumn::Double { values, valid, float } => {
            StateColumn::Double { values: copy(&values, groups), valid: flags(valid), float }
        }
        StateColumn::Hll(sketches) => StateColumn::Hll(take(sketches, groups)),
        StateColumn::Theta(sketches) => StateColumn::Theta(take(sketches, groups)),
        StateColumn::Kll(sketches) => StateColumn::Kll(take(sketches, groups)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_with_the_last_are_kept() {
        let states = StateColumn::Long { values: vec![5, 1, 3, 3, 9, 2], valid: None };
        let cut = |smallest, threshold| TopCut { aggregator: 0, smallest, threshold };
        assert_eq!(cut(false, 3).best(&states), Some(vec![0, 2, 3, 4]));
        assert_eq!(cut(true, 2).best(&states), Some(vec![1, 5]));
        assert_eq!(cut(false, 6).best(&states), None);
        let nulls = StateColumn::Long { values: vec![5, 1], valid: Some(vec![true, false]) };
        assert_eq!(cut(false, 1).best(&nulls), None);
    }
}
