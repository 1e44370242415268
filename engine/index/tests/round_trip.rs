//! A persisted snapshot holds the rows of the index.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use henge_index::{DimensionSchema, WriteIndex};
use henge_segment::{MappedSegment, MergeOptions, SegmentView, merge};
use henge_types::{
    ColumnType, HllType, MetricKind, NumericOp, TIME_COLUMN, Value, ValueRef, ValueType,
};
use support::{column, count, index, metric, numeric, rows, segment_id};

const EVENTS: i64 = 9_000;

fn filled(rollup: bool) -> WriteIndex {
    let dimensions = vec![
        DimensionSchema::string("word"),
        DimensionSchema::string("tags"),
        DimensionSchema::new("code", ColumnType::Long),
        DimensionSchema::new("ratio", ColumnType::Double),
        DimensionSchema::new("weight", ColumnType::Float),
    ];
    let metrics = vec![
        count(),
        numeric("sum", NumericOp::Sum, ValueType::Long),
        numeric("max", NumericOp::Max, ValueType::Double),
        numeric("min", NumericOp::Min, ValueType::Float),
        metric("people", MetricKind::HllBuild { lg_k: 8, hll_type: HllType::Hll4 }),
        metric("unique", MetricKind::HyperUnique),
        metric("theta", MetricKind::Theta { size: 64, input_is_sketch: false }),
        metric("quantiles", MetricKind::Quantiles { k: 32 }),
    ];
    let mut index = index(dimensions, metrics, rollup);
    for number in 0..EVENTS {
        add(&mut index, number);
    }
    index
}

/// One event; every third value of a field is null, and times go back and forth.
fn add(index: &mut WriteIndex, number: i64) {
    let word = format!("word {}", number % 1_013);
    let word = if number % 3 == 0 { ValueRef::Null } else { ValueRef::String(&word) };
    let tags: &[Option<&str>] = match number % 4 {
        0 => &[],
        1 => &[Some("x")],
        2 => &[Some("x"), None],
        _ => &[Some("y"), Some("x"), Some("é")],
    };
    let long = if number % 3 == 1 { ValueRef::Null } else { ValueRef::Long(number % 17 - 8) };
    let double =
        if number % 3 == 2 { ValueRef::Null } else { ValueRef::Double(number as f64 / 8.0) };
    let ratio = if number % 5 == 0 { ValueRef::Null } else { ValueRef::Double(0.5) };
    let dimensions = [word, ValueRef::Multi(tags), long, ratio, ratio];
    // Sketches of few events stay exact, whatever is combined.
    let inputs = [ValueRef::Null, long, double, double, word, word, word, double];
    index.add((number * 7 % 40) * 1_000, &[&dimensions[..], &inputs[..]].concat()).unwrap();
}

#[test]
fn rows_of_several_blocks_are_kept() {
    let mut index = index(vec![DimensionSchema::string("word")], vec![], false);
    for number in 0..140_000_i64 {
        let word = format!("word {}", number % 9_973);
        index.add(-number, &[ValueRef::String(&word)]).unwrap();
    }
    let snapshot = index.snapshot(segment_id());
    let mut file = Vec::new();
    let options = MergeOptions::new(snapshot.schema().clone());
    merge(&[&*snapshot], segment_id(), &options, &mut file).unwrap();
    let segment = MappedSegment::open(Arc::new(file)).unwrap();
    let (times, words) = (column(&segment, TIME_COLUMN), column(&segment, "word"));
    assert_eq!((times.len(), segment.block_count()), (140_000, 3));
    for (row, number) in (0..140_000).rev().enumerate() {
        assert_eq!(times[row], Value::Long(-number));
        assert_eq!(words[row], Value::String(format!("word {}", number % 9_973)));
    }
}

fn sorted(view: &dyn SegmentView) -> Vec<String> {
    let mut rows: Vec<String> = rows(view).iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

#[test]
fn index_to_segment_keeps_every_row() {
    for rollup in [false, true] {
        let mut index = filled(rollup);
        let snapshot = index.snapshot(segment_id());
        // What comes later is not in the snapshot.
        (0..100).for_each(|number| add(&mut index, number));
        assert_eq!(snapshot.row_count() < EVENTS as usize, rollup);
        let mut file = Vec::new();
        let options = MergeOptions::new(snapshot.schema().clone());
        merge(&[&*snapshot], segment_id(), &options, &mut file).unwrap();
        let segment = MappedSegment::open(Arc::new(file)).unwrap();
        assert!(segment.is_time_sorted() && !snapshot.is_time_sorted());
        assert_eq!(segment.time_range(), snapshot.time_range());
        assert_eq!(segment.row_count(), snapshot.row_count());
        assert_eq!(sorted(&segment), sorted(&*snapshot));
        let times = column(&segment, TIME_COLUMN);
        let times: Vec<i64> =
            times.iter().map(|time| if let Value::Long(ms) = time { *ms } else { -1 }).collect();
        assert!(times.is_sorted() && times[0] == 0);
    }
}
