//! Rows that are added by batch, column by column, give what they give one by one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use henge_index::{
    AddOutcome, DimensionSchema, IndexError, IndexLimits, IndexSchema, RowBatch, WriteIndex,
};
use henge_segment::SegmentView;
use henge_types::{Granularity, Value, ValueRef};
use proptest::prelude::*;
use support::{NO_LIMITS, count, highest, people, rows, segment_id};

/// A value of an event, for any column.
#[derive(Debug, Clone)]
enum Given {
    Null,
    Long(i64),
    Double(f64),
    Text(String),
    List(Vec<Option<String>>),
}

#[derive(Debug, Clone)]
struct Event {
    time_ms: i64,
    values: Vec<Given>,
}

/// Dimensions, metrics, and the place of the dimension that events bring later.
const DIMENSIONS: usize = 5;
const METRICS: usize = 4;
const LATE: usize = DIMENSIONS - 1;

fn given() -> impl Strategy<Value = Given> {
    let text = "[a-c]{0,2}|é?|[a-b]{7,9}";
    prop_oneof![
        3 => Just(Given::Null),
        2 => (-2..3_i64).prop_map(Given::Long),
        1 => (-2..3_i64).prop_map(|half| Given::Double(half as f64 / 2.0)),
        6 => text.prop_map(Given::Text),
        1 => prop::collection::vec(prop::option::of("[a-c]{0,1}"), 0..3).prop_map(Given::List),
    ]
}

