//! Random queries as the JSON that clients send.

use henge_types::format_timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::data::{SPAN_MS, START_MS};
use crate::filters::filter;

/// The hour of the day, where clocks change within the data.
const HOUR: &str = "timestamp_extract(__time, 'HOUR', 'America/Los_Angeles')";
/// Depends on a text and on the day.
const TEXT_AND_TIME: &str =
    "concat(s, timestamp_format(__time, ' EEE a ZZ', 'America/Los_Angeles'))";

/// Any query.
pub(crate) fn any_query() -> impl Strategy<Value = Value> {
    prop_oneof![timeseries(), top_n(), group_by(), scan(), search(), time_boundary()]
}

pub(crate) fn timeseries() -> impl Strategy<Value = Value> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let limit = prop::option::weighted(0.3, 1_u64..5);
    (base(), granularity(), aggregations(), flags, limit).prop_map(
        |(mut query, granularity, (aggregations, posts), flags, limit)| {
            query["queryType"] = json!("timeseries");
            query["granularity"] = granularity;
            query["aggregations"] = aggregations;
            query["postAggregations"] = posts;
            query["descending"] = json!(flags.0);
            query["context"]["skipEmptyBuckets"] = json!(flags.1);
            query["context"]["grandTotal"] = json!(flags.2);
            if flags.3 {
                query["context"]["timestampResultField"] = json!("t");
            }
            if let Some(limit) = limit {
                query["limit"] = json!(limit);
            }
            query
        },
    )
}

pub(crate) fn top_n() -> impl Strategy<Value = Value> {
    let ordering = select(vec!["lexicographic", "numeric", "strlen", "alphanumeric"]);
    let stop = prop::option::of(select(vec!["", "a", "10", "5"]));
    let by_dimension = (ordering, stop).prop_map(
        |(ordering, stop)| json!({"type": "dimension", "ordering": ordering, "previousStop": stop}),
    );
    let metric = prop_oneof![
        3 => Just(json!("n")),
        2 => Just(json!({"type": "numeric", "metric": "a0"})),
        1 => Just(json!({"type": "numeric", "metric": "p0"})),
        2 => by_dimension,
    ];
    let metric = (metric, any::<bool>()).prop_map(|(metric, inverted)| match inverted {
        true => json!({"type": "inverted", "metric": metric}),
        false => metric,
    });
    (base(), granularity(), dimension(), metric, 1_u64..6, aggregations()).prop_map(
        |(mut query, granularity, dimension, metric, threshold, (aggregations, posts))| {
            query["queryType"] = json!("topN");
            query["granularity"] = granularity;
            query["dimension"] = dimension;
            query["metric"] = metric;
            query["threshold"] = json!(threshold);
            query["aggregations"] = aggregations;
            query["postAggregations"] = posts;
            query
        },
    )
}

pub(crate) fn group_by() -> impl Strategy<Value = Value> {
    let dimensions = subsequence(all_dimensions(), 0..=3).prop_shuffle();
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let having = prop::option::weighted(0.4, having());
    let limit = (prop::option::of(0_u64..6), prop::option::of(0_u64..3), any::<[bool; 4]>());
    (base(), granularity(), dimensions, aggregations(), having, limit, flags).prop_map(
        |(mut query, granularity, dimensions, (aggregations, posts), having, limit, flags)| {
            query["queryType"] = json!("groupBy");
            query["granularity"] = granularity;
            let names: Vec<Value> = dimensions.iter().map(|d| d.pointer("/delegate/outputName").unwrap_or(&d["outputName"]).clone()).collect();
            query["dimensions"] = json!(dimensions);
            query["aggregations"] = aggregations;
            query["postAggregations"] = posts;
            query["having"] = json!(having);
            query["context"]["resultAsArray"] = json!(flags.0);
            query["context"]["sortByDimsFirst"] = json!(flags.1);
            if flags.2 && !names.is_empty() {
                query["subtotalsSpec"] = json!([names, [names[0]], []]);
                let grouping = json!({"type": "grouping", "name": "g", "groupings": names});
                query["aggregations"].as_array_mut().unwrap().push(grouping);
            }
            let (count, offset, choices) = limit;
            if choices[0] {
                let direction = if choices[1] { "descending" } else { "ascending" };
                let mut columns = vec![json!({"dimension": "a0", "direction": direction})];
                if choices[2] && !names.is_empty() {
                    columns.insert(0, json!({"dimension": names[0], "dimensionOrder": "numeric"}));
                }
                let columns = if choices[3] { columns } else { vec![] };
                query["limitSpec"] = json!({
                    "type": "default", "limit": count.map(|n| n + 1), "offset": offset, "columns": columns
                });
            }
            query
        },
    )
}

