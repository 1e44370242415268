//! Pairs collected and merged, beside sets of them all.

use std::collections::BTreeSet;

use henge_vector::{Column, ObjectColumn};

use super::*;

/// Pairs of some groups and of values that come again, 0 among them.
fn pairs(count: u64, from: u64, groups: u64) -> impl Iterator<Item = (u32, u64)> {
    (from..from + count).map(move |n| ((n % groups) as u32, (n * n % 80_021) << 40))
}

fn distinct(of: impl Iterator<Item = (u32, u64)>) -> DistinctPairs {
    let mut distinct = DistinctPairs::default();
    of.for_each(|(group, word)| distinct.insert(group, word));
    distinct
}

#[test]
fn pairs_are_kept_once_however_many_come() {
    for (count, groups) in [(0, 7), (10, 7), (40_000, 7), (40_000, 1), (1_500_000, 7), (900_000, 1)]
    {
        let mut all = distinct(pairs(count, 0, groups));
        all.absorb(distinct(pairs(count / 2, count, groups)));
        let expected: BTreeSet<(u32, u64)> = pairs(count * 3 / 2, 0, groups).collect();
        assert_eq!(all.is_empty(), count == 0);
        assert!(all.memory_bytes() >= expected.len() * size_of::<u64>(), "what is held is told");
        let named = [5, 0, 9, 3];
        let (counts, words) = all.into_groups(&named);
        let mut words = words.into_iter();
        for (group, count) in named.into_iter().zip(counts) {
            let found: BTreeSet<u64> = words.by_ref().take(count).collect();
            assert_eq!(found.len(), count, "each once");
            let of_group = expected.iter().filter(|pair| pair.0 == group);
            assert_eq!(found, of_group.map(|pair| pair.1).collect());
        }
        assert_eq!(words.next(), None);
    }
}

#[test]
fn values_are_renamed() {
    let all = distinct([(1, 4), (0, 2), (1, 3)].into_iter());
    let (counts, words) = all.renamed(|id| id / 2).into_groups(&[0, 1]);
    assert_eq!((counts, words.len()), (vec![1, 2], 3));
}

/// What several contributions merge to, whatever form each has, and whoever numbers the groups.
#[test]
fn contributions_in_partitions_merge_like_those_by_row() {
    for (sizes, groups) in [([200_000, 300_000, 9], 5), ([9, 100_000, 0], 1), ([90, 9, 5], 3)] {
        let contribution = |at: u64, size: u64| pairs(size, at * 50_000, groups);
        let named: Vec<u32> = (0..groups as u32).collect();
        let of = |group: u32| (group + 1) % groups as u32;
        let mut merged = MergedPairs::new(WordKind::Longs);
        for (at, size) in (0..).zip(sizes) {
            let sets = distinct(contribution(at, size)).into_sets(WordKind::Longs, &named);
            let renumbered: Vec<u32> = named.iter().map(|group| of(*group)).collect();
            let (by_row, spread) = sets.into_parts();
            assert_eq!(spread.is_empty(), size < 1_000, "many values are spread");
            let mut other = MergedPairs::new(WordKind::Longs);
            for part in by_row {
                let Column::Long(values) = part.values() else { panic!("longs") };
                let mut rest = values.values().iter();
                for (row, group) in renumbered.iter().enumerate() {
                    let of_row = rest.by_ref().take(part.count(row));
                    of_row.for_each(|value| other.insert(*group, value.cast_unsigned()));
                }
            }
            spread.into_iter().for_each(|part| other.add(part.into_partitions().1, &renumbered));
            merged.absorb(other);
        }
        let all = (0..).zip(sizes).flat_map(|(at, size)| contribution(at, size));
        let expected: BTreeSet<(u32, u64)> = all.map(|(group, word)| (of(group), word)).collect();
        let of_group = |group| expected.iter().filter(|pair| pair.0 == group).count() as i64;
        // Some groups, in another order.
        let some: Vec<u32> = (0..groups as u32).rev().step_by(2).collect();
        let sets = merged.into_sets(&some);
        assert_eq!(sets.counts(), some.iter().map(|group| of_group(*group)).collect::<Vec<_>>());
        let values = distinct(expected.iter().copied()).into_groups(&some);
        let by_row = Sets::new(some.len(), vec![SetPart::new(values.0, long_column(values.1))]);
        assert_eq!(sets.images(), by_row.images(), "the values themselves");
    }
}

#[test]
fn rows_of_a_contribution_may_be_of_one_group() {
    let named = [0, 1, 2];
    let sets = distinct(pairs(200_000, 0, 3)).into_sets(WordKind::Longs, &named);
    let mut merged = MergedPairs::new(WordKind::Longs);
    for part in sets.into_parts().1 {
        merged.add(part.into_partitions().1, &[0, 1, 0]);
    }
    let of = |group: u32| pairs(200_000, 0, 3).filter(move |pair| (pair.0 == 1) == (group == 1));
    let values = |group| of(group).map(|pair| pair.1).collect::<BTreeSet<u64>>().len() as i64;
    assert_eq!(merged.into_sets(&[0, 1]).counts(), [values(0), values(1)]);
}

fn long_column(words: Vec<u64>) -> Column {
    WordKind::Longs.column(words.into_iter())
}
