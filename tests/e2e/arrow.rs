//! Answers as Arrow IPC streams: the same rows as Druid's JSON, for every query type.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, TimeUnit};
use henge_tests::TestServer;
use serde_json::{Map, Value, json};

const ARROW: &str = "application/vnd.apache.arrow.stream";

/// A server with rows in two published segments and one that is buffered: several values, nulls, a
/// column that one segment lacks.
fn server() -> TestServer {
    let server = TestServer::start();
    let schema = json!({
        "timestampSpec": {"column": "t", "format": "auto"},
        "dimensionsSpec": {"dimensions": ["s", "m", {"type": "long", "name": "l"},
            {"type": "float", "name": "f"}, {"type": "double", "name": "d"}]},
        "metricsSpec": [{"type": "count", "name": "n"},
            {"type": "HLLSketchBuild", "name": "u", "fieldName": "s"}],
        "granularitySpec": {"segmentGranularity": "day", "rollup": true},
    });
    assert_eq!(server.call("PUT", "/v1/datasources/t", &[], schema.to_string().as_bytes()).0, 200);
    let event = |day: u32, row: u32| {
        let mut event =
            json!({"t": format!("2020-01-0{day}T0{}:00:00Z", row % 5), "l": row, "f": 0.5});
        if !row.is_multiple_of(3) {
            event["s"] = format!("v{}", row % 4).into();
        }
        match row % 4 {
            0 => {}
            1 => event["m"] = json!(["a", "b"]),
            _ => event["m"] = "c".into(),
        }
        if day != 2 {
            event["d"] = (f64::from(row) / 4.0).into();
        }
        event.to_string()
    };
    let push = |day| {
        let events: Vec<String> = (0..20).map(|row| event(day, row)).collect();
        assert_eq!(server.push("t", events.join("\n").as_bytes()).0, 200);
    };
    push(1);
    push(2);
    server.flush();
    push(3);
    server
}

fn stream(server: &TestServer, query: &Value) -> Vec<u8> {
    let (status, headers, bytes) = server.query_bytes(query, &[("Accept", ARROW)]);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(headers["content-type"], ARROW);
    bytes
}

fn batches(bytes: &[u8]) -> (arrow_schema::SchemaRef, Vec<RecordBatch>) {
    let reader = StreamReader::try_new(bytes, None).unwrap();
    (reader.schema(), reader.map(Result::unwrap).collect())
}

/// The rows of a stream as objects, without what is null.
fn rows(bytes: &[u8]) -> Vec<Value> {
    let (schema, batches) = batches(bytes);
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend((0..batch.num_rows()).map(|row| {
            let fields = schema.fields().iter().zip(batch.columns());
            let members = fields.map(|(field, array)| (field.name().clone(), value(array, row)));
            Value::Object(members.filter(|(_, value)| !value.is_null()).collect())
        }));
    }
    rows
}

/// A value as Druid's JSON has it: one of several values alone is no list there.
fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) => {
            assert_eq!(&**zone, "UTC");
            array.as_primitive::<TimestampMillisecondType>().value(row).into()
        }
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items: Vec<Value> = (0..items.len()).map(|item| value(&items, item)).collect();
            match items.as_slice() {
                [one] => one.clone(),
                _ => items.into(),
            }
        }
        DataType::Struct(fields) => {
            let members = fields.iter().zip(array.as_struct().columns());
            let members = members.map(|(field, array)| (field.name().clone(), value(array, row)));
            Value::Object(members.filter(|(_, value)| !value.is_null()).collect())
        }
        other => panic!("an answer has {other}"),
    }
}

fn query(query_type: &str, fields: Value) -> Value {
    let mut query = json!({"queryType": query_type, "dataSource": "t",
        "intervals": ["2020/2021"], "context": {"serializeDateTimeAsLong": true}});
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    query.as_object_mut().unwrap().extend(fields);
    query
}

fn aggregations() -> Value {
    json!([{"type": "count", "name": "rows"},
        {"type": "longSum", "name": "sum", "fieldName": "l"},
        {"type": "doubleMax", "name": "max", "fieldName": "d"},
        {"type": "floatSum", "name": "floats", "fieldName": "f"},
        {"type": "longSum", "name": "absent", "fieldName": "nowhere"},
        {"type": "HLLSketchMerge", "name": "users", "fieldName": "u"}])
}

fn posts() -> Value {
    json!([{"type": "expression", "name": "each", "expression": "if(rows > 8, 'many', rows)"},
        {"type": "expression", "name": "list", "expression": "array(rows, sum)"},
        {"type": "fieldAccess", "name": "sketch", "fieldName": "users"}])
}

