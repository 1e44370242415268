//! Batch tasks over Parquet, CSV and TSV files: the same rows give the same answers whatever format
//! they come in and whichever way they take.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;

use henge_tests::TestServer;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use tempfile::TempDir;

const HOUR_MS: i64 = 3_600_000;

/// Rows over three days, out of order, with a null here and there.
fn rows(count: i64) -> Vec<(i64, Option<String>, i64)> {
    (0..count)
        .map(|row| {
            let mixed = (row * 7_919) % count;
            let word = (mixed % 7 != 3).then(|| format!("w{}", mixed % 11));
            (1_577_836_800_000 + mixed % 72 * HOUR_MS, word, mixed)
        })
        .collect()
}

const FLAT: &str = "message m { required int64 t; optional binary a (STRING); required int64 x; }";
const WITHIN: &str = "message m { required group e {
    required int64 t; optional binary a (STRING); required int64 x; } }";

fn write_parquet(path: &Path, rows: &[(i64, Option<String>, i64)]) {
    write_parquet_as(FLAT, path, rows);
}

fn write_parquet_as(schema: &str, path: &Path, rows: &[(i64, Option<String>, i64)]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    for rows in rows.chunks(100) {
        let mut group = writer.next_row_group().unwrap();
        let mut put_longs = |values: Vec<i64>| {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        };
        put_longs(rows.iter().map(|row| row.0).collect());
        let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.1.is_some())).collect();
        let texts: Vec<ByteArray> =
            rows.iter().filter_map(|row| row.1.as_deref()).map(ByteArray::from).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let longs: Vec<i64> = rows.iter().map(|row| row.2).collect();
        column.typed::<Int64Type>().write_batch(&longs, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn write_lines(path: &Path, rows: &[(i64, Option<String>, i64)], delimiter: char) {
    let mut text = format!("t{delimiter}a{delimiter}x\n");
    for (time, word, x) in rows {
        let word = word.as_deref().unwrap_or_default();
        text.push_str(&format!("{time}{delimiter}{word}{delimiter}{x}\n"));
    }
    std::fs::write(path, text).unwrap();
}

fn write_json(path: &Path, rows: &[(i64, Option<String>, i64)]) {
    let lines = rows.iter().map(|(t, a, x)| json!({ "t": t, "a": a, "x": x }).to_string() + "\n");
    std::fs::write(path, lines.collect::<String>()).unwrap();
}

fn task(datasource: &str, source: &Value, format: &Value) -> Value {
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": datasource,
            "timestampSpec": { "column": "t", "format": "auto" },
            "dimensionsSpec": { "dimensions": ["a", { "name": "x", "type": "long" }] },
            "granularitySpec": { "segmentGranularity": "day", "rollup": false },
        },
        "ioConfig": { "type": "index_parallel", "inputSource": source, "inputFormat": format },
        "tuningConfig": { "type": "index_parallel", "maxRowsPerSegment": 40 },
    }})
}

/// Runs a task to its end; gives its id and its status.
fn run(server: &TestServer, task: &Value) -> (String, Value) {
    let id = server.post("/druid/indexer/v1/task", task)["task"].clone();
    let id = id.as_str().map(|id| id.replace(':', "%3A")).unwrap_or_default();
    loop {
        let path = format!("/druid/indexer/v1/task/{id}/status");
        let (status, answer) = server.call("GET", &path, &[], b"");
        assert_eq!(status, 200, "{answer}");
        if answer["status"]["statusCode"] != "RUNNING" {
            return (id, answer["status"].clone());
        }
        std::thread::yield_now();
    }
}

fn wait_for_count(server: &TestServer, datasource: &str, expected: u64) {
    while server.count(datasource) != expected {
        std::thread::yield_now();
    }
}

/// Sums by word and hour, and the rows themselves.
fn answers(server: &TestServer, datasource: &str) -> Value {
    let grouped = json!({
        "queryType": "groupBy", "dataSource": datasource, "intervals": ["2000/3000"],
        "granularity": "hour", "dimensions": ["a"],
        "aggregations": [
            { "type": "count", "name": "n" },
            { "type": "longSum", "name": "x", "fieldName": "x" },
        ],
    });
    let scanned = json!({
        "queryType": "scan", "dataSource": datasource, "intervals": ["2000/3000"],
        "columns": ["__time", "a", "x"], "order": "ascending", "resultFormat": "compactedList",
    });
    let mut rows: Vec<String> = Vec::new();
    for part in server.post("/druid/v2", &scanned).as_array().unwrap() {
        rows.extend(part["events"].as_array().unwrap().iter().map(Value::to_string));
    }
    rows.sort();
    json!([server.post("/druid/v2", &grouped), rows])
}

