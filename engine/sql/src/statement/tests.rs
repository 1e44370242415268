//! Statements in parts, their bounds, and where errors point to.

use std::fmt::Write;

use henge_types::ErrorClass;
use serde_json::json;

use super::parse;

#[test]
fn settings_come_before_the_statement_and_the_last_of_a_name_wins() {
    let text = "SET a = 'x'; set b = -2;SET a = TRUE; SET c = 1.5; SELECT 1;;";
    let statement = parse(text).unwrap();
    assert_eq!(json!(statement.settings), json!({"a": true, "b": -2, "c": 1.5}));
    assert!(!statement.explain);
}

#[test]
fn explain_is_taken_off() {
    let statement = parse("EXPLAIN PLAN FOR SELECT 1").unwrap();
    assert!(statement.explain);
    assert_eq!(statement.query.to_string(), "SELECT 1");
    assert_eq!(parse("EXPLAIN SELECT 1").unwrap_err().at, Some((1, 9)));
}

#[test]
fn errors_name_line_and_column() {
    let error = parse("SELECT 1\nFROM t WHERE ,").unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidInput);
    assert_eq!(error.at.map(|place| place.0), Some(2));
    assert_eq!(parse("SELECT 'x").unwrap_err().at, Some((1, 8)));
    assert_eq!(parse("SELECT 1 1").unwrap_err().at, Some((1, 10)));
}

#[test]
fn h_98_only_one_statement_and_no_other_kinds() {
    for text in ["SELECT 1; SELECT 2", "SET a = 1 + 1; SELECT 1", "ALTER TABLE t", "", ";;"] {
        assert_eq!(parse(text).unwrap_err().class, ErrorClass::InvalidInput, "{text}");
    }
    for text in ["INSERT INTO t SELECT 1", "DROP TABLE t", "SHOW TABLES"] {
        assert_eq!(parse(text).unwrap_err().class, ErrorClass::Unsupported, "{text}");
    }
    assert!(parse(&"SELECT 1;".repeat(10_000)).is_err());
}

#[test]
fn h_78_texts_without_end_are_refused_at_once() {
    for text in ["SELECT 'x", "SELECT \"x", "SELECT 1 /* x"] {
        assert_eq!(parse(text).unwrap_err().class, ErrorClass::InvalidInput, "{text}");
    }
    let long = "x".repeat(17 << 20);
    assert_eq!(parse(&long).unwrap_err().class, ErrorClass::ResourceLimit);
}

#[test]
fn h_79_deep_statements_cost_an_error() {
    let nested = |before: &str, inner: &str, after: &str, times: usize| {
        format!("SELECT {}{inner}{}", before.repeat(times), after.repeat(times))
    };
    let bombs = [
        nested("(", "1", ")", 100_000),
        nested("NOT ", "TRUE", "", 100_000),
        nested("- ", "1", "", 100_000),
        nested("CASE WHEN TRUE THEN ", "1", " END", 10_000),
        nested("f(1, ", "1", ")", 100_000),
        nested("1 + ", "1", "", 10_000),
        nested("(SELECT ", "1", ")", 10_000),
    ];
    for text in &bombs {
        assert_eq!(parse(text).unwrap_err().class, ErrorClass::ResourceLimit, "{text:.40}");
    }
}

#[test]
fn h_79_chains_of_terms_are_read() {
    let mut text = "SELECT 1 FROM t WHERE a = 0".to_owned();
    for term in 0..10_000 {
        write!(text, " OR a = {term}").unwrap();
    }
    parse(&text).unwrap();
}

#[test]
fn h_79_chains_that_become_deep_cost_an_error() {
    let chain = |word: &str| vec!["a = b"; 5_000].join(word);
    parse(&format!("SELECT 1 FROM t WHERE {}", chain(" OR "))).unwrap();
    let long = |term: &str| format!("a{}", term.repeat(20_000));
    let refused = |text: &str| parse(&format!("SELECT 1 FROM t WHERE {text}")).unwrap_err();
    for text in [
        chain(" AND "),
        format!("NOT ({})", chain(" OR ")),
        long(" OR a"),
        long(" <= a"),
        long(" LIKE a"),
        long(" IN (a)"),
        long(" AT TIME ZONE 'UTC'"),
        long("::BIGINT"),
        long("[1]"),
        format!("CAST(a AS BIGINT{})", "[]".repeat(20_000)),
    ] {
        assert_eq!(refused(&text).class, ErrorClass::ResourceLimit, "{text:.20}");
    }
    // Words that may be names here, so that the tokens do not tell.
    for word in ["where", "end", "then", "by", "from"] {
        refused(&long(&format!(" <= {word}")));
        refused(&format!("{}) FROM", long(&format!(" <= {word}"))));
    }
}

#[test]
fn h_79_a_case_of_many_conditions_is_not_deep() {
    let whens: Vec<String> = (0..1_500).map(|n| format!("WHEN a = {n} THEN -{n}")).collect();
    parse(&format!("SELECT CASE {} ELSE 0 END FROM t", whens.join(" "))).unwrap();
}

#[test]
fn h_78_spaces_and_marks_are_counted_before_they_are_read() {
    for text in [" ".repeat(5_000_000), "1L".repeat(5_000_000), "(".repeat(5_000_000)] {
        assert_eq!(parse(&text).unwrap_err().class, ErrorClass::ResourceLimit, "{text:.10}");
    }
    // A text is one word, whatever is in it.
    parse(&format!("SELECT '{}'", "a b, ".repeat(100_000))).unwrap();
}

#[test]
fn h_86_many_set_operations_cost_an_error() {
    let text = format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1_000));
    assert_eq!(parse(&text).unwrap_err().class, ErrorClass::ResourceLimit);
}

#[test]
fn h_93_marks_that_look_like_quotes_are_none() {
    assert!(parse("SELECT \u{2018}x\u{2019}").is_err());
    parse("SELECT 1 -- at the end").unwrap();
    parse("SELECT /* a */ 1").unwrap();
}

#[test]
fn f_29_what_is_distinct_ends_before_and() {
    let shown = |text: &str| parse(text).unwrap().query.to_string();
    let query =
        shown("SELECT 1 FROM t WHERE a IS NOT DISTINCT FROM 1 OR b IS DISTINCT FROM 2 AND c");
    let grouped =
        shown("SELECT 1 FROM t WHERE (a IS NOT DISTINCT FROM 1) OR ((b IS DISTINCT FROM 2) AND c)");
    assert_eq!(query, grouped.replace(['(', ')'], ""));
    let query = parse("SELECT POSITION('a' IN b FROM 2) FROM t").unwrap().query.to_string();
    assert_eq!(query, "SELECT position('a', b, 2) FROM t");
}
