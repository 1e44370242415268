//! Each result format, byte by byte.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array, ListArray,
    NullArray, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{Field, Schema};
use serde_json::{Map, Value, json};

use super::*;

/// 2015-09-12T00:46:58.771Z
const MS: i64 = 1_442_018_818_771;

fn lists() -> ListArray {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.values().append_value("x\"y");
    lists.values().append_null();
    lists.append(true);
    lists.append(false);
    lists.finish()
}

/// A column of each type, a row of values and a row of nulls (but for the text, which is empty there).
fn answer() -> (Vec<SqlColumn>, RecordBatch) {
    let columns: [(&str, &str, &str, ArrayRef); 9] = [
        (
            "__time",
            "LONG",
            "TIMESTAMP",
            Arc::new(TimestampMillisecondArray::from(vec![Some(MS), None])),
        ),
        ("page, \"q\"", "STRING", "VARCHAR", Arc::new(StringArray::from(vec!["a,\"b\"\né", ""]))),
        ("n", "LONG", "BIGINT", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
        ("f", "FLOAT", "FLOAT", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
        ("d", "DOUBLE", "DOUBLE", Arc::new(Float64Array::from(vec![Some(f64::NAN), None]))),
        ("b", "LONG", "BOOLEAN", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("day", "LONG", "DATE", Arc::new(Date32Array::from(vec![Some(16_690), None]))),
        ("tags", "ARRAY<STRING>", "ARRAY", Arc::new(lists())),
        ("EXPR$0", "STRING", "VARCHAR", Arc::new(NullArray::new(2))),
    ];
    let fields = columns
        .iter()
        .map(|(name, _, _, array)| Arc::new(Field::new(*name, array.data_type().clone(), true)));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let described =
        columns.iter().zip(schema.fields()).map(|((name, native, sql, _), field)| SqlColumn {
            name: (*name).to_owned(),
            field: Arc::clone(field),
            sql_type: (*sql).to_owned(),
            native_type: (*native).to_owned(),
        });
    let described = described.collect();
    let arrays = columns.into_iter().map(|(_, _, _, array)| array).collect();
    (described, RecordBatch::try_new(schema, arrays).unwrap())
}

fn bytes(layout: Layout, encoding: Encoding, batches: usize) -> Vec<u8> {
    let (columns, batch) = answer();
    let mut writer = Writer::new(&columns, layout, encoding).unwrap();
    let mut out = Vec::new();
    writer.begin(&mut out).unwrap();
    for _ in 0..batches {
        writer.rows(&batch, &mut out).unwrap();
    }
    writer.end(&mut out).unwrap();
    out
}

fn text(format: ResultFormat, headers: usize, batches: usize) -> String {
    let layout = Layout {
        format,
        header: headers > 0,
        types_header: headers > 1,
        sql_types_header: headers > 2,
    };
    String::from_utf8(bytes(layout, Encoding::default(), batches)).unwrap()
}

const OBJECT: &str = r#"{"__time":"2015-09-12T00:46:58.771Z","page, \"q\"":"a,\"b\"\né","n":9223372036854775807,"f":0.1,"d":"NaN","b":true,"day":"2015-09-12T00:00:00.000Z","tags":"[\"x\\\"y\",null]","EXPR$0":null}"#;
const NULLS: &str = r#"{"__time":null,"page, \"q\"":"","n":null,"f":null,"d":null,"b":null,"day":null,"tags":null,"EXPR$0":null}"#;
const ARRAY: &str = r#"["2015-09-12T00:46:58.771Z","a,\"b\"\né",9223372036854775807,0.1,"NaN",true,"2015-09-12T00:00:00.000Z","[\"x\\\"y\",null]",null]"#;
const NULL_ARRAY: &str = r#"[null,"",null,null,null,null,null,null,null]"#;
const NAMES: &str = r#"["__time","page, \"q\"","n","f","d","b","day","tags","EXPR$0"]"#;
const TYPES: &str =
    r#"["LONG","STRING","LONG","FLOAT","DOUBLE","LONG","LONG","ARRAY<STRING>","STRING"]"#;
const SQL_TYPES: &str =
    r#"["TIMESTAMP","VARCHAR","BIGINT","FLOAT","DOUBLE","BOOLEAN","DATE","ARRAY","VARCHAR"]"#;

#[test]
fn golden_objects() {
    use ResultFormat::{Object, ObjectLines};
    assert_eq!(text(Object, 0, 0), "[]\n");
    assert_eq!(text(Object, 0, 1), format!("[{OBJECT},{NULLS}]\n"));
    assert_eq!(text(Object, 0, 2), format!("[{OBJECT},{NULLS},{OBJECT},{NULLS}]\n"));
    assert_eq!(text(ObjectLines, 0, 0), "\n");
    assert_eq!(text(ObjectLines, 0, 1), format!("{OBJECT}\n{NULLS}\n\n"));
    // Clients learn of columns from the header, also where there is no row.
    let header: Value = serde_json::from_str(&text(Object, 1, 0)).unwrap();
    assert_eq!(header[0].as_object().unwrap().len(), 9);
    assert_eq!(header[0]["n"], Value::Null);
    let header: Value = serde_json::from_str(&text(Object, 2, 0)).unwrap();
    assert_eq!(header[0]["n"], json!({"type": "LONG"}));
    let header: Value =
        serde_json::from_str(text(ObjectLines, 3, 0).lines().next().unwrap()).unwrap();
    assert_eq!(header["__time"], json!({"type": "LONG", "sqlType": "TIMESTAMP"}));
    let layout = Layout { header: true, sql_types_header: true, ..Layout::default() };
    let header: Value = serde_json::from_slice(&bytes(layout, Encoding::default(), 0)).unwrap();
    assert_eq!(header[0]["b"], json!({"sqlType": "BOOLEAN"}));
}

#[test]
fn golden_arrays() {
    use ResultFormat::{Array, ArrayLines};
    assert_eq!(text(Array, 0, 0), "[]\n");
    assert_eq!(text(Array, 0, 1), format!("[{ARRAY},{NULL_ARRAY}]\n"));
    assert_eq!(text(Array, 1, 0), format!("[{NAMES}]\n"));
    assert_eq!(text(Array, 3, 1), format!("[{NAMES},{TYPES},{SQL_TYPES},{ARRAY},{NULL_ARRAY}]\n"));
    assert_eq!(
        text(ArrayLines, 3, 1),
        format!("{NAMES}\n{TYPES}\n{SQL_TYPES}\n{ARRAY}\n{NULL_ARRAY}\n\n")
    );
}

#[test]
fn golden_csv() {
    let names = "__time,\"page, \"\"q\"\"\",n,f,d,b,day,tags,EXPR$0";
    let types = "LONG,STRING,LONG,FLOAT,DOUBLE,LONG,LONG,ARRAY<STRING>,STRING";
    let row = "2015-09-12T00:46:58.771Z,\"a,\"\"b\"\"\né\",9223372036854775807,0.1,NaN,true,\
               2015-09-12T00:00:00.000Z,\"[\"\"x\\\"\"y\"\",null]\",";
    assert_eq!(text(ResultFormat::Csv, 0, 0), "\n");
    assert_eq!(text(ResultFormat::Csv, 2, 1), format!("{names}\n{types}\n{row}\n,,,,,,,,\n\n"));
}

#[test]
fn arrow_streams_have_names_types_and_rows() {
    for batches in [0, 2] {
        let layout = Layout { format: ResultFormat::Arrow, ..Layout::default() };
        let bytes = bytes(layout, Encoding::default(), batches);
        let reader = StreamReader::try_new(&bytes[..], None).unwrap();
        let schema = reader.schema();
        assert_eq!(schema.field(8).name(), "EXPR$0");
        assert_eq!(schema.field(0).metadata()["druid.sqlType"], "TIMESTAMP");
        let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows, 2 * batches);
    }
}

#[test]
fn times_and_dates_are_told_in_the_zone_of_the_session() {
    let context = json!({"sqlTimeZone": "America/Los_Angeles", "sqlStringifyArrays": "false"});
    let encoding = Encoding::of_context(context.as_object().unwrap()).unwrap();
    let layout = Layout { format: ResultFormat::Array, ..Layout::default() };
    let answer: Value = serde_json::from_slice(&bytes(layout, encoding, 1)).unwrap();
    assert_eq!(answer[0][0], "2015-09-11T17:46:58.771-07:00");
    assert_eq!(answer[0][6], "2015-09-12T00:00:00.000-07:00");
    assert_eq!(answer[0][7], json!(["x\"y", null]));
    for zone in ["UTC", "Etc/UTC", "Z"] {
        let context = Map::from_iter([("sqlTimeZone".to_owned(), json!(zone))]);
        let answer = bytes(layout, Encoding::of_context(&context).unwrap(), 1);
        assert!(String::from_utf8(answer).unwrap().contains("00:46:58.771Z"), "{zone}");
    }
}

#[test]
fn what_a_request_asks_for_wrongly_is_named() {
    let layout = |request: Value| {
        let layout = Layout::of_request(request.as_object().unwrap(), ResultFormat::Object);
        layout.map_err(|error| error.message)
    };
    let found =
        layout(json!({"resultFormat": "arraylines", "header": "true", "typesHeader": true}));
    let expected = Layout {
        format: ResultFormat::ArrayLines,
        header: true,
        types_header: true,
        sql_types_header: false,
    };
    assert_eq!(found, Ok(expected));
    assert_eq!(layout(json!({"resultFormat": null})), Ok(Layout::default()));
    for (request, word) in [
        (json!({"resultFormat": "xml"}), "resultFormat: \"xml\""),
        (json!({"resultFormat": 1}), "objectLines"),
        (json!({"header": 1}), "header: 1 is neither"),
        (json!({"typesHeader": true}), "\"header\": true"),
        (json!({"sqlTypesHeader": true}), "sqlTypesHeader: needs"),
    ] {
        let error = layout(request.clone()).unwrap_err();
        assert!(error.contains(word), "{request}: {error}");
    }
    for (context, word) in [
        (json!({"sqlTimeZone": "Mars/Olympus"}), "context.sqlTimeZone"),
        (json!({"sqlTimeZone": 5}), "context.sqlTimeZone: 5"),
        (json!({"sqlStringifyArrays": "no"}), "context.sqlStringifyArrays"),
    ] {
        let error = Encoding::of_context(context.as_object().unwrap()).unwrap_err().message;
        assert!(error.contains(word), "{context}: {error}");
    }
}
