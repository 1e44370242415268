//! Parts of blocks and packed blocks say what whole decoded blocks say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Debug;
use std::ops::Range;

use common::{open, write_rich};
use henge_segment::{
    BLOCK_ROWS, BlockCodec, ColumnView, MappedSegment, NumericBlock, NumericColumn, SegmentView,
    StringColumn, WriteOptions,
};

const ROWS: usize = 6_000;

fn ranges(rows: usize) -> Vec<Range<usize>> {
    vec![0..rows, 0..1, 1024..1500, 1024..4096, 2048..rows, 5120..5121, 4096..4096]
}

fn values<T: Copy + Debug>(block: &NumericBlock<'_, T>, rows: usize) -> Vec<String> {
    let is_null = |row| block.nulls.is_some_and(|mask| mask.is_null(row));
    let text = |row| match is_null(row) {
        true => "null".to_owned(),
        false => format!("{:?}", block.values.get(row)),
    };
    (0..rows).map(text).collect()
}

fn check_numeric<T: Copy + Debug>(
    column: &dyn NumericColumn<T>,
    name: &str,
    of_packed: impl Fn(i64, f64) -> T,
) -> bool {
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    // Before anything else has verified the block.
    let packed = column.packed(0).unwrap();
    let expected = values(&column.block(0, &mut whole).unwrap(), ROWS);
    for range in ranges(ROWS) {
        let found = column.rows(0, range.clone(), &mut part).unwrap();
        assert_eq!(values(&found, range.len()), expected[range.clone()], "{name} {range:?}");
    }
    assert!(column.rows(0, 100..200, &mut part).is_err(), "not the start of a group");
    assert!(column.rows(0, 0..ROWS + 1, &mut part).is_err(), "beyond the block");
    let Some(packed) = packed else { return false };
    assert_eq!(packed.ints.rows(), ROWS);
    for (row, expected) in expected.iter().enumerate() {
        let integer = packed.ints.integer(packed.ints.residual(row));
        match packed.nulls.is_some_and(|mask| mask.is_null(row)) {
            true => assert_eq!("null", expected),
            false => assert_eq!(&format!("{:?}", of_packed(integer, packed.divisor)), expected),
        }
    }
    true
}

fn check_string(column: &dyn StringColumn, name: &str) -> bool {
    let packed = column.packed_ids(0).unwrap();
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    let block = column.id_block(0, &mut whole).unwrap();
    for range in ranges(ROWS) {
        let found = column.id_rows(0, range.clone(), &mut part).unwrap();
        for (index, row) in range.enumerate() {
            assert_eq!(found.get(index), block.get(row), "{name} {row}");
        }
    }
    let Some(packed) = packed else { return false };
    assert!((0..ROWS).all(|row| packed.integer(packed.residual(row)) == i64::from(block.get(row))));
    true
}

/// Names of the columns that come packed.
fn check_all(segment: &MappedSegment) -> Vec<String> {
    let mut packed = Vec::new();
    for schema in segment.schema().columns.clone() {
        let name = &schema.name;
        let is_packed = match segment.column(name).unwrap().unwrap() {
            ColumnView::Long(column) => check_numeric(column, name, |integer, _| integer),
            ColumnView::Double(column) => {
                check_numeric(column, name, |integer, divisor| integer as f64 / divisor)
            }
            ColumnView::Float(column) => {
                check_numeric(column, name, |integer, divisor| (integer as f64 / divisor) as f32)
            }
            ColumnView::String(column) if !column.is_multi_value() => check_string(column, name),
            _ => false,
        };
        if is_packed {
            packed.push(name.clone());
        }
    }
    packed
}

#[test]
fn parts_of_blocks_read_as_the_whole() {
    for codec in [BlockCodec::None, BlockCodec::Zstd, BlockCodec::Lz4] {
        let (file, _) = write_rich(ROWS, WriteOptions { codec, ..WriteOptions::default() });
        check_all(&open(file).unwrap());
    }
}

#[test]
fn the_hot_form_is_packed() {
    let (file, _) = write_rich(ROWS, WriteOptions::hot());
    let packed = check_all(&open(file).unwrap());
    for name in ["__time", "user", "added", "page", "country"] {
        assert!(packed.iter().any(|p| p == name), "{name} is not among {packed:?}");
    }
}

#[test]
fn ranges_of_a_second_block_count_from_its_start() {
    let (file, _) = write_rich(BLOCK_ROWS + 3_000, WriteOptions::hot());
    let segment = open(file).unwrap();
    let Some(ColumnView::Long(column)) = segment.column("added").unwrap() else { panic!() };
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    let expected = values(&column.block(1, &mut whole).unwrap(), 3_000);
    let found = column.rows(1, 2_048..3_000, &mut part).unwrap();
    assert_eq!(values(&found, 952), expected[2_048..]);
    assert_eq!(column.packed(1).unwrap().unwrap().ints.rows(), 3_000);
    assert!(column.packed(2).is_err());
}
