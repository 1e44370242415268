//! scan, search and the metadata queries over small segments.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use henge_answer::Form;
use henge_exec::{ExecContext, ExecError, Partial, finalise, merge, run};
use henge_index::{DimensionSchema, IndexLimits, IndexSchema, IndexSnapshot, WriteIndex};
use henge_query::Query;
use henge_segment::{MappedSegment, MergeOptions, SegmentView};
use henge_types::{
    ColumnType, Granularity, HllType, Interval, MetricKind, MetricSpec, NumericOp, SegmentId,
    ValueRef, ValueType, Version,
};
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

fn metric(name: &str, kind: MetricKind) -> MetricSpec {
    MetricSpec { name: name.to_owned(), field: Some(name.to_owned()), kind }
}

fn sum(name: &str, column_type: ValueType) -> MetricSpec {
    metric(name, MetricKind::Numeric { op: NumericOp::Sum, column_type })
}

fn schema() -> IndexSchema {
    IndexSchema {
        dimensions: vec![
            DimensionSchema::string("s"),
            DimensionSchema::string("m"),
            DimensionSchema::new("l", ColumnType::Long),
            DimensionSchema::new("f", ColumnType::Float),
        ],
        metrics: vec![
            sum("x", ValueType::Double),
            metric("h", MetricKind::HllBuild { lg_k: 12, hll_type: HllType::Hll4 }),
        ],
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    }
}

/// A segment of one day with rows at the given hours.
fn index(schema: IndexSchema, day: i64, partition: u32, hours: &[i64]) -> Arc<IndexSnapshot> {
    let width = schema.dimensions.len() + schema.metrics.len();
    let limits = IndexLimits { max_rows: 1_000, max_bytes: 1 << 30 };
    let mut index = WriteIndex::new(schema, limits).unwrap();
    for &hour in hours {
        let text = format!("v{hour}");
        let list = [Some("a"), Some(text.as_str())];
        let null = ValueRef::Null;
        let values = [
            if hour % 3 == 0 { null } else { ValueRef::String(&text) },
            if hour % 2 == 0 { ValueRef::Multi(&list) } else { null },
            ValueRef::Long(hour * 10),
            ValueRef::Double(0.1),
            ValueRef::Double(hour as f64 / 2.0),
            ValueRef::String("u"),
        ];
        index.add(day * DAY_MS + hour * 3_600_000, &values[..width]).unwrap();
    }
    index.snapshot(SegmentId {
        datasource: Arc::from("t"),
        interval: Interval { start_ms: day * DAY_MS, end_ms: (day + 1) * DAY_MS },
        version: Version(1),
        partition,
    })
}

fn file(snapshot: &IndexSnapshot) -> MappedSegment {
    let mut bytes = Vec::new();
    let options = MergeOptions::new(snapshot.schema().clone());
    henge_segment::merge(&[snapshot], snapshot.id().clone(), &options, &mut bytes).unwrap();
    MappedSegment::open(Arc::new(bytes)).unwrap()
}

fn parse(query: &Value) -> Query {
    Query::parse(query.to_string().as_bytes()).unwrap()
}

fn answer(query: &Value, views: &[&dyn SegmentView]) -> Value {
    let (query, ctx) = (parse(query), ExecContext::default());
    let partials = views.iter().map(|view| run(&query, *view, &ctx).unwrap()).collect();
    let result = finalise(&query, merge(&query, partials, &ctx).unwrap(), &ctx).unwrap();
    let value = serde_json::from_slice(&henge_answer::to_json(&query, &result).unwrap()).unwrap();
    let mut indented = Vec::new();
    let grow = &mut |_| Ok(());
    henge_answer::write(&query, &result, Form::IndentedJson, &mut indented, grow).unwrap();
    assert_eq!(String::from_utf8(indented).unwrap(), serde_json::to_string_pretty(&value).unwrap());
    value
}

fn scan(fields: Value) -> Value {
    with(json!({"queryType": "scan", "dataSource": "t", "intervals": ["1970/1971"]}), fields)
}

fn with(mut query: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    query.as_object_mut().unwrap().extend(fields);
    query
}

