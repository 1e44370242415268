//! Snapshots never change, whoever writes and whenever.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::mpsc;

use henge_index::{DimensionSchema, WriteIndex};
use henge_segment::{BLOCK_ROWS, ColumnView, NumericValues, SegmentView};
use henge_types::{NumericOp, Value, ValueRef, ValueType};
use support::{column, count, index, numeric, rows, segment_id};

fn new_index(rollup: bool) -> WriteIndex {
    let dimensions = vec![DimensionSchema::string("a"), DimensionSchema::string("b")];
    let metrics = vec![count(), numeric("sum", NumericOp::Sum, ValueType::Long)];
    index(dimensions, metrics, rollup)
}

fn add(index: &mut WriteIndex, number: i64) {
    let (a, b) = (format!("a{}", number % 5_003), format!("b{}", number % 7));
    let values = [ValueRef::String(&a), ValueRef::String(&b), ValueRef::Null, ValueRef::Long(1)];
    index.add(number / 1_000, &values).unwrap();
}

#[test]
fn old_snapshots_stay_as_they_were_across_blocks() {
    let mut index = new_index(false);
    let mut taken = Vec::new();
    for number in 0..150_000 {
        if [0, 1, 8_191, 8_192, 8_193, 65_535, 65_536, 65_537, 131_072, 140_000].contains(&number) {
            taken.push((number as usize, index.snapshot(segment_id())));
        }
        add(&mut index, number);
    }
    for (count, snapshot) in taken {
        assert_eq!(snapshot.row_count(), count);
        assert_eq!(snapshot.block_count(), count.div_ceil(BLOCK_ROWS));
        assert!(snapshot.is_time_sorted());
        let last = count.checked_sub(1);
        assert_eq!(snapshot.time_range(), last.map(|last| (0, last as i64 / 1_000)));
        let (a, b) = (column(&*snapshot, "a"), column(&*snapshot, "b"));
        for row in (0..count).step_by(97).chain(last) {
            assert_eq!(a[row], Value::String(format!("a{}", row % 5_003)));
            assert_eq!(b[row], Value::String(format!("b{}", row % 7)));
        }
    }
}

#[test]
fn rolled_up_rows_change_only_in_later_snapshots() {
    let mut index = new_index(true);
    let mut taken = Vec::new();
    for round in 1..4_i64 {
        for number in 0..70_000 {
            add(&mut index, number);
        }
        taken.push((round, index.snapshot(segment_id())));
    }
    for (round, snapshot) in taken {
        assert_eq!(snapshot.row_count(), 70_000);
        let Some(ColumnView::Long(sums)) = snapshot.column("sum").unwrap() else { panic!() };
        let mut scratch = Vec::new();
        for block in 0..2 {
            let NumericValues::Slice(sums) = sums.block(block, &mut scratch).unwrap().values else {
                panic!()
            };
            assert!(sums.iter().all(|sum| *sum == round));
        }
    }
}

#[test]
fn readers_in_other_threads_see_consistent_rows_while_the_writer_goes_on() {
    let (send, receive) = mpsc::channel::<(usize, std::sync::Arc<henge_index::IndexSnapshot>)>();
    let reader = std::thread::spawn(move || {
        let mut seen = 0;
        for (count, snapshot) in receive {
            for _ in 0..2 {
                let all = rows(&*snapshot);
                assert_eq!(all.len(), count);
                for (number, row) in all.iter().enumerate() {
                    assert_eq!(row[1], Value::String(format!("a{}", number % 5_003)));
                    assert_eq!(row[3..], [Value::Long(1), Value::Long(1)]);
                }
            }
            seen += 1;
        }
        seen
    });
    let mut index = new_index(true);
    for number in 0..12_000 {
        if number % 1_500 == 0 {
            send.send((number as usize, index.snapshot(segment_id()))).unwrap();
        }
        add(&mut index, number);
    }
    drop(send);
    assert_eq!(reader.join().unwrap(), 8);
}

#[test]
fn an_unchanged_index_gives_the_same_snapshot() {
    let mut index = new_index(false);
    add(&mut index, 1);
    let first = index.snapshot(segment_id());
    assert!(std::sync::Arc::ptr_eq(&first, &index.snapshot(segment_id())));
    let mut other = segment_id();
    other.partition = 7;
    assert_eq!(index.snapshot(other.clone()).id(), &other);
    add(&mut index, 2);
    assert_eq!(index.snapshot(segment_id()).row_count(), 2);
    assert_eq!(first.row_count(), 1);
}

#[test]
fn a_column_that_becomes_multi_value_does_not_change_older_snapshots() {
    let mut index = index(vec![DimensionSchema::string("tags")], vec![], false);
    index.add(0, &[ValueRef::String("x")]).unwrap();
    let single = index.snapshot(segment_id());
    index.add(0, &[ValueRef::Multi(&[Some("y"), None, Some("x")])]).unwrap();
    index.add(0, &[ValueRef::Multi(&[])]).unwrap();
    let multi = index.snapshot(segment_id());
    assert!(!single.schema().columns[1].multi_value && multi.schema().columns[1].multi_value);
    assert_eq!(column(&*single, "tags"), [Value::String("x".into())]);
    let list = Value::Multi(vec![None, Some("x".into()), Some("y".into())]);
    assert_eq!(column(&*multi, "tags"), [Value::String("x".into()), list, Value::Null]);
    let Some(ColumnView::String(tags)) = multi.column("tags").unwrap() else { panic!() };
    assert!(tags.id_block(0, &mut Vec::new()).is_err());
}