pub(crate) fn scan() -> impl Strategy<Value = Value> {
    let columns =
        vec!["s", "m", "l", "d", "lm", "fm", "dm", "v", "w", "h", "p", "q", "al", "an", "absent"];
    let columns = subsequence(columns, 0..=15).prop_shuffle();
    let order = prop_oneof![
        3 => select(vec!["none", "ascending", "descending"]).prop_map(Value::from),
        3 => scan_order(),
    ];
    let format = select(vec!["list", "compactedList"]);
    let cut = (prop::option::of(1_u64..30), 0_u64..4, 1_u64..9);
    (base(), columns, order, format, cut).prop_map(
        |(mut query, mut columns, order, format, (limit, offset, batch_size))| {
            columns.insert(columns.len() / 2, "__time");
            query["queryType"] = json!("scan");
            for key in order.as_array().into_iter().flatten() {
                let name = key["columnName"].as_str().unwrap();
                if !columns.contains(&name) {
                    columns.push(name);
                }
            }
            query["columns"] = json!(columns);
            let field = if order.is_array() { "orderBy" } else { "order" };
            query[field] = order;
            query["resultFormat"] = json!(format);
            query["batchSize"] = json!(batch_size);
            query["offset"] = json!(offset);
            if let Some(limit) = limit {
                query["limit"] = json!(limit);
            }
            query
        },
    )
}

/// Up to three columns that have one value a row.
fn scan_order() -> impl Strategy<Value = Value> {
    let columns = vec!["__time", "s", "l", "d", "lm", "fm", "dm", "v", "w", "h", "p", "absent"];
    let columns = subsequence(columns, 1..=3).prop_shuffle();
    (columns, any::<[bool; 3]>()).prop_map(|(columns, descending)| {
        let key = |(column, descending)| {
            let order = if descending { "descending" } else { "ascending" };
            json!({"columnName": column, "order": order})
        };
        columns.into_iter().zip(descending).map(key).collect()
    })
}

pub(crate) fn search() -> impl Strategy<Value = Value> {
    let part = select(vec!["", "a", "A", "1", "é", "É", ".5"]);
    let looked_for = prop_oneof![
        (part.clone(), any::<bool>()).prop_map(|(value, case)| {
            json!({"type": "contains", "value": value, "caseSensitive": case})
        }),
        part.clone().prop_map(|value| json!({"type": "insensitive_contains", "value": value})),
        part.prop_map(|value| json!({"type": "fragment", "values": [value, "b"]})),
        Just(json!({"type": "regex", "pattern": "^[a-b]"})),
        Just(json!({"type": "all"})),
    ];
    let dimensions = subsequence(vec!["s", "m", "l", "d", "v", "w", "h", "p"], 1..=8);
    let sort = select(vec!["lexicographic", "alphanumeric", "strlen", "numeric"]);
    let simple = any::<bool>();
    (base(), granularity(), looked_for, dimensions, sort, 1_u64..20, simple).prop_map(
        |(mut query, granularity, looked_for, dimensions, sort, limit, simple)| {
            query["queryType"] = json!("search");
            query["granularity"] = granularity;
            query["query"] = looked_for;
            query["searchDimensions"] = json!(dimensions);
            query["sort"] = json!({"type": sort});
            query["limit"] = json!(limit);
            if simple {
                // Without filter and over all time, values are counted from bitmaps.
                query["filter"] = Value::Null;
                query["granularity"] = json!("all");
                query["intervals"] = json!(["2000-01-01/2100-01-01"]);
            }
            query
        },
    )
}

