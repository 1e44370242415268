//! A range of positions says the same as the set of its rows, and its stored form stays.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn numbers(a: &Position, b: &Position) -> Ordering {
    a.as_u64().cmp(&b.as_u64())
}

fn times(list: &[(i64, i64)]) -> Vec<Interval> {
    let interval =
        |(start_ms, end_ms): &(i64, i64)| Interval { start_ms: *start_ms, end_ms: *end_ms };
    list.iter().map(interval).collect()
}

fn settle(ahead: &mut Ahead, after: u64, up_to: u64, waiting: &[Interval]) {
    ahead.settle(&after.into(), &up_to.into(), waiting, numbers);
}

fn waiting_times(ahead: &Ahead, position: u64) -> Option<Vec<Interval>> {
    ahead.waiting_times(&position.into(), numbers).map(<[_]>::to_vec)
}

fn last(ahead: &Ahead) -> Option<u64> {
    ahead.last().and_then(Position::as_u64)
}

#[test]
fn golden_form_of_what_is_ahead() {
    let mut ahead = Ahead::default();
    settle(&mut ahead, 0, 100, &times(&[(7, 9), (20, 30)]));
    settle(&mut ahead, 100, 200, &[]);
    settle(&mut ahead, 200, 300, &[]);
    let text = serde_json::to_string(&ahead).unwrap();
    assert_eq!(text, "[[0,100,[[7,9],[20,30]]],[100,300,[]]]");
    assert_eq!(serde_json::from_str::<Ahead>(&text).unwrap(), ahead);
    assert!(serde_json::from_str::<Ahead>("[[0]]").is_err());
    for wrong in ["[[0,5,[]],[4,9,[]]]", "[[5,5,[]]]", "[[0,5,[[3,9],[5,10]]]]"] {
        assert!(!serde_json::from_str::<Ahead>(wrong).unwrap().is_ordered(numbers), "{wrong}");
    }
    let of_texts = r#"[["1-0","2-5",[[7,9]]]]"#;
    let read: Ahead = serde_json::from_str(of_texts).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), of_texts);
}

#[test]
fn i_01_a_second_life_cuts_records_and_times_otherwise() {
    let mut ahead = Ahead::default();
    // Hour 2 of records 1 to 100 waits, all of 101 to 200 is published.
    settle(&mut ahead, 0, 100, &times(&[(2, 3)]));
    settle(&mut ahead, 100, 200, &[]);
    // Replayed, one generation has 1 to 150, and publishes what is left in a chunk of a day.
    settle(&mut ahead, 0, 150, &times(&[(0, 24)]));
    assert_eq!(waiting_times(&ahead, 100), Some(times(&[(2, 3)])));
    assert_eq!(waiting_times(&ahead, 101), Some(Vec::new()));
    settle(&mut ahead, 0, 150, &[]);
    ahead.forget_up_to(&150.into(), numbers);
    assert_eq!(waiting_times(&ahead, 150), None);
    assert_eq!((waiting_times(&ahead, 151), last(&ahead)), (Some(Vec::new()), Some(200)));
    ahead.forget_after(&180.into(), numbers);
    assert_eq!(last(&ahead), Some(180));
    ahead.forget_up_to(&180.into(), numbers);
    assert!(ahead.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Settle(u64, u64, Vec<(i64, i64)>),
    UpTo(u64),
    After(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let waiting = proptest::collection::btree_set(0..12_i64, 0..6);
    let pairs = |set: BTreeSet<i64>| {
        let list: Vec<i64> = set.into_iter().collect();
        list.chunks_exact(2).map(|two| (two[0], two[1])).collect::<Vec<_>>()
    };
    prop_oneof![
        8 => (0..20_u64, 0..20_u64, waiting).prop_map(move |(a, b, set)| {
            Step::Settle(a.min(b), a.max(b), pairs(set))
        }),
        1 => (0..20_u64).prop_map(Step::UpTo),
        1 => (0..20_u64).prop_map(Step::After),
    ]
}

proptest! {
    /// A set of (record, time) says the same.
    #[test]
    fn i_01_what_is_ahead_is_a_set_of_rows(steps in proptest::collection::vec(step(), 0..12)) {
        let (mut ahead, mut published) = (Ahead::default(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Settle(after, up_to, waiting) => {
                    let waiting = times(&waiting);
                    settle(&mut ahead, after, up_to, &waiting);
                    for record in after + 1..=up_to {
                        let is_there = |time: &i64| !waiting.iter().any(|t| t.contains(*time));
                        published.extend((0..12).filter(is_there).map(|time| (record, time)));
                    }
                }
                Step::UpTo(position) => {
                    ahead.forget_up_to(&position.into(), numbers);
                    published.retain(|(record, _)| *record > position);
                }
                Step::After(end) => {
                    ahead.forget_after(&end.into(), numbers);
                    published.retain(|(record, _)| *record <= end);
                }
            }
            for record in 0..22 {
                for time in 0..12 {
                    let waiting = waiting_times(&ahead, record);
                    let is_there =
                        waiting.is_some_and(|w| !w.iter().any(|t| t.contains(time)));
                    prop_assert_eq!(is_there, published.contains(&(record, time)));
                }
            }
            prop_assert!(ahead.is_ordered(numbers));
            let text = serde_json::to_string(&ahead).unwrap();
            prop_assert_eq!(serde_json::from_str::<Ahead>(&text).unwrap(), ahead.clone());
        }
    }
}
