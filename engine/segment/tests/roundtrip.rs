//! What is written is read back, whatever the codec, the size and the memory alignment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{mix, open, read_all, read_column, rich_schema, segment_id, write_rich};
use henge_segment::{
    ALL_CODECS, BlockCodec, ColumnData, ColumnView, IdBlock, IndexPolicy, MappedSegment,
    NumericValues, SegmentView, SegmentWriter, StringTable, WriteGoal, WriteOptions,
    rewrite_identity, transcode,
};
use henge_types::{ColumnRole, ColumnType, SegmentId, Value, Version};

fn all_options() -> Vec<WriteOptions> {
    let codecs = ALL_CODECS.map(|codec| WriteOptions { codec, ..WriteOptions::default() });
    codecs.into_iter().chain([WriteOptions::hot()]).collect()
}

#[test]
fn every_type_reads_back_under_every_codec() {
    let (plain, _) = write_rich(2_000, WriteOptions::hot());
    let expected = read_all(&open(plain).unwrap()).unwrap();
    assert_eq!(expected["user"][3], "Null");
    assert_eq!(expected["one"][5], "Long(1)");
    assert_eq!(expected["wide"][17], format!("Long({})", mix(17) as i64));
    for options in all_options() {
        let (bytes, summary) = write_rich(2_000, options);
        assert_eq!(summary.size_bytes, bytes.len() as u64);
        assert_eq!(summary.checksum, xxhash_rust::xxh3::xxh3_64(&bytes));
        let segment = open(bytes).unwrap();
        assert_eq!(segment.row_count(), 2_000);
        assert_eq!(segment.time_range(), summary.time_range);
        assert!(segment.is_time_sorted());
        assert_eq!(read_all(&segment).unwrap(), expected, "{options:?}");
        segment.verify().unwrap();
    }
}

#[test]
fn several_blocks_read_back() {
    let rows = henge_segment::BLOCK_ROWS + 77;
    let (bytes, _) = write_rich(rows, WriteOptions::default());
    let segment = open(bytes).unwrap();
    assert_eq!(segment.block_count(), 2);
    let wide = read_column(&segment, "wide").unwrap();
    assert!(wide.iter().enumerate().all(|(row, v)| *v == Value::Long(mix(row) as i64)));
    segment.verify().unwrap();
    let mut hot = Vec::new();
    transcode(&segment, WriteOptions::hot(), &mut hot).unwrap();
    let hot = open(hot).unwrap();
    hot.verify().unwrap();
    for name in ["__time", "run", "tags", "user", "price", "none"] {
        let (a, b) = (read_column(&hot, name).unwrap(), read_column(&segment, name).unwrap());
        assert_eq!(format!("{:?}", &a[65_000..]), format!("{:?}", &b[65_000..]), "{name}");
    }
    assert_eq!(hot.id(), segment.id());
    assert!(string(&hot, "run").bitmap(1).unwrap().is_none());
}

fn string<'a>(segment: &'a MappedSegment, name: &str) -> &'a dyn henge_segment::StringColumn {
    match segment.column(name).unwrap() {
        Some(ColumnView::String(column)) => column,
        other => panic!("{other:?}"),
    }
}

#[test]
fn small_segments_are_small() {
    for rows in [0, 1, 3, 10] {
        let (bytes, _) = write_rich(rows, WriteOptions::default());
        assert!(bytes.len() < 3_000, "{rows} rows take {} bytes", bytes.len());
        let segment = open(bytes).unwrap();
        segment.verify().unwrap();
        assert_eq!(read_all(&segment).unwrap()["one"].len(), rows);
        assert_eq!(segment.time_range().is_none(), rows == 0);
    }
}

#[test]
fn uncompressed_blocks_are_read_in_place() {
    let (bytes, _) = write_rich(3_000, WriteOptions::hot());
    let segment = open(bytes).unwrap();
    let Some(ColumnView::Double(noise)) = segment.column("noise").unwrap() else { panic!() };
    let mut scratch = Vec::new();
    assert!(matches!(noise.block(0, &mut scratch).unwrap().values, NumericValues::Slice(_)));
    let mut ids = Vec::new();
    let hue = string(&segment, "hue");
    assert!(matches!(hue.id_block(0, &mut ids).unwrap(), IdBlock::U8(_)));
    assert!(ids.is_empty(), "byte-aligned ids need no scratch");
    assert_eq!(string(&segment, "empty").id_range(0).unwrap(), Some((0, 0)));
}

