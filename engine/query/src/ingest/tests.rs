//! Ingestion specs: what is read, what is refused, and that schemas survive the round trip.

use henge_types::{ColumnType, ErrorClass, Granularity, HllType, MetricKind, NumericOp, ValueType};
use serde_json::{Value, json};

use super::*;
use crate::QueryError;

fn schema_with(fields: Value) -> Value {
    let mut schema = json!({"dataSource": "wikipedia"});
    if let (Value::Object(schema), Value::Object(fields)) = (&mut schema, fields) {
        schema.extend(fields);
    }
    schema
}

#[track_caller]
fn assert_schema_refused(fields: Value, beginning: &str) -> QueryError {
    let error = DataSchema::from_value(&schema_with(fields)).expect_err("must be refused");
    assert!(error.to_string().starts_with(beginning), "got: {error}\nnot: {beginning}");
    error
}

fn full_schema() -> Value {
    schema_with(json!({
        "timestampSpec": {"column": "time", "format": "iso", "missingValue": "2015-09-12"},
        "dimensionsSpec": {
            "dimensions": [
                "channel",
                {"type": "string", "name": "tags", "createBitmapIndex": false,
                 "multiValueHandling": "ARRAY"},
                {"type": "long", "name": "added"},
                {"name": "plain"},
                {"type": "auto", "name": "any"},
                {"type": "auto", "name": "cast", "castToType": "DOUBLE"},
            ],
            "dimensionExclusions": ["secret"],
            "includeAllDimensions": true,
        },
        "metricsSpec": [
            {"type": "count", "name": "rows"},
            {"type": "floatMin", "name": "least", "fieldName": "delta"},
            {"type": "HLLSketchBuild", "name": "users", "fieldName": "user", "lgK": 14,
             "tgtHllType": "HLL_8"},
            {"type": "thetaSketch", "name": "theta", "fieldName": "user", "size": 4096},
            {"type": "quantilesDoublesSketch", "name": "q", "fieldName": "delta"},
            {"type": "hyperUnique", "name": "hu", "fieldName": "user"},
        ],
        "granularitySpec": {"type": "uniform", "segmentGranularity": "HOUR",
            "queryGranularity": "minute", "rollup": false, "intervals": ["2015-09-12/2015-09-13"]},
        "transformSpec": {
            "transforms": [{"type": "expression", "name": "upper", "expression": "upper(channel)"}],
            "filter": {"type": "selector", "dimension": "isRobot", "value": false},
        },
    }))
}

#[test]
fn a_full_schema_is_read_and_survives_the_round_trip() {
    let schema = DataSchema::from_value(&full_schema()).expect("a schema");
    assert_eq!(schema.data_source, "wikipedia");
    assert_eq!(schema.timestamp_spec.format, TimestampFormat::Iso);
    assert_eq!(schema.timestamp_spec.missing_value_ms, Some(1_442_016_000_000));
    let dimensions = &schema.dimensions_spec.dimensions;
    assert_eq!(dimensions[1].multi_value, MultiValueHandling::Array);
    assert!(dimensions[0].create_bitmap_index && !dimensions[1].create_bitmap_index);
    assert_eq!(dimensions[2].column_type, Some(ColumnType::Long));
    assert_eq!(dimensions[4].column_type, None);
    assert_eq!(dimensions[5].column_type, Some(ColumnType::Double));
    assert!(schema.dimensions_spec.discovers());
    assert_eq!(schema.metrics_spec[0].field, None);
    assert_eq!(
        schema.metrics_spec[1].kind,
        MetricKind::Numeric { op: NumericOp::Min, column_type: ValueType::Float }
    );
    assert_eq!(
        schema.metrics_spec[2].kind,
        MetricKind::HllBuild { lg_k: 14, hll_type: HllType::Hll8 }
    );
    assert_eq!(
        Some(schema.granularity_spec.segment_granularity.clone()),
        Granularity::parse_name("hour").ok()
    );
    assert!(!schema.granularity_spec.rollup);
    assert_eq!(schema.transform_spec.transforms[0].expression.text(), "upper(channel)");

    let value = schema.to_value();
    let text = serde_json::to_vec(&value).expect("JSON");
    assert_eq!(DataSchema::parse(&text).expect("a schema").to_value(), value);
}

