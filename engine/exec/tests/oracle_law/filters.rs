//! Random filters as JSON.

use henge_types::format_timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::data::{SPAN_MS, START_MS};

/// A tree of filters.
pub(crate) fn filter() -> impl Strategy<Value = Value> + Clone {
    let leaf = prop_oneof![8 => by_value(), 6 => by_range(), 4 => by_pattern()];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|fields| json!({"type": "and", "fields": fields})),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|fields| json!({"type": "or", "fields": fields})),
            (select(vec!["not", "not", "istrue", "isfalse"]), inner)
                .prop_map(|(kind, field)| json!({"type": kind, "field": field})),
        ]
    })
}

fn any_column() -> impl Strategy<Value = &'static str> + Clone {
    select(vec!["s", "m", "l", "d", "lm", "fm", "dm", "v", "w", "h", "absent"])
}

fn text_column() -> impl Strategy<Value = &'static str> + Clone {
    select(vec!["s", "m", "v", "p", "absent"])
}

fn text() -> impl Strategy<Value = &'static str> + Clone {
    select(vec!["", "a", "b", "B", "10", "9", "-3", "1.5", "é", "a-10", "zz"])
}

fn value() -> impl Strategy<Value = &'static str> + Clone {
    let number = select(vec!["-3", "0", "1", "9", "10", "0.5", "-1.25", "1000000007"]);
    prop_oneof![2 => text(), 2 => number, 1 => far_number()]
}

/// Numbers that a double does not hold, or only just.
fn far_number() -> impl Strategy<Value = &'static str> + Clone {
    select(vec![
        "9007199254740992",
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740993.0",
        "1e17",
        "99999999999999999.5",
        "9223372036854775807",
        "9223372036854775807.5",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "1e400",
        "Infinity",
        "NaN",
    ])
}

/// A typed literal for numeric columns.
fn literal() -> impl Strategy<Value = (&'static str, Value)> + Clone {
    let small = (-5_i64..12).prop_map(|value| ("LONG", json!(value)));
    let large = select(vec![i64::MIN, 9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX]);
    let large = large.prop_map(|value| ("LONG", json!(value)));
    let double = select(vec![-1.25, 0.0, 0.5, 1.0, 9_007_199_254_740_992.0, 1e17, 1e300]);
    let double = double.prop_map(|value| ("DOUBLE", json!(value)));
    let text = prop_oneof![value(), far_number()].prop_map(|value| ("STRING", json!(value)));
    prop_oneof![3 => small, 2 => large, 3 => double, 1 => text]
}

fn by_value() -> BoxedStrategy<Value> {
    let selector = (any_column(), prop::option::weighted(0.85, value())).prop_map(
        |(column, value)| json!({"type": "selector", "dimension": column, "value": value}),
    );
    let listed = prop::collection::vec(prop::option::weighted(0.9, value()), 0..5);
    let within = (any_column(), listed)
        .prop_map(|(column, values)| json!({"type": "in", "dimension": column, "values": values}));
    let null = any_column().prop_map(|column| json!({"type": "null", "column": column}));
    let equals = |column: &str, value_type: &str, value: Value| {
        json!({
            "type": "equals", "column": column, "matchValueType": value_type, "matchValue": value,
        })
    };
    let equals_text = (text_column(), text())
        .prop_map(move |(column, value)| equals(column, "STRING", json!(value)));
    let equals_long = (select(vec!["l", "lm", "fm", "w", "h", "d"]), literal())
        .prop_map(move |(column, (match_type, value))| equals(column, match_type, value));
    prop_oneof![3 => selector, 2 => within, 1 => null, 1 => equals_text, 1 => equals_long].boxed()
}

