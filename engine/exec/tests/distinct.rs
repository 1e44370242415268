//! Distinct counts and best groups over enough values that every way to count and to name them is
//! taken, against the plainest way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use henge_exec::{
    ExecContext, ExecError, Extent, Merger, NodeDictionaries, Partial, SharedItem, SharedRun,
    Worker, finalise, merge, run,
};
use henge_query::Query;
use henge_segment::{BLOCK_ROWS, ColumnData, SegmentView, StringTable};
use henge_sketch::{HllSketch, Sketch, ThetaSketch};
use henge_types::HllType;
use serde_json::{Value, json};

use support::{doubles, longs};

/// Distinct values of each STRING column: bitmaps of them by `site` and `page` exceed the cache and
/// what is allowed.
const COLUMNS: [(&str, u32); 4] =
    [("mode", 3), ("site", 300), ("page", 2_000), ("visitor", 40_000)];

/// The value's number of a STRING column in a row; 0 is null.
fn id_of(column: usize, row: usize) -> u32 {
    let noise = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(column as u32 * 9);
    (noise >> 33) as u32 % (COLUMNS[column].1 + 1)
}

fn order_of(row: usize) -> i64 {
    (row / 4 * 7_919) as i64 - 1_000
}

fn text_of(column: usize, id: u32) -> String {
    format!("{} {id:06}", COLUMNS[column].0)
}

fn segment(rows: usize) -> Arc<dyn SegmentView> {
    let dictionary = |(column, count)| {
        let texts: Vec<String> = (1..=count).map(|id| text_of(column, id)).collect();
        texts.iter().map(String::as_str).collect::<StringTable>()
    };
    let counts = COLUMNS.map(|(_, count)| count);
    let dictionaries: Vec<StringTable> = (0..).zip(counts).map(dictionary).collect();
    let ids_of = |column| (0..rows).map(|row| id_of(column, row)).collect::<Vec<u32>>();
    let ids: Vec<Vec<u32>> = (0..COLUMNS.len()).map(ids_of).collect();
    let orders: Vec<i64> = (0..rows).map(order_of).collect();
    let prices: Vec<f64> = orders.iter().map(|order| *order as f64 / 8.0).collect();
    let texts = COLUMNS.iter().zip(dictionaries.iter().zip(&ids));
    let texts = texts.map(|((name, _), (dictionary, ids))| {
        (*name, ColumnData::String { dictionary, ids, bitmaps: false })
    });
    let numbers = [("order", longs(&orders)), ("price", doubles(&prices))];
    Arc::new(support::segment(rows, texts.chain(numbers)))
}

fn answer(query: &Query, partial: Partial) -> Value {
    let ctx = ExecContext::default();
    let merged = merge(query, vec![partial], &ctx).unwrap();
    let answer = finalise(query, merged, &ctx).unwrap();
    serde_json::from_slice(&henge_answer::to_json(query, &answer).unwrap()).unwrap()
}

/// The counts of each group of `by`, by the text of its key, as a groupBy finds them.
fn counts(
    view: &Arc<dyn SegmentView>,
    by: Option<usize>,
    ctx: &ExecContext,
) -> BTreeMap<String, [f64; 4]> {
    let sketch = |name: &str, kind: &str, field: &str| json!({"type": kind, "name": name, "fieldName": field, "round": false});
    let dimensions: Vec<&str> = by.iter().map(|column| COLUMNS[*column].0).collect();
    let query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "dimensions": dimensions,
        "aggregations": [
            sketch("a", "HLLSketchBuild", "visitor"), sketch("b", "HLLSketchBuild", "order"),
            sketch("c", "HLLSketchBuild", "price"), sketch("d", "thetaSketch", "visitor"),
        ],
    });
    let query = Query::parse(query.to_string().as_bytes()).unwrap();
    let answer = answer(&query, run(&query, view.as_ref(), ctx).unwrap());
    let rows = answer.as_array().unwrap().iter();
    rows.map(|row| {
        let event = &row["event"];
        let key = by.and_then(|column| event[COLUMNS[column].0].as_str()).unwrap_or_default();
        (key.to_owned(), ["a", "b", "c", "d"].map(|name| event[name].as_f64().unwrap()))
    })
    .collect()
}