pub(crate) fn time_boundary() -> impl Strategy<Value = Value> {
    let bound = prop::option::of(select(vec!["minTime", "maxTime"]));
    (base(), bound).prop_map(|(mut query, bound)| {
        query["queryType"] = json!("timeBoundary");
        if let Some(bound) = bound {
            query["bound"] = json!(bound);
        }
        query
    })
}

/// What all queries have: intervals, a filter, virtual columns, a context.
fn base() -> impl Strategy<Value = Value> {
    let edge = (0..=SPAN_MS / 10_800_000).prop_map(|n| START_MS + n * 10_800_000);
    let interval = (edge.clone(), edge).prop_filter_map("an empty interval", |(a, b)| {
        let (start, end) = (format_timestamp(a.min(b)), format_timestamp(a.max(b)));
        (a != b).then(|| json!(format!("{start}/{end}")))
    });
    let intervals = prop_oneof![
        2 => Just(json!(["2000-01-01/2100-01-01"])),
        3 => prop::collection::vec(interval, 1..5).prop_map(Value::from),
    ];
    let filter = prop::option::weighted(0.6, filter());
    (intervals, filter, any::<bool>()).prop_map(|(intervals, filter, statistics)| {
        json!({
            "dataSource": "t",
            "intervals": intervals,
            "filter": filter,
            "virtualColumns": [
                {"type": "expression", "name": "v", "expression": "concat(s, '-', l)", "outputType": "STRING"},
                {"type": "expression", "name": "w", "expression": "lm * 2 + nvl(strlen(s), 7)", "outputType": "LONG"},
                {"type": "expression", "name": "h", "expression": HOUR, "outputType": "LONG"},
                {"type": "expression", "name": "p", "expression": TEXT_AND_TIME, "outputType": "STRING"},
                {"type": "expression", "name": "al", "expression": "if(scalar_in_array(m, array('a', '10')), concat(m, s), s)", "outputType": "STRING"},
                {"type": "expression", "name": "an", "expression": "array_length(upper(m)) + strlen(s)", "outputType": "LONG"},
                {"type": "expression", "name": "q", "expression": "case_searched(h > 12, concat(p, lm), d < 0, s)"},
            ],
            "context": {"useBlockStatistics": statistics},
        })
    })
}

fn granularity() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(json!("all")),
        1 => Just(json!("none")),
        2 => Just(json!("day")),
        2 => Just(json!("six_hour")),
        1 => Just(json!({"type": "duration", "duration": 18_000_000, "origin": "1970-01-01T01:00:00Z"})),
        1 => Just(json!({"type": "period", "period": "P1D", "timeZone": "America/Los_Angeles"})),
    ]
}