fn by_range() -> BoxedStrategy<Value> {
    let ends = (prop::option::of(value()), prop::option::of(value()));
    let ordering = select(vec!["lexicographic", "numeric", "strlen", "alphanumeric"]);
    let strict = any::<(bool, bool)>();
    let bound = (any_column(), ends, strict, ordering).prop_map(
        |(column, (lower, upper), strict, ordering)| {
            let mut filter = json!({
                "type": "bound", "dimension": column, "ordering": ordering,
                "lowerStrict": strict.0, "upperStrict": strict.1,
            });
            if lower.is_some() || upper.is_none() {
                filter["lower"] = json!(lower.unwrap_or("5"));
            }
            if let Some(upper) = upper {
                filter["upper"] = json!(upper);
            }
            filter
        },
    );
    let text_range = (text_column(), text(), any::<bool>(), any::<bool>()).prop_map(
        |(column, lower, open, has_upper)| {
            let mut filter = json!({
                "type": "range", "column": column, "matchValueType": "STRING",
                "lower": lower, "lowerOpen": open,
            });
            if has_upper {
                filter["upper"] = json!("b");
            }
            filter
        },
    );
    let number_column = select(vec!["l", "d", "lm", "fm", "dm", "w"]);
    let number_range = (number_column, literal(), any::<(bool, bool)>()).prop_map(
        |(column, end, (lower, open))| {
            let (name, open_name) =
                if lower { ("lower", "lowerOpen") } else { ("upper", "upperOpen") };
            let (match_type, value) = end;
            json!({
                "type": "range", "column": column, "matchValueType": match_type,
                name: value, open_name: open,
            })
        },
    );
    let time = (0..SPAN_MS / 21_600_000).prop_map(|n| {
        let start = START_MS + n * 21_600_000;
        let interval =
            format!("{}/{}", format_timestamp(start), format_timestamp(start + 43_200_000));
        json!({"type": "interval", "dimension": "__time", "intervals": [interval]})
    });
    prop_oneof![2 => bound, 1 => text_range, 2 => number_range, 1 => time].boxed()
}

fn by_pattern() -> BoxedStrategy<Value> {
    let like = select(vec!["%", "a%", "%b", "_", "%-%", "%a-1%", "%1_%", "", "é%", "1!%%"]);
    let like = (text_column(), like).prop_map(|(column, pattern)| {
        json!({"type": "like", "dimension": column, "pattern": pattern, "escape": "!"})
    });
    let regex = select(vec!["^a", "b$", "[0-9]+", "^$"]);
    let regex = (text_column(), regex).prop_map(
        |(column, pattern)| json!({"type": "regex", "dimension": column, "pattern": pattern}),
    );
    let search = (text_column(), select(vec!["a", "B", "1"]), any::<bool>()).prop_map(
        |(column, part, case_sensitive)| {
            let query = json!({"type": "contains", "value": part, "caseSensitive": case_sensitive});
            json!({"type": "search", "dimension": column, "query": query})
        },
    );
    let holds = (any_column(), literal()).prop_map(|(column, (value_type, value))| {
        json!({
            "type": "arrayContainsElement", "column": column,
            "elementMatchValueType": value_type, "elementMatchValue": value,
        })
    });
    let alike = (any_column(), any_column())
        .prop_map(|(left, right)| json!({"type": "columnComparison", "dimensions": [left, right]}));
    let expression = select(vec![
        "scalar_in_array(m, array('a', '10'))",
        "m == 'a' && scalar_in_array('5', array('5'))",
        "array_contains(m, s)",
        "array_length(upper(m)) > 1",
        "l > 3",
        "s == 'a'",
        "lm + 1 == 2",
        "strlen(s) < 2 || l == 10",
        "strlen(p) + h > 20",
    ])
    .prop_map(|text| json!({"type": "expression", "expression": text}));
    let constant = select(vec!["true", "false"]).prop_map(|name| json!({"type": name}));
    let computed = prop_oneof![1 => expression, 1 => search, 1 => holds, 1 => alike];
    prop_oneof![1 => like, 1 => regex, 2 => computed, 1 => constant].boxed()
}
