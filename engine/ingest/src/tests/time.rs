//! H-24 to H-28: timestamps.

use std::sync::Arc;

use henge_query::ingest::DataSchema;
use serde_json::json;

use super::{Collector, parse, parse_with, schema};
use crate::{ParseLimits, RejectReason};

const DAY_MS: i64 = 86_400_000;

fn read(format: &str, value: &str) -> Result<i64, &'static str> {
    let schema = schema(json!({
        "timestampSpec": {"column": "t", "format": format},
        "dimensionsSpec": {"dimensions": ["d"]},
    }));
    let sink = parse(&schema, format!("{{\"t\":{value}}}"));
    sink.rows.first().map(|row| row.0).ok_or_else(|| sink.codes()[0])
}

#[test]
fn every_format_is_read() {
    let ms = 1_442_018_818_771;
    for (format, value, expected) in [
        ("auto", "1442018818771", ms),
        ("auto", "\"1442018818771\"", ms),
        ("auto", "\"2015-09-12T00:46:58.771Z\"", ms),
        ("auto", "\"2015-09-12 00:46:58.771\"", ms),
        ("iso", "\"2015-09-12T02:46:58.771+02:00\"", ms),
        ("posix", "1442018818", 1_442_018_818_000),
        ("posix", "\"1442018818\"", 1_442_018_818_000),
        ("millis", "1442018818771.9", ms),
        ("micro", "1442018818771999", ms),
        ("nano", "\"1442018818771999999\"", ms),
        ("nano", "-1", -1),
        ("ruby", "1442018818.771", ms),
        ("yyyy-MM-dd HH:mm:ss.SSS", "\"2015-09-12 00:46:58.771\"", ms),
        ("yyyyMMdd", "20150912", 1_442_016_000_000),
    ] {
        assert_eq!(read(format, value), Ok(expected), "{format} {value}");
    }
}

#[test]
fn h_24_missing_and_unreadable_timestamps_are_refused() {
    for value in ["null", "\"\""] {
        assert_eq!(read("auto", value), Err("missing_timestamp"), "{value}");
    }
    for value in ["\"soon\"", "true", "[1]", "{}", "1e300", "99999999999999999999", "\" \""] {
        assert_eq!(read("auto", value), Err("bad_timestamp"), "{value}");
    }
    assert_eq!(read("iso", "1442018818771"), Err("bad_timestamp"));
    assert_eq!(read("posix", "9223372036854775807"), Err("bad_timestamp"));
    let filled = schema(json!({
        "timestampSpec": {"column": "t", "missingValue": "2000-01-01"},
        "dimensionsSpec": {"dimensions": ["d"]},
    }));
    assert_eq!(parse(&filled, "{}").rows[0].0, 946_684_800_000);
    assert_eq!(parse(&filled, "{\"t\":\"soon\"}").codes(), ["bad_timestamp"]);
    let reason =
        &parse(&schema(json!({"timestampSpec": {"column": "when"}})), "{}").rejections[0].2;
    assert!(reason.to_string().contains("'when'"), "{reason}");
}

#[test]
fn h_25_absurd_times_are_refused() {
    for value in [
        "1442018818771000000",
        "9223372036854775807",
        "-9223372036854775808",
        "253402300800000",
        "-62135596800001",
    ] {
        assert_eq!(read("millis", value), Err("outside_window"), "{value}");
    }
    assert_eq!(read("auto", "\"146140482-04-24T15:36:27.903Z\""), Err("outside_window"));
    assert_eq!(read("millis", "253402300799999"), Ok(253_402_300_799_999));
    for format in ["auto", "millis"] {
        assert_eq!(read(format, "0"), Ok(0));
    }
}

fn in_window(limits: ParseLimits, times: &[i64]) -> Collector {
    let schema = schema(json!({
        "timestampSpec": {"column": "t", "format": "millis"},
        "dimensionsSpec": {"dimensions": ["d"]},
    }));
    let lines: Vec<String> = times.iter().map(|t| format!("{{\"t\":{t}}}")).collect();
    let (counts, sink) = parse_with(&schema, limits, lines.join("\n").as_bytes());
    counts.unwrap();
    sink
}

#[test]
fn the_window_is_relative_to_the_moment_of_receipt() {
    let now_ms = 1_700_000_000_000;
    let limits = ParseLimits {
        now_ms,
        late_window_ms: Some(7 * DAY_MS),
        early_window_ms: Some(1000),
        ..Default::default()
    };
    let early = now_ms + 1000;
    let late = now_ms - 7 * DAY_MS;
    let sink = in_window(limits.clone(), &[late - 1, late, now_ms, early, early + 1, 0, -5]);
    let kept: Vec<i64> = sink.rows.iter().map(|row| row.0).collect();
    assert_eq!(kept, [late, now_ms, early]);
    assert_eq!(sink.codes(), ["outside_window"; 4]);
    assert!(matches!(
        sink.rejections[0].2,
        RejectReason::OutsideWindow { from_ms, to_ms, .. } if from_ms == late && to_ms == early + 1
    ));
    // The same batch at the same moment gives the same answer, whenever it is read.
    assert_eq!(in_window(limits.clone(), &[late]), in_window(limits, &[late]));
}