fn all_dimensions() -> Vec<Value> {
    let spec = |column: &str, name: &str, output: &str| json!({"type": "default", "dimension": column, "outputName": name, "outputType": output});
    let extracted = |column: &str, name: &str, function: Value| {
        let mut spec = spec(column, name, "STRING");
        spec["type"] = json!("extraction");
        spec["extractionFn"] = function;
        spec
    };
    let listed = |delegate: Value, values: Value, allowed: bool| json!({"type": "listFiltered", "delegate": delegate, "values": values, "isWhitelist": allowed});
    let upper = json!({"type": "cascade", "extractionFns": [ {"type": "regex", "expr": "^(.)[0-9b]"}, {"type": "upper"}]});
    let looked_up = json!({"type": "lookup", "lookup": {"type": "map", "map": {"a": "x", "": "none"}}, "replaceMissingValueWith": "other"});
    let weekday = json!({"type": "timeFormat", "format": "EEE HH", "timeZone": "America/Los_Angeles", "granularity": "six_hour"});
    vec![
        extracted("m", "dxm", upper),
        extracted("s", "dxs", looked_up),
        extracted("d", "dxd", json!({"type": "bucket", "size": 0.75, "offset": 0.5})),
        extracted("__time", "dxt", weekday),
        listed(spec("m", "dkm", "STRING"), json!(["a", null, "10"]), true),
        listed(spec("l", "dkl", "LONG"), json!(["0", "9"]), false),
        json!({"type": "prefixFiltered", "delegate": spec("s", "dks", "STRING"), "prefix": "a"}),
        spec("s", "ds", "STRING"),
        spec("m", "dm", "STRING"),
        spec("l", "dl", "LONG"),
        spec("l", "dlt", "STRING"),
        spec("d", "dd", "DOUBLE"),
        spec("d", "ddt", "STRING"),
        spec("fm", "df", "FLOAT"),
        spec("s", "dsl", "LONG"),
        spec("v", "dv", "STRING"),
        spec("w", "dw", "LONG"),
        spec("h", "dh", "LONG"),
        spec("p", "dp", "STRING"),
        spec("q", "dq", "STRING"),
        spec("al", "dal", "STRING"),
        spec("an", "dan", "LONG"),
        spec("__time", "dt", "LONG"),
        spec("absent", "da", "STRING"),
    ]
}

fn dimension() -> impl Strategy<Value = Value> {
    select(all_dimensions())
}

/// Aggregations `n` (count), `a0` and more, and post-aggregations `p0` and more. Names of
/// approximate ones start with h.
fn aggregations() -> impl Strategy<Value = (Value, Value)> {
    let numeric = numeric_aggregation();
    let more = prop_oneof![
        numeric.clone(),
        sketch_aggregation(),
        one_value_aggregation(),
        exact_distinct_aggregation(),
        text_bound_aggregation(),
    ];
    let more = prop::collection::vec(more, 0..3);
    let first = prop_oneof![4 => numeric, 1 => exact_distinct_aggregation()];
    (first, more, any::<[bool; 3]>()).prop_map(|(mut first, more, chosen)| {
        rename(&mut first, "a0");
        let mut all = vec![json!({"type": "count", "name": "n"}), first];
        for (at, mut next) in more.into_iter().enumerate() {
            let prefix = if next.to_string().contains("\"h\"") { "h" } else { "b" };
            rename(&mut next, &format!("{prefix}{at}"));
            all.push(next);
        }
        let field = |name: &str| json!({"type": "fieldAccess", "fieldName": name});
        let mut posts = vec![json!({
            "type": "arithmetic", "name": "p0", "fn": if chosen[0] { "/" } else { "-" },
            "fields": [field("a0"), field("n")],
        })];
        if chosen[1] {
            posts
                .push(json!({"type": "expression", "name": "p1", "expression": "nvl(a0, -1) + n"}));
        }
        if chosen[2] {
            posts.push(json!({
                "type": "doubleGreatest", "name": "p2",
                "fields": [field("n"), {"type": "constant", "value": 2}, field("p0")],
            }));
        }
        (json!(all), json!(posts))
    })
}

fn rename(aggregation: &mut Value, name: &str) {
    aggregation["name"] = json!(name);
    if aggregation.get("aggregator").is_some() {
        rename(&mut aggregation["aggregator"], name);
    }
}

/// Columns of every kind that has values.
const VALUE_COLUMNS: [&str; 18] = [
    "s", "m", "l", "d", "lm", "fm", "dm", "pl", "pd", "ps", "v", "w", "p", "q", "al", "an",
    "__time", "absent",
];

