//! CSV and TSV against the rows they are to become, and hostile ones.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;

use henge_ingest::{BatchCounts, ParseLimits, RowParser};
use henge_query::ingest::{DataSchema, DelimitedFormat, NumberParsing, TextEncoding};
use henge_tabular::{ColumnLoader, DelimitedReader, TabularError};
use serde_json::{Value, json};
use support::{LoaderSink, options, rows_of, schema, segments};

fn csv(columns: &[&str]) -> DelimitedFormat {
    let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    DelimitedFormat {
        quoting: true,
        delimiter: ',',
        list_delimiter: "|".into(),
        has_header: columns.is_empty(),
        columns: (!columns.is_empty()).then_some(columns),
        skip_header_rows: 0,
        try_parse_numbers: NumberParsing::Never,
        encoding: TextEncoding::default(),
    }
}

fn tsv(columns: &[&str]) -> DelimitedFormat {
    DelimitedFormat { quoting: false, delimiter: '\t', ..csv(columns) }
}

struct Read {
    rows: Vec<Value>,
    reasons: Vec<String>,
    counts: BatchCounts,
}

/// Reads a text in pieces of about a size, as a task does.
fn read(
    format: DelimitedFormat,
    text: &[u8],
    schema: &Arc<DataSchema>,
    piece_bytes: usize,
) -> Result<Read, TabularError> {
    let mut parser = RowParser::new(Arc::clone(schema), ParseLimits::default()).unwrap();
    let loader = ColumnLoader::new(options(), parser.dimensions());
    let mut sink = LoaderSink { loader, reasons: Vec::new() };
    let mut reader = DelimitedReader::new(format);
    let mut total = BatchCounts::default();
    let mut rest = text;
    let mut wanted = piece_bytes;
    while !rest.is_empty() {
        let window = &rest[..wanted.min(rest.len())];
        let end = match reader.last_boundary(window)? {
            _ if window.len() == rest.len() => rest.len(),
            Some(end) => end,
            None => {
                wanted *= 2;
                continue;
            }
        };
        let counts = reader.read(&rest[..end], &mut parser, &mut sink)?;
        total.received += counts.received;
        total.accepted += counts.accepted;
        total.rejected += counts.rejected;
        rest = &rest[end..];
        wanted = piece_bytes;
    }
    let rows = sink.loader.finish().into_iter().flat_map(|chunk| segments(chunk, usize::MAX));
    let rows = rows.flat_map(|segment| rows_of(&segment)).collect();
    Ok(Read { rows, reasons: sink.reasons, counts: total })
}

#[allow(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
fn rows(format: DelimitedFormat, text: &str, dimensions: Value) -> Vec<Value> {
    let read = read(format, text.as_bytes(), &schema(dimensions), usize::MAX).unwrap();
    assert_eq!(read.reasons, Vec::<String>::new());
    read.rows
}

#[test]
fn quotes_hold_delimiters_line_breaks_and_quotes() {
    let text = "t,a,b\r\n1,\"x, \"\"y\"\"\r\nz\",\"\"\r\n\r\n2,,q\n3,\"tail\"s,\u{e9}";
    let expected = vec![
        json!({ "__time": 1, "a": "x, \"y\"\r\nz", "b": "" }),
        json!({ "__time": 2, "b": "q" }),
        json!({ "__time": 3, "a": "tails", "b": "\u{e9}" }),
    ];
    assert_eq!(rows(csv(&[]), text, json!(["a", "b"])), expected);
    let marked = format!("\u{feff}{text}");
    assert_eq!(rows(csv(&[]), &marked, json!(["a", "b"])), expected, "H-10: byte-order mark");
    for piece_bytes in 1..text.len() {
        let read =
            read(csv(&[]), text.as_bytes(), &schema(json!(["a", "b"])), piece_bytes).unwrap();
        assert_eq!(read.rows, expected, "in pieces of {piece_bytes}");
    }
}

