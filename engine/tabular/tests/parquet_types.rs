//! Every type of Parquet against the values it is to become, through both ways of loading.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use bytes::Bytes;
use henge_ingest::{DiscoveredType, ParseLimits, RowOrigin, RowParser, TableFields};
use henge_query::ingest::{DataSchema, FlattenStep, IndexTask};
use henge_tabular::{ColumnLoader, ParquetTable, WantedField};
use parquet::basic::Compression;
use parquet::file::properties::WriterVersion;
use serde_json::{Value, json};
use std::sync::Arc;
use support::{
    Column, DEFAULT, Layout, LoaderSink, Plain, load, optional, options, parquet, required,
    rows_of, schema, segments, texts,
};

const DAY_MS: i64 = 86_400_000;
const SCHEMA: &str = "message m {
    required int64 t (TIMESTAMP(MICROS,false));
    optional boolean flag;
    optional int32 small (INTEGER(8,true));
    optional int32 unsigned (INTEGER(32,false));
    optional int64 big;
    optional int64 huge (INTEGER(64,false));
    optional int64 nanos (TIMESTAMP(NANOS,true));
    optional int96 old_time;
    optional int32 day (DATE);
    optional float single;
    optional double decimal;
    optional int64 price (DECIMAL(18,2));
    optional binary long_price (DECIMAL(38,3));
    required binary name (STRING);
    optional binary raw;
    optional fixed_len_byte_array(16) id (UUID);
    optional fixed_len_byte_array(2) half (FLOAT16);
    optional group tags (LIST) { repeated group list { optional binary element (STRING); } }
    required group strict (LIST) { repeated group list { required binary element (STRING); } }
    repeated int32 plain;
}";

/// Two rows: one with every value, one with those that must be there.
fn columns() -> Vec<Column> {
    let first = [true, false];
    let some = |values| optional(values, &first);
    vec![
        required(Plain::Int64(vec![1_700_000_000_123_456, -1])),
        some(Plain::Bool(vec![true])),
        some(Plain::Int32(vec![-7])),
        some(Plain::Int32(vec![-1])),
        some(Plain::Int64(vec![i64::MIN])),
        some(Plain::Int64(vec![-1])),
        some(Plain::Int64(vec![-1])),
        some(Plain::Int96(vec![[1_000_000, 0, 2_440_589]])),
        some(Plain::Int32(vec![-1])),
        some(Plain::Float(vec![0.1])),
        some(Plain::Double(vec![-0.0])),
        some(Plain::Int64(vec![-1234])),
        some(Plain::Bytes(vec![vec![0x30, 0x39]])),
        required(texts(&["é", ""])),
        some(Plain::Bytes(vec![vec![0xff, 0x00]])),
        some(Plain::Fixed(vec![(0..16).collect()])),
        some(Plain::Fixed(vec![vec![0x00, 0xc0]])),
        Column {
            values: texts(&["b", "a"]),
            definitions: Some(vec![3, 2, 3, 0]),
            repetitions: Some(vec![0, 1, 1, 0]),
        },
        Column {
            values: texts(&["only"]),
            definitions: Some(vec![1, 0]),
            repetitions: Some(vec![0, 0]),
        },
        Column {
            values: Plain::Int32(vec![2, 1]),
            definitions: Some(vec![1, 1, 0]),
            repetitions: Some(vec![0, 1, 0]),
        },
    ]
}

fn typed() -> Arc<DataSchema> {
    let long = |name: &str| json!({ "name": name, "type": "long" });
    let double = |name: &str| json!({ "name": name, "type": "double" });
    schema(json!([
        long("flag"),
        long("small"),
        long("unsigned"),
        long("big"),
        long("nanos"),
        long("old_time"),
        long("day"),
        double("single"),
        double("decimal"),
        double("price"),
        double("long_price"),
        "huge",
        "name",
        "raw",
        "id",
        double("half"),
        "tags",
        "strict",
        "plain",
        "not_there",
    ]))
}

fn as_text() -> Arc<DataSchema> {
    schema(json!(["flag", "small", "day", "single", "decimal", "price", "long_price", "half"]))
}