/// An object with a time first and without what is null.
fn row(time: Option<&Value>, members: &Value) -> Value {
    let mut row: Map<String, Value> = time
        .filter(|time| !time.is_null())
        .map(|time| ("__time".to_owned(), time.clone()))
        .into_iter()
        .collect();
    let members = members.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    row.extend(members.map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(row)
}

/// What JSON tells, as rows.
fn told(query: &Value, answer: &Value) -> Vec<Value> {
    let entries = answer.as_array().unwrap();
    let has_time = query["granularity"] != "all";
    let of_entry = |entry: &Value| -> Vec<Value> {
        match query["queryType"].as_str().unwrap() {
            "timeseries" => vec![row(Some(&entry["timestamp"]), &entry["result"])],
            "topN" | "search" => {
                let rows = entry["result"].as_array().unwrap().iter();
                rows.map(|members| row(Some(&entry["timestamp"]), members)).collect()
            }
            "groupBy" => {
                vec![row(has_time.then_some(&entry["timestamp"]), &entry["event"])]
            }
            "scan" => {
                entry["events"].as_array().unwrap().iter().map(|event| row(None, event)).collect()
            }
            "segmentMetadata" => vec![analysis(entry)],
            _ => vec![row(None, &entry["result"])],
        }
    };
    entries.iter().flat_map(of_entry).collect()
}

/// As Arrow tells it: columns as a list, objects of any shape as text.
fn analysis(entry: &Value) -> Value {
    let mut entry = entry.clone();
    let columns = entry["columns"].as_object().unwrap().iter().map(|(name, column)| {
        let mut named = json!({"name": name});
        named.as_object_mut().unwrap().extend(column.as_object().unwrap().clone());
        row(None, &named)
    });
    entry["columns"] = columns.collect();
    for text in ["aggregators", "projections", "queryGranularity"] {
        if !entry[text].is_null() {
            entry[text] = entry[text].to_string().into();
        }
    }
    if let [one] = entry["intervals"].as_array().map_or(&[][..], Vec::as_slice) {
        entry["intervals"] = one.clone();
    }
    row(None, &entry)
}

#[test]
fn every_query_type_tells_the_same_rows_as_json() {
    let server = server();
    let by_day = |fields: Value| {
        let mut all = json!({"granularity": "day", "aggregations": aggregations(),
            "postAggregations": posts()});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        all
    };
    let raw = json!({"context": {"serializeDateTimeAsLong": true, "finalize": false}});
    let expressions = json!([
        {"type": "expression", "name": "any", "expression": "if(l > 10, s, l)"},
        {"type": "expression", "name": "lists", "expression": "if(l > 10, array(l, 1), l)"},
        {"type": "expression", "name": "number", "expression": "if(l > 10, l, l / 4.0)"}]);
    let queries = [
        query("timeseries", by_day(json!({}))),
        query("timeseries", by_day(raw.clone())),
        query(
            "timeseries",
            by_day(json!({"context": {"grandTotal": true, "timestampResultField": "at",
            "serializeDateTimeAsLong": true}})),
        ),
        query("timeseries", json!({"granularity": "all", "aggregations": aggregations()})),
        query("topN", by_day(json!({"dimension": "m", "metric": "sum", "threshold": 2}))),
        query("groupBy", by_day(json!({"dimensions": ["s", "m"]}))),
        query(
            "groupBy",
            json!({"granularity": "all", "aggregations": aggregations(),
            "dimensions": ["m", {"type": "default", "dimension": "f", "outputName": "f",
            "outputType": "FLOAT"}], "subtotalsSpec": [["m"], ["f"], []]}),
        ),
        query(
            "groupBy",
            json!({"granularity": "all", "aggregations": aggregations(),
            "dimensions": [], "context": raw["context"]}),
        ),
        query("scan", json!({"virtualColumns": expressions})),
        query(
            "scan",
            json!({"order": "descending", "limit": 17, "columns": ["__time", "m", "d", "u"]}),
        ),
        query(
            "scan",
            json!({"orderBy": [{"columnName": "d", "order": "descending"}, {"columnName": "s"}],
            "limit": 17, "columns": ["__time", "m", "d", "s"]}),
        ),
        query("search", json!({"query": {"type": "all"}, "granularity": "day"})),
        query("search", json!({"query": {"type": "all"}})),
        query("timeBoundary", json!({})),
        query("timeBoundary", json!({"bound": "maxTime"})),
        query("dataSourceMetadata", json!({})),
        query(
            "segmentMetadata",
            json!({"analysisTypes": ["cardinality", "minmax", "interval",
            "aggregators", "queryGranularity", "rollup", "size", "projections"]}),
        ),
        query("segmentMetadata", json!({"merge": true, "analysisTypes": []})),
    ];
    for query in queries {
        let (status, _, text) = server.query(&query, &[]);
        assert_eq!(status, 200, "{query}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let expected = told(&query, &answer);
        assert!(!expected.is_empty(), "{query}");
        let found = rows(&stream(&server, &query));
        assert_eq!(found.len(), expected.len(), "{query}");
        for (found, expected) in found.iter().zip(&expected) {
            same(found, expected, &query);
        }
    }
}

/// Numbers and texts are the same; where a column has values of several types, Arrow has one for all.
fn same(found: &Value, expected: &Value, query: &Value) {
    let (found, expected) = (found.as_object().unwrap(), expected.as_object().unwrap());
    let names = |of: &Map<String, Value>| -> std::collections::BTreeSet<String> {
        of.keys().cloned().collect()
    };
    assert_eq!(names(found), names(expected), "{query}\n{found:?}\n{expected:?}");
    for (name, expected) in expected {
        let found = &found[name];
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let equal = found == expected
            || (found.is_string() && *found == text(expected))
            || found.as_f64().is_some_and(|found| Some(found) == expected.as_f64())
            || (found.is_f64()
                && found.as_f64().map(|found| found as f32)
                    == expected.as_f64().map(|value| value as f32));
        assert!(equal, "{query}\n{name}: {found} instead of {expected}");
    }
}

#[test]
fn answers_without_rows_have_the_types_that_are_known() {
    let server = server();
    let none = json!({"intervals": ["2011/2012"], "granularity": "day", "aggregations": aggregations(),
        "dimensions": ["s", {"type": "default", "dimension": "l", "outputName": "l", "outputType": "LONG"}]});
    let (schema, batches) = batches(&stream(&server, &query("groupBy", none)));
    assert!(batches.iter().all(|batch| batch.num_rows() == 0));
    let types: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| format!("{}: {}", field.name(), field.data_type()))
        .collect();
    assert_eq!(
        types,
        [
            "__time: Timestamp(ms, \"UTC\")",
            "s: Utf8",
            "l: Int64",
            "rows: Int64",
            "sum: Int64",
            "max: Float64",
            "floats: Float32",
            "absent: Int64",
            "users: Float64"
        ]
    );
    for (query_type, fields) in [
        ("scan", json!({"columns": ["__time", "s"]})),
        ("timeBoundary", json!({})),
        ("search", json!({"query": {"type": "all"}})),
    ] {
        let mut query = query(query_type, fields);
        query["intervals"] = json!(["2011/2012"]);
        let (schema, _) = self::batches(&stream(&server, &query));
        assert!(schema.fields().len() >= 2, "{query}: {schema}");
        assert!(rows(&stream(&server, &query)).is_empty());
    }
}

#[test]
fn large_answers_come_in_several_batches() {
    let server = TestServer::start();
    server.create("t");
    for part in 0..7 {
        let event = |x| format!("{{\"t\":\"2020-01-01\",\"a\":\"v{x}\",\"x\":{x}}}");
        let events: Vec<String> = (part * 10_000..(part + 1) * 10_000).map(event).collect();
        assert_eq!(server.push("t", events.join("\n").as_bytes()).0, 200);
    }
    let query = query("scan", json!({"columns": ["x", "a"]}));
    let (_, batches) = batches(&stream(&server, &query));
    let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [65_536, 4_464]);
}