#[test]
fn h_27_times_that_do_not_exist_are_refused() {
    for value in [
        "\"2016-12-31T23:59:60Z\"",
        "\"2015-09-12T24:00:00Z\"",
        "\"2015-02-30\"",
        "\"0000-01-01\"",
        "\"2015-13-01\"",
    ] {
        assert_eq!(read("iso", value), Err("bad_timestamp"), "{value}");
    }
}

#[test]
fn h_28_offsets_are_applied_and_no_zone_is_utc() {
    for (value, expected) in [
        ("2015-09-12T14:00:00+14:00", 0),
        ("2015-09-11T12:00:00-12:00", 0),
        ("2015-09-12T00:00:00Z", 0),
        ("2015-09-12T00:00:00", 0),
        ("2015-09-12", 0),
        ("2015-09-12T01:00:00+01", 0),
    ] {
        assert_eq!(read("auto", &format!("\"{value}\"")), Ok(1_442_016_000_000 + expected));
    }
    assert_eq!(read("auto", "\"2015-09-12T00:00:00 Mars/Base\""), Err("bad_timestamp"));
}

#[test]
fn events_outside_of_the_intervals_are_filtered() {
    let schema = schema(json!({
        "timestampSpec": {"column": "t"},
        "dimensionsSpec": {"dimensions": ["d"]},
        "granularitySpec": {"intervals": ["2015-09-12/2015-09-13"]},
    }));
    let body = b"{\"t\":\"2015-09-11T23:59\"}{\"t\":\"2015-09-12\"}{\"t\":\"2015-09-13\"}";
    let (counts, _) = parse_with(&schema, ParseLimits::default(), body);
    let counts = counts.unwrap();
    assert_eq!((counts.accepted, counts.filtered), (1, 2));
}

#[test]
fn h_25_auto_tells_units_by_size_and_digits_of_dates() {
    let (day, second) = (1_793_491_200_000, 1_793_536_245_000);
    for (value, expected) in [
        // 2026-11-01T12:30:45Z in every unit.
        ("1793536245", second),
        ("\"1793536245\"", second),
        ("1793536245.5", second + 500),
        ("\"1793536245.5\"", second + 500),
        ("\"1793536245.123\"", second + 123),
        ("1793536245.123456", second + 123),
        ("1.793536245E9", second),
        ("1793536245000", second),
        ("1793536245000.7", second),
        ("1793536245000999", second),
        ("1793536245000999999", second),
        ("\"1793536245000999999\"", second),
        ("20261101123045", second),
        ("\"20261101123045\"", second),
        ("20261101", day),
        ("\"20261101\"", day),
        ("\"2026-11-01\"", day),
        // No dates: the sizes decide.
        ("20261301", 20_261_301),
        ("20260230", 20_260_230),
        ("18991231", 18_991_231),
        ("20261101250000", 20_261_101_250_000),
        ("20240229", 1_709_164_800_000),
        // Before 1970.
        ("-1793536245", -second),
        ("-1793536245.5", -second - 500),
        ("-1793536245000", -second),
        ("-1793536245000001", -second - 1),
        ("-20261101", -20_261_101),
        // The borders.
        ("99999999", 99_999_999),
        ("100000000", 100_000_000_000),
        ("99999999999", 99_999_999_999_000),
        ("100000000000", 100_000_000_000),
        ("99999999999999", 99_999_999_999_999),
        ("100000000000000", 100_000_000_000),
        ("99999999999999999", 99_999_999_999_999),
        ("100000000000000000", 100_000_000_000),
        ("9223372036854775807", 9_223_372_036_854),
    ] {
        assert_eq!(read("auto", value), Ok(expected), "{value}");
    }
    for value in ["\"1e400\"", "\"NaN\"", "\"17:30\"", "\"1-2\"", "\"12.5.2026\""] {
        assert_eq!(read("auto", value), Err("bad_timestamp"), "{value}");
    }
}

#[test]
fn schemas_stored_before_auto_had_a_version_read_as_they_did() {
    let stored = json!({
        "dataSource": "d",
        "timestampSpec": {"column": "t", "format": "auto"},
        "dimensionsSpec": {"dimensions": ["d"]},
    });
    let schema = Arc::new(DataSchema::parse_stored(stored.to_string().as_bytes()).unwrap());
    for (value, expected) in [("20261101", 20_261_101), ("1793536245", 1_793_536_245)] {
        assert_eq!(parse(&schema, format!("{{\"t\":{value}}}")).rows[0].0, expected);
    }
    // What is written out of it still means the same, and so does what this version stores.
    let again = Arc::new(DataSchema::from_value(&schema.to_value()).unwrap());
    assert_eq!(parse(&again, "{\"t\":20261101}").rows[0].0, 20_261_101);
    let new = DataSchema::from_value(&stored).unwrap().to_value().to_string();
    let new = Arc::new(DataSchema::parse_stored(new.as_bytes()).unwrap());
    assert_eq!(parse(&new, "{\"t\":20261101}").rows[0].0, 1_793_491_200_000);
}
