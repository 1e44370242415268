//! H-01 to H-13: what JSON is taken, and what is refused.

use henge_types::Value;
use serde_json::json;

use super::{changes_of, one_dimension, parse, parse_with, schema, text, typed};
use crate::{IngestError, ParseLimits, RejectReason};

fn body_error(body: &[u8]) -> IngestError {
    parse_with(&one_dimension(), ParseLimits::default(), body).0.unwrap_err()
}

#[test]
fn h_01_what_is_not_json_is_an_error_with_its_offset() {
    for (body, offset) in
        [("hi", 0), ("  hi", 2), ("null", 0), ("\"x\"", 0), ("\n1", 1), ("\u{feff}x", 3)]
    {
        match body_error(body.as_bytes()) {
            IngestError::NotJson { offset: at, .. } => assert_eq!(at, offset, "{body}"),
            other => panic!("{body}: {other}"),
        }
    }
    for body in ["", " \r\n\t", "[]", "[ ]\n[]", "\u{feff}"] {
        assert!(matches!(body_error(body.as_bytes()), IngestError::Empty { .. }), "{body:?}");
    }
}

#[test]
fn h_02_a_truncated_event_is_never_a_row() {
    let event = r#"{"t":1,"a":["x","é\n"],"b":{"c":[1.5e3,true,null]}}"#;
    let schema = one_dimension();
    for end in 1..event.len() {
        let (counts, sink) = parse_with(&schema, ParseLimits::default(), &event.as_bytes()[..end]);
        assert_eq!(counts.unwrap().rejected, 1, "{end}");
        assert!(sink.rows.is_empty(), "{end}");
        // Followed by a whole event on the next line, only the broken one is lost.
        let mut body = event.as_bytes()[..end].to_vec();
        body.extend_from_slice(b"\n{\"t\":2,\"a\":\"y\"}");
        let (counts, sink) = parse_with(&schema, ParseLimits::default(), &body);
        assert_eq!(counts.unwrap().rejected, 1, "{end}");
        assert_eq!(sink.rows, [(2, vec![text("y")])], "{end}");
    }
}

#[test]
fn h_03_deep_nesting_is_rejected() {
    let schema = one_dimension();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for field in ["a", "unknown"] {
            let event = |levels: usize| {
                let inner = format!("{}1{}", open.repeat(levels), close.repeat(levels));
                format!("{{\"t\":1,\"{field}\":{inner}}}\n{{\"t\":2}}")
            };
            assert_eq!(parse(&schema, event(63)).rows.len(), 2, "{open} {field}");
            let sink = parse(&schema, event(64));
            assert_eq!((sink.rows.len(), sink.codes()), (1, vec!["over_limit"]));
            assert_eq!(parse(&schema, event(100_000)).rows.len(), 1);
        }
        let unclosed = open.repeat(100_000);
        assert_eq!(parse(&schema, unclosed).rows.len(), 0);
    }
}

