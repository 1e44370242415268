//! What Druid's SQL is rewritten to before it is planned.

use henge_types::{ErrorClass, parse_time_zone};
use serde_json::{Value, json};

use super::{Findings, Surroundings, Zone, rewrite};
use crate::error::SqlError;
use crate::session::Parameter;
use crate::statement;

/// 2026-01-31T12:00:00Z
const NOW_MS: i64 = 1_769_860_800_000;

fn around(zone: Option<&str>, parameters: Vec<Parameter>) -> Surroundings {
    let zone =
        zone.map(|name| Zone { name: name.to_owned(), rules: parse_time_zone(name).unwrap() });
    Surroundings { zone, now_ms: NOW_MS, parameters: Some(parameters), approximate_distinct: true }
}

fn rewritten_in(
    zone: Option<&str>,
    text: &str,
    parameters: Vec<Parameter>,
) -> Result<(String, Findings), SqlError> {
    let mut query = statement::parse(text)?.query;
    let findings = rewrite(&mut query, &around(zone, parameters))?;
    Ok((query.to_string(), findings))
}

fn rewritten(text: &str) -> String {
    rewritten_in(None, text, Vec::new()).unwrap().0
}

fn parameter(sql_type: &str, value: Value) -> Parameter {
    Parameter { sql_type: sql_type.to_owned(), value }
}

#[test]
fn units_become_periods() {
    assert_eq!(
        rewritten("SELECT FLOOR(t TO MONTH) AS a, CEIL(t TO QUARTER) AS b, FLOOR(x) AS c"),
        "SELECT time_floor(t, 'P1M') AS a, time_ceil(t, 'P3M') AS b, floor(x) AS c"
    );
    assert_eq!(
        rewritten("SELECT EXTRACT(YEAR FROM t) AS a, DATE_TRUNC('hour', t) AS b"),
        "SELECT time_extract(t, 'YEAR') AS a, time_floor(t, 'PT1H') AS b"
    );
    assert_eq!(
        rewritten("SELECT TIMESTAMPADD(DAY, 2, t) AS a, TIMESTAMPDIFF(HOUR, t, u) AS b"),
        "SELECT time_shift(t, 'P1D', 2) AS a, timestampdiff('HOUR', t, u) AS b"
    );
}

#[test]
fn intervals_become_shifts() {
    assert_eq!(
        rewritten("SELECT t + INTERVAL '2' MONTH AS a, t - INTERVAL '1' DAY AS b"),
        "SELECT time_moved(t, 'P2M', 1) AS a, time_moved(t, 'PT86400S', -1) AS b"
    );
    let error = rewritten_in(None, "SELECT t + INTERVAL 'x' DAY", Vec::new()).unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidInput);
}

#[test]
fn the_session_zone_becomes_an_argument() {
    let zone = Some("America/New_York");
    let (text, _) =
        rewritten_in(zone, "SELECT FLOOR(t TO DAY) AS a, TIME_FORMAT(t) AS b", Vec::new()).unwrap();
    assert_eq!(
        text,
        "SELECT time_floor(t, 'P1D', NULL, 'America/New_York') AS a, \
         time_format(t, NULL, 'America/New_York') AS b"
    );
    let (text, _) =
        rewritten_in(zone, "SELECT TIMESTAMP '2000-01-01 00:00:00' AS a", Vec::new()).unwrap();
    assert_eq!(text, "SELECT CAST(946702800000 AS TIMESTAMP) AS a");
}

#[test]
fn the_clock_is_read_once() {
    let (text, findings) =
        rewritten_in(None, "SELECT CURRENT_TIMESTAMP AS a, CURRENT_DATE AS b", Vec::new()).unwrap();
    assert_eq!(
        text,
        "SELECT CAST(1769860800000 AS TIMESTAMP) AS a, CAST('2026-01-31' AS DATE) AS b"
    );
    assert!(findings.reads_clock);
}

#[test]
fn literals_of_time_are_instants_or_errors() {
    assert_eq!(
        rewritten("SELECT TIMESTAMP '2000-01-01' AS a"),
        "SELECT CAST(946684800000 AS TIMESTAMP) AS a"
    );
    let error = rewritten_in(None, "SELECT TIMESTAMP '2000-13-01'", Vec::new()).unwrap_err();
    assert_eq!(error.at, Some((1, 18)));
}

