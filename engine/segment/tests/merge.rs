//! Merging: order, dictionaries, roll-up, conversions; checked against a plain model.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{START_MS, column, mix, open, read_all, read_column, schema, segment_id};
use henge_segment::{
    ColumnData, ColumnView, MappedSegment, MergeOptions, SegmentView, SegmentWriter, StringTable,
    WriteOptions, combine_schemas, merge,
};
use henge_sketch::{HllSketch, Sketch};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, HllType, Interval, MetricKind, MetricSpec,
    NumericOp, SegmentId, SegmentSchema, Value, ValueType, Version,
};

/// A row of the model: time, city, tags, number, count, amount, largest, sketched user.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    time: i64,
    city: Option<String>,
    tags: Vec<String>,
    number: Option<i64>,
    count: i64,
    amount: Option<f64>,
    largest: f32,
    user: Option<u64>,
}

fn rows(seed: usize, count: usize) -> Vec<Row> {
    (0..count)
        .map(|i| {
            let x = mix(seed * 1_000_003 + i);
            let part = |bits: u32, below: u64| (x >> bits) % below;
            Row {
                time: START_MS + part(0, 7) as i64 * 3_600_000 + part(3, 2) as i64,
                city: (part(4, 5) > 0).then(|| format!("city{}", part(4, 5))),
                tags: (0..part(8, 3)).map(|t| format!("t{}", part(12 + t as u32, 3))).collect(),
                number: (part(20, 4) > 0).then(|| part(20, 4) as i64 - 2),
                count: 1,
                amount: (part(24, 6) > 0).then(|| part(26, 100) as f64 / 4.0),
                largest: part(32, 1000) as f32,
                user: (part(40, 8) > 0).then(|| part(44, 50)),
            }
        })
        .collect()
}

fn columns() -> Vec<ColumnSchema> {
    use ColumnRole::{Dimension, Metric};
    let mut tags = column("tags", ColumnType::String, Dimension);
    tags.multi_value = true;
    vec![
        column("city", ColumnType::String, Dimension),
        tags,
        column("number", ColumnType::Long, Dimension),
        column("count", ColumnType::Long, Metric),
        column("amount", ColumnType::Double, Metric),
        column("largest", ColumnType::Float, Metric),
        column("users", ColumnType::Complex("HLLSketch".into()), Metric),
    ]
}

fn target(rollup: bool, query_granularity: Granularity) -> SegmentSchema {
    let spec = |name: &str, kind| MetricSpec { name: name.into(), field: None, kind };
    let numeric = |op, column_type| MetricKind::Numeric { op, column_type };
    let metrics = vec![
        spec("count", MetricKind::Count),
        spec("amount", numeric(NumericOp::Sum, ValueType::Double)),
        spec("largest", numeric(NumericOp::Max, ValueType::Float)),
        spec("users", MetricKind::HllBuild { lg_k: 12, hll_type: HllType::Hll4 }),
    ];
    SegmentSchema { metrics, rollup, query_granularity, ..schema(columns()) }
}

fn sketch_of(users: impl IntoIterator<Item = u64>) -> HllSketch {
    let mut sketch = HllSketch::new(12, HllType::Hll4).unwrap();
    users.into_iter().for_each(|user| sketch.update_i64(user as i64));
    sketch
}