#[test]
fn tsv_has_no_quotes_and_any_delimiter() {
    let expected = vec![json!({ "__time": 1, "a": "\"x\"" }), json!({ "__time": 2, "b": "," })];
    assert_eq!(rows(tsv(&["t", "a", "b"]), "1\t\"x\"\t\n2\t\t,\n", json!(["a", "b"])), expected);
    let format = DelimitedFormat { delimiter: ';', ..tsv(&["t", "a", "b"]) };
    assert_eq!(rows(format, "1;\"x\";\n2;;,\n", json!(["a", "b"])), expected);
}

#[test]
fn headers_are_skipped_or_read_and_lists_are_split() {
    let format = DelimitedFormat { skip_header_rows: 2, ..csv(&["t", "a"]) };
    let text = "made by x\n\nt,a\n1,c|b||b\n2,b\n";
    let expected =
        vec![json!({ "__time": 1, "a": ["", "b", "b", "c"] }), json!({ "__time": 2, "a": "b" })];
    assert_eq!(rows(format, text, json!(["a"])), expected);
    let format = DelimitedFormat { skip_header_rows: 1, ..csv(&[]) };
    assert_eq!(rows(format, "made by x\nt,a\n1,c|b||b\n2,b\n", json!(["a"])), expected);
}

#[test]
fn numbers_are_numbers_only_when_asked_for() {
    let text = "1,007,1.50,x\n";
    let names = ["t", "a", "b", "c"];
    let discover = |try_parse_numbers: NumberParsing| {
        let schema = json!({
            "dataSource": "d", "timestampSpec": { "column": "t" },
            "dimensionsSpec": { "useSchemaDiscovery": true },
            "granularitySpec": { "segmentGranularity": "day", "rollup": false },
        });
        let schema = Arc::new(DataSchema::from_value(&schema).unwrap());
        let format = DelimitedFormat { try_parse_numbers, ..csv(&names) };
        read(format, text.as_bytes(), &schema, usize::MAX).unwrap().rows
    };
    let never = json!({ "__time": 1, "a": "007", "b": "1.50", "c": "x" });
    assert_eq!(discover(NumberParsing::Never), [never]);
    let all = json!({ "__time": 1, "a": 7, "b": 1.5, "c": "x" });
    assert_eq!(discover(NumberParsing::All), [all]);
    let exact = json!({ "__time": 1, "a": "007", "b": 1.5, "c": "x" });
    assert_eq!(discover(NumberParsing::Exact), [exact]);
    let typed = json!([{ "name": "a", "type": "long" }, { "name": "b", "type": "double" }]);
    assert_eq!(rows(csv(&names), text, typed), [json!({ "__time": 1, "a": 7, "b": 1.5 })]);
}

#[test]
fn exact_numbers_are_those_that_are_written_back_as_they_were() {
    let names = ["t", "a"];
    let format = DelimitedFormat { try_parse_numbers: NumberParsing::Exact, ..csv(&names) };
    let discovered = json!([{ "name": "a", "type": "auto" }]);
    for (value, stored) in [
        ("0", json!(0)),
        ("-5", json!(-5)),
        ("9223372036854775807", json!(i64::MAX)),
        ("0.1", json!(0.1)),
        (".5", json!(0.5)),
        ("-2.5e3", json!(-2500.0)),
        ("9223372036854775808", json!("9223372036854775808")),
        ("0.1234567890123456789", json!("0.1234567890123456789")),
        ("007", json!("007")),
        ("-007", json!("-007")),
        ("+49", json!("+49")),
        ("12f", json!("12f")),
        ("1-2", json!("1-2")),
        ("1e999", json!("1e999")),
        ("NaN", json!("NaN")),
    ] {
        let text = format!("1,{value}\n");
        let expected = [json!({ "__time": 1, "a": stored })];
        assert_eq!(rows(format.clone(), &text, discovered.clone()), expected, "{value}");
    }
    let text = json!(["a"]);
    assert_eq!(rows(format, "1,1.50\n", text), [json!({ "__time": 1, "a": "1.50" })]);
}