#[test]
fn defaults_are_druids() {
    let schema = DataSchema::from_value(&schema_with(json!({"dimensionsSpec": {}}))).expect("one");
    assert_eq!(schema.timestamp_spec, TimestampSpec::default());
    assert_eq!(schema.timestamp_spec.column, "timestamp");
    assert_eq!(schema.granularity_spec, GranularitySpec::default());
    assert!(schema.granularity_spec.rollup && schema.dimensions_spec.discovers());
    assert_eq!(
        Some(schema.granularity_spec.segment_granularity),
        Granularity::parse_name("day").ok()
    );
    let explicit = json!({"dimensionsSpec": {"dimensions": ["a"]}});
    let schema = DataSchema::from_value(&schema_with(explicit)).expect("a schema");
    assert!(!schema.dimensions_spec.discovers());
}

#[test]
fn the_name_may_come_from_outside() {
    let schema = |value: Value| DataSchema::from_value_named(&value, "events");
    assert_eq!(schema(json!({})).expect("a schema").data_source, "events");
    assert!(schema(json!({"dataSource": "events"})).is_ok());
    let error = schema(json!({"dataSource": "other"})).expect_err("another name");
    assert_eq!(error.to_string(), "dataSource: is 'other', but the request is for 'events'");
    assert!(DataSchema::from_value(&json!({})).is_err());
}

#[test]
fn pushed_rows_are_rolled_up_only_where_it_is_asked_for() {
    let rollup = |fields: Value| {
        DataSchema::for_pushes(&fields, "events").expect("a schema").granularity_spec.rollup
    };
    let hour = json!({"segmentGranularity": "hour"});
    let metrics = json!([{"type": "count", "name": "count"}]);
    assert!(!rollup(json!({})));
    assert!(!rollup(json!({"granularitySpec": hour, "metricsSpec": []})));
    assert!(!rollup(json!({"granularitySpec": {"rollup": null}})));
    assert!(rollup(json!({"granularitySpec": {"rollup": true}})));
    assert!(rollup(json!({"granularitySpec": hour, "metricsSpec": metrics})));
    assert!(!rollup(json!({"granularitySpec": {"rollup": false}, "metricsSpec": metrics})));
    // Druid's tasks keep Druid's default.
    let task = DataSchema::from_value(&schema_with(json!({}))).expect("a schema");
    assert!(task.granularity_spec.rollup);
}

#[test]
fn timestamp_formats() {
    let format = |format: &str| {
        let fields = json!({"timestampSpec": {"column": "t", "format": format}});
        DataSchema::from_value(&schema_with(fields)).map(|schema| schema.timestamp_spec.format)
    };
    assert_eq!(format("Millis"), Ok(TimestampFormat::Millis));
    assert_eq!(format("nano"), Ok(TimestampFormat::Nano));
    for pattern in ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "dd/MMM/yyyy:HH:mm:ss Z"] {
        assert_eq!(format(pattern), Ok(TimestampFormat::Joda(pattern.into())));
    }
    for unknown in ["foo", "--", "'quoted'", "yyyy-MM-dd 'open", "xxxx-ww"] {
        let error = format(unknown).expect_err(unknown).to_string();
        assert!(
            error.starts_with(&format!(
                "timestampSpec.format: '{unknown}' is unknown: use auto, iso, posix, millis"
            )),
            "{error}"
        );
    }
}