#[test]
fn f_67_forms_have_their_own_etags_and_errors_stay_json() {
    let server = TestServer::start();
    server.create("t");
    assert_eq!(server.push("t", br#"{"t":"2020-01-01","x":1}"#).0, 200);
    server.flush();
    let query = henge_tests::count_query("t");
    while !server.query(&query, &[]).1.contains_key("etag") {
        std::thread::yield_now();
    }
    let etag = |accept: &str| {
        let (_, headers, bytes) = server.query_bytes(&query, &[("Accept", accept)]);
        assert_eq!(headers["vary"], "accept");
        (headers["etag"].to_str().unwrap().to_owned(), bytes)
    };
    let (json, text) = etag("*/*");
    let (arrow, bytes) = etag(ARROW);
    assert_ne!(json, arrow);
    // From the cache, each its own.
    assert_eq!(
        (etag("application/json"), etag(ARROW)),
        ((json.clone(), text), (arrow.clone(), bytes))
    );
    let status = |accept, tag: &str| {
        server.query_bytes(&query, &[("Accept", accept), ("If-None-Match", tag)]).0
    };
    assert_eq!(
        (status(ARROW, &arrow), status(ARROW, &json), status("*/*", &json)),
        (304, 200, 304)
    );

    let mut wrong = query.clone();
    wrong["granularity"] = "fortnight".into();
    let (status, headers, text) = server.query(&wrong, &[("Accept", ARROW)]);
    assert_eq!(
        (status, &headers["content-type"]),
        (400, &"application/json".parse().unwrap()),
        "{text}"
    );
    assert!(text.contains("granularity"), "{text}");

    // Readers would lose one of two columns of a name; JSON keeps the bucket's time apart.
    let twice = json!({"queryType": "topN", "dataSource": "t", "intervals": ["2000/2100"],
        "granularity": "all", "dimension": "__time", "metric": "n", "threshold": 5,
        "aggregations": [{"type": "count", "name": "n"}]});
    assert_eq!(server.query(&twice, &[]).0, 200);
    let (status, _, text) = server.query(&twice, &[("Accept", ARROW)]);
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("two columns of the answer are named '__time'"), "{text}");
}