fn exact_distinct_aggregation() -> impl Strategy<Value = Value> {
    let plain = select(&VALUE_COLUMNS[..])
        .prop_map(|field| json!({"type": "exactDistinctCount", "name": "x", "fieldName": field}));
    perhaps_filtered(plain)
}

fn text_bound_aggregation() -> impl Strategy<Value = Value> {
    let fields = (select(vec!["stringMin", "stringMax"]), select(&VALUE_COLUMNS[..]));
    let plain = (fields, select(vec![1, 2, 1_024])).prop_map(|((kind, field), bytes)| {
        json!({"type": kind, "name": "x", "fieldName": field, "maxStringBytes": bytes})
    });
    perhaps_filtered(plain)
}

fn perhaps_filtered(plain: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (plain, prop::option::weighted(0.2, filter())).prop_map(|(plain, filter)| match filter {
        None => plain,
        Some(filter) => {
            json!({"type": "filtered", "name": "x", "filter": filter, "aggregator": plain})
        }
    })
}

fn one_value_aggregation() -> impl Strategy<Value = Value> {
    let which = || select(vec!["First", "Last", "Any"]);
    let number = (select(vec!["long", "float", "double"]), which());
    let number = (number, select(vec!["lm", "l", "dm", "d", "fm", "s", "w", "h", "absent"]));
    let text = (Just("string"), which());
    let text = (text, select(vec!["s", "m", "l", "v", "p", "al", "q", "fm", "absent"]));
    let time = select(vec!["__time", "lm", "l", "w", "absent"]);
    let raw = (prop_oneof![number, text], time, select(vec![1, 2, 1_024]), any::<bool>());
    let raw = raw.prop_map(|(((value, which), field), time, bytes, joins)| {
        json!({
            "type": format!("{value}{which}"), "name": "x", "fieldName": field,
            "timeColumn": time, "maxStringBytes": bytes, "aggregateMultipleValues": joins,
        })
    });
    let stored = (select(vec![("long", "pl"), ("double", "pd"), ("string", "ps")]), any::<bool>());
    let stored = stored.prop_map(|((value, field), first)| {
        let which = if first { "First" } else { "Last" };
        json!({"type": format!("{value}{which}"), "name": "x", "fieldName": field})
    });
    prop_oneof![3 => raw, 2 => stored]
}

fn numeric_aggregation() -> impl Strategy<Value = Value> + Clone {
    let long = (
        select(vec!["longSum", "longMin", "longMax"]),
        select(vec!["lm", "l", "s", "w", "h", "__time"]),
    );
    let double = (
        select(vec!["doubleSum", "doubleMin", "doubleMax"]),
        select(vec!["dm", "d", "fm", "lm", "s", "m", "h", "absent"]),
    );
    let float = (select(vec!["floatSum", "floatMin", "floatMax"]), select(vec!["fm", "dm"]));
    let simple = prop_oneof![3 => long, 3 => double, 2 => float];
    let simple =
        simple.prop_map(|(kind, field)| json!({"type": kind, "name": "x", "fieldName": field}));
    let expression = select(vec![
        "dm * 2 + nvl(lm, 3)",
        "lm - 1",
        "if(s == 'a', lm, null)",
        "lm + array_length(m)",
    ])
    .prop_map(|text| json!({"type": "doubleSum", "name": "x", "expression": text}));
    // Sums that follow from those of a column, and of rows that overflow.
    let shifted =
        select(vec!["l + 1", "5 - 2 * l", "lm + 3", "lm * -4 - 1", "__time - 7", "l - l"])
            .prop_map(|text| json!({"type": "longSum", "name": "x", "expression": text}));
    // Variances with infinities are NaN or infinite by the order of rows (Druid), so these read none.
    let measured = |kind| if kind == "doubleMean" { ["dm", "fm"] } else { ["lm", "lm"] };
    let fields = move |kind| select([&measured(kind)[..], &["lm", "s", "absent"]].concat());
    let moments =
        select(vec![("doubleMean", "sample"), ("variance", "sample"), ("variance", "population")])
            .prop_flat_map(move |(kind, estimator)| fields(kind).prop_map(move |field| json!({"type": kind, "name": "x", "fieldName": field, "estimator": estimator})));
    let plain = prop_oneof![
        1 => moments,
        6 => simple,
        1 => expression,
        1 => shifted,
        1 => Just(json!({"type": "count", "name": "x"})),
    ];
    let filtered = (plain.clone(), filter()).prop_map(|(aggregator, filter)| {
        json!({"type": "filtered", "name": "x", "filter": filter, "aggregator": aggregator})
    });
    prop_oneof![3 => plain, 1 => filtered].boxed()
}