/// The same, value by value.
fn expected(rows: usize, by: Option<usize>) -> BTreeMap<String, [f64; 4]> {
    let hll = || HllSketch::new(12, HllType::Hll4).unwrap();
    let mut sketches = BTreeMap::new();
    for row in 0..rows {
        let group = by.map_or(0, |column| id_of(column, row));
        let (counts, theta) = sketches
            .entry(group)
            .or_insert_with(|| ([hll(), hll(), hll()], ThetaSketch::new(16_384).unwrap()));
        let visitor = id_of(3, row);
        if visitor != 0 {
            counts[0].update_str(&text_of(3, visitor));
            theta.update_str(&text_of(3, visitor));
        }
        counts[1].update_i64(order_of(row));
        counts[2].update_f64(order_of(row) as f64 / 8.0);
    }
    let key = |group| if group == 0 { String::new() } else { text_of(by.unwrap_or(0), group) };
    let groups = sketches.into_iter();
    groups
        .map(|(group, ([a, b, c], theta))| {
            (key(group), [a.estimate(), b.estimate(), c.estimate(), theta.estimate()])
        })
        .collect()
}

#[test]
fn distinct_counts_are_those_of_values_added_one_by_one() {
    let rows = 150_000;
    let view = segment(rows);
    let dictionaries = Some(Arc::new(NodeDictionaries::new(1 << 26)));
    let keeps_hashes = ExecContext { dictionaries, ..ExecContext::default() };
    for by in [None, Some(0), Some(1), Some(2)] {
        let expected = expected(rows, by);
        for ctx in [&ExecContext::default(), &keeps_hashes, &keeps_hashes] {
            let actual = counts(&view, by, ctx);
            assert_eq!(actual.len(), expected.len(), "{by:?}");
            for ((group, actual), (same, expected)) in actual.iter().zip(&expected) {
                assert_eq!(group, same);
                // JSON may cost the last digit; which hashes a theta sketch keeps depends on the
                // order a little.
                for (at, tolerance) in [(0, 1e-12), (1, 1e-12), (2, 1e-12), (3, 0.02)] {
                    let error = (actual[at] / expected[at] - 1.0).abs();
                    assert!(error < tolerance, "{by:?} {group}: {actual:?} {expected:?}");
                }
            }
        }
    }
}

const COUNTED: [&str; 5] = ["visitor", "page", "order", "price", "__time"];

fn exact_query(by: Option<usize>) -> Query {
    let count = |field: &str| json!({"type": "exactDistinctCount", "name": format!("n_{field}"), "fieldName": field});
    let dimensions: Vec<&str> = by.iter().map(|column| COLUMNS[*column].0).collect();
    let query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "dimensions": dimensions, "aggregations": COUNTED.map(count),
    });
    Query::parse(query.to_string().as_bytes()).unwrap()
}

/// The exact counts of each group, value by value.
fn expected_exactly(rows: usize, by: Option<usize>) -> BTreeMap<String, [usize; 5]> {
    let mut values: BTreeMap<u32, [BTreeSet<i64>; 5]> = BTreeMap::new();
    for row in 0..rows {
        let sets = values.entry(by.map_or(0, |column| id_of(column, row))).or_default();
        for (set, column) in sets.iter_mut().zip([3, 2]) {
            set.extend(Some(i64::from(id_of(column, row))).filter(|id| *id != 0));
        }
        sets[2].insert(order_of(row));
        sets[3].insert(order_of(row));
        sets[4].insert(row as i64);
    }
    let key = |group| if group == 0 { String::new() } else { text_of(by.unwrap_or(0), group) };
    values.into_iter().map(|(group, sets)| (key(group), sets.map(|set| set.len()))).collect()
}

#[test]
fn exact_counts_are_exact_whatever_is_merged_with_what() {
    // The rows of the second are among those of the first.
    let (rows, views) = (150_000, [segment(150_000), segment(30_000)]);
    let dictionaries = Some(Arc::new(NodeDictionaries::new(1 << 26)));
    let node = ExecContext { dictionaries, ..ExecContext::default() };
    let plain = ExecContext::default();
    for by in [None, Some(0), Some(1), Some(2)] {
        let query = Arc::new(exact_query(by));
        let expected = expected_exactly(rows, by);
        let of = |view: usize, ctx| run(&query, views[view].as_ref(), ctx).unwrap();
        let sent = |partial: Partial| Partial::decode(&partial.encode().unwrap()).unwrap();
        let cases = [
            vec![of(0, &plain)],
            vec![of(0, &plain), of(1, &plain)],
            vec![of(0, &node), of(1, &node)],
            vec![sent(of(1, &node)), of(0, &node), of(1, &plain)],
        ];
        for (case, partials) in cases.into_iter().enumerate() {
            let mut mergers = [Merger::new(Arc::clone(&query)), Merger::new(Arc::clone(&query))];
            for (at, partial) in partials.into_iter().enumerate() {
                mergers[at % 2].add(partial, &plain).unwrap();
            }
            let [mut merger, other] = mergers;
            merger.absorb(other, &plain).unwrap();
            let partial = merger.finish(Extent::Whole, &plain).unwrap();
            let answer = answer(&query, partial);
            let found = answer.as_array().unwrap().iter().map(|row| {
                let event = &row["event"];
                let key = by.and_then(|column| event[COLUMNS[column].0].as_str());
                let counts = COUNTED.map(|field| event[format!("n_{field}")].as_u64().unwrap());
                (key.unwrap_or_default().to_owned(), counts.map(|count| count as usize))
            });
            assert!(found.collect::<BTreeMap<_, _>>() == expected, "{by:?} case {case}");
        }
    }
}