#[test]
fn h_72_unknown_fields_are_refused_with_the_known_ones_listed() {
    assert_schema_refused(
        json!({"metricSpec": []}),
        "metricSpec: unknown field; known fields: dataSource, timestampSpec, dimensionsSpec, metricsSpec",
    );
    let cases = [
        (json!({"timestampSpec": {"col": "t"}}), "timestampSpec.col: unknown field"),
        (json!({"dimensionsSpec": {"dimension": []}}), "dimensionsSpec.dimension: unknown field"),
        (
            json!({"dimensionsSpec": {"dimensions": [{"name": "a", "kind": "long"}]}}),
            "dimensionsSpec.dimensions[0].kind: unknown field",
        ),
        (
            json!({"metricsSpec": [{"type": "exactDistinctCount", "name": "a", "fieldName": "b"}]}),
            "metricsSpec[0]: exactDistinctCount counts values while a query runs and cannot be stored",
        ),
        (
            json!({"metricsSpec": [{"type": "longSum", "name": "a", "fieldName": "b", "fn": "x"}]}),
            "metricsSpec[0].fn: unknown field",
        ),
        (
            json!({"granularitySpec": {"granularity": "day"}}),
            "granularitySpec.granularity: unknown",
        ),
        (json!({"transformSpec": {"script": "rm"}}), "transformSpec.script: unknown field"),
        (
            json!({"transformSpec": {"transforms": [{"type": "javascript", "name": "a"}]}}),
            "transformSpec.transforms[0].type: unknown transform type",
        ),
    ];
    for (fields, beginning) in cases {
        assert_schema_refused(fields, beginning);
    }
    let typo =
        DataSchema::from_value(&schema_with(json!({"metricSpec": []}))).expect_err("refused");
    assert!(typo.to_string().ends_with("; did you mean 'metricsSpec'?"), "{typo}");
    let task = |fields: Value| {
        let mut task = task(&json!({"type": "inline", "data": ""}));
        task.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("one"));
        IndexTask::from_value(&task).expect_err("must be refused").to_string()
    };
    assert!(task(json!({"javaOpts": "-X"})).starts_with("javaOpts: unknown field"));
    assert!(
        task(json!({"spec": {"dataSchema": {}, "ioConfig": {}, "sasl.jaas.config": "x"}}))
            .starts_with("spec.sasl.jaas.config: unknown field")
    );
}

#[test]
fn what_is_not_supported_is_named() {
    let cases = [
        json!({"metricsSpec": [{"type": "stringAny", "name": "a", "fieldName": "b"}]}),
        json!({"metricsSpec": [{"type": "longLast", "name": "a", "fieldName": "b", "timeColumn": "c"}]}),
        json!({"metricsSpec": [{"type": "longSum", "name": "a", "fieldName": "b", "expression": "c"}]}),
        json!({"dimensionsSpec": {"dimensions": [{"type": "json", "name": "a"}]}}),
        json!({"dimensionsSpec": {"spatialDimensions": [{"dimName": "a"}]}}),
        json!({"granularitySpec": {"type": "arbitrary"}}),
        json!({"parser": {"type": "string"}}),
    ];
    for fields in cases {
        let error = DataSchema::from_value(&schema_with(fields.clone())).expect_err("refused");
        assert_eq!(error.class(), ErrorClass::Unsupported, "{fields} {error}");
    }
}

#[test]
fn names_must_be_allowed_and_differ() {
    assert_schema_refused(json!({"dataSource": "../etc"}), "dataSource: ");
    assert_schema_refused(json!({"dataSource": ""}), "dataSource: must not be empty");
    assert_schema_refused(
        json!({"dimensionsSpec": {"dimensions": ["a", {"type": "long", "name": "a"}]}}),
        "dimensionsSpec.dimensions[1]: there is another column 'a'",
    );
    assert_schema_refused(
        json!({"dimensionsSpec": {"dimensions": ["a"]}, "metricsSpec": [{"type": "count", "name": "a"}]}),
        "metricsSpec[0].name: there is another column 'a'",
    );
    assert_schema_refused(
        json!({"dimensionsSpec": {"dimensions": [{"type": "long", "name": "__time"}, "a", "a"]}}),
        "dimensionsSpec.dimensions[2]: there is another column 'a'",
    );
    assert_schema_refused(
        json!({"granularitySpec": {"segmentGranularity": "none"}}),
        "granularitySpec.segmentGranularity: none would make a segment per millisecond",
    );
}