fn sketch_aggregation() -> impl Strategy<Value = Value> + Clone {
    let hll = select(vec!["s", "m", "l", "v", "p", "hm"]).prop_map(
        |field| json!({"type": "HLLSketchBuild", "name": "h", "fieldName": field, "round": true}),
    );
    let merge = Just(json!({"type": "HLLSketchMerge", "name": "h", "fieldName": "hm"}));
    let cardinality = (any::<bool>(), subsequence(vec!["s", "m", "l"], 1..=3)).prop_map(
        |(by_row, fields)| {
            json!({"type": "cardinality", "name": "h", "fields": fields, "byRow": by_row})
        },
    );
    let theta = select(vec!["s", "m", "l"])
        .prop_map(|field| json!({"type": "thetaSketch", "name": "h", "fieldName": field}));
    let quantiles = select(vec!["dm", "lm", "fm"]).prop_map(
        |field| json!({"type": "quantilesDoublesSketch", "name": "h", "fieldName": field}),
    );
    prop_oneof![hll, merge, cardinality, theta, quantiles].boxed()
}

/// A filter over the outputs of [`all_dimensions`] instead of columns.
fn over_groups(mut filter: Value) -> Value {
    match &mut filter {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match value {
                    Value::String(name) if key == "dimension" || key == "column" => {
                        if !["absent", "__time"].contains(&name.as_str()) {
                            name.insert(0, 'd');
                        }
                    }
                    other => *other = over_groups(other.take()),
                }
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = over_groups(item.take()));
        }
        _ => {}
    }
    filter
}

fn having() -> impl Strategy<Value = Value> {
    let fields = || select(vec!["n", "a0", "p0", "__time"]);
    let values = prop_oneof![
        4 => (-2_i64..5).prop_map(|value| json!(value)),
        1 => select(vec![
            json!(0.5), json!("9007199254740992.5"), json!(9_007_199_254_740_993_i64),
            json!(i64::MAX), json!(18_446_744_073_709_551_615_u64), json!(1e300),
        ]),
    ];
    let number = (select(vec!["greaterThan", "lessThan", "equalTo"]), fields(), values);
    let number = number.prop_map(
        |(kind, field, value)| json!({"type": kind, "aggregation": field, "value": value}),
    );
    let range = (fields(), 0..5).prop_map(|(field, lower)| {
        json!({
            "type": "range", "column": field, "matchValueType": "DOUBLE", "lower": lower,
        })
    });
    let null = Just(json!({"type": "null", "column": "a0"}));
    let filter = prop_oneof![2 => range, 1 => null, 3 => filter().prop_map(over_groups)];
    let filter = filter.prop_map(|filter| json!({"type": "filter", "filter": filter}));
    let leaf = prop_oneof![number, filter].boxed();
    prop_oneof![
        3 => leaf.clone(),
        1 => leaf.clone().prop_map(|inner| json!({"type": "not", "havingSpec": inner})),
        1 => (leaf.clone(), leaf).prop_map(|(a, b)| json!({"type": "or", "havingSpecs": [a, b]})),
    ]
}
