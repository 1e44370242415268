//! What filters find in dictionaries is kept on the node: the second answer is the first one, and
//! nothing is kept for queries that say so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use henge_exec::{ExecContext, NodeDictionaries, finalise, merge, run};
use henge_query::Query;
use henge_segment::{ColumnData, MappedSegment, StringTable};
use serde_json::{Value, json};

const ROWS: usize = 12_000;
const VALUES: usize = 6_000;

fn text(value: usize) -> String {
    format!("page {value:05} of {}", value * 7 % 100)
}

/// Each text in two rows, null in between.
fn segment() -> MappedSegment {
    let texts: Vec<String> = (0..VALUES).map(text).collect();
    let dictionary: StringTable = texts.iter().map(String::as_str).collect();
    let ids: Vec<u32> = (0..ROWS).map(|row| (row % (VALUES + 1)) as u32).collect();
    let column = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: false };
    let halves: Vec<f64> = (0..ROWS).map(|row| row as f64 / 2.0).collect();
    support::segment(ROWS, [("text", column), ("half", support::doubles(&halves))])
}

fn filters() -> [Value; 5] {
    let like = |pattern: &str| json!({"type": "like", "dimension": "text", "pattern": pattern});
    let escaped = json!({"type": "like", "dimension": "text", "pattern": "%7\\%", "escape": "\\"});
    let regex = json!({"type": "regex", "dimension": "text", "pattern": "of 7$"});
    [like("%77%"), like("%of 7"), escaped, regex, like("%nowhere%")]
}

fn sums(filter: &Value, segment: &MappedSegment, context: &Value, ctx: &ExecContext) -> Value {
    let query = json!({
        "queryType": "timeseries", "dataSource": "t", "intervals": "1970-01-01/1970-01-02",
        "granularity": "all", "filter": filter, "context": context,
        "aggregations": [
            {"type": "count", "name": "n"},
            {"type": "doubleSum", "name": "halves", "fieldName": "half"},
        ],
    });
    let query = Query::parse(query.to_string().as_bytes()).unwrap();
    let partial = run(&query, segment, ctx).unwrap();
    let merged = merge(&query, vec![partial], ctx).unwrap();
    let answer = finalise(&query, merged, ctx).unwrap();
    let json = henge_answer::to_json(&query, &answer).unwrap();
    serde_json::from_slice::<Value>(&json).unwrap()[0]["result"].clone()
}

#[test]
fn what_was_found_answers_again_and_is_forgotten_with_its_segment() {
    let segment = segment();
    let dictionaries = Arc::new(NodeDictionaries::new(1 << 22));
    let plain = ExecContext::default();
    let keeps = ExecContext { dictionaries: Some(Arc::clone(&dictionaries)), ..plain.clone() };
    let (any, none) = (json!({}), json!({"useCache": false, "populateCache": false}));
    for filter in filters() {
        for filter in [filter.clone(), json!({"type": "not", "field": filter})] {
            let expected = sums(&filter, &segment, &any, &plain);
            let before = dictionaries.memory_bytes();
            assert_eq!(sums(&filter, &segment, &none, &keeps), expected);
            assert_eq!(dictionaries.memory_bytes(), before, "{filter}");
            assert_eq!(sums(&filter, &segment, &any, &keeps), expected);
            let kept = dictionaries.memory_bytes();
            assert!(kept > before, "{filter}");
            assert_eq!(sums(&filter, &segment, &any, &keeps), expected, "{filter}");
            assert_eq!(dictionaries.memory_bytes(), kept);
        }
    }
    dictionaries.forget(segment.instance());
    assert_eq!(dictionaries.memory_bytes(), 0);
}