#[test]
fn h_83_exact_counts_beyond_the_memory_budget_are_refused() {
    let view = segment(150_000);
    let ctx = ExecContext { memory_budget_bytes: 1 << 20, ..ExecContext::default() };
    for by in [None, Some(1)] {
        let error = run(&exact_query(by), view.as_ref(), &ctx).unwrap_err();
        assert!(matches!(error, ExecError::ResourceLimit(_)), "{error}");
    }
}

/// A worker that is asked to yield makes several partials of the segment.
fn run_alone(query: &Arc<Query>, view: &Arc<dyn SegmentView>, told: bool) -> Merger {
    let whole = told.then(|| Box::new(|_: &Partial| {}) as _);
    let item = SharedItem { query: Arc::clone(query), view: Arc::clone(view), whole };
    let run = SharedRun::new(Arc::clone(query), vec![item], Extent::Whole);
    let mut worker = Worker::new(Arc::new(run));
    let ctx = ExecContext::default();
    while worker.step(&ctx, &|| true).unwrap() {}
    worker.into_merger()
}

#[test]
fn groups_of_one_segment_are_named_when_all_are_merged() {
    let view = segment(17 * BLOCK_ROWS + 100);
    let small = segment(1_000);
    let base = json!({
        "dataSource": "t", "intervals": "1970-01-01/1970-01-02", "granularity": "all",
        "aggregations": [{"type": "count", "name": "n"}],
    });
    let top_n =
        json!({"queryType": "topN", "dimension": "visitor", "metric": "n", "threshold": 20});
    let group_by = json!({
        "queryType": "groupBy", "dimensions": ["visitor", "mode"],
        "limitSpec": {"type": "default", "limit": 30, "offset": 2,
            "columns": [{"dimension": "n", "direction": "descending"}]},
    });
    for query in [top_n, group_by] {
        let mut all = base.as_object().unwrap().clone();
        all.extend(query.as_object().unwrap().clone());
        let query = Arc::new(Query::parse(Value::from(all).to_string().as_bytes()).unwrap());
        let ctx = ExecContext::default();
        let plain = |view: &Arc<dyn SegmentView>| run(&query, view.as_ref(), &ctx).unwrap();
        let expected = answer(&query, plain(&view));
        let both = merge(&query, vec![plain(&view), plain(&small)], &ctx).unwrap();
        let both = answer(&query, both);
        for told in [false, true] {
            let cut = run_alone(&query, &view, told).finish(Extent::Whole, &ctx).unwrap();
            let Partial::Grouped(groups) = &cut else { panic!("groups") };
            assert!(groups.group_count() < 10_000, "groups were cut before they were named");
            assert_eq!(answer(&query, cut), expected);
            // A worker that found nothing to do changes nothing.
            let mut with_idle = run_alone(&query, &view, told);
            with_idle.absorb(Merger::new(Arc::clone(&query)), &ctx).unwrap();
            let Partial::Grouped(groups) = with_idle.finish(Extent::Whole, &ctx).unwrap() else {
                panic!("groups")
            };
            assert!(groups.group_count() < 10_000, "groups were cut before they were named");
            let whole = run_alone(&query, &view, told).finish(Extent::Part, &ctx).unwrap();
            assert_eq!(answer(&query, whole), expected);
            // Others come later, before, or by themselves.
            let mut later = Merger::new(Arc::clone(&query));
            later.absorb(run_alone(&query, &view, told), &ctx).unwrap();
            later.add(plain(&small), &ctx).unwrap();
            let mut before = Merger::new(Arc::clone(&query));
            before.add(plain(&small), &ctx).unwrap();
            before.absorb(run_alone(&query, &view, told), &ctx).unwrap();
            let mut segments = run_alone(&query, &small, told);
            segments.absorb(run_alone(&query, &view, told), &ctx).unwrap();
            for merger in [later, before, segments] {
                assert_eq!(answer(&query, merger.finish(Extent::Whole, &ctx).unwrap()), both);
            }
        }
    }
}
