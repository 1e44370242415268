//! What bounds prove, case by case; the whole of it is held to an oracle in `tests/ranking.rs`.

use henge_vector::Text;

use super::*;
use crate::bucket_starts::BucketStarts;
use crate::ranking::{Combined, Wanted};

fn entry(values: &[(&str, i64)], left_out: Option<(i64, i64)>) -> Entry {
    let keys = Text::of(values.iter().map(|(key, _)| Some(*key)));
    let groups = GroupedPartial {
        bucket_starts: BucketStarts::All(values.len()),
        keys: vec![Column::Text(keys)],
        states: vec![Column::longs(values.iter().map(|(_, value)| *value).collect(), None)],
        data_range_ms: vec![Some((values.len() as i64, 10))],
    };
    let left_out = left_out.map(|(at_most, at_least)| LeftOut {
        at_most: Number::Long(at_most),
        at_least: Number::Long(at_least),
    });
    Entry { groups, left_out }
}

fn ranking(combined: Combined, wanted: Wanted) -> Ranking {
    Ranking { aggregator: 0, is_smallest_first: false, combined, wanted }
}

fn first(count: usize) -> Ranking {
    ranking(Combined::Sum, Wanted::First(count))
}

fn keys(groups: &[GroupedPartial]) -> Vec<Vec<String>> {
    let of = |groups: &GroupedPartial| {
        let all = (0..groups.group_count()).filter_map(|row| groups.keys[0].text(row));
        all.map(|text| text.into_owned()).collect()
    };
    groups.iter().map(of).collect()
}

/// The keys that are known of each entry, and those that are open.
type Found = (Vec<Vec<String>>, Vec<Vec<String>>);

fn found(ranking: &Ranking, entries: Vec<Entry>) -> Result<Found, Option<Number>> {
    match settle(ranking, entries, &ExecContext::default()).unwrap() {
        Outcome::Unproven { from } => Err(from),
        Outcome::Settled { groups, open } => {
            let open = open.map(|open| {
                let query = br#"{"queryType":"topN","dataSource":"t","dimension":"a","metric":"n",
                    "threshold":1,"granularity":"all","intervals":"1970/1971","aggregations":[
                    {"type":"count","name":"n"}],"filter":{"type":"null","column":"b"}}"#;
                let query = henge_query::Query::parse(query).unwrap();
                let narrowed = open.narrowed(&query);
                narrowed.validate().unwrap();
                let Some(henge_query::Filter::And(parts)) = &narrowed.base().filter else {
                    panic!("both")
                };
                let Some(henge_query::Filter::In { column, values }) = parts.last() else {
                    panic!("keys")
                };
                assert_eq!((column.as_str(), parts.len()), ("a", 2));
                assert_eq!(values.len(), open.count());
                vec![values.iter().flatten().cloned().collect()]
            });
            Ok((keys(&groups), open.unwrap_or_default()))
        }
    }
}

fn of(all: &[&[&str]]) -> Vec<Vec<String>> {
    all.iter().map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()).collect()
}

#[test]
fn what_all_sent_is_known_and_what_can_still_win_is_open() {
    let entries = vec![
        entry(&[("a", 10), ("b", 7), ("c", 4)], Some((3, 1))),
        entry(&[("a", 9), ("b", 2), ("d", 6)], Some((2, 1))),
    ];
    // The second has 9 at least; c has 6 at most, d 9.
    assert_eq!(found(&first(2), entries), Ok((of(&[&["a", "b"], &["a", "b"]]), of(&[&["d"]]))));
}

#[test]
fn a_group_that_nobody_sent_could_tie() {
    let entries =
        |most| vec![entry(&[("a", 5)], Some((most, 1))), entry(&[("a", 1)], Some((1, 1)))];
    assert_eq!(found(&first(1), entries(5)), Err(Some(Number::Long(6))));
    assert_eq!(found(&first(1), entries(4)), Ok((of(&[&["a"], &["a"]]), of(&[]))));
    assert_eq!(found(&first(2), entries(4)), Err(None), "fewer than are wanted");
}