#[test]
fn scan_without_columns_shows_all_with_their_types() {
    let segment = file(&index(schema(), 0, 0, &[2]));
    let virtual_column =
        json!([{"type": "expression", "name": "v", "expression": "l + 1", "outputType": "LONG"}]);
    let entry = &answer(&scan(json!({"virtualColumns": virtual_column})), &[&segment])[0];
    assert_eq!(
        entry["segmentId"],
        "t_1970-01-01T00:00:00.000Z_1970-01-02T00:00:00.000Z_000000000001"
    );
    assert_eq!(entry["columns"], json!(["__time", "s", "m", "l", "f", "x", "h", "v"]));
    let event = &entry["events"][0];
    assert_eq!(event["__time"], 7_200_000);
    assert_eq!(event["m"], json!(["a", "v2"]));
    assert_eq!((&event["l"], &event["f"], &event["x"]), (&json!(20), &json!(0.1), &json!(1.0)));
    assert_eq!(event["v"], 21);
    assert!(henge_sketch::from_base64(event["h"].as_str().unwrap()).is_ok());
    let types =
        ["LONG", "STRING", "STRING", "LONG", "FLOAT", "DOUBLE", "COMPLEX<HLLSketch>", "LONG"];
    let signature = entry["rowSignature"].as_array().unwrap();
    let shown: Vec<&Value> = signature.iter().map(|column| &column["type"]).collect();
    assert_eq!(shown, types);
}

#[test]
fn scan_shows_one_entry_a_segment_and_batch() {
    let (first, second) = (index(schema(), 0, 0, &[1, 2, 3]), index(schema(), 0, 1, &[4, 5]));
    let query = scan(json!({"columns": ["l"], "batchSize": 2, "resultFormat": "compactedList"}));
    let entries = answer(&query, &[&*second, &*first]);
    let events: Vec<&Value> = entries.as_array().unwrap().iter().map(|e| &e["events"]).collect();
    assert_eq!(events, [&json!([[10], [20]]), &json!([[30]]), &json!([[40], [50]])]);
    let query = scan(json!({"columns": ["l", "absent"], "limit": 2, "offset": 2}));
    let entries = answer(&query, &[&*second, &*first]);
    assert_eq!(entries[0]["events"], json!([{"l": 30, "absent": null}]));
    assert_eq!(entries[1]["events"], json!([{"l": 40, "absent": null}]));
    assert_eq!(entries[0]["rowSignature"][1], json!({"name": "absent"}));
    assert_eq!(answer(&scan(json!({"filter": {"type": "false"}})), &[&*first]), json!([]));
}