#[test]
fn every_type_becomes_what_the_table_says() {
    let expected = vec![
        json!({ "__time": -1, "name": "" }),
        json!({
            "__time": 1_700_000_000_123_i64, "flag": 1, "small": -7, "unsigned": 4_294_967_295_u32,
            "big": i64::MIN, "nanos": -1, "old_time": DAY_MS + 1, "day": -DAY_MS,
            "single": f64::from(0.1_f32), "decimal": 0.0, "price": -12.34, "long_price": 12.345,
            "huge": "18446744073709551615", "name": "é", "raw": "/wA=", "half": -2.0,
            "id": "00010203-0405-0607-0809-0a0b0c0d0e0f", "tags": [null, "a", "b"],
            "strict": "only", "plain": ["1", "2"],
        }),
    ];
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for dictionary in [true, false] {
            let layout = Layout { dictionary, version, ..DEFAULT };
            let file = parquet(SCHEMA, &[columns()], layout);
            let loaded = load(&[file], &typed(), false);
            assert_eq!(loaded.reasons, Vec::<String>::new());
            assert_eq!(loaded.rows, expected);
        }
    }
}

#[test]
fn numbers_become_text_in_string_columns() {
    let file = parquet(SCHEMA, &[columns()], DEFAULT);
    let by_columns = load(std::slice::from_ref(&file), &as_text(), false);
    assert_eq!(by_columns.whole_batches, 1);
    assert_eq!(
        by_columns.rows,
        vec![
            json!({ "__time": -1 }),
            json!({
                "__time": 1_700_000_000_123_i64, "flag": "true", "small": "-7",
                "day": "-86400000", "single": "0.1", "decimal": "-0.0", "price": "-12.34",
                "long_price": "12.345", "half": "-2.0",
            }),
        ]
    );
    assert_eq!(load(&[file], &as_text(), true).rows, by_columns.rows);
}

/// A table whose rows are many, unsorted, with ties and nulls.
fn many(rows: i64) -> Vec<Column> {
    let next = |row: i64, salt: i64| (row * 2_654_435_761 + salt * 40_503).rem_euclid(1 << 31);
    let present: Vec<bool> = (0..rows).map(|row| next(row, 1) % 5 > 0).collect();
    let kept = |values: Vec<i64>| -> Vec<i64> {
        values
            .into_iter()
            .zip(&present)
            .filter(|(_, kept)| **kept)
            .map(|(value, _)| value)
            .collect()
    };
    let times = (0..rows).map(|row| next(row, 2) % 40 * DAY_MS / 10).collect();
    let numbers = kept((0..rows).map(|row| next(row, 3) % 9 - 4).collect());
    let words: Vec<String> = (0..rows).map(|row| format!("word {}", next(row, 4) % 50)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let decimals = (0..rows).map(|row| next(row, 5) as f64 / 8.0).collect();
    vec![
        required(Plain::Int64(times)),
        optional(Plain::Int64(numbers), &present),
        required(texts(&words)),
        required(Plain::Double(decimals)),
    ]
}

const MANY: &str = "message m { required int64 t; optional int64 n; required binary w (STRING);
    required double d; }";

#[test]
fn column_wise_and_row_wise_give_the_same_segments() {
    let dimensions = json!(["w", { "name": "n", "type": "long" }, { "name": "d", "type": "double" },
        { "name": "f", "type": "float" }]);
    for compression in [
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::ZSTD(Default::default()),
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
    ] {
        let layout = Layout { compression, ..DEFAULT };
        let files = [
            parquet(MANY, &[many(700), many(1), many(900)], layout),
            parquet(MANY, &[many(300)], layout),
        ];
        let by_columns = load(&files, &schema(dimensions.clone()), false);
        let by_rows = load(&files, &schema(dimensions.clone()), true);
        assert_eq!((by_columns.whole_batches, by_rows.whole_batches), (4, 0));
        assert_eq!(by_columns.rows.len(), 1_901);
        let mut pairs = by_columns.rows.iter().zip(&by_rows.rows);
        assert_eq!(pairs.find(|(by_columns, by_rows)| by_columns != by_rows), None);
        let key = |row: &Value| {
            (row["__time"].as_i64(), row["w"].as_str().map(str::to_owned), row["n"].as_i64())
        };
        assert!(by_columns.rows.is_sorted_by_key(key), "time, then dimensions, nulls first");
    }
}

