//! What the compact form lays out for its codec: smaller than packed, and the same in the hot form as if
//! it had been written for scans.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{INDEXED_ROWS, open, read_all, write_layouts};
use henge_segment::{
    ALL_CODECS, BlockCodec, ColumnView, IndexPolicy, MappedSegment, SegmentView, WriteOptions,
    transcode,
};

fn again(segment: &MappedSegment, options: WriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    transcode(segment, options, &mut bytes).unwrap();
    bytes
}

#[test]
fn skewed_values_take_fewer_bytes_than_packed_ones() {
    let packed = WriteOptions { codec: BlockCodec::None, ..WriteOptions::default() };
    let (packed, compact) =
        (write_layouts(6_000, packed), write_layouts(6_000, WriteOptions::default()));
    assert!(compact.len() * 10 < packed.len() * 8, "{} of {}", compact.len(), packed.len());
    let report = open(compact).unwrap().inspect().unwrap();
    let term = report.columns.iter().find(|column| column.name == "term").unwrap();
    assert!(term.encodings.contains_key("ids_residual"), "{:?}", term.encodings);
}

#[test]
fn the_hot_form_is_as_written_for_scans_and_the_way_back_is_exact() {
    for rows in [6_000, INDEXED_ROWS] {
        let hot = write_layouts(rows, WriteOptions::hot());
        let expected = read_all(&open(hot.clone()).unwrap()).unwrap();
        for codec in ALL_CODECS {
            let options = WriteOptions { codec, ..WriteOptions::default() };
            let stored = write_layouts(rows, options);
            let segment = open(stored.clone()).unwrap();
            segment.verify().unwrap();
            assert_eq!(read_all(&segment).unwrap(), expected, "{codec:?}");
            let made = again(&segment, WriteOptions::hot());
            assert!(made == hot, "{codec:?}, {rows} rows");
            assert!(again(&open(made).unwrap(), options) == stored, "{codec:?}, {rows} rows");
        }
    }
}

#[test]
fn the_compact_form_leaves_indexes_out() {
    let rows_of = |options: WriteOptions| {
        let segment = open(write_layouts(INDEXED_ROWS, options)).unwrap();
        let Some(ColumnView::String(hosts)) = segment.column("host").unwrap() else {
            panic!("a STRING column")
        };
        hosts.bitmap(7).unwrap().map(|rows| rows.len())
    };
    assert_eq!(rows_of(WriteOptions::default()), None);
    let always = WriteOptions { index: IndexPolicy::Always, ..WriteOptions::default() };
    assert!(rows_of(always).is_some());
    assert_eq!(rows_of(always), rows_of(WriteOptions::hot()));
}