#[test]
fn ordered_scans_interleave_segments_and_name_none() {
    let (first, second) = (index(schema(), 0, 0, &[5, 1, 3, 3]), index(schema(), 0, 1, &[4, 2, 3]));
    let shown = |order: &str, limit: u64| {
        let query = scan(json!({
            "columns": ["__time", "l"], "order": order, "limit": limit, "offset": 1,
        }));
        let answer = answer(&query, &[&*first, &file(&second)]);
        assert_eq!(answer[0]["segmentId"], Value::Null);
        answer[0]["events"].as_array().unwrap().iter().map(|e| e["l"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(shown("ascending", 4), [20, 30, 30, 30]);
    assert_eq!(shown("descending", 9), [40, 30, 30, 30, 20, 10]);
}

#[test]
fn scans_over_their_memory_are_refused() {
    let segment = index(schema(), 0, 0, &[1, 2, 3]);
    let ctx = ExecContext { memory_budget_bytes: 30, ..ExecContext::default() };
    for order in ["none", "ascending", "descending"] {
        let query = parse(&scan(json!({"order": order})));
        let refused = run(&query, &*segment, &ctx);
        assert!(matches!(refused, Err(ExecError::ResourceLimit(_))), "{order}: {refused:?}");
    }
    let within = ExecContext { memory_budget_bytes: 150, ..ExecContext::default() };
    let query = parse(&scan(json!({"columns": ["l", "x"]})));
    let partials: Vec<Partial> = (0..5).map(|_| run(&query, &*segment, &within).unwrap()).collect();
    assert!(matches!(merge(&query, partials, &within), Err(ExecError::ResourceLimit(_))));
}

#[test]
fn stopped_queries_stop() {
    let segment = index(schema(), 0, 0, &[1]);
    let ctx = ExecContext::default();
    ctx.cancel.time_out();
    for query_type in ["scan", "search", "segmentMetadata"] {
        let query = json!({
            "queryType": query_type, "dataSource": "t", "intervals": ["1970/1971"],
            "granularity": "all", "query": {"type": "all"},
        });
        let refused = run(&parse(&query), &*segment, &ctx);
        assert!(matches!(refused, Err(ExecError::TimedOut)), "{query_type}: {refused:?}");
    }
}

fn search(fields: Value) -> Value {
    let all = json!({"query": {"type": "all"}, "granularity": "all"});
    with(scan(json!({"queryType": "search"})), with(all, fields))
}

fn hits(answer: &Value) -> Vec<String> {
    let hits = answer[0]["result"].as_array().unwrap().iter();
    hits.map(|hit| {
        format!("{}:{}:{}", hit["dimension"], hit["value"], hit["count"]).replace('"', "")
    })
    .collect()
}

#[test]
fn searches_count_the_same_from_bitmaps_and_by_reading() {
    let (first, second) = (index(schema(), 0, 0, &[1, 2, 3, 4]), index(schema(), 1, 0, &[2, 4]));
    let files = [file(&first), file(&second)];
    let views: Vec<&dyn SegmentView> = files.iter().map(|file| file as &dyn SegmentView).collect();
    let query = search(json!({"query": {"type": "contains", "value": "V"}}));
    let expected = ["s:v1:1", "m:v2:2", "s:v2:2", "m:v4:2", "s:v4:2"];
    let from_bitmaps = answer(&query, &views);
    assert_eq!(hits(&from_bitmaps), expected);
    assert_eq!(from_bitmaps[0]["timestamp"], "1970-01-01T01:00:00.000Z");
    let by_reading = with(query.clone(), json!({"filter": {"type": "true"}}));
    assert_eq!(answer(&by_reading, &views), from_bitmaps);
    assert_eq!(answer(&query, &[&*first, &*second]), from_bitmaps);
    let by_day = answer(&with(query, json!({"granularity": "day", "limit": 1})), &views);
    assert_eq!(by_day.as_array().unwrap().len(), 2);
    assert_eq!(by_day[1]["result"], json!([{"dimension": "m", "value": "v2", "count": 1}]));
}

#[test]
fn searches_read_numbers_as_text_and_find_null_only_with_all() {
    let segment = file(&index(schema(), 0, 0, &[1, 2, 3]));
    let dimensions = json!({"searchDimensions": ["l", "f", "s", "absent"]});
    let found = answer(&search(dimensions.clone()), &[&segment]);
    assert_eq!(
        hits(&found),
        ["s:null:1", "f:0.1:3", "l:10:1", "l:20:1", "l:30:1", "s:v1:1", "s:v2:1"]
    );
    let query = search(with(dimensions, json!({"query": {"type": "regex", "pattern": "1$"}})));
    assert_eq!(hits(&answer(&query, &[&segment])), ["f:0.1:3", "s:v1:1"]);
    let nothing = search(json!({"searchDimensions": ["absent"]}));
    assert_eq!(answer(&nothing, &[&segment])[0]["result"], json!([]));
    assert_eq!(answer(&nothing, &[]), json!([]));
}

/// A segment of which the timeline shows a part is asked about that part alone.
#[test]
fn searches_find_no_data_in_intervals_that_were_cut_away() {
    let segment = file(&index(schema(), 1, 0, &[2, 4]));
    let ctx = ExecContext::default();
    let mut query = parse(&search(json!({"intervals": ["1970-01-01T00/1970-01-01T03"]})));
    query.clip_to(Interval { start_ms: DAY_MS + 3 * 3_600_000, end_ms: 2 * DAY_MS });
    let found = run(&query, &segment, &ctx).unwrap();
    let result = finalise(&query, merge(&query, vec![found], &ctx).unwrap(), &ctx).unwrap();
    assert_eq!(henge_answer::to_json(&query, &result).unwrap(), b"[]");
}

fn metadata(fields: Value) -> Value {
    with(json!({"queryType": "segmentMetadata", "dataSource": "t"}), fields)
}

#[test]
fn segment_metadata_says_what_druid_says() {
    let segment = file(&index(schema(), 0, 0, &[1, 2, 3]));
    let all = json!([
        "cardinality",
        "interval",
        "minmax",
        "size",
        "timestampSpec",
        "queryGranularity",
        "aggregators",
        "rollup"
    ]);
    let shown = &answer(&metadata(json!({"analysisTypes": all})), &[&segment])[0];
    assert_eq!(shown["intervals"], json!(["1970-01-01T00:00:00.000Z/1970-01-02T00:00:00.000Z"]));
    assert_eq!((&shown["numRows"], &shown["rollup"]), (&json!(3), &json!(false)));
    assert!(shown["size"].as_u64().unwrap() > 0);
    let column = |name: &str| shown["columns"][name].clone();
    assert_eq!(
        column("s"),
        json!({
            "typeSignature": "STRING", "type": "STRING", "hasMultipleValues": false, "hasNulls": true,
            "size": 4, "cardinality": 3, "minValue": "v1", "maxValue": "v2", "errorMessage": null,
        })
    );
    assert_eq!(column("m")["hasMultipleValues"], true);
    assert_eq!((&column("l")["size"], &column("l")["cardinality"]), (&json!(24), &json!(null)));
    let sketch = column("h");
    assert_eq!(
        (&sketch["type"], &sketch["typeSignature"]),
        (&json!("HLLSketch"), &json!("COMPLEX<HLLSketch>"))
    );
    assert_eq!(
        shown["aggregators"],
        json!({
            "x": {"type": "doubleSum", "name": "x", "fieldName": "x"},
            "h": {
                "type": "HLLSketchMerge", "name": "h", "fieldName": "h", "lgK": 12,
                "tgtHllType": "HLL_4", "round": false,
            },
        })
    );
    let none =
        answer(&metadata(json!({"analysisTypes": [], "toInclude": {"type": "none"}})), &[&segment]);
    for (field, expected) in [
        ("intervals", json!(null)),
        ("columns", json!({})),
        ("size", json!(0)),
        ("aggregators", json!(null)),
    ] {
        assert_eq!(none[0][field], expected, "{field}");
    }
}

#[test]
fn segment_metadata_merges_and_says_where_segments_disagree() {
    let first = index(schema(), 0, 0, &[1, 2]);
    let mut other = schema();
    other.dimensions[0] = DimensionSchema::new("s", ColumnType::Long);
    other.metrics[0] = sum("x", ValueType::Long);
    let second = index(other, 1, 0, &[4]);
    let views: [&dyn SegmentView; 2] = [&*first, &*second];
    let types = json!(["interval", "aggregators", "rollup", "cardinality", "minmax"]);
    let query = metadata(json!({"analysisTypes": types, "merge": true}));
    let merged = answer(&query, &views);
    assert_eq!(merged.as_array().unwrap().len(), 1);
    let merged = &merged[0];
    assert_eq!((&merged["id"], &merged["numRows"]), (&json!("merged"), &json!(3)));
    assert_eq!(merged["intervals"], json!(["1970-01-01T00:00:00.000Z/1970-01-03T00:00:00.000Z"]));
    assert_eq!(
        merged["columns"]["s"]["errorMessage"],
        "error:cannot_merge_diff_types: [LONG] and [STRING]"
    );
    assert_eq!(merged["columns"]["m"]["maxValue"], "v4");
    assert_eq!((&merged["aggregators"], &merged["rollup"]), (&json!(null), &json!(false)));
    let lenient = answer(&with(query, json!({"aggregatorMergeStrategy": "lenient"})), &views);
    assert_eq!(lenient[0]["aggregators"]["x"], json!(null));
    assert_eq!(lenient[0]["aggregators"]["h"]["type"], "HLLSketchMerge");
    let apart = answer(&metadata(json!({})), &views);
    assert_eq!(apart.as_array().unwrap().len(), 2);
    assert!(apart[0]["id"].as_str().unwrap() < apart[1]["id"].as_str().unwrap());
}

#[test]
fn data_source_metadata_is_the_newest_event() {
    let query = json!({"queryType": "dataSourceMetadata", "dataSource": "t"});
    let (first, second) = (index(schema(), 0, 0, &[1]), index(schema(), 1, 0, &[5, 2]));
    let newest = "1970-01-02T05:00:00.000Z";
    assert_eq!(
        answer(&query, &[&*second, &*first]),
        json!([{"timestamp": newest, "result": {"maxIngestedEventTime": newest}}])
    );
    assert_eq!(answer(&query, &[]), json!([]));
}
