//! The groups of a node that may be in the answer of a ranking.

use std::borrow::Cow;

use henge_types::narrow::narrow;
use henge_vector::{Array, Column};

use super::left_out::{LeftOut, Number};
use crate::bucket_starts::BucketStarts;
use crate::partial::GroupedPartial;
use crate::top_cut::nth_of;

/// Which groups of a contribution are wanted, by the value of one aggregator.
#[derive(Debug, Clone, PartialEq)]
pub struct RankCut {
    /// The position of the aggregator.
    pub aggregator: usize,
    /// True when small values are the better ones.
    pub is_smallest_first: bool,
    /// All groups are wanted while they are no more than this.
    pub few: usize,
    /// Which groups.
    pub kept: Kept,
}

/// Groups by their values, the larger the better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept {
    /// The best: those that may be among the first `least` of all nodes together, as far as their values on
    /// one node say so. Where these are more than `most` the best of them, and those that tie with the last.
    Best {
        /// How many at most.
        most: usize,
        /// How many are wanted of all nodes.
        least: usize,
        /// Over how many nodes the value of a group may be spread.
        nodes: usize,
    },
    /// Those with a value above this.
    Above(Number),
}

/// Some of the groups, and what the others are.
type Chosen<T> = (Vec<u32>, T, T);

impl RankCut {
    /// What is kept of one of so many partitions, over which groups are spread evenly.
    #[must_use]
    pub(crate) fn of_one(&self, partitions: usize) -> Self {
        let share = |count: usize, more| (count / partitions.max(1) + 1).saturating_mul(more);
        let kept = match self.kept {
            Kept::Best { most, least, nodes } => {
                Kept::Best { most: share(most, 2), least: share(least, 4), nodes }
            }
            above @ Kept::Above(_) => above,
        };
        Self { few: self.few / partitions.max(1), kept, ..self.clone() }
    }

    /// The groups that are wanted, and what bounds all others, of which some were left out `before`.
    /// `None` keeps all: when few would be left out, and when values have no place in a plain order (null,
    /// NaN, beyond 64 bits).
    #[must_use]
    pub(crate) fn apply(
        &self,
        groups: &GroupedPartial,
        before: Option<LeftOut>,
    ) -> Option<(GroupedPartial, LeftOut)> {
        if !matches!(groups.bucket_starts, BucketStarts::All(_)) {
            return None;
        }
        let (kept, left_out) = match groups.states.get(self.aggregator)? {
            Column::Long(values) if values.null_count() == 0 => {
                // Turned round without overflow.
                let values = self.turned(values.values(), |value| !value);
                let floor = match self.kept {
                    Kept::Above(Number::Long(floor)) => Some(floor),
                    Kept::Above(Number::Double(_)) | Kept::Best { .. } => None,
                };
                let share = |value, nodes| match Number::Long(value).share_below(nodes)? {
                    Number::Long(share) => Some(share),
                    Number::Double(_) => None,
                };
                let is_cut = before.is_some();
                let (kept, at_most, at_least) = self.choose(&values, floor, share, is_cut)?;
                let (at_most, at_least) = (Number::Long(at_most), Number::Long(at_least));
                (kept, LeftOut { at_most, at_least })
            }
            Column::Double(values)
                if values.null_count() == 0 && !values.values().iter().any(|v| v.is_nan()) =>
            {
                let values = self.turned(values.values(), |value| -value);
                let floor = match self.kept {
                    Kept::Above(Number::Double(floor)) => Some(floor),
                    Kept::Above(Number::Long(_)) | Kept::Best { .. } => None,
                };
                let share = |value, nodes| match Number::Double(value).share_below(nodes)? {
                    Number::Double(share) => Some(share),
                    Number::Long(_) => None,
                };
                let is_cut = before.is_some();
                let (kept, at_most, at_least) = self.choose(&values, floor, share, is_cut)?;
                let (at_most, at_least) = (Number::Double(at_most), Number::Double(at_least));
                (kept, LeftOut { at_most, at_least })
            }
            _other_kinds => return None,
        };
        Some((groups.pick(&kept), left_out.and(before)))
    }