#[test]
fn misaligned_memory_reads_the_same() {
    let (bytes, _) = write_rich(3_000, WriteOptions::hot());
    let expected = read_all(&open(bytes.clone()).unwrap()).unwrap();
    struct Shifted(Vec<u8>, usize);
    impl AsRef<[u8]> for Shifted {
        fn as_ref(&self) -> &[u8] {
            &self.0[self.1..]
        }
    }
    for shift in [1, 2, 4] {
        let mut shifted = vec![0; shift];
        shifted.extend(&bytes);
        let segment = MappedSegment::open(Arc::new(Shifted(shifted, shift))).unwrap();
        assert_eq!(read_all(&segment).unwrap(), expected, "shift {shift}");
    }
}

#[test]
fn dictionaries_find_every_value() {
    let values: Vec<String> = (0..3_000).map(|i| format!("prefix/{:06}/ü", i * 3)).collect();
    let table: StringTable = values.iter().map(String::as_str).collect();
    let ids: Vec<u32> = (1..=3_000).collect();
    for codec in ALL_CODECS {
        let schema =
            common::schema(vec![common::column("s", ColumnType::String, ColumnRole::Dimension)]);
        let index = IndexPolicy::Always;
        let options = WriteOptions { codec, index, ..WriteOptions::default() };
        let mut writer =
            SegmentWriter::new(Vec::new(), segment_id(), schema, 3_000, options).unwrap();
        let times = vec![common::START_MS; 3_000];
        writer.write_column("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
        let data = ColumnData::String { dictionary: &table, ids: &ids, bitmaps: true };
        writer.write_column("s", data).unwrap();
        let segment = open(writer.finish_into().unwrap().1).unwrap();
        let column = string(&segment, "s");
        let dictionary = column.dictionary();
        assert_eq!(dictionary.len(), 3_001);
        for id in (1..=3_000).step_by(37) {
            let value = dictionary.get(id).unwrap().unwrap().into_owned();
            assert_eq!(value, values[id as usize - 1]);
            assert_eq!(dictionary.lookup(&value).unwrap(), Some(id));
            assert_eq!(dictionary.lower_bound(&format!("{value}x")).unwrap(), id + 1);
            assert_eq!(dictionary.lookup(&format!("{value}x")).unwrap(), None);
            let rows: Vec<u32> = column.bitmap(id).unwrap().unwrap().iter().collect();
            assert_eq!(rows, [id - 1]);
        }
        assert_eq!(dictionary.lower_bound("").unwrap(), 1);
        assert_eq!(dictionary.lower_bound("z").unwrap(), 3_001);
        let mut seen = Vec::new();
        dictionary
            .for_each(2_000..2_100, &mut |id, v| seen.push((id, v.map(str::to_owned))))
            .unwrap();
        assert_eq!(seen.len(), 100);
        assert_eq!(seen[99], (2_099, Some(values[2_098].clone())));
        let some: Vec<u32> = (0..3_001).filter(|id| id % 7 == 0 || id / 300 == 4).collect();
        let mut visited = Vec::new();
        let mut visit = |id: u32, value: &str| {
            assert_eq!(value, values[id as usize - 1]);
            visited.push(id);
        };
        dictionary.for_ids(&some, &mut visit).unwrap();
        assert_eq!(visited, some[1..]);
        for ids in [0..3_001, 1_499..1_700, 3_000..3_001, 9..9] {
            let mut lengths = Vec::new();
            let mut visit = |id: u32, length| lengths.push((id, length));
            dictionary.for_each_length(ids.clone(), &mut visit).unwrap();
            let length = |id: u32| (id, values[id as usize - 1].chars().count());
            assert_eq!(lengths, ids.filter(|id| *id > 0).map(length).collect::<Vec<_>>());
        }
        assert!(dictionary.for_each_length(5..3_002, &mut |_, _| {}).is_err());
        assert!(dictionary.for_ids(&[5, 3_001], &mut |_, _| {}).is_err());
        assert!(dictionary.get(3_001).is_err());
        assert!(column.bitmap(3_001).is_err());
    }
}

#[test]
fn h_52_identity_is_checked_and_can_be_rewritten() {
    let (bytes, _) = write_rich(500, WriteOptions::default());
    let other = SegmentId { version: Version(8), partition: 0, ..segment_id() };
    assert!(MappedSegment::open_as(Arc::new(bytes.clone()), &other).is_err());
    let mut renamed = Vec::new();
    let summary = rewrite_identity(&bytes, &other, &mut renamed).unwrap();
    assert_eq!(summary.checksum, xxhash_rust::xxh3::xxh3_64(&renamed));
    let segment = MappedSegment::open_as(Arc::new(renamed), &other).unwrap();
    segment.verify().unwrap();
    assert_eq!(read_all(&segment).unwrap(), read_all(&open(bytes).unwrap()).unwrap());
}

#[test]
fn the_writer_refuses_what_contradicts_the_schema() {
    let start = || {
        let options = WriteOptions::default();
        SegmentWriter::new(Vec::new(), segment_id(), rich_schema(), 2, options).unwrap()
    };
    let long = |values| ColumnData::Long { values, nulls: None };
    let mut writer = start();
    assert!(writer.write_column("nope", long(&[1, 2])).is_err());
    assert!(writer.write_column("page", long(&[1, 2])).is_err());
    assert!(writer.write_column("one", long(&[1])).is_err());
    assert!(writer.write_column("__time", long(&[0, 1])).is_err(), "outside the interval");
    writer.write_column("one", long(&[1, 2])).unwrap();
    assert!(writer.write_column("one", long(&[1, 2])).is_err(), "twice");
    let unsorted: StringTable = ["b", "a"].into_iter().collect();
    for (dictionary, ids) in [(&unsorted, [0, 1]), (&StringTable::new(), [0, 1])] {
        let data = ColumnData::String { dictionary, ids: &ids, bitmaps: true };
        assert!(writer.write_column("page", data).is_err());
    }
    assert!(writer.finish().is_err(), "columns are missing");
}

#[test]
fn inspection_adds_up() {
    let options = WriteOptions {
        goal: WriteGoal::Size,
        codec: BlockCodec::Zstd,
        zstd_level: 3,
        ..WriteOptions::default()
    };
    let (bytes, _) = write_rich(5_000, options);
    let size = bytes.len() as u64;
    let report = open(bytes).unwrap().inspect().unwrap();
    let parts: u64 = report
        .columns
        .iter()
        .map(|c| c.data_bytes + c.null_bytes + c.dictionary_bytes + c.bitmap_bytes)
        .sum();
    assert!(parts < size + 2_000 && parts > size / 2, "{parts} of {size}");
    let column = |name: &str| report.columns.iter().find(|c| c.name == name).unwrap();
    assert_eq!(column("country").cardinality, Some(5));
    assert_eq!(column("one").encodings["constant"], 1);
    assert_eq!(column("late").encodings["ids8"], 1);
    assert!(report.columns.iter().all(|c| c.directory_bytes > 0));
    assert_eq!(column("none").null_count, Some(5_000));
    assert!(column("page").bitmap_bytes > 0 && column("run").bitmap_bytes == 0);
    assert!(serde_json::to_string(&report).unwrap().contains("\"encodings\""));
}

#[test]
fn projections_survive_renaming_and_transcoding() {
    let file = common::write_projected(200, WriteOptions::default());
    let original = open(file.clone()).unwrap();
    let mut renamed = Vec::new();
    let other = SegmentId { version: Version(9), ..segment_id() };
    rewrite_identity(&file, &other, &mut renamed).unwrap();
    let mut hot = Vec::new();
    transcode(&original, WriteOptions::hot(), &mut hot).unwrap();
    for copy in [renamed, hot] {
        let copy = open(copy).unwrap();
        let report = copy.verify().unwrap();
        assert_eq!(report.projection_count, 2);
        assert!(report.projection_bytes > 0 && report.projection_bytes < report.size_bytes);
        for (before, after) in original.projections().iter().zip(copy.projections()) {
            assert_eq!(before.definition, after.definition);
            assert_eq!(read_all(before.view()).unwrap(), read_all(after.view()).unwrap());
        }
        assert_eq!(copy.inspect().unwrap().projections[1].segment.row_count, 3);
    }
}

/// What repairs deep storage from a hot copy.
#[test]
fn f_39_the_compact_form_of_the_hot_form_is_the_compact_form_byte_for_byte() {
    let files = [0, 1, 63, 2_000, henge_segment::BLOCK_ROWS + 77]
        .map(|rows| write_rich(rows, WriteOptions::default()).0);
    let projected = common::write_projected(200, WriteOptions::default());
    // The sample segments have all indexes, in every form.
    let indexed = WriteOptions { index: IndexPolicy::Always, ..WriteOptions::default() };
    for file in files.into_iter().chain([projected]) {
        let (mut hot, mut compact) = (Vec::new(), Vec::new());
        transcode(&open(file.clone()).unwrap(), WriteOptions::hot(), &mut hot).unwrap();
        assert_ne!(hot, file);
        let hot = open(hot).unwrap();
        let summary = transcode(&hot, indexed, &mut compact).unwrap();
        assert!(compact == file, "{} rows", hot.row_count());
        assert_eq!(summary.checksum, xxhash_rust::xxh3::xxh3_64(&file));
    }
}

/// A segment of one STRING column, row `r` holding value `id_of(r)` of `values`.
fn string_segment(values: u32, rows: usize, id_of: impl Fn(usize) -> u32) -> MappedSegment {
    let schema =
        common::schema(vec![common::column("s", ColumnType::String, ColumnRole::Dimension)]);
    let options = WriteOptions::hot();
    let mut writer = SegmentWriter::new(Vec::new(), segment_id(), schema, rows, options).unwrap();
    let times = vec![common::START_MS; rows];
    let texts: Vec<String> = (0..values).map(|value| format!("{value:08}")).collect();
    let dictionary: StringTable = texts.iter().map(String::as_str).collect();
    let ids: Vec<u32> = (0..rows).map(id_of).collect();
    // In another order than the schema, encoded apart.
    let encoder = writer.encoder();
    let time = encoder.encode("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
    let data = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
    let column = encoder.encode("s", data).unwrap();
    assert!(column.size_bytes() > 0);
    writer.append(column).unwrap();
    writer.append(time).unwrap();
    let segment = open(writer.finish_into().unwrap().1).unwrap();
    segment.verify().unwrap();
    segment
}

#[test]
fn bitmaps_are_written_where_they_pay() {
    let rows = 100_000;
    let indexed = |segment: &MappedSegment| string(segment, "s").bitmap(1).unwrap().is_some();
    assert!(indexed(&string_segment(2_000, rows, |row| 1 + mix(row) as u32 % 2_000)));
    let few = string_segment(50, rows, |row| 1 + mix(row) as u32 % 50);
    assert!(!indexed(&few), "scanning reads little more than bitmaps would");
    let rare = string_segment(50_000, rows, |row| 1 + row as u32 % 50_000);
    assert!(!indexed(&rare), "the index would be as large as the column");
    let clustered = string_segment(2_000, rows, |row| 1 + row as u32 / 50);
    assert!(indexed(&clustered));
}

#[test]
fn columns_encoded_apart_are_appended_once() {
    let schema = common::schema(Vec::new());
    let options = WriteOptions::default();
    let mut writer = SegmentWriter::new(Vec::new(), segment_id(), schema, 1, options).unwrap();
    let times = [common::START_MS];
    let encode = |encoder: &henge_segment::ColumnEncoder| {
        encoder.encode("__time", ColumnData::Long { values: &times, nulls: None }).unwrap()
    };
    let encoder = writer.encoder();
    writer.append(encode(&encoder)).unwrap();
    assert!(writer.append(encode(&encoder)).is_err());
    assert_eq!(writer.finish().unwrap().row_count, 1);
}