#[test]
fn h_16_lines_of_another_width_are_refused_with_the_line() {
    let schema = schema(json!(["a"]));
    let text = b"1,x\n2\n3,x,y\n4,\xff\n5,\0\n6,z";
    let read = read(csv(&["t", "a"]), text, &schema, usize::MAX).unwrap();
    let times: Vec<i64> = read.rows.iter().filter_map(|row| row["__time"].as_i64()).collect();
    assert_eq!(times, [1, 5, 6]);
    assert_eq!(read.rows[1]["a"], "\0", "H-09: a NUL is a character like others");
    let counts = (read.counts.received, read.counts.accepted, read.counts.rejected);
    assert_eq!(counts, (6, 3, 3));
    assert_eq!(read.reasons[0], "1: byte 4: the line has 1 values, but there are 2 columns [2]");
    assert!(read.reasons[1].contains("3 values") && read.reasons[2].contains("UTF-8"));
}

#[test]
fn h_16_a_quote_that_is_not_closed_costs_its_own_line_only() {
    let schema = schema(json!(["a"]));
    let small = b"1,x\n2,\"y\n3,z\n";
    let read_small = read(csv(&["t", "a"]), small, &schema, 5).unwrap();
    assert_eq!((read_small.counts.accepted, read_small.counts.rejected), (2, 1));
    let mut large = b"1,\"y\n".to_vec();
    for _ in 0..(henge_tabular::MAX_RECORD_BYTES / 1_000 + 200) {
        large.extend_from_slice(b"2,");
        large.resize(large.len() + 996, b'z');
        large.extend_from_slice(b"z\n");
    }
    let lines = large.iter().filter(|byte| **byte == b'\n').count() as u64;
    let read_large = read(csv(&["t", "a"]), &large, &schema, 4 << 20).unwrap();
    assert_eq!(read_large.counts.rejected, 1, "{:?}", read_large.reasons);
    assert_eq!(read_large.counts.accepted, lines - 1);
}

#[test]
fn h_06_h_16_endless_lines_and_headers_of_many_columns_are_errors() {
    let schema = schema(json!(["a"]));
    let line = vec![b'x'; henge_tabular::MAX_RECORD_BYTES + 1];
    let error = read(csv(&["t", "a"]), &line, &schema, 1 << 20).err().unwrap();
    assert!(matches!(error, TabularError::Limit(_)), "{error}");
    let header: String = (0..20_000).map(|at| format!("c{at},")).collect();
    let error = read(csv(&[]), header.as_bytes(), &schema, usize::MAX).err().unwrap();
    assert!(error.to_string().contains("at most 10000"), "{error}");
    let error = read(csv(&[]), b"a,a\n1,2", &schema, usize::MAX).err().unwrap();
    assert!(error.to_string().contains("'a' twice"), "{error}");
}

#[test]
fn a_survey_counts_the_numbers_of_a_text_column_in_every_piece() {
    let schema = json!({
        "dataSource": "d", "timestampSpec": {"column": "t", "format": "millis"},
        "dimensionsSpec": {"useSchemaDiscovery": true},
    });
    let schema = Arc::new(DataSchema::from_value(&schema).unwrap());
    let mut parser = RowParser::new(schema, ParseLimits::default()).unwrap();
    parser.begin_survey();
    let loader = ColumnLoader::new(options(), parser.dimensions());
    let mut sink = LoaderSink { loader, reasons: Vec::new() };
    let format = DelimitedFormat { try_parse_numbers: NumberParsing::Exact, ..csv(&["t", "v"]) };
    let mut reader = DelimitedReader::new(format);
    for piece in ["1,1\n1,x\n", "1,2\n1,007\n", "1,3\n1,4\n"] {
        reader.read(piece.as_bytes(), &mut parser, &mut sink).unwrap();
    }
    let [kinds] = parser.column_kinds() else { panic!("one column") };
    assert_eq!((kinds.numbers, kinds.others, kinds.example.as_str()), (4, 2, "x"));
}