#[test]
fn h_04_the_last_of_equal_keys_wins() {
    let sink = parse(&one_dimension(), r#"{"a":"x","t":9,"a":"y","t":1,"\u0061":"z"}"#);
    assert_eq!(sink.rows, [(1, vec![text("z")])]);
    let discovering = typed(json!([]), json!([]));
    let sink = parse(&discovering, r#"{"t":1,"n":"x","n":"y"}"#);
    assert_eq!(sink.rows, [(1, vec![text("y")])]);
}

#[test]
fn h_05_reserved_names_have_no_meaning() {
    let counting = typed(json!([]), json!([{"type": "count", "name": "count"}]));
    let sink = parse(&counting, r#"{"t":1,"":"e","__time":5,"count":9,"Count":"c","t2":1}"#);
    assert_eq!(sink.dimensions, ["Count:STRING", "t2:STRING"]);
    assert_eq!(sink.rows, [(1, vec![text("c"), text("1"), Value::Null])]);
}

#[test]
fn h_06_an_event_over_the_limit_is_refused_and_its_text_is_cut() {
    let limits = ParseLimits { max_event_bytes: 100, max_raw_bytes: 10, ..Default::default() };
    let long = "x".repeat(1000);
    let body = format!("{{\"t\":1,\"a\":\"{long}\"}}{{\"t\":2,\"a\":\"y\"}}");
    let (counts, sink) = parse_with(&one_dimension(), limits, body.as_bytes());
    assert_eq!(counts.unwrap().rejected, 1);
    assert_eq!(sink.rejections[0].2, RejectReason::OverLimit { what: "bytes", limit: 100 });
    assert_eq!(sink.rejections[0].3.len(), 10);
    assert_eq!(sink.rows.len(), 1);
    let exactly = |size: usize| format!("{{\"t\":1,\"a\":\"{}\"}}", "x".repeat(size - 14));
    for (size, rows) in [(99, 1), (100, 1), (101, 0)] {
        let limits = ParseLimits { max_event_bytes: 100, ..Default::default() };
        let (_, sink) = parse_with(&one_dimension(), limits, exactly(size).as_bytes());
        assert_eq!(sink.rows.len(), rows, "{size}");
    }
}

#[test]
fn h_06_a_text_over_the_limit_is_refused_only_where_it_is_stored() {
    let value = "é".repeat(16 * 1024 + 1);
    let event = |name: &str| format!("{{\"t\":1,\"{name}\":\"{value}\"}}");
    assert_eq!(parse(&one_dimension(), event("unused")).rows.len(), 1);
    assert_eq!(parse(&one_dimension(), event("a")).codes(), ["over_limit"]);
}

#[test]
fn h_07_fields_of_one_event_are_limited() {
    let schema = one_dimension();
    let event = |count: usize| {
        let fields: Vec<String> = (1..count).map(|i| format!("\"f{i}\":1")).collect();
        format!("{{\"t\":1,{}}}", fields.join(","))
    };
    for (count, rows) in [(1_999, 1), (2_000, 1), (2_001, 0), (100_000, 0)] {
        assert_eq!(parse(&schema, event(count)).rows.len(), rows, "{count}");
    }
}

#[test]
fn h_08_broken_encodings_cost_their_event_only() {
    let schema = one_dimension();
    let bad: [&[u8]; 7] = [
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\\ud800",
        b"\\ud800\\u0041",
        b"\\udc00",
    ];
    for bytes in bad {
        let body = [b"{\"t\":1,\"a\":\"".as_slice(), bytes, b"\"}\n{\"t\":2,\"a\":\"\xc3\xa9\"}"];
        let sink = parse(&schema, body.concat());
        assert_eq!(sink.rows, [(2, vec![text("é")])], "{bytes:?}");
        assert_eq!(sink.codes(), ["syntax"]);
    }
    let sink = parse(&schema, b"{\"t\":1,\"a\":\"\xff\"}");
    assert!(sink.rejections[0].2.to_string().contains("UTF-8"));
    assert_eq!(sink.rejections[0].3, b"{\"t\":1,\"a\":\"\xff\"}");
    let sink = parse(&schema, r#"{"t":1,"a":"\ud83d\ude00 \u00e9\/"}"#);
    assert_eq!(sink.column(0), [text("😀 é/")]);
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(body_error(&utf16), IngestError::NotJson { offset: 0, .. }));
}

#[test]
fn h_09_nul_is_kept_in_values_and_refused_in_names() {
    let schema = one_dimension();
    assert_eq!(parse(&schema, r#"{"t":1,"a":"x\u0000y"}"#).column(0), [text("x\0y")]);
    assert_eq!(parse(&schema, r#"{"t":1,"n\u0000":"x"}"#).codes(), ["field_name"]);
    assert_eq!(parse(&schema, r#"{"t":1,"n\t":"x"}"#).codes(), ["field_name"]);
    assert_eq!(parse(&schema, b"{\"t\":1,\"a\":\"\0\"}").codes(), ["syntax"]);
}

#[test]
fn h_10_json_is_strict() {
    let schema = one_dimension();
    for event in [
        r#"{"t":1,}"#,
        r#"{'t':1}"#,
        r#"{t:1}"#,
        r#"{"t":1 /* c */}"#,
        r#"{"t" 1}"#,
        r#"{"t":1 "a":2}"#,
        r#"{"t":1,"a":[1,]}"#,
        r#"{"t":1,"a":[1 2]}"#,
        r#"{"t":1,"b":{"c":1,}}"#,
        r#"{"t":1,"b":[[1,]]}"#,
        r#"{"t":1,"a":True}"#,
        r#"{"t":1,"a":nullx}"#,
        r#"{"t":1,"a":undefined}"#,
        r#"{"t":1,"a":"\x"}"#,
        r#"{"t":1,"a":"\u12g4"}"#,
        "{\"t\":1,\"a\":\"line\u{b}feed\"}",
        "{\"t\":1,\u{a0}\"a\":\"x\"}",
    ] {
        let sink = parse(&schema, format!("{event}\n{{\"t\":2,\"a\":\"ok\"}}"));
        assert_eq!(sink.rows, [(2, vec![text("ok")])], "{event}");
        assert_eq!(sink.codes(), ["syntax"], "{event}");
        assert_eq!(sink.rejections[0].3, event.as_bytes());
    }
}

#[test]
fn h_10_lines_lists_and_blanks_mix() {
    let body =
        "\u{feff}{\"t\":1}\r\n\r\n{\"t\":2}{\"t\":3}\n [{\"t\":4} , {\"t\":5}]\n\t{\n\"t\"\n:6}";
    let times: Vec<i64> = parse(&one_dimension(), body).rows.iter().map(|r| r.0).collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 6]);
    // A byte-order mark belongs to the start only.
    let sink = parse(&one_dimension(), "{\"t\":1}\n\u{feff}{\"t\":2}\n{\"t\":3}");
    assert_eq!((sink.rows.len(), sink.codes()), (2, vec!["syntax"]));
}

#[test]
fn rejections_name_their_event() {
    let sink = parse(&one_dimension(), r#"[{"t":1}, 7, {"t":}, {"t":4}]"#);
    assert_eq!(sink.rows.len(), 2);
    let places: Vec<(u64, usize)> = sink.rejections.iter().map(|r| (r.0, r.1)).collect();
    assert_eq!(places, [(1, 10), (2, 13)]);
    assert_eq!(sink.codes(), ["not_an_object", "syntax"]);
}

#[test]
fn h_11_texts_are_equal_by_bytes_only() {
    let sink = parse(
        &one_dimension(),
        "{\"t\":1,\"a\":\"\u{e9}\"}{\"t\":1,\"a\":\"e\u{301}\"}{\"t\":1,\"a\":\"\u{202e}x\"}",
    );
    assert_eq!(sink.column(0), [text("\u{e9}"), text("e\u{301}"), text("\u{202e}x")]);
}

#[test]
fn h_12_values_take_the_type_of_their_column() {
    let values = [
        "\"x\"",
        "7",
        "1.50",
        "1e20",
        "true",
        "null",
        "[]",
        "[\"p\",2,null,true]",
        "[\"one\"]",
        "{\"k\": [1, 2]}",
        "[[1],{\"k\":2}]",
        "12345678901234567890123",
    ];
    let lines: Vec<String> = values.iter().map(|v| format!("{{\"t\":1,\"a\":{v}}}")).collect();
    let body = lines.join("\n");
    let multi = |items: &[Option<&str>]| {
        Value::Multi(items.iter().map(|item| item.map(str::to_owned)).collect())
    };
    assert_eq!(
        parse(&one_dimension(), &body).column(0),
        [
            text("x"),
            text("7"),
            text("1.5"),
            text("1.0E20"),
            text("true"),
            Value::Null,
            Value::Null,
            multi(&[Some("p"), Some("2"), None, Some("true")]),
            text("one"),
            text("{\"k\": [1, 2]}"),
            multi(&[Some("[1]"), Some("{\"k\":2}")]),
            text("12345678901234567890123"),
        ]
    );
    let long = typed(json!([{"type": "long", "name": "a"}]), json!([]));
    let (changes, sink) = changes_of(&long, &body);
    let mut expected = vec![Value::Null; 10];
    expected[1] = Value::Long(7);
    expected[2] = Value::Long(1);
    expected[3] = Value::Long(1);
    assert_eq!(sink.column(0), expected);
    // The text, the lists with values, the object and the dropped fraction are counted; 1e20 and the
    // huge number refuse their events.
    let [change] = changes.columns() else { panic!("{changes:?}") };
    assert_eq!((change.count, change.nulled), (6, 5));
    assert_eq!(sink.codes(), ["wrong_type"; 2]);
}

#[test]
fn h_13_multi_values_are_limited() {
    let schema = one_dimension();
    for (count, rows) in [(9_999, 1), (10_000, 1), (10_001, 0), (200_000, 0)] {
        let items = vec!["1"; count].join(",");
        let sink = parse(&schema, format!("{{\"t\":1,\"a\":[{items}]}}"));
        assert_eq!(sink.rows.len(), rows, "{count}");
    }
}

#[test]
fn every_limit_names_itself() {
    let limits = ParseLimits { max_fields: 1, ..Default::default() };
    let (_, sink) = parse_with(&one_dimension(), limits, b"{\"t\":1,\"b\":2}");
    assert_eq!(sink.rejections[0].2.to_string(), "the event is over the limit of 1 fields");
    let unreadable = schema(json!({"timestampSpec": {"format": "yyyy-MM-dd"}}));
    let sink = parse(&unreadable, "{\"timestamp\":\"2000/01/01\"}");
    assert_eq!(
        sink.rejections[0].2.to_string(),
        "the timestamp column 'timestamp' is not of the format yyyy-MM-dd: '2000/01/01'; \
         timestampSpec.format says another"
    );
}