/// Writes rows in the order given, as an index snapshot would: not sorted.
fn segment(rows: &[Row], partition: u32) -> MappedSegment {
    let id = SegmentId { partition, ..segment_id() };
    let options = WriteOptions::default();
    let mut writer =
        SegmentWriter::new(Vec::new(), id, schema(columns()), rows.len(), options).unwrap();
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    writer.write_column("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
    let (dictionary, ids) = common::strings(rows.iter().map(|row| row.city.as_deref()));
    let city = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
    writer.write_column("city", city).unwrap();
    let flat = rows.iter().flat_map(|row| row.tags.iter().map(|tag| Some(tag.as_str())));
    let (dictionary, ids) = common::strings(flat);
    let mut offsets = vec![0];
    rows.iter().for_each(|row| offsets.push(offsets.last().unwrap() + row.tags.len() as u32));
    let tags = ColumnData::MultiString {
        dictionary: &dictionary,
        offsets: &offsets,
        ids: &ids,
        bitmaps: true,
    };
    writer.write_column("tags", tags).unwrap();
    let nulls = common::mask(rows.len(), |row| rows[row].number.is_none());
    let values: Vec<i64> = rows.iter().map(|row| row.number.unwrap_or(99)).collect();
    let number = ColumnData::Long { values: &values, nulls: Some(&nulls) };
    writer.write_column("number", number).unwrap();
    let counts: Vec<i64> = rows.iter().map(|row| row.count).collect();
    writer.write_column("count", ColumnData::Long { values: &counts, nulls: None }).unwrap();
    let nulls = common::mask(rows.len(), |row| rows[row].amount.is_none());
    let values: Vec<f64> = rows.iter().map(|row| row.amount.unwrap_or(-1.0)).collect();
    let amount = ColumnData::Double { values: &values, nulls: Some(&nulls) };
    writer.write_column("amount", amount).unwrap();
    let values: Vec<f32> = rows.iter().map(|row| row.largest).collect();
    writer.write_column("largest", ColumnData::Float { values: &values, nulls: None }).unwrap();
    let mut sketches =
        rows.iter().map(|row| Ok(row.user.map(|user| sketch_of([user]).to_bytes().into())));
    writer.write_column("users", ColumnData::Complex { rows: &mut sketches }).unwrap();
    open(writer.finish_into().unwrap().1).unwrap()
}

fn merged(views: &[&dyn SegmentView], options: &MergeOptions) -> MappedSegment {
    let mut out = Vec::new();
    let summary = merge(views, segment_id(), options, &mut out).unwrap();
    let segment = open(out).unwrap();
    segment.verify().unwrap();
    assert!(segment.is_time_sorted() || segment.schema().before_time().count() > 0);
    assert_eq!(summary.row_count, segment.row_count());
    segment
}

/// The key rows are sorted by: null before everything, lists by their elements.
fn key(row: &Row) -> (i64, Option<String>, Vec<String>, Option<i64>) {
    (row.time, row.city.clone(), row.tags.clone(), row.number)
}

#[test]
fn rows_of_all_views_come_out_sorted() {
    let parts = [rows(1, 700), rows(2, 300), rows(3, 1)];
    let segments: Vec<_> = parts.iter().zip(0..).map(|(rows, at)| segment(rows, at)).collect();
    let views: Vec<&dyn SegmentView> = segments.iter().map(|s| s as &dyn SegmentView).collect();
    let result = merged(&views, &MergeOptions::new(target(false, Granularity::None)));
    let mut expected: Vec<Row> = parts.concat();
    expected.sort_by_key(key);
    let expected = segment(&expected, 0);
    assert_eq!(read_all(&result).unwrap(), read_all(&expected).unwrap());
}

#[test]
fn dimensions_before_the_time_sort_rows_whatever_order_they_had() {
    let parts = [rows(10, 700), rows(11, 300)];
    let segments: Vec<_> = parts.iter().zip(0..).map(|(rows, at)| segment(rows, at)).collect();
    // One part is sorted by time already, as rows were before the order was declared.
    let by_time = merged(&[&segments[0]], &MergeOptions::new(target(false, Granularity::None)));
    let mut schema =
        combine_schemas(&[by_time.schema(), &target(false, Granularity::None)]).unwrap();
    schema.sort_before_time(&["number".into(), "absent".into(), "tags".into()]);
    let result = merged(&[&by_time, &segments[1]], &MergeOptions::new(schema));
    let names: Vec<&str> = result.schema().columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names[..4], ["number", "tags", "__time", "city"]);
    assert_eq!(result.schema().before_time().collect::<Vec<_>>(), ["number", "tags"]);
    assert!(!result.is_time_sorted());
    let mut expected: Vec<Row> = parts.concat();
    expected.sort_by_key(key);
    expected.sort_by_key(|row| (row.number, row.tags.clone()));
    let expected = segment(&expected, 0);
    for name in names {
        assert_eq!(
            read_column(&result, name).unwrap(),
            read_column(&expected, name).unwrap(),
            "{name}"
        );
    }
    // Back again, as when the declaration is taken back.
    let again = merged(&[&result], &MergeOptions::new(target(false, Granularity::None)));
    assert!(again.is_time_sorted());
}

