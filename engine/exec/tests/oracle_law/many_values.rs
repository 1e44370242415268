//! The law over filters that look for a few among many values: numbers of all sizes, words in texts
//! of dictionaries that have many buckets.

use serde_json::{Value as Json, json};

use crate::data::Storage;
use crate::many_numbers::{parts, row};
use crate::{Merging, check};
use henge_types::Value;

/// Numbers that rows have, as texts.
fn numbers(count: usize) -> Vec<String> {
    let longs = (0..).map(|number| row(number).values["l"].clone());
    let mut found: Vec<String> = Vec::new();
    for long in longs {
        if found.len() == count {
            return found;
        }
        if let Value::Long(long) = long
            && !found.contains(&long.to_string())
        {
            found.push(long.to_string());
        }
    }
    found
}

fn filters() -> Vec<Json> {
    let equal = |value: &str| json!({"type": "selector", "dimension": "l", "value": value});
    let one_of = |column: &str, values: &[String]| json!({"type": "in", "dimension": column, "values": values});
    let like = |pattern: &str| json!({"type": "like", "dimension": "s", "pattern": pattern});
    let not = |field: &Json| json!({"type": "not", "field": field});
    let mut filters: Vec<Json> = ["-1", "9223372036854775807", "7", "1000000007"].map(equal).into();
    filters.extend([2, 5, 16, 17, 40].map(|count| one_of("l", &numbers(count))));
    filters.push(one_of("l", &["-1".to_owned(), "no number".to_owned(), "12".to_owned()]));
    filters.push(one_of("d", &["-0".to_owned(), "NaN".to_owned(), "1.5".to_owned()]));
    filters.push(one_of("lm", &numbers(12)));
    filters.push(json!({"type": "range", "column": "l", "matchValueType": "LONG",
        "lower": -20, "upper": 1_311_768_467_463_790_320_i64, "lowerOpen": true}));
    filters.push(json!({"type": "range", "column": "fm", "matchValueType": "DOUBLE", "lower": 1}));
    // Found before, across and behind what values share with those before them.
    for pattern in ["%1%", "%v1%", "%42%", "%10", "%1_%", "v%2%4%", "%v%v%", "%v1234567890%"] {
        filters.push(like(pattern));
    }
    let negated: Vec<Json> = filters.iter().map(not).collect();
    let few = json!({"type": "and", "fields": [like("%77%"), equal("-1")]});
    let either = json!({"type": "or", "fields": [like("%9%"), one_of("l", &numbers(3))]});
    filters.into_iter().chain(negated).chain([few, either]).collect()
}

fn hold(storage: Storage) {
    let parts = parts(storage);
    for filter in filters() {
        let query = json!({
            "queryType": "timeseries", "dataSource": "t", "intervals": ["2000/2100"],
            "granularity": "all", "filter": filter,
            "aggregations": [
                {"type": "count", "name": "n"},
                {"type": "longSum", "name": "a", "fieldName": "lm"},
            ],
        });
        check(&parts, &query, (Merging::OneByOne, Vec::new())).unwrap();
    }
    // Readers that stop early look at values as they meet them.
    let scan = json!({
        "queryType": "scan", "dataSource": "t", "intervals": ["2000/2100"], "order": "ascending",
        "columns": ["__time", "s"], "limit": 5,
        "filter": {"type": "like", "dimension": "s", "pattern": "%v4%"},
    });
    check(&parts, &scan, (Merging::OneByOne, Vec::new())).unwrap();
}

#[test]
fn few_among_many_values_of_files_are_found() {
    hold(Storage::File);
}

#[test]
fn few_among_many_values_of_indexes_are_found() {
    hold(Storage::Index);
}
