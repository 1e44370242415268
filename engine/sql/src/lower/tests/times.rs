//! Conditions on time that are intervals.

use serde_json::{Value, json};

use super::{native, native_in};

/// The intervals and the filter that is left.
fn times_of(condition: &str, zone: &str) -> (Value, Value) {
    let sql = format!("SELECT country FROM t WHERE {condition}");
    let query = native_in(&sql, json!({"sqlTimeZone": zone}));
    (query["intervals"].clone(), query["filter"].clone())
}

#[track_caller]
fn assert_times(condition: &str, expected: &[&str]) {
    assert_eq!(times_of(condition, "UTC"), (json!(expected), Value::Null), "{condition}");
}

#[test]
fn ranges_of_time_are_intervals() {
    let month = ["2000-01-01T00:00:00.000Z/2000-02-01T00:00:00.000Z"];
    for condition in [
        "__time >= TIMESTAMP '2000-01-01' AND __time < TIMESTAMP '2000-02-01'",
        "__time >= TIMESTAMP '2000-01-01 00:00:00' AND NOT (__time >= TIMESTAMP '2000-02-01 00:00:00')",
        "__time >= '2000-01-01' AND __time < '2000-02-01'",
        "__time >= DATE '2000-01-01' AND __time < DATE '2000-02-01'",
        "__time BETWEEN TIMESTAMP '2000-01-01' AND TIMESTAMP '2000-01-31 23:59:59.999'",
        "FLOOR(__time TO MONTH) = TIMESTAMP '2000-01-01'",
        "TIME_FLOOR(__time, 'P1M') = TIMESTAMP '2000-01-01'",
        "DATE_TRUNC('month', __time) = TIMESTAMP '2000-01-01'",
        "TIME_IN_INTERVAL(__time, '2000-01-01/P1M')",
        "__time >= TIME_PARSE('2000-01-01') AND __time < TIMESTAMP '2000-01-01' + INTERVAL '1' MONTH",
        "__time >= MILLIS_TO_TIMESTAMP(946684800000) AND __time < TIME_SHIFT(TIMESTAMP '2000-01-01', 'P1M', 1)",
        "EXTRACT(YEAR FROM __time) = 2000 AND __time < TIMESTAMP '2000-02-01'",
    ] {
        assert_times(condition, &month);
    }
}

#[test]
fn or_and_not_of_ranges_are_intervals() {
    assert_times(
        "FLOOR(__time TO DAY) IN (TIMESTAMP '2000-01-01', TIMESTAMP '2000-01-03')",
        &[
            "2000-01-01T00:00:00.000Z/2000-01-02T00:00:00.000Z",
            "2000-01-03T00:00:00.000Z/2000-01-04T00:00:00.000Z",
        ],
    );
    assert_times(
        "__time < TIMESTAMP '2000-01-01' OR __time >= TIMESTAMP '2001-01-01'",
        &[
            "-146136543-09-08T08:23:32.096Z/2000-01-01T00:00:00.000Z",
            "2001-01-01T00:00:00.000Z/146140482-04-24T15:36:27.903Z",
        ],
    );
}

#[test]
fn times_are_those_of_the_session() {
    let (intervals, filter) =
        times_of("FLOOR(__time TO DAY) = TIMESTAMP '2000-01-01'", "America/Los_Angeles");
    assert_eq!(intervals, json!(["2000-01-01T08:00:00.000Z/2000-01-02T08:00:00.000Z"]));
    assert_eq!(filter, Value::Null);
}

#[test]
fn what_else_must_hold_stays_a_filter() {
    let query =
        native("SELECT added FROM t WHERE __time >= TIMESTAMP '2000-01-01' AND country = 'fr'");
    assert_eq!(
        query["intervals"],
        json!(["2000-01-01T00:00:00.000Z/146140482-04-24T15:36:27.903Z"])
    );
    assert_eq!(query["filter"]["column"], "country");
    let (intervals, filter) = times_of("EXTRACT(MONTH FROM __time) = 1", "UTC");
    assert_eq!(intervals, Value::Null);
    assert_eq!(filter["type"], "expression");
}