#[test]
fn roll_up_combines_equal_rows() {
    let parts = [rows(4, 2_000), rows(5, 1_500)];
    let segments: Vec<_> = parts.iter().zip(0..).map(|(rows, at)| segment(rows, at)).collect();
    let views: Vec<&dyn SegmentView> = segments.iter().map(|s| s as &dyn SegmentView).collect();
    let hour = Granularity::parse_name("hour").unwrap();
    let result = merged(&views, &MergeOptions::new(target(true, hour)));
    let mut groups = BTreeMap::<_, Vec<Row>>::new();
    for mut row in parts.concat() {
        row.time -= row.time % 3_600_000;
        groups.entry(key(&row)).or_default().push(row);
    }
    assert!(groups.len() < 2_500, "{} groups", groups.len());
    assert_eq!(result.row_count(), groups.len());
    let longs = |name| read_column(&result, name).unwrap();
    let (counts, amounts) = (longs("count"), longs("amount"));
    let (largest, users) = (longs("largest"), longs("users"));
    let (times, cities) = (longs("__time"), longs("city"));
    for (at, (key, rows)) in groups.iter().enumerate() {
        assert_eq!(times[at], Value::Long(key.0));
        assert_eq!(cities[at], key.1.clone().map_or(Value::Null, Value::String));
        assert_eq!(counts[at], Value::Long(rows.len() as i64));
        let amount = rows.iter().filter_map(|row| row.amount).reduce(|a, b| a + b);
        assert_eq!(amounts[at], amount.map_or(Value::Null, Value::Double));
        let max = rows.iter().map(|row| row.largest).fold(0.0, f32::max);
        assert_eq!(largest[at], Value::Float(max));
        let expected: Vec<u64> = rows.iter().filter_map(|row| row.user).collect();
        match &users[at] {
            Value::Complex(bytes) => {
                let estimate = HllSketch::from_bytes(bytes).unwrap().estimate();
                assert_eq!(estimate.round(), sketch_of(expected).estimate().round());
            }
            other => assert_eq!((other, expected.len()), (&Value::Null, 0)),
        }
    }
}

#[test]
fn merging_in_steps_is_merging_at_once() {
    let parts = [rows(6, 400), rows(7, 400), rows(8, 400)];
    let segments: Vec<_> = parts.iter().zip(0..).map(|(rows, at)| segment(rows, at)).collect();
    let minute = || Granularity::parse_name("minute").unwrap();
    let options = MergeOptions::new(target(true, minute()));
    let [a, b, c] = [&segments[0], &segments[1], &segments[2]];
    let at_once = merged(&[a, b, c], &options);
    let first = merged(&[a, b], &options);
    let in_steps = merged(&[&first, c], &options);
    let (mut at_once, mut in_steps) = (read_all(&at_once).unwrap(), read_all(&in_steps).unwrap());
    // Sketches of equal content may differ in bytes.
    at_once.remove("users");
    in_steps.remove("users");
    assert_eq!(at_once, in_steps);
}