fn local(folder: &TempDir, name: &str) -> Value {
    json!({ "type": "local", "files": [folder.path().join(name)] })
}

#[test]
fn all_formats_give_the_same_answers_and_progress() {
    let server = TestServer::start();
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(500);
    write_parquet(&folder.path().join("d.parquet"), &rows);
    write_lines(&folder.path().join("d.csv"), &rows, ',');
    write_lines(&folder.path().join("d.tsv"), &rows, '\t');
    write_json(&folder.path().join("d.json"), &rows);
    let formats = [
        ("parquet", json!({ "type": "parquet" })),
        ("csv", json!({ "type": "csv", "findColumnsFromHeader": true })),
        ("tsv", json!({ "type": "tsv", "columns": ["t", "a", "x"], "skipHeaderRows": 1 })),
        ("json", json!({ "type": "json" })),
    ];
    let mut known: Option<Value> = None;
    for (name, format) in formats {
        let mut task = task(name, &local(&folder, &format!("d.{name}")), &format);
        let (id, status) = run(&server, &task);
        assert_eq!(status["statusCode"], "SUCCESS", "{status}");
        let progress = &status["progress"];
        assert_eq!((&progress["accepted"], &progress["rejected"]), (&json!(500), &json!(0)));
        assert_eq!(progress["totalRows"], if name == "parquet" { json!(500) } else { json!(0) });
        assert_eq!(progress["totalBytes"], progress["processedBytes"]);
        // 168, 166 and 166 rows a day, at most 40 a segment.
        assert_eq!(progress["segments"], 15, "{status}");
        let (code, report) =
            server.call("GET", &format!("/druid/indexer/v1/task/{id}/reports"), &[], b"");
        assert_eq!(code, 200);
        let payload = &report["ingestionStatsAndErrors"]["payload"];
        assert_eq!(payload["rowStats"]["totals"]["buildSegments"]["processed"], 500, "{report}");
        wait_for_count(&server, name, 500);
        let found = answers(&server, name);
        assert_eq!(&found, known.get_or_insert_with(|| found.clone()), "{name}");
        // With a metric rows go through the index.
        task["spec"]["dataSchema"]["metricsSpec"] = json!([{ "type": "count", "name": "c" }]);
        let indexed = format!("{name}_indexed");
        task["spec"]["dataSchema"]["dataSource"] = json!(indexed);
        assert_eq!(run(&server, &task).1["statusCode"], "SUCCESS");
        wait_for_count(&server, &indexed, 500);
        assert_eq!(Some(answers(&server, &indexed)), known, "{indexed}");
    }
}

