//! Scans ordered by any columns: over several segments, with nulls and ties, up to limits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::cmp::Reverse;
use std::sync::Arc;

use henge_exec::{
    ExecContext, Extent, Merger, SharedItem, SharedRun, Worker, finalise, merge, run,
};
use henge_query::Query;
use henge_segment::{
    ColumnData, ColumnView, MappedSegment, SegmentError, SegmentView, StringTable,
};
use henge_types::{SegmentId, SegmentSchema};
use serde_json::{Value, json};

fn query(columns: &[&str], order: &[(&str, &str)], fields: Value) -> Query {
    let order: Vec<Value> =
        order.iter().map(|(column, order)| json!({"columnName": column, "order": order})).collect();
    let mut query = json!({
        "queryType": "scan", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "columns": columns, "orderBy": order, "resultFormat": "compactedList",
    });
    if let (Value::Object(query), Value::Object(fields)) = (&mut query, fields) {
        query.extend(fields);
    }
    Query::parse(query.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn events(answer: &Value) -> Vec<Value> {
    let entries = answer.as_array().unwrap().iter();
    entries.flat_map(|entry| entry["events"].as_array().unwrap().clone()).collect()
}

fn rows(query: &Query, segments: &[&MappedSegment]) -> Vec<Value> {
    let ctx = ExecContext::default();
    let partials = segments.iter().map(|segment| run(query, *segment, &ctx).unwrap()).collect();
    let answer = finalise(query, merge(query, partials, &ctx).unwrap(), &ctx).unwrap();
    events(&serde_json::from_slice(&henge_answer::to_json(query, &answer).unwrap()).unwrap())
}

/// The only column of each row.
fn values(query: &Query, segments: &[&MappedSegment]) -> Vec<Value> {
    rows(query, segments).into_iter().map(|row| row[0].clone()).collect()
}

/// A segment of `l`, `d` and `t`; null where there is none.
fn segment(values: &[(Option<i64>, Option<f64>, Option<&str>)]) -> MappedSegment {
    let mask = |null: &dyn Fn(usize) -> bool| -> Vec<u64> {
        let words = vec![0_u64; values.len().div_ceil(64)];
        let set = |mut words: Vec<u64>, row: usize| {
            words[row / 64] |= 1 << (row % 64);
            words
        };
        (0..values.len()).filter(|row| null(*row)).fold(words, set)
    };
    let longs: Vec<i64> = values.iter().map(|row| row.0.unwrap_or(7)).collect();
    let doubles: Vec<f64> = values.iter().map(|row| row.1.unwrap_or(7.0)).collect();
    let long_nulls = mask(&|row| values[row].0.is_none());
    let double_nulls = mask(&|row| values[row].1.is_none());
    let mut texts: Vec<&str> = values.iter().filter_map(|row| row.2).collect();
    texts.sort_unstable();
    texts.dedup();
    let dictionary: StringTable = texts.iter().copied().collect();
    let id = |text| texts.binary_search(&text).unwrap() as u32 + 1;
    let ids: Vec<u32> = values.iter().map(|row| row.2.map_or(0, id)).collect();
    support::segment(
        values.len(),
        [
            ("l", ColumnData::Long { values: &longs, nulls: Some(&long_nulls) }),
            ("d", ColumnData::Double { values: &doubles, nulls: Some(&double_nulls) }),
            ("t", ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: false }),
        ],
    )
}

#[test]
fn values_are_ordered_across_segments_null_first() {
    let one = segment(&[
        (Some(i64::MIN), Some(f64::NAN), Some("b")),
        (None, Some(0.5), None),
        (Some(i64::MAX), None, Some("ab")),
    ]);
    let other = segment(&[
        (Some(0), Some(f64::NEG_INFINITY), Some("")),
        (None, Some(-0.5), Some("ü")),
        (Some(-1), Some(f64::INFINITY), Some("a")),
    ]);
    let expected = [
        ("l", json!([null, null, i64::MIN, -1, 0, i64::MAX])),
        ("d", json!([null, "-Infinity", -0.5, 0.5, "Infinity", "NaN"])),
        ("t", json!([null, "", "a", "ab", "b", "ü"])),
    ];
    for (column, expected) in expected {
        let Value::Array(ascending) = expected else { panic!("{column}") };
        let descending: Vec<Value> = ascending.iter().rev().cloned().collect();
        for (order, expected) in [("ascending", ascending), ("descending", descending)] {
            let all = query(&[column], &[(column, order)], json!({}));
            assert_eq!(values(&all, &[&one, &other]), expected, "{column} {order}");
            assert_eq!(values(&all, &[&other, &one]), expected, "{column} {order}");
            for (limit, offset) in [(1, 0), (2, 1), (3, 3), (100, 4), (2, 100)] {
                let fields = json!({"limit": limit, "offset": offset});
                let cut = query(&[column], &[(column, order)], fields);
                let end = expected.len().min(offset + limit);
                let wanted = &expected[offset.min(end)..end];
                assert_eq!(values(&cut, &[&one, &other]), wanted, "{column} {limit} {offset}");
            }
        }
    }
}

#[test]
fn rows_that_are_alike_are_shown_as_they_are_stored() {
    let text = |text| (Some(1), None, Some(text));
    let one = segment(&[text("b"), text("a"), text("a"), text("a")]);
    let other = segment(&[text("a"), text("c"), text("a")]);
    let times = |limit: u64, order: &[(&str, &str)]| {
        let query = query(&["__time", "t", "l"], order, json!({"limit": limit}));
        let times = rows(&query, &[&one, &other]).into_iter();
        times.map(|row| row[0].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(times(9, &[("t", "ascending")]), [1, 2, 3, 0, 2, 0, 1]);
    assert_eq!(times(4, &[("t", "ascending")]), [1, 2, 3, 0]);
    assert_eq!(times(9, &[("l", "descending"), ("t", "descending")]), [1, 0, 1, 2, 3, 0, 2]);
    assert_eq!(times(3, &[("l", "descending"), ("t", "descending")]), [1, 0, 1]);
    let by_time = [("t", "ascending"), ("__time", "descending")];
    assert_eq!(times(4, &by_time), [3, 2, 2, 1]);
}

#[test]
fn segments_may_lack_a_column_or_have_another_type() {
    let texts = segment(&[(None, None, Some("x")), (None, None, None)]);
    let longs = support::segment(2, [("t", support::longs(&[5, -5]))]);
    let lacking = support::segment(1, [("l", support::doubles(&[1.0]))]);
    let order = |order| query(&["t"], &[("t", order)], json!({}));
    let segments = [&texts, &longs, &lacking];
    let ascending = json!([null, null, -5, 5, "x"]);
    assert_eq!(json!(values(&order("ascending"), &segments)), ascending);
    let descending = json!(["x", 5, -5, null, null]);
    assert_eq!(json!(values(&order("descending"), &segments)), descending);
    let nothing = support::segment(0, []);
    assert!(values(&order("ascending"), &[&nothing]).is_empty());
    // Of all columns none need be the one that decides.
    let all = query(&[], &[("nowhere", "ascending")], json!({"limit": 1}));
    assert_eq!(rows(&all, &[&lacking]).len(), 1);
}

const MANY: usize = 150_000;

/// Longs and texts without order, of several blocks; every text is of few rows.
fn large() -> (MappedSegment, Vec<(i64, String)>) {
    let mixed = |row: usize, by: u64| (row as u64 + 1).wrapping_mul(by) >> 20;
    let values: Vec<(i64, String)> = (0..MANY)
        .map(|row| {
            let long = (mixed(row, 0x9e37_79b9_7f4a_7c15) % 1_000_003) as i64;
            (long, format!("t{:05}", mixed(row, 0xd1b5_4a32_d192_ed03) % 40_000))
        })
        .collect();
    let longs: Vec<i64> = values.iter().map(|(long, _)| *long).collect();
    let mut texts: Vec<&str> = values.iter().map(|(_, text)| text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    let dictionary: StringTable = texts.iter().copied().collect();
    let ids: Vec<u32> = values
        .iter()
        .map(|(_, text)| texts.binary_search(&text.as_str()).unwrap() as u32 + 1)
        .collect();
    let text = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: false };
    let segment = support::segment(MANY, [("l", support::longs(&longs)), ("t", text)]);
    (segment, values)
}

#[test]
fn the_first_of_many_rows_are_those_of_sorting_all() {
    let (segment, values) = large();
    let mut sorted: Vec<(i64, &str, usize)> =
        values.iter().zip(0..).map(|((long, text), row)| (*long, text.as_str(), row)).collect();
    let check = |order: &[(&str, &str)], sorted: &[(i64, &str, usize)], filter: Value| {
        let fields = json!({"limit": 50, "offset": 7, "filter": filter});
        let query = query(&["__time", "l", "t"], order, fields);
        let expected: Vec<Value> =
            sorted.iter().skip(7).take(50).map(|(l, t, row)| json!([row, l, t])).collect();
        assert_eq!(rows(&query, &[&segment]), expected, "{order:?}");
    };
    sorted.sort_by_key(|row| (row.0, row.2));
    check(&[("l", "ascending")], &sorted, Value::Null);
    sorted.sort_by_key(|row| (Reverse(row.0), row.1));
    check(&[("l", "descending"), ("t", "ascending")], &sorted, Value::Null);
    sorted.sort_by_key(|row| (row.1, Reverse(row.0)));
    check(&[("t", "ascending"), ("l", "descending")], &sorted, Value::Null);
    sorted.sort_by_key(|row| (Reverse(row.1), row.2));
    check(&[("t", "descending")], &sorted, Value::Null);
    // A filter over a large dictionary looks at the texts of the rows that it meets.
    let like = |pattern: &str| json!({"type": "like", "dimension": "t", "pattern": pattern});
    let kept = |wanted: &dyn Fn(&str) -> bool| -> Vec<(i64, &str, usize)> {
        sorted.iter().copied().filter(|row| wanted(row.1)).collect()
    };
    check(&[("t", "descending")], &kept(&|t| t.contains("77")), like("%77%"));
    let not = json!({"type": "not", "field": like("%7%")});
    check(&[("t", "descending")], &kept(&|t| !t.contains('7')), not);
    let mut few = kept(&|t| t.contains("777"));
    few.sort_by_key(|row| row.2);
    check(&[("__time", "ascending")], &few, like("%777%"));
    few.reverse();
    check(&[("__time", "descending")], &few, like("%777%"));
}

/// A segment that must not be read.
#[derive(Debug)]
struct Unread(MappedSegment);

impl SegmentView for Unread {
    fn id(&self) -> &SegmentId {
        self.0.id()
    }
    fn schema(&self) -> &SegmentSchema {
        self.0.schema()
    }
    fn row_count(&self) -> usize {
        self.0.row_count()
    }
    fn time_range(&self) -> Option<(i64, i64)> {
        // Later than all others.
        self.0.time_range().map(|(min, max)| (min + 1_000, max + 1_000))
    }
    fn is_time_sorted(&self) -> bool {
        true
    }
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }
    fn column(&self, name: &str) -> henge_segment::Result<Option<ColumnView<'_>>> {
        Err(SegmentError::corrupt(format!("column {name} was read")))
    }
}

#[test]
fn segments_whose_time_is_not_among_the_first_are_not_read() {
    let text = |text| (None, None, Some(text));
    let run_shared = |query: Query| {
        let query = Arc::new(query);
        let item = |view: Arc<dyn SegmentView>| SharedItem {
            query: Arc::clone(&query),
            view,
            whole: None,
        };
        let last = Unread(segment(&[text("x"), text("y"), text("z"), text("z")]));
        let items = vec![
            item(Arc::new(last)),
            item(Arc::new(segment(&[text("a"), text("b"), text("c")]))),
            item(Arc::new(segment(&[text("d")]))),
        ];
        let shared = Arc::new(SharedRun::new(Arc::clone(&query), items, Extent::Whole));
        let (mut worker, ctx) = (Worker::new(shared), ExecContext::default());
        while worker.step(&ctx, &|| false)? {}
        let mut merger = Merger::new(Arc::clone(&query));
        merger.absorb(worker.into_merger(), &ctx)?;
        let answer = finalise(&query, merger.finish(Extent::Whole, &ctx)?, &ctx)?;
        let json = henge_answer::to_json(&query, &answer)?;
        Ok::<_, henge_exec::ExecError>(events(&serde_json::from_slice(&json).unwrap()))
    };
    let first = |limit: u64| {
        let order = [("__time", "ascending"), ("t", "descending")];
        query(&["__time", "t"], &order, json!({"limit": limit}))
    };
    let rows = run_shared(first(3)).unwrap();
    assert_eq!(json!(rows), json!([[0, "d"], [0, "a"], [1, "b"]]));
    assert!(run_shared(first(4)).is_err());
}