#[test]
fn what_may_be_missing_below_zero_counts_against_a_group() {
    let entries =
        |least| vec![entry(&[("a", 9)], Some((0, 0))), entry(&[("b", 6)], Some((1, least)))];
    // a has 8 to 10, b 6: it is decided, but for what a is worth.
    assert_eq!(found(&first(1), entries(-1)), Ok((of(&[&[], &[]]), of(&[&["a"]]))));
    // a has 5 to 10, b 6.
    assert_eq!(found(&first(1), entries(-4)), Ok((of(&[&[], &[]]), of(&[&["a", "b"]]))));
}

#[test]
fn who_left_nothing_out_has_said_all() {
    let entries = vec![
        entry(&[("a", 10)], Some((3, 1))),
        entry(&[("b", 9), ("c", 1)], None),
        entry(&[], None),
    ];
    // b has 9 to 12, and what the second has of it is here already.
    let expected = (of(&[&["a"], &["b"], &[]]), of(&[&["b"]]));
    assert_eq!(found(&first(1), entries), Ok(expected));
}

#[test]
fn the_best_of_one_node_is_the_best_of_all() {
    let most = ranking(Combined::Best, Wanted::First(1));
    let entries =
        vec![entry(&[("a", -2), ("b", -3)], Some((-4, -9))), entry(&[("a", -5)], Some((-6, -9)))];
    assert_eq!(found(&most, entries), Ok((of(&[&["a"], &["a"]]), of(&[]))));
}

#[test]
fn a_value_to_reach_is_known_before() {
    let from = ranking(Combined::Sum, Wanted::From(Number::Long(10)));
    let entries = |most| {
        vec![entry(&[("a", 7), ("b", 6)], Some((most, 1))), entry(&[("a", 4)], Some((4, 1)))]
    };
    assert_eq!(found(&from, entries(5)), Ok((of(&[&["a"], &["a"]]), of(&[&["b"]]))));
    assert_eq!(found(&from, entries(6)), Err(Some(Number::Long(10))));
}

#[test]
fn values_that_cannot_be_compared_prove_nothing() {
    let wide = Entry {
        groups: GroupedPartial {
            states: vec![Column::of_wide(vec![1 << 70], None)],
            ..entry(&[("a", 1)], None).groups
        },
        left_out: None,
    };
    assert_eq!(found(&first(1), vec![wide, entry(&[("b", 2)], Some((1, 1)))]), Err(None));
    let mut other = entry(&[("b", 2)], Some((1, 1)));
    other.left_out =
        Some(LeftOut { at_most: Number::Double(1.0), at_least: Number::Double(f64::NAN) });
    assert_eq!(found(&first(1), vec![other]), Err(None));
    let doubles = |value: f64| Entry {
        groups: GroupedPartial {
            states: vec![Column::doubles(vec![value], None)],
            ..entry(&[("a", 1)], None).groups
        },
        left_out: None,
    };
    let bound = Number::Double(0.0);
    let left_out = Some(LeftOut { at_most: bound, at_least: bound });
    let beside = |value| vec![doubles(value), Entry { left_out, ..doubles(9.0) }];
    assert_eq!(found(&first(1), beside(f64::NAN)), Err(None));
    assert_eq!(found(&first(1), beside(f64::INFINITY)), Err(None));
    assert!(found(&first(1), beside(1.0)).is_ok());
}

#[test]
fn only_what_is_open_is_taken_of_what_was_found() {
    let entries =
        vec![entry(&[("a", 10)], Some((3, 1))), entry(&[("b", 9), ("c", 1)], Some((1, 1)))];
    let Outcome::Settled { open: Some(open), .. } =
        settle(&first(1), entries, &ExecContext::default()).unwrap()
    else {
        panic!("b has 12 at most")
    };
    let found = ["b", "x", "c"].map(|key| (key, 5));
    let found = vec![crate::Partial::Grouped(entry(&found, None).groups)];
    let only = open.only(found, &ExecContext::default()).unwrap();
    let groups = only.into_iter().filter_map(|partial| match partial {
        crate::Partial::Grouped(groups) => Some(groups),
        _ => None,
    });
    assert_eq!(keys(&groups.collect::<Vec<_>>()), of(&[&["b"]]));
    let other = crate::Partial::TimeBoundary { min_ms: None, max_ms: None };
    assert!(open.only(vec![other], &ExecContext::default()).is_err());
}