/// The same rows within groups and objects, and in other encodings.
#[test]
fn files_that_nest_and_files_of_other_encodings_give_the_answers_of_plain_ones() {
    let server = TestServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut rows = rows(200);
    rows.iter_mut().for_each(|row| row.1 = row.1.take().map(|word| word + "\u{e9}"));
    write_lines(&folder.path().join("plain"), &rows, ',');
    write_parquet_as(WITHIN, &folder.path().join("parquet"), &rows);
    let lines = rows.iter().map(|(t, a, x)| json!({ "e": { "t": t, "a": a, "x": x } }).to_string());
    std::fs::write(folder.path().join("json"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    let text = std::fs::read_to_string(folder.path().join("plain")).unwrap();
    let marked: Vec<u8> =
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    std::fs::write(folder.path().join("utf16"), marked).unwrap();
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    std::fs::write(folder.path().join("latin"), latin).unwrap();
    let path = |name: &str| json!({ "type": "path", "name": name, "expr": format!("$.e.{name}") });
    let fields = ["t", "a", "x"].map(path);
    let only = json!({ "useFieldDiscovery": false, "fields": fields });
    let beside = json!({ "fields": fields });
    let csv = json!({ "type": "csv", "findColumnsFromHeader": true });
    let mut known: Option<Value> = None;
    for (name, file, format) in [
        ("plain", "plain", csv.clone()),
        ("parquet", "parquet", json!({ "type": "parquet", "flattenSpec": only })),
        ("parquet_beside", "parquet", json!({ "type": "parquet", "flattenSpec": beside })),
        ("json", "json", json!({ "type": "json", "flattenSpec": only })),
        ("utf16", "utf16", csv),
        (
            "latin",
            "latin",
            json!({ "type": "csv", "findColumnsFromHeader": true, "encoding": "latin1" }),
        ),
    ] {
        let (_, status) = run(&server, &task(name, &local(&folder, file), &format));
        assert_eq!(status["statusCode"], "SUCCESS", "{status}");
        assert_eq!(status["progress"]["accepted"], 200, "{status}");
        let warnings = &status["progress"]["report"]["warnings"];
        assert!(warnings.as_array().is_none_or(Vec::is_empty), "{name}: {warnings}");
        wait_for_count(&server, name, 200);
        let found = answers(&server, name);
        assert_eq!(&found, known.get_or_insert_with(|| found.clone()), "{name}");
    }
}

#[test]
fn chunks_that_do_not_fit_into_memory_are_merged_from_pieces() {
    let server = TestServer::start();
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(500);
    for (number, part) in rows.chunks(90).enumerate() {
        write_parquet(&folder.path().join(format!("part-{number}.parquet")), part);
    }
    std::fs::write(folder.path().join("notes.txt"), "not for loading").unwrap();
    let source = json!({ "type": "local", "baseDir": folder.path(), "filter": "*.parquet" });
    let mut task = task("merged", &source, &json!({ "type": "parquet" }));
    task["spec"]["tuningConfig"]["maxBytesInMemory"] = json!(1);
    let (_, status) = run(&server, &task);
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    wait_for_count(&server, "merged", 500);
    task["spec"]["tuningConfig"]["maxBytesInMemory"] = json!(-1);
    task["spec"]["dataSchema"]["dataSource"] = json!("whole");
    assert_eq!(run(&server, &task).1["statusCode"], "SUCCESS");
    wait_for_count(&server, "whole", 500);
    assert_eq!(answers(&server, "merged"), answers(&server, "whole"));
}

#[test]
fn h_02_h_16_damaged_files_fail_their_task_and_nothing_else() {
    let server = TestServer::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.parquet");
    write_parquet(&path, &rows(300));
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[20..400].fill(0xff);
    for bytes in [&whole[..whole.len() / 2], &damaged[..], b"", b"t,a,x\n1,2,3\n"] {
        std::fs::write(&path, bytes).unwrap();
        let task = task("d", &local(&folder, "d.parquet"), &json!({ "type": "parquet" }));
        let (_, status) = run(&server, &task);
        assert_eq!(status["statusCode"], "FAILED", "{status}");
        assert!(status["errorMsg"].to_string().contains("d.parquet"), "{status}");
    }
    std::fs::write(&path, &whole).unwrap();
    let task = task("d", &local(&folder, "d.parquet"), &json!({ "type": "parquet" }));
    assert_eq!(run(&server, &task).1["statusCode"], "SUCCESS");
    wait_for_count(&server, "d", 300);
}

#[test]
fn h_16_bad_lines_are_counted_and_end_the_task_beyond_the_limit() {
    let server = TestServer::start();
    let format = json!({ "type": "csv", "columns": ["t", "a", "x"] });
    let source = json!({ "type": "inline", "data": "2020,w,1\n2020\n2020,\"w\n2020,w,2\n" });
    let mut task = task("d", &source, &format);
    let (_, status) = run(&server, &task);
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    assert_eq!(
        (&status["progress"]["accepted"], &status["progress"]["rejected"]),
        (&json!(2), &json!(2))
    );
    let (_, letters) = server.call("GET", "/v1/datasources/d/dead-letters", &[], b"");
    let reasons = letters["deadLetters"].to_string();
    assert!(reasons.contains("1 values") && reasons.contains("quote"), "{reasons}");
    task["spec"]["tuningConfig"]["maxParseExceptions"] = json!(1);
    let (_, status) = run(&server, &task);
    assert_eq!(status["statusCode"], "FAILED");
    assert!(status["errorMsg"].to_string().contains("maxParseExceptions"), "{status}");
}