#[test]
fn metrics_as_druid_shows_them() {
    let schema = DataSchema::from_value(&full_schema()).expect("a schema");
    let given: Vec<Value> = schema.metrics_spec.iter().map(metric_to_value).collect();
    assert_eq!(given[0], json!({"type": "count", "name": "rows"}));
    assert_eq!(given[1], json!({"type": "floatMin", "name": "least", "fieldName": "delta"}));
    let combining: Vec<Value> = schema.metrics_spec.iter().map(combining_metric_to_value).collect();
    assert_eq!(combining[0], json!({"type": "longSum", "name": "rows", "fieldName": "rows"}));
    assert_eq!(combining[1], json!({"type": "floatMin", "name": "least", "fieldName": "least"}));
    assert_eq!(
        combining[2],
        json!({"type": "HLLSketchMerge", "name": "users", "fieldName": "users", "lgK": 14,
               "tgtHllType": "HLL_8", "round": false})
    );
    assert_eq!(combining[3]["fieldName"], "theta");
    assert_eq!(
        combining[5],
        json!({"type": "hyperUnique", "name": "hu", "fieldName": "hu", "isInputHyperUnique": false,
               "round": false})
    );
}

fn task(input_source: &Value) -> Value {
    json!({
        "type": "index_parallel",
        "id": "load-1",
        "spec": {
            "dataSchema": full_schema(),
            "ioConfig": {
                "type": "index_parallel", "inputSource": input_source,
                "inputFormat": {"type": "json", "flattenSpec": {"fields": ["a",
                    {"type": "root", "name": "b"}]}},
                "appendToExisting": false, "dropExisting": true,
            },
            "tuningConfig": {
                "type": "index_parallel", "maxRowsInMemory": 25000, "maxNumConcurrentSubTasks": 1,
                "partitionsSpec": {"type": "dynamic", "maxRowsPerSegment": 1000},
                "indexSpec": {"bitmap": {"type": "roaring"}},
            },
        },
        "context": {"forceTimeChunkLock": true},
    })
}

#[test]
fn a_task_is_read() {
    let inline = IndexTask::from_value(&task(&json!({"type": "inline", "data": "{}\n"})));
    let inline = inline.expect("a task");
    assert_eq!(inline.task_type.name(), "index_parallel");
    assert_eq!(inline.id.as_deref(), Some("load-1"));
    let io_config = &inline.spec.io_config;
    assert_eq!(io_config.input_source, InputSource::Inline { data: "{}\n".into() });
    assert!(!io_config.append_to_existing && io_config.drop_existing);
    let tuning = &inline.spec.tuning_config;
    assert_eq!((tuning.max_rows_in_memory, tuning.max_rows_per_segment), (Some(25_000), 1_000));

    let local = json!({"type": "local", "baseDir": "/data", "filter": "*.json.gz"});
    let local = IndexTask::from_value(&task(&local)).expect("a task");
    assert_eq!(
        local.spec.io_config.input_source,
        InputSource::Local {
            base_dir: Some("/data".into()),
            filter: "*.json.gz".into(),
            files: vec![]
        }
    );
}

#[test]
fn wrong_tasks_name_path_and_fix() {
    let inline = || json!({"type": "inline", "data": ""});
    let changed = |pointer: &str, value: Value| {
        let mut task = task(&inline());
        *task.pointer_mut(pointer).expect("a place") = value;
        IndexTask::from_value(&task).expect_err("must be refused")
    };
    let cases = [
        ("/type", json!("index_kafka"), "type: task type \"index_kafka\" is not supported"),
        ("/id", json!("a/../b"), "id: 'a/../b' is no task id"),
        ("/id", json!("a\nb"), "id: 'a\\nb' is no task id"),
        (
            "/spec/ioConfig/inputSource",
            json!({"type": "s3"}),
            "spec.ioConfig.inputSource.type: inputSource type \"s3\" is not supported",
        ),
        (
            "/spec/ioConfig/inputSource",
            json!({"type": "local", "baseDir": "/a"}),
            "spec.ioConfig.inputSource.filter: missing; give a glob",
        ),
        (
            "/spec/ioConfig/inputSource",
            json!({"type": "local"}),
            "spec.ioConfig.inputSource.files: missing",
        ),
        (
            "/spec/ioConfig/inputFormat",
            json!({"type": "orc"}),
            "spec.ioConfig.inputFormat.type: inputFormat type \"orc\" is not supported; supported: json",
        ),
        (
            "/spec/ioConfig/inputFormat/flattenSpec/fields/1",
            json!({"type": "path", "name": "x"}),
            "spec.ioConfig.inputFormat.flattenSpec.fields[1].expr: missing",
        ),
        (
            "/spec/ioConfig/appendToExisting",
            json!(true),
            "spec.ioConfig: appendToExisting and dropExisting exclude each other",
        ),
        (
            "/spec/tuningConfig/partitionsSpec",
            json!({"type": "hashed"}),
            "spec.tuningConfig.partitionsSpec.type: partitionsSpec type \"hashed\" is not supported",
        ),
        (
            "/spec/tuningConfig/maxRowsInMemory",
            json!(0),
            "spec.tuningConfig.maxRowsInMemory: must be from 1 to",
        ),
        (
            "/spec/dataSchema/metricsSpec/1/fieldName",
            json!(null),
            "spec.dataSchema.metricsSpec[1].fieldName: missing",
        ),
        (
            "/spec/dataSchema/transformSpec/transforms/0/expression",
            json!("upper("),
            "spec.dataSchema.transformSpec.transforms[0].expression: ",
        ),
    ];
    for (pointer, value, beginning) in cases {
        let error = changed(pointer, value).to_string();
        assert!(error.starts_with(beginning), "got: {error}\nnot: {beginning}");
    }
}