    fn turned<'v, T: Copy>(&self, values: &'v [T], turn: impl Fn(T) -> T) -> Cow<'v, [T]> {
        if self.is_smallest_first {
            Cow::Owned(values.iter().map(|value| turn(*value)).collect())
        } else {
            Cow::Borrowed(values)
        }
    }

    fn choose<T: Copy + PartialOrd>(
        &self,
        values: &[T],
        floor: Option<T>,
        share: impl Fn(T, usize) -> Option<T>,
        is_cut: bool,
    ) -> Option<Chosen<T>> {
        if !is_cut && values.len() <= self.few {
            return None;
        }
        let (kept, at_most, at_least) = match self.kept {
            Kept::Above(_) => {
                let floor = floor?;
                divided(values, |value| value > floor)?
            }
            Kept::Best { most, least, nodes } => {
                if is_cut && values.len() <= most {
                    return None;
                }
                let least = least.max(1);
                let last = nth_of(values, least, |a, b| a > b)?;
                let above = |floor: T| values.iter().filter(|value| **value > floor).count();
                match share(last, nodes).filter(|floor| above(*floor) <= most) {
                    Some(floor) => divided(values, |value| value > floor)?,
                    None => {
                        let next = nth_of(values, most.saturating_add(1), |a, b| a > b)?;
                        let has_enough = above(next) >= least;
                        divided(values, |value| value > next || !has_enough && value == next)?
                    }
                }
            }
        };
        // To leave few out is not worth a question for those that are missing.
        (is_cut || kept.len() <= values.len() / 2).then_some((kept, at_most, at_least))
    }
}

/// The groups to keep, and the largest and the smallest value of the others; `None` without others.
fn divided<T: Copy + PartialOrd>(values: &[T], is_kept: impl Fn(T) -> bool) -> Option<Chosen<T>> {
    let mut kept = Vec::new();
    let mut others: Option<(T, T)> = None;
    for (group, &value) in (0..narrow(values.len())).zip(values) {
        if is_kept(value) {
            kept.push(group);
            continue;
        }
        others = Some(match others {
            None => (value, value),
            Some((most, least)) if value > most => (value, least),
            Some((most, least)) if value < least => (most, value),
            Some(known) => known,
        });
    }
    let (at_most, at_least) = others?;
    Some((kept, at_most, at_least))
}

#[cfg(test)]
mod tests {
    use henge_vector::nulls_of;

    use super::*;

    fn groups(states: Column) -> GroupedPartial {
        let count = states.len();
        GroupedPartial {
            bucket_starts: BucketStarts::All(count),
            keys: vec![Column::longs((0..count as i64).collect(), None)],
            states: vec![states],
            data_range_ms: vec![None],
        }
    }

    fn cut(kept: Kept) -> RankCut {
        RankCut { aggregator: 0, is_smallest_first: false, few: 0, kept }
    }

    fn kept(cut: &RankCut, states: Column) -> Option<(Vec<i64>, LeftOut)> {
        let (groups, left_out) = cut.apply(&groups(states), None)?;
        let Column::Long(keys) = &groups.keys[0] else { panic!("numbers") };
        Some((keys.values().to_vec(), left_out))
    }

    fn longs(at_most: i64, at_least: i64) -> LeftOut {
        LeftOut { at_most: Number::Long(at_most), at_least: Number::Long(at_least) }
    }