#[test]
fn h_21_equal_rows_whose_sums_would_overflow_are_kept_apart() {
    let metrics = ["first", "second"].map(|name| MetricSpec {
        name: name.to_owned(),
        field: Some(name.to_owned()),
        kind: MetricKind::Numeric { op: NumericOp::Sum, column_type: ValueType::Long },
    });
    let schema = SegmentSchema {
        columns: vec![
            column("__time", ColumnType::Long, ColumnRole::Time),
            column("first", ColumnType::Long, ColumnRole::Metric),
            column("second", ColumnType::Long, ColumnRole::Metric),
        ],
        metrics: metrics.to_vec(),
        rollup: true,
        query_granularity: Granularity::None,
    };
    let write = |first: &[i64], second: &[i64]| {
        let rows = first.len();
        let mut writer =
            SegmentWriter::new(vec![], segment_id(), schema.clone(), rows, WriteOptions::default())
                .unwrap();
        let times = vec![START_MS; rows];
        for (name, values) in [("__time", times.as_slice()), ("first", first), ("second", second)] {
            writer.write_column(name, ColumnData::Long { values, nulls: None }).unwrap();
        }
        open(writer.finish_into().unwrap().1).unwrap()
    };
    // The second metric parts the rows after the first one, without which the rest is too much for
    // the first metric.
    let (first, second) = ([i64::MIN, i64::MAX, 7], [i64::MAX, 1, 1]);
    let views = [write(&first[..1], &second[..1]), write(&first[1..], &second[1..])];
    let merged = merged(&[&views[0], &views[1]], &MergeOptions::new(schema.clone()));
    assert_eq!(merged.row_count(), 3);
    for (name, values) in [("first", first), ("second", second)] {
        let sum: i128 = read_column(&merged, name)
            .unwrap()
            .iter()
            .map(|value| match value {
                Value::Long(value) => i128::from(*value),
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(sum, values.iter().map(|value| i128::from(*value)).sum::<i128>());
    }
    // What fits is still combined.
    let small = write(&[1, 2, 3], &[4, 5, 6]);
    let options = MergeOptions::new(schema);
    assert_eq!(self::merged(&[&small], &options).row_count(), 1);
}

#[test]
fn rows_outside_the_interval_are_left_out() {
    let all = rows(9, 500);
    let whole = segment(&all, 0);
    let interval = Interval::new(START_MS, START_MS + 2 * 3_600_000).unwrap();
    let id = SegmentId { interval, version: Version(9), ..segment_id() };
    let schema = target(false, Granularity::None);
    let options = MergeOptions { interval: Some(interval), ..MergeOptions::new(schema) };
    let mut out = Vec::new();
    let summary = merge(&[&whole], id.clone(), &options, &mut out).unwrap();
    assert_eq!(summary.row_count, all.iter().filter(|row| interval.contains(row.time)).count());
    let unbounded = MergeOptions { interval: None, ..options };
    assert!(merge(&[&whole], id, &unbounded, Vec::new()).is_err());
}

#[test]
fn h_48_truncation_stays_inside_the_segment() {
    let part = segment(&rows(10, 50), 0);
    let noon = START_MS + 3_600_000;
    let interval = Interval::new(noon, noon + 3_600_000).unwrap();
    let id = SegmentId { interval, ..segment_id() };
    let day = Granularity::parse_name("day").unwrap();
    let options = MergeOptions { interval: Some(interval), ..MergeOptions::new(target(true, day)) };
    let mut out = Vec::new();
    let summary = merge(&[&part], id, &options, &mut out).unwrap();
    assert_eq!(summary.time_range, Some((noon, noon)));
}

/// A segment of one column beside `__time`.
fn one_column(
    name: &str,
    column_type: ColumnType,
    rows: usize,
    data: impl FnOnce(&mut SegmentWriter<Vec<u8>>),
) -> MappedSegment {
    let columns = schema(vec![column(name, column_type, ColumnRole::Dimension)]);
    let options = WriteOptions::default();
    let mut writer = SegmentWriter::new(Vec::new(), segment_id(), columns, rows, options).unwrap();
    let times: Vec<i64> = (0..rows as i64).map(|row| START_MS + row).collect();
    writer.write_column("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
    data(&mut writer);
    open(writer.finish_into().unwrap().1).unwrap()
}

#[test]
fn types_that_differ_are_converted() {
    let text = one_column("x", ColumnType::String, 3, |writer| {
        let dictionary: StringTable = ["4", "red"].into_iter().collect();
        let data = ColumnData::String { dictionary: &dictionary, ids: &[2, 0, 1], bitmaps: true };
        writer.write_column("x", data).unwrap();
    });
    let numbers = one_column("x", ColumnType::Long, 3, |writer| {
        let data = ColumnData::Long { values: &[4, 5, 6], nulls: Some(&[0b10]) };
        writer.write_column("x", data).unwrap();
    });
    let without = one_column("y", ColumnType::Long, 3, |writer| {
        let data = ColumnData::Long { values: &[1, 1, 1], nulls: None };
        writer.write_column("y", data).unwrap();
    });
    let views: [&dyn SegmentView; 3] = [&text, &numbers, &without];
    let combined = combine_schemas(&views.map(|view| view.schema())).unwrap();
    assert_eq!(combined.column("x").unwrap().column_type, ColumnType::String);
    let result = merged(&views, &MergeOptions::new(combined));
    let sorted = |name| {
        let mut values: Vec<String> =
            read_column(&result, name).unwrap().iter().map(|v| format!("{v:?}")).collect();
        values.sort();
        values.join(" ")
    };
    let text = "Null Null Null Null Null String(\"4\") String(\"4\") String(\"6\") String(\"red\")";
    assert_eq!(sorted("x"), text);
    assert_eq!(sorted("y"), "Long(1) Long(1) Long(1) Null Null Null Null Null Null");
    let mut as_long = schema(vec![column("x", ColumnType::Long, ColumnRole::Dimension)]);
    as_long.rollup = false;
    let result = merged(&views[..2], &MergeOptions::new(as_long));
    let Some(ColumnView::Long(_)) = result.column("x").unwrap() else { panic!() };
    assert_eq!(read_column(&result, "x").unwrap().iter().filter(|v| **v == Value::Null).count(), 3);
}

#[test]
fn nothing_merges_to_an_empty_segment() {
    let result = merged(&[], &MergeOptions::new(target(true, Granularity::All)));
    assert_eq!(result.row_count(), 0);
    assert!(combine_schemas(&[]).is_err());
}

#[test]
fn h_20_roll_up_takes_zeros_for_one_and_nans_for_one() {
    let schema = SegmentSchema {
        columns: vec![
            column("__time", ColumnType::Long, ColumnRole::Time),
            column("level", ColumnType::Double, ColumnRole::Dimension),
            column("count", ColumnType::Long, ColumnRole::Metric),
        ],
        metrics: vec![MetricSpec {
            name: "count".to_owned(),
            field: None,
            kind: MetricKind::Count,
        }],
        rollup: true,
        query_granularity: Granularity::None,
    };
    let write = |levels: &[f64]| {
        let rows = levels.len();
        let mut writer =
            SegmentWriter::new(vec![], segment_id(), schema.clone(), rows, WriteOptions::default())
                .unwrap();
        let (times, counts) = (vec![START_MS; rows], vec![1; rows]);
        writer.write_column("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
        writer.write_column("level", ColumnData::Double { values: levels, nulls: None }).unwrap();
        writer.write_column("count", ColumnData::Long { values: &counts, nulls: None }).unwrap();
        open(writer.finish_into().unwrap().1).unwrap()
    };
    let views = [write(&[-0.0, 1.0, f64::NAN]), write(&[-1.0, 0.0, -f64::NAN])];
    let merged = merged(&[&views[0], &views[1]], &MergeOptions::new(schema));
    let counts = read_column(&merged, "count").unwrap();
    assert_eq!(counts, [1, 2, 1, 2].map(Value::Long));
}