#[test]
fn projections_say_the_time_in_three_ways() {
    let projection = |time: Value| {
        let mut spec = json!({
            "type": "aggregate", "name": "p", "groupingColumns": ["a"],
            "aggregators": [{"type": "count", "name": "rows"}],
        });
        spec.as_object_mut().expect("an object").extend(time.as_object().cloned().expect("one"));
        schema_with(json!({"projections": [spec]}))
    };
    let floor = json!({
        "groupingColumns": [{"type": "long", "name": "__gran"}, {"type": "string", "name": "a"}],
        "virtualColumns": [{
            "type": "expression", "name": "__gran", "outputType": "LONG",
            "expression": "timestamp_floor(__time, 'PT1H')",
        }],
    });
    for (time, expected, position) in [
        (json!({"granularity": "hour"}), "PT1H", 0),
        (floor, "PT1H", 0),
        (json!({"groupingColumns": ["__time", "a"]}), "none", 0),
        (json!({"groupingColumns": ["a", "__time"]}), "none", 1),
        (json!({}), "all", 0),
    ] {
        let schema = DataSchema::from_value(&projection(time)).expect("a schema");
        let spec = &schema.projections[0];
        let granularity = serde_json::to_value(&spec.granularity).expect("JSON").to_string();
        assert!(granularity.contains(expected), "{granularity}");
        assert_eq!((spec.grouping_columns.len(), spec.time_position), (1, position));
        assert!(spec.virtual_columns.is_empty());
        let again = DataSchema::from_value(&schema.to_value()).expect("its own JSON");
        assert_eq!(again.projections[0].definition(), spec.definition());
    }
}

#[test]
fn projections_must_fit_the_table() {
    let refused = |change: Value, beginning: &str| {
        let mut spec = json!({"type": "aggregate", "name": "p", "groupingColumns": ["a"]});
        spec.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("one"));
        let fields = json!({
            "dimensionsSpec": {"dimensions": ["a", {"type": "long", "name": "l"}]},
            "projections": [spec],
        });
        assert_schema_refused(fields, beginning);
    };
    refused(json!({"type": "join"}), "projections[0].type: unknown projection type");
    refused(json!({"groupingColumns": ["b"]}), "projections[0]: groupingColumns names 'b'");
    refused(
        json!({"aggregators": [{"type": "longSum", "name": "s", "fieldName": "b"}]}),
        "projections[0]: aggregators names 'b'",
    );
    refused(
        json!({"aggregators": [{"type": "longSum", "name": "a", "fieldName": "l"}]}),
        "projections[0]: there is another column 'a'",
    );
    refused(
        json!({"aggregators": [{"type": "stringLast", "name": "s", "fieldName": "a"}]}),
        "projections[0]: first, last and any cannot be stored in a projection",
    );
    refused(
        json!({"aggregators": [{"type": "exactDistinctCount", "name": "s", "fieldName": "a"}]}),
        "projections[0]: exactDistinctCount counts values while a query runs and cannot be stored",
    );
    refused(
        json!({"groupingColumns": ["v"], "virtualColumns": [
            {"type": "expression", "name": "v", "expression": "upper(a)"},
        ]}),
        "projections[0]: virtual column 'v' is grouped by: give its outputType",
    );
}