#[test]
fn dimensions_are_discovered_from_the_file() {
    let file = parquet(MANY, &[many(10)], DEFAULT);
    let discovered = load(std::slice::from_ref(&file), &schema(json!([])), false);
    let declared = load(&[file], &schema(json!(["n", "w", "d"])), false);
    assert_eq!(discovered.rows, declared.rows);
    assert!(discovered.rows[0]["w"].is_string());
}

const NESTED: &str = "message m {
    required int64 t;
    optional group s { optional int64 a; optional binary b (STRING); }
    optional group m (MAP) { repeated group key_value { required binary key (STRING);
        optional double value; } }
    optional group l (LIST) { repeated group list { optional group element {
        required int64 at (TIMESTAMP(NANOS,true)); } } }
    optional group one { required int32 x; }
    optional fixed_len_byte_array(12) i (INTERVAL);
}";

fn nested() -> Vec<Column> {
    let levels = |values, definitions: &[i16], repetitions: &[i16]| Column {
        values,
        definitions: Some(definitions.to_vec()),
        repetitions: (!repetitions.is_empty()).then(|| repetitions.to_vec()),
    };
    let interval = [14_u32, 3, 1_500].iter().flat_map(|n| n.to_le_bytes()).collect();
    vec![
        required(Plain::Int64(vec![1, 2, 3])),
        levels(Plain::Int64(vec![7]), &[2, 1, 0], &[]),
        levels(texts(&["a \"quoted\"\n"]), &[1, 2, 0], &[]),
        levels(texts(&["k", "l"]), &[2, 2, 1, 0], &[0, 1, 0, 0]),
        levels(Plain::Double(vec![1.5]), &[3, 2, 1, 0], &[0, 1, 0, 0]),
        levels(Plain::Int64(vec![1_000_000_001, -1]), &[3, 3, 2, 0], &[0, 1, 0, 0]),
        levels(Plain::Int32(vec![5]), &[0, 1, 0], &[]),
        levels(Plain::Fixed(vec![interval]), &[1, 0, 0], &[]),
    ]
}

#[test]
fn structs_maps_and_lists_of_them_are_json_text() {
    let file = parquet(NESTED, &[nested(), nested()], DEFAULT);
    let typed = schema(json!([]));
    let loaded = load(&[file], &typed, false);
    assert_eq!(loaded.reasons, Vec::<String>::new());
    let expected = [
        json!({
            "__time": 1, "s": "{\"a\":7,\"b\":null}", "m": "{\"k\":1.5,\"l\":null}",
            "l": "[{\"at\":\"1970-01-01T00:00:01.000000001Z\"},\
                   {\"at\":\"1969-12-31T23:59:59.999999999Z\"}]",
            "i": "P14M3DT1.500S",
        }),
        json!({
            "__time": 2, "s": "{\"a\":null,\"b\":\"a \\\"quoted\\\"\\n\"}", "m": "{}", "l": "[null]",
            "one": "{\"x\":5}",
        }),
        json!({ "__time": 3 }),
    ];
    let expected: Vec<Value> = expected.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
    assert_eq!(loaded.rows, expected);
}

