//! Bounded: in rows, in bytes, and in the range of sums.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use henge_index::{AddOutcome, DimensionSchema, IndexLimits, IndexSchema, WriteIndex};
use henge_segment::SegmentView;
use henge_types::{
    Granularity, HllType, MetricKind, MetricSpec, NumericOp, Value, ValueRef, ValueType,
};
use support::{column, count, index, metric, numeric, rows, segment_id};

fn limited(metrics: Vec<MetricSpec>, rollup: bool, limits: IndexLimits) -> WriteIndex {
    let schema = IndexSchema {
        dimensions: vec![DimensionSchema::string("a")],
        metrics,
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup,
    };
    WriteIndex::new(schema, limits).unwrap()
}

#[test]
fn a_full_index_takes_nothing_and_changes_nothing() {
    let limits = IndexLimits { max_rows: 3, max_bytes: usize::MAX };
    let mut index = limited(vec![count()], true, limits);
    for text in ["x", "y", "x", "z"] {
        assert_ne!(
            index.add(0, &[ValueRef::String(text), ValueRef::Null]).unwrap(),
            AddOutcome::Full
        );
    }
    let before = (rows(&*index.snapshot(segment_id())), index.memory_bytes());
    for text in ["new", "x"] {
        let outcome = index.add(9, &[ValueRef::String(text), ValueRef::Null]).unwrap();
        assert_eq!(outcome, AddOutcome::Full);
    }
    assert!(index.is_full());
    assert_eq!((rows(&*index.snapshot(segment_id())), index.memory_bytes()), before);
    assert_eq!((index.event_count(), index.row_count()), (4, 3));
}

#[test]
fn bytes_are_bounded_by_dictionaries() {
    let limits = IndexLimits { max_rows: usize::MAX, max_bytes: 1 << 20 };
    let mut index = limited(vec![], false, limits);
    let mut text_bytes = 0;
    for number in 0.. {
        let text = format!("{number:01000}");
        if index.add(0, &[ValueRef::String(&text)]).unwrap() == AddOutcome::Full {
            break;
        }
        text_bytes += text.len();
    }
    assert!((900_000..1 << 20).contains(&text_bytes), "{text_bytes}");
    assert!(index.memory_bytes() < (1 << 20) + 10_000);
}

#[test]
fn bytes_are_bounded_by_rows() {
    let limits = IndexLimits { max_rows: usize::MAX, max_bytes: 1 << 20 };
    let mut index = limited(vec![count()], false, limits);
    while index.add(0, &[ValueRef::String("x"), ValueRef::Null]).unwrap() != AddOutcome::Full {}
    // A row is a time, an id and a count.
    let row_bytes = index.row_count() * 20;
    assert!((800_000..1 << 20).contains(&row_bytes), "{row_bytes}");
}

#[test]
fn bytes_are_bounded_by_sketches_of_rolled_up_rows() {
    let limits = IndexLimits { max_rows: usize::MAX, max_bytes: 1 << 20 };
    let kind = MetricKind::HllBuild { lg_k: 14, hll_type: HllType::Hll8 };
    let mut index = limited(vec![metric("people", kind)], true, limits);
    let mut number = 0;
    loop {
        number += 1;
        let text = format!("{}", number % 100);
        let values = [ValueRef::String(&text), ValueRef::Long(number)];
        if index.add(0, &values).unwrap() == AddOutcome::Full {
            break;
        }
    }
    assert_eq!(index.row_count(), 100);
    assert!(number > 100_000 && index.memory_bytes() < (1 << 20) + 20_000, "{number}");
}

#[test]
fn h_21_rows_whose_sum_would_overflow_are_kept_apart() {
    let mut index = index(
        vec![DimensionSchema::string("a")],
        vec![
            count(),
            numeric("total", NumericOp::Sum, ValueType::Long),
            numeric("largest", NumericOp::Max, ValueType::Long),
        ],
        true,
    );
    let mut add = |a: &str, number: i64| {
        let number = ValueRef::Long(number);
        index.add(0, &[ValueRef::String(a), ValueRef::Null, number, number])
    };
    add("x", i64::MAX).unwrap();
    add("y", i64::MIN).unwrap();
    assert_eq!(add("x", 1).unwrap(), AddOutcome::Appended);
    assert_eq!(add("x", 1).unwrap(), AddOutcome::RolledUp, "the newer row goes on");
    assert_eq!(add("y", -1).unwrap(), AddOutcome::Appended);
    assert_eq!(add("x", -1).unwrap(), AddOutcome::RolledUp);
    let view = index.snapshot(segment_id());
    let longs = |values: [i64; 4]| values.map(Value::Long);
    assert_eq!(column(&*view, "total"), longs([i64::MAX, i64::MIN, 1, -1]));
    assert_eq!(column(&*view, "count"), longs([1, 1, 3, 1]));
    assert_eq!(view.event_count(), 6);
    assert_eq!(view.row_count(), 4);
}
