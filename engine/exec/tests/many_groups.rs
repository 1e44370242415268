//! About as many groups as rows: rows that are not looked up, because hardly any met a group, are
//! merged all the same when later ones do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_exec::{
    ExecContext, Extent, Gathering, Merger, Partial, SharedItem, SharedRun, Tuning, Worker,
    finalise,
};
use henge_query::Query;
use henge_segment::{BLOCK_ROWS, SegmentView};
use serde_json::{Value, json};

use support::{doubles, longs};

const ROWS: usize = 6 * BLOCK_ROWS + 500;

/// New keys in the first blocks, then the same few again and again, then new ones and old ones.
fn keys_of(row: usize) -> (i64, i64) {
    let number = match row / BLOCK_ROWS {
        0 | 1 => row,
        2 | 3 => row % 700,
        _ if row.is_multiple_of(3) => row - 4 * BLOCK_ROWS,
        _ => row,
    };
    ((number as i64).wrapping_mul(0x5851_F42D_4C95_7F2D), (number % 90_001) as i64)
}

fn segment() -> Arc<dyn SegmentView> {
    let (first, second): (Vec<i64>, Vec<i64>) = (0..ROWS).map(keys_of).unzip();
    let values: Vec<f64> = (0..ROWS).map(|row| row as f64).collect();
    let columns = [("a", longs(&first)), ("b", longs(&second)), ("v", doubles(&values))];
    Arc::new(support::segment(ROWS, columns))
}

/// Count and sum by keys.
fn expected() -> BTreeMap<(i64, i64), (u64, i64)> {
    let mut groups = BTreeMap::new();
    for row in 0..ROWS {
        let group: &mut (u64, i64) = groups.entry(keys_of(row)).or_default();
        *group = (group.0 + 1, group.1 + row as i64);
    }
    groups
}

fn query(limit: Option<u32>) -> Arc<Query> {
    let long = |name: &str| json!({"type": "default", "dimension": name, "outputName": name, "outputType": "LONG"});
    let mut query = json!({
        "queryType": "groupBy", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "dimensions": [long("a"), long("b")],
        "aggregations": [
            {"type": "count", "name": "n"}, {"type": "doubleSum", "name": "s", "fieldName": "v"},
        ],
    });
    if let Some(limit) = limit {
        query["limitSpec"] = json!({"type": "default", "limit": limit,
            "columns": [{"dimension": "n", "direction": "descending"}]});
    }
    Arc::new(Query::parse(query.to_string().as_bytes()).unwrap())
}

/// A worker that has gone through segments.
fn merger_of(query: &Arc<Query>, views: &[Arc<dyn SegmentView>], ctx: &ExecContext) -> Merger {
    let item = |view: &Arc<dyn SegmentView>| SharedItem {
        query: Arc::clone(query),
        view: Arc::clone(view),
        whole: None,
    };
    let run = SharedRun::new(Arc::clone(query), views.iter().map(item).collect(), Extent::Whole);
    let mut worker = Worker::new(Arc::new(run));
    while worker.step(ctx, &|| false).unwrap() {}
    worker.into_merger()
}

type Groups = BTreeMap<(i64, i64), (u64, i64)>;

fn groups_of(query: &Query, partial: Partial) -> Groups {
    let answer = finalise(query, partial, &ExecContext::default()).unwrap();
    let json: Value =
        serde_json::from_slice(&henge_answer::to_json(query, &answer).unwrap()).unwrap();
    let rows = json.as_array().unwrap().iter().map(|row| {
        let long = |name: &str| row["event"][name].as_i64().unwrap();
        let sum = row["event"]["s"].as_f64().unwrap() as i64;
        ((long("a"), long("b")), (row["event"]["n"].as_u64().unwrap(), sum))
    });
    let count = json.as_array().unwrap().len();
    let groups: Groups = rows.collect();
    assert_eq!(groups.len(), count, "groups are distinct");
    groups
}

#[test]
fn rows_that_hardly_ever_met_a_group_are_merged_with_those_that_do() {
    let (view, expected) = (segment(), expected());
    let small = Tuning { flushed_groups: 1 << 10, parted_groups: 1 << 11, ..Tuning::default() };
    for tuning in [Tuning::default(), small] {
        let ctx = ExecContext { tuning, ..ExecContext::default() };
        let query = query(None);
        let views = [Arc::clone(&view)];
        let finished = merger_of(&query, &views, &ctx).finish(Extent::Whole, &ctx).unwrap();
        assert!(groups_of(&query, finished) == expected);
        let gathering = Gathering::new(merger_of(&query, &views, &ctx), Extent::Whole).unwrap();
        while gathering.step(&ctx).unwrap() {}
        assert!(groups_of(&query, gathering.finish().unwrap().0) == expected);
        // What another worker, another segment, or one that was put aside has.
        let twice: Groups =
            expected.iter().map(|(keys, (n, sum))| (*keys, (n * 2, sum * 2))).collect();
        let mut both = merger_of(&query, &views, &ctx);
        both.absorb(merger_of(&query, &views, &ctx), &ctx).unwrap();
        assert!(groups_of(&query, both.finish(Extent::Whole, &ctx).unwrap()) == twice);
        let segments = merger_of(&query, &[Arc::clone(&view), segment()], &ctx);
        assert!(groups_of(&query, segments.finish(Extent::Whole, &ctx).unwrap()) == twice);
        let mut mixed = merger_of(&query, &views, &ctx);
        let aside = merger_of(&query, &[segment()], &ctx).finish(Extent::Part, &ctx).unwrap();
        mixed.add(aside, &ctx).unwrap();
        assert!(groups_of(&query, mixed.finish(Extent::Whole, &ctx).unwrap()) == twice);
    }
}

#[test]
fn the_best_of_as_many_groups_as_rows_are_found() {
    let (view, expected) = (segment(), expected());
    let mut best: Vec<_> = expected.into_iter().collect();
    best.sort_by_key(|(keys, (n, _))| (std::cmp::Reverse(*n), *keys));
    let (query, ctx) = (query(Some(20)), ExecContext::default());
    let gathering = Gathering::new(merger_of(&query, &[view], &ctx), Extent::Whole).unwrap();
    while gathering.step(&ctx).unwrap() {}
    let found = groups_of(&query, gathering.finish().unwrap().0);
    assert_eq!(found, best.into_iter().take(20).collect());
}