/// The rows of a file under a `flattenSpec` that leaves nothing but its own fields, with the types that the file says.
fn flattened(file: Vec<u8>, fields: &Value) -> Vec<Value> {
    let format = json!({
        "type": "parquet",
        "flattenSpec": { "useFieldDiscovery": false, "fields": fields },
    });
    let task = json!({ "type": "index_parallel", "spec": {
        "dataSchema": { "dataSource": "d" },
        "ioConfig": {
            "type": "index_parallel", "inputFormat": format,
            "inputSource": { "type": "inline", "data": "" },
        },
    } });
    let task = IndexTask::from_value(&task).unwrap();
    let spec = task.spec.io_config.input_format.flatten().unwrap();
    let table = ParquetTable::open(Arc::new(Bytes::from(file))).unwrap();
    let mut parser = RowParser::new(schema(json!([])), ParseLimits::default()).unwrap();
    parser.set_flattening(spec);
    for field in spec.fields.iter().filter(|field| field.name != "t") {
        parser.discover_field(&field.name, table.needs_within(&field.steps).unwrap());
    }
    let names: Vec<String> = table.fields().iter().map(|field| field.name.clone()).collect();
    let wanted: Vec<WantedField> =
        names.iter().map(|name| WantedField { name: name.clone(), as_text: false }).collect();
    let nested: Vec<bool> = table.fields().iter().map(|field| field.is_nested()).collect();
    let mut nested = nested.into_iter();
    let mut columns = TableFields::new(names).with_json(|_| nested.next().unwrap());
    let loader = ColumnLoader::new(options(), parser.dimensions());
    let mut sink = LoaderSink { loader, reasons: Vec::new() };
    let mut reader = table.read(&wanted, false);
    while let Some(batch) = reader.next_batch().unwrap() {
        parser.begin_rows();
        let raw = || "the row".to_owned();
        batch
            .for_each_row(|offset, values| {
                let origin = RowOrigin { offset, raw: &raw };
                parser.parse_row(&mut columns, values, origin, &mut sink)
            })
            .unwrap();
    }
    assert_eq!(sink.reasons, Vec::<String>::new());
    let chunks = sink.loader.finish().into_iter();
    let segments = chunks.flat_map(|chunk| segments(chunk, usize::MAX));
    segments.flat_map(|segment| rows_of(&segment)).collect()
}

#[test]
fn paths_reach_into_structs_maps_and_lists_with_types_of_their_own() {
    let path = |name: &str, expr: &str| json!({ "type": "path", "name": name, "expr": expr });
    let fields = json!([
        "t",
        path("a", "$.s.a"),
        path("b", "$.s.b"),
        path("k", "$.m.k"),
        path("ats", "$.l[*].at"),
        path("last", "$.l[-1].at"),
        { "type": "jq", "name": "x", "expr": ".one.x" },
        { "type": "root", "name": "whole", "expr": "one" },
    ]);
    let expected = [
        json!({
            "__time": 1, "a": "7", "k": "1.5",
            "ats": ["1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:01.000000001Z"],
            "last": "1969-12-31T23:59:59.999999999Z",
        }),
        json!({ "__time": 2, "b": "a \"quoted\"\n", "x": "5", "whole": "{\"x\":5}" }),
        json!({ "__time": 3 }),
    ];
    assert_eq!(flattened(parquet(NESTED, &[nested()], DEFAULT), &fields), expected);
}

#[test]
fn what_paths_lead_to_says_the_type() {
    let table = ParquetTable::open(Arc::new(Bytes::from(parquet(NESTED, &[nested()], DEFAULT))));
    let table = table.unwrap();
    let to = |name: &str| FlattenStep::Field(name.to_owned());
    for (steps, needs) in [
        (vec![to("s"), to("a")], Some(DiscoveredType::WideLong)),
        (vec![to("s"), to("b")], Some(DiscoveredType::String)),
        (vec![to("s"), to("c")], None),
        (vec![to("s"), FlattenStep::Element(0)], None),
        (vec![to("m"), to("any")], Some(DiscoveredType::Double)),
        (vec![to("m"), FlattenStep::All], Some(DiscoveredType::String)),
        (vec![to("l"), FlattenStep::Element(-1)], Some(DiscoveredType::String)),
        (vec![to("l"), FlattenStep::All, to("at")], Some(DiscoveredType::String)),
        (vec![to("l"), to("at")], None),
        (vec![to("one"), to("x")], Some(DiscoveredType::WideLong)),
        (vec![to("t")], Some(DiscoveredType::WideLong)),
        (vec![to("t"), to("x")], None),
        (vec![to("nothing")], None),
        (vec![FlattenStep::All, to("x")], Some(DiscoveredType::String)),
    ] {
        assert_eq!(table.needs_within(&steps), needs, "{steps:?}");
    }
}