    #[test]
    fn the_best_are_kept_and_the_others_bounded() {
        let values = || Column::longs(vec![5, -1, 3, 3, 9, 2, 7, 0], None);
        let best = |most, least| cut(Kept::Best { most, least, nodes: usize::MAX });
        assert_eq!(kept(&best(3, 1), values()), Some((vec![0, 4, 6], longs(3, -1))));
        assert_eq!(kept(&best(1, 1), values()), Some((vec![4], longs(7, -1))));
        // Of those that tie at the end none, or all.
        let ties = || Column::longs(vec![4, 4, 4, 1, 1, 1, 1, 1, 1], None);
        assert_eq!(kept(&best(2, 2), ties()), Some((vec![0, 1, 2], longs(1, 1))));
        assert_eq!(kept(&best(4, 4), ties()), None, "all the others tie");
        assert_eq!(kept(&best(5, 1), values()), None, "more than half");
        let smallest = RankCut { is_smallest_first: true, ..best(2, 1) };
        assert_eq!(kept(&smallest, values()), Some((vec![1, 7], longs(!2, !9))));
    }

    #[test]
    fn what_cannot_be_among_the_first_of_so_many_nodes_is_left_out() {
        let values = || Column::longs(vec![100, 1, 40, 30, 20, 10, 5, 90], None);
        let best = |most, nodes| cut(Kept::Best { most, least: 2, nodes });
        // Who has 90 altogether has 30 on one of three nodes.
        assert_eq!(kept(&best(4, 3), values()), Some((vec![0, 2, 3, 7], longs(20, 1))));
        assert_eq!(kept(&best(4, 1), values()), Some((vec![0, 7], longs(40, 1))));
        assert_eq!(kept(&best(3, 3), values()), Some((vec![0, 2, 7], longs(30, 1))), "at most");
        let few = RankCut { few: 8, ..best(4, 1) };
        assert_eq!(kept(&few, values()), None, "all while they are few");
    }

    #[test]
    fn what_is_above_a_value_is_kept() {
        let values = || Column::longs(vec![5, -1, 3, 3, 9, 2, 7, 0], None);
        let above = |floor| cut(Kept::Above(Number::Long(floor)));
        assert_eq!(kept(&above(5), values()), Some((vec![4, 6], longs(5, -1))));
        assert_eq!(kept(&above(9), values()), Some((vec![], longs(9, -1))));
        assert_eq!(kept(&above(2), values()), None, "more than half");
        let doubles = Column::doubles(vec![0.5, 2.5, -1.0, 0.0], None);
        let above = cut(Kept::Above(Number::Double(1.0)));
        let bounds = LeftOut { at_most: Number::Double(0.5), at_least: Number::Double(-1.0) };
        assert_eq!(kept(&above, doubles), Some((vec![1], bounds)));
    }

    #[test]
    fn what_has_no_place_in_the_order_keeps_all() {
        let best = cut(Kept::Best { most: 1, least: 1, nodes: 3 });
        let nulls = Column::longs(vec![5, 1, 2, 3], nulls_of(4, |row| row != 2));
        assert_eq!(kept(&best, nulls), None);
        assert_eq!(kept(&best, Column::doubles(vec![1.0, f64::NAN, 0.0, 2.0], None)), None);
        assert_eq!(kept(&best, Column::of_wide(vec![1 << 70, 1, 2, 3], None)), None);
        let doubles = Column::doubles(vec![1.0, 3.0, 0.0, 2.0], None);
        let above = cut(Kept::Above(Number::Long(1)));
        assert_eq!(kept(&above, doubles), None, "a bound of another type");
    }

    #[test]
    fn what_was_left_out_before_counts() {
        let best = cut(Kept::Best { most: 2, least: 1, nodes: 9 });
        let values = groups(Column::longs(vec![5, 4, 3], None));
        assert!(best.apply(&values, None).is_none());
        let (left, bounds) = best.apply(&values, Some(longs(3, -8))).unwrap();
        assert_eq!((left.group_count(), bounds), (2, longs(3, -8)));
        let part = best.of_one(64);
        assert_eq!(part.kept, Kept::Best { most: 2, least: 4, nodes: 9 });
    }
}