#[test]
fn outputs_get_names_of_their_own() {
    assert_eq!(
        rewritten("SELECT COUNT(*), a, t.a, a AS b, (c), b FROM t"),
        "SELECT count(*) AS \"EXPR$0\", a, t.a AS \"a0\", a AS b, (c), b AS \"b0\" FROM t"
    );
}

#[test]
fn h_92_parameters_are_typed_values() {
    let values = vec![
        parameter("VARCHAR", json!("x' OR '1'='1")),
        parameter("BIGINT", json!(7)),
        parameter("TIMESTAMP", json!("2000-01-01 00:00:00")),
        parameter("DOUBLE", Value::Null),
    ];
    let text = "SELECT a FROM t WHERE a = ? AND b = ? AND t > ? AND c = ?";
    let (text, _) = rewritten_in(None, text, values).unwrap();
    assert_eq!(
        text,
        "SELECT a FROM t WHERE a = 'x'' OR ''1''=''1' AND b = 7 AND \
         t > CAST(946684800000 AS TIMESTAMP) AND c = CAST(NULL AS DOUBLE)"
    );
    let wrong = vec![parameter("BIGINT", json!("seven"))];
    let error = rewritten_in(None, "SELECT ?", wrong).unwrap_err();
    assert_eq!((error.class, error.at), (ErrorClass::InvalidInput, Some((1, 8))));
    assert!(rewritten_in(None, "SELECT ?", Vec::new()).is_err());
}

#[test]
fn limits_may_be_parameters() {
    let (text, _) =
        rewritten_in(None, "SELECT a FROM t LIMIT ?", vec![parameter("BIGINT", json!(3))]).unwrap();
    assert_eq!(text, "SELECT a FROM t LIMIT 3");
}

#[test]
fn distinct_counts_are_estimates_unless_the_context_says_otherwise() {
    assert_eq!(
        rewritten("SELECT COUNT(DISTINCT a) AS n, COUNT(DISTINCT a) OVER () AS m FROM t"),
        "SELECT approx_count_distinct(a) AS n, count(DISTINCT a) OVER () AS m FROM t"
    );
}

#[test]
fn an_unnest_is_paired_with_what_stands_before_it() {
    assert_eq!(
        rewritten("SELECT c FROM a, b, UNNEST(a.x) AS u(c)"),
        "SELECT c FROM ((a CROSS JOIN b) CROSS JOIN UNNEST(a.x) AS u (c))"
    );
    assert_eq!(
        rewritten(
            "SELECT c FROM a JOIN b ON a.k = b.k CROSS JOIN UNNEST(b.x) AS u(c) JOIN d ON d.c = c"
        ),
        "SELECT c FROM ((a JOIN b ON a.k = b.k) CROSS JOIN UNNEST(b.x) AS u (c)) JOIN d ON d.c = c"
    );
}

#[test]
fn rows_of_values_are_looked_for_by_exists() {
    let text = rewritten("SELECT a FROM t WHERE (a, b) IN (SELECT x, y FROM s)");
    assert!(text.contains("EXISTS (SELECT 1 FROM (SELECT x, y FROM s) AS"), "{text}");
}

#[test]
fn h_79_long_chains_become_flat() {
    let terms: Vec<String> = (0..5_000).map(|term| format!("a = {term}")).collect();
    let text = format!("SELECT 1 AS n FROM t WHERE {}", terms.join(" OR "));
    let mut query = statement::parse(&text).unwrap().query;
    rewrite(&mut query, &around(None, Vec::new())).unwrap();
    let printed = query.to_string();
    let depth = printed.chars().scan(0_i64, |depth, letter| {
        *depth += i64::from(letter == '(') - i64::from(letter == ')');
        Some(*depth)
    });
    assert!(depth.max().unwrap_or(0) < 20);
    assert_eq!(printed.matches("a = ").count(), 5_000);
}

#[test]
fn h_86_very_many_columns_cost_an_error() {
    let text = format!("SELECT {}", vec!["1"; 10_000].join(", "));
    assert_eq!(rewritten_in(None, &text, Vec::new()).unwrap_err().class, ErrorClass::ResourceLimit);
}