#[test]
fn open_types_hold_every_value_or_are_text() {
    const WIDE: &str = "message m { required int64 t; required int64 hash (INTEGER(64,false));
        required int64 small (INTEGER(64,false)); required int64 price (DECIMAL(18,2));
        required binary long_price (DECIMAL(38,3)); required fixed_len_byte_array(32) huge (DECIMAL(76,1)); }";
    let huge = |byte: u8| [vec![byte], vec![0; 31]].concat();
    let columns = vec![
        required(Plain::Int64(vec![1, 2])),
        required(Plain::Int64(vec![5, -1])),
        required(Plain::Int64(vec![5, i64::MAX])),
        required(Plain::Int64(vec![100, -250])),
        required(Plain::Bytes(vec![vec![1], (1..=15).collect()])),
        required(Plain::Fixed(vec![huge(1), huge(0x80)])),
    ];
    let file = parquet(WIDE, &[columns], DEFAULT);
    let types = json!(
        ["hash", "small", "price", "long_price", "huge"]
            .map(|name| { json!({ "name": name, "type": "auto" }) })
    );
    let loaded = load(&[file], &schema(types), false);
    assert_eq!(loaded.reasons, Vec::<String>::new());
    let expected = [
        json!({
            "__time": 1, "hash": "5", "small": 5, "price": 1.0, "long_price": "0.001",
            "huge": "45231284858326638837332416019018714005183587760015845327913118753091066265.6",
        }),
        json!({
            "__time": 2, "hash": "18446744073709551615", "small": i64::MAX, "price": -2.5,
            "long_price": "5233100606242806050955395731361.295",
            "huge": "-5789604461865809771178549250434395392663499233282028201972879200395656481996.8",
        }),
    ];
    assert_eq!(loaded.rows, expected);
}

#[test]
fn rows_that_are_refused_have_reasons_and_the_others_are_stored() {
    let schema = schema(json!([{ "name": "d", "type": "double" }]));
    let columns = vec![
        optional(Plain::Int64(vec![1, 2, 3]), &[true, false, true, true]),
        required(Plain::Double(vec![1.0, 2.0, f64::NAN, 4.0])),
    ];
    let file = parquet("message m { optional int64 t; required double d; }", &[columns], DEFAULT);
    let loaded = load(&[file], &schema, false);
    assert_eq!(loaded.whole_batches, 0);
    // JSON has no NaN: the helper shows it as null.
    let expected =
        [json!({"__time": 1, "d": 1.0}), json!({"__time": 2}), json!({"__time": 3, "d": 4.0})];
    assert_eq!(loaded.rows, expected);
    assert_eq!(loaded.reasons.len(), 1, "{:?}", loaded.reasons);
    assert!(loaded.reasons[0].starts_with("1: the timestamp column 't' is missing"));
}

#[test]
fn h_17_nan_and_infinities_are_kept_however_rows_are_taken() {
    let values = vec![1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let columns = vec![
        required(Plain::Int64(vec![1, 2, 3, 4])),
        required(Plain::Double(values.clone())),
        required(Plain::Double(values.clone())),
        required(Plain::Double(values)),
    ];
    let message = "message m { required int64 t; required double d; required double f;
        required double s; }";
    let file = parquet(message, &[columns], DEFAULT);
    let dimensions =
        json!([{ "name": "d", "type": "double" }, { "name": "f", "type": "float" }, "s"]);
    for row_wise in [false, true] {
        let loaded = load(std::slice::from_ref(&file), &schema(dimensions.clone()), row_wise);
        assert_eq!(loaded.reasons, Vec::<String>::new());
        let texts: Vec<&str> = loaded.rows.iter().filter_map(|row| row["s"].as_str()).collect();
        assert_eq!(texts, ["1.5", "NaN", "Infinity", "-Infinity"]);
        let finite = loaded.rows.iter().filter(|row| row["d"].is_number() && row["f"].is_number());
        assert_eq!(finite.count(), 1);
    }
    // In a LONG they are null, and the row is kept.
    let longs = load(&[file], &schema(json!([{ "name": "d", "type": "long" }])), false);
    assert_eq!((longs.rows.len(), longs.reasons.len()), (4, 0));
}