/// Sums overflow now and then.
fn number() -> impl Strategy<Value = Given> {
    prop_oneof![
        1 => Just(Given::Null),
        4 => (-3..4_i64).prop_map(Given::Long),
        1 => Just(Given::Long(i64::MAX - 3)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let dimensions = prop::collection::vec(given(), DIMENSIONS);
    let metrics = prop::collection::vec(number(), METRICS);
    (0..3_000_i64, dimensions, metrics).prop_map(|(time_ms, dimensions, metrics)| Event {
        time_ms,
        values: dimensions.into_iter().chain(metrics).collect(),
    })
}

/// An event whose values have the types of their columns.
fn typed_event() -> impl Strategy<Value = Event> {
    let text = || "[a-c]{0,3}|é?|[a-b]{6,9}".prop_map(Given::Text);
    let decimal = || (-2..3_i64).prop_map(|half| Given::Double(half as f64 / 2.0));
    let tags = prop::collection::vec(prop::option::of("[a-c]{0,1}"), 2..4).prop_map(Given::List);
    let code = (-2..3_i64).prop_map(Given::Long);
    let amount = prop_oneof![9 => -3..4_i64, 1 => Just(i64::MAX / 64)].prop_map(Given::Long);
    let dimensions = (text(), tags, code, decimal(), text());
    let metrics = (Just(Given::Null), amount, decimal(), decimal());
    (0..3_000_i64, dimensions, metrics).prop_map(|(time_ms, (a, b, c, d, e), (f, g, h, i))| Event {
        time_ms,
        values: vec![a, b, c, d, e, f, g, h, i],
    })
}

fn events() -> impl Strategy<Value = Vec<(Event, u8)>> {
    // Now and then an event is left out.
    let of_any_type = prop::collection::vec((event(), 0..3_u8), 0..120);
    let typed = prop::collection::vec((typed_event(), (0..40_u8).prop_map(|n| n.min(1))), 0..120);
    prop_oneof![of_any_type, typed]
}

fn schema(rollup: bool, has_sketch: bool) -> IndexSchema {
    support::schema(rollup, vec![if has_sketch { people() } else { highest() }])
}

/// Calls `add` with the values of an event; those of an early one have no late dimension.
fn with_values<T>(event: &Event, has_late: bool, add: impl FnOnce(&[ValueRef<'_>]) -> T) -> T {
    let lists: Vec<Vec<Option<&str>>> = event
        .values
        .iter()
        .map(|value| match value {
            Given::List(list) => list.iter().map(Option::as_deref).collect(),
            _ => Vec::new(),
        })
        .collect();
    let mut values: Vec<ValueRef<'_>> = (event.values.iter().zip(&lists))
        .map(|(value, list)| match value {
            Given::Null => ValueRef::Null,
            Given::Long(value) => ValueRef::Long(*value),
            Given::Double(value) => ValueRef::Double(*value),
            Given::Text(text) => ValueRef::String(text),
            Given::List(_) => ValueRef::Multi(list),
        })
        .collect();
    if !has_late {
        values.remove(LATE);
    }
    add(&values)
}

/// All rows of an index, also of columns that its snapshot leaves out.
fn all_rows(index: &mut WriteIndex) -> Vec<Vec<Value>> {
    let snapshot = index.snapshot(segment_id());
    let mut all = rows(&*snapshot);
    if snapshot.schema().position("late").is_none() {
        all.iter_mut().for_each(|row| row.insert(1 + LATE, Value::Null));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn batches_give_what_rows_give(
        events in events(),
        late_from in 0..60_usize,
        rollup in any::<bool>(),
        has_sketch in any::<bool>(),
        batch_rows in 1..50_usize,
    ) {
        let mut by_row = WriteIndex::new(schema(rollup, has_sketch), NO_LIMITS).unwrap();
        let mut by_batch = WriteIndex::new(schema(rollup, has_sketch), NO_LIMITS).unwrap();
        for index in [&mut by_row, &mut by_batch] {
            index.add_dimension(DimensionSchema::string("late")).unwrap();
        }
        let mut position = 0;
        for events in events.chunks(batch_rows) {
            let mut batch = RowBatch::new(METRICS);
            let mut chosen = Vec::new();
            for ((event, choice), row) in events.iter().zip(0..) {
                let has_late = position >= late_from;
                position += 1;
                with_values(event, has_late, |values| batch.push(event.time_ms, values));
                if *choice > 0 {
                    chosen.push(row);
                    let mut whole = event.clone();
                    if !has_late {
                        whole.values[LATE] = Given::Null;
                    }
                    with_values(&whole, true, |values| by_row.add(whole.time_ms, values)).unwrap();
                }
            }
            let view = batch.view();
            let mut left = chosen.as_slice();
            while !left.is_empty() {
                let taken = by_batch.add_rows(&view, left, &mut |_, error| panic!("{error}"));
                left = &left[taken.unwrap()..];
            }
        }
        prop_assert_eq!(by_batch.event_count(), by_row.event_count());
        prop_assert_eq!(by_batch.memory_bytes(), by_row.memory_bytes());
        prop_assert_eq!(by_batch.max_time_ms(), by_row.max_time_ms());
        prop_assert_eq!(all_rows(&mut by_batch), all_rows(&mut by_row));
    }
}

#[test]
fn a_full_index_takes_no_more_rows_of_a_batch() {
    let mut batch = RowBatch::new(1);
    for number in 0..3_000 {
        let text = number.to_string();
        batch.push(number, &[ValueRef::String(&text), ValueRef::Null]);
    }
    let view = batch.view();
    let all: Vec<u32> = (0..3_000).collect();
    let schema = |rollup| IndexSchema {
        dimensions: vec![DimensionSchema::string("a")],
        metrics: vec![count()],
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup,
    };
    let mut refuse = |_, error| panic!("{error}");
    for rollup in [false, true] {
        let limits = IndexLimits { max_rows: 1_500, max_bytes: usize::MAX };
        let mut index = WriteIndex::new(schema(rollup), limits).unwrap();
        assert_eq!(index.add_rows(&view, &all, &mut refuse).unwrap(), 1_024);
        assert_eq!(index.add_rows(&view, &all[1_024..], &mut refuse).unwrap(), 476);
        assert_eq!(index.add_rows(&view, &all[1_500..], &mut refuse).unwrap(), 0);
        assert_eq!((index.row_count(), index.event_count()), (1_500, 1_500));
    }
}

#[test]
fn text_of_a_stretch_is_bounded() {
    let text = "x".repeat(300_000);
    let mut batch = RowBatch::new(0);
    (0..9).for_each(|time_ms| batch.push(time_ms, &[ValueRef::String(&text)]));
    batch.push(9, &[ValueRef::String(&text.repeat(4))]);
    let schema = IndexSchema {
        dimensions: vec![DimensionSchema::string("a")],
        metrics: vec![],
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let mut index = WriteIndex::new(schema, NO_LIMITS).unwrap();
    let view = batch.view();
    let mut refuse = |_, error| panic!("{error}");
    assert_eq!(index.add_rows(&view, &[0, 2, 3, 4, 5], &mut refuse).unwrap(), 2);
    assert_eq!(index.add_rows(&view, &[7, 8, 9], &mut refuse).unwrap(), 2);
    assert_eq!(index.add_rows(&view, &[9], &mut refuse).unwrap(), 1);
}

#[test]
fn what_a_metric_refuses_is_told_and_the_rest_is_added() {
    let mut batch = RowBatch::new(1);
    for input in [ValueRef::String("a"), ValueRef::Complex(b"no sketch"), ValueRef::String("b")] {
        batch.push(0, &[input]);
    }
    let schema = IndexSchema {
        dimensions: vec![],
        metrics: vec![people()],
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let mut index = WriteIndex::new(schema, NO_LIMITS).unwrap();
    let mut refused = Vec::new();
    let mut refuse = |row, _: IndexError| refused.push(row);
    assert_eq!(index.add_rows(&batch.view(), &[0, 1, 2], &mut refuse).unwrap(), 3);
    assert_eq!((refused, index.row_count()), (vec![1], 2));
}

#[test]
fn a_batch_of_other_columns_is_refused_whole() {
    let mut index = support::index(vec![DimensionSchema::string("a")], vec![count()], false);
    let mut batch = RowBatch::new(1);
    batch.push(0, &[ValueRef::Null, ValueRef::Null, ValueRef::Null]);
    let outcome = index.add_rows(&batch.view(), &[0], &mut |_, error| panic!("{error}"));
    assert!(matches!(outcome, Err(IndexError::Width { expected: 2, actual: 3 })), "{outcome:?}");
    assert_eq!(index.row_count(), 0);
    assert_ne!(index.add(0, &[ValueRef::Null, ValueRef::Null]).unwrap(), AddOutcome::Full);
}
