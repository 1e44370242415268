//! Statements that grow beyond what is planned, and those that look so and do not.

use std::fmt::Write;

use henge_types::ErrorClass;

use super::{Size, StatementLimits};
use crate::error::Result;
use crate::statement;
use crate::support::{Tables, long, table};

/// Over one datasource, `t`, of fifty columns beside its time.
fn size(text: &str) -> Result<Size> {
    let query = statement::parse(text)?.query;
    let fifty = table("t", (0..50).map(|number| long(&format!("c{number}"))));
    Size::of(&query, &Tables::of([fifty]), &StatementLimits::default())
}

#[track_caller]
fn refused(text: &str, setting: &str) {
    let error = size(text).unwrap_err();
    assert_eq!(error.class, ErrorClass::ResourceLimit);
    assert!(error.message.contains(setting), "{text:.60}: {}", error.message);
}

/// `WITH a0 AS (first), a1 AS (next of a0), …`
fn chain(first: &str, next: impl Fn(&str) -> String, length: usize) -> String {
    let mut text = format!("WITH a0 AS ({first})");
    for number in 1..length {
        write!(text, ", a{number} AS ({})", next(&format!("a{}", number - 1))).unwrap();
    }
    write!(text, " SELECT * FROM a{}", length - 1).unwrap();
    text
}

#[test]
fn h_86_names_that_double_are_refused() {
    let twice = |name: &str| format!("SELECT x.c0 FROM {name} x JOIN {name} y ON x.c0 = y.c0");
    refused(&chain("SELECT c0 FROM t", twice, 20), "sql.max_");
    let all = |name: &str| format!("SELECT * FROM {name} UNION ALL SELECT * FROM {name}");
    refused(&chain("SELECT * FROM t", all, 20), "sql.max_");
    // Also in quotes, where a name stands for something small elsewhere, and where nobody reads it.
    let bomb = chain("SELECT c0 FROM t", twice, 20);
    refused(
        &format!("SELECT 1 FROM (WITH a0 AS (SELECT 1) SELECT 1 FROM a0) q, ({bomb}) r"),
        "sql.",
    );
    refused(&bomb.replace("SELECT * FROM a19", "SELECT 1"), "sql.");
    refused(
        &bomb.replace(" AS (", "\" AS (").replace(", a", ", \"a").replace("WITH a", "WITH \"a"),
        "sql.",
    );
}

#[test]
fn h_86_a_hundred_levels_are_planned_and_ten_thousand_are_not() {
    let next = |name: &str| format!("SELECT c0, c1, c2 FROM {name} WHERE c0 > 1");
    size(&chain("SELECT c0, c1, c2 FROM t", next, 100)).unwrap();
    refused(&chain("SELECT c0, c1, c2 FROM t", next, 10_000), "sql.max_levels");
    let wide = |name: &str| format!("SELECT *, 1 AS one FROM {name}");
    size(&chain("SELECT * FROM t", wide, 100)).unwrap();
}

#[test]
fn h_84_h_86_joins_of_thousands_are_refused() {
    let tables = |count: usize| {
        let tables: Vec<String> = (0..count).map(|number| format!("t AS t{number}")).collect();
        format!("SELECT t0.c0 FROM {}", tables.join(", "))
    };
    size(&tables(100)).unwrap();
    refused(&tables(1_000), "sql.max_joins");
    let subqueries = vec!["(SELECT 1)"; 1_000].join(", ");
    refused(&format!("SELECT {subqueries}"), "sql.max_joins");
    let exists = vec!["EXISTS (SELECT 1 FROM t)"; 1_000].join(" OR ");
    refused(&format!("SELECT 1 FROM t WHERE {exists}"), "sql.max_");
}

#[test]
fn h_86_grouping_sets_are_counted_before_they_are_written_out() {
    let columns =
        |count: usize| (0..count).map(|number| format!("c{number}")).collect::<Vec<_>>().join(", ");
    let by = |what: &str| format!("SELECT COUNT(*) FROM t GROUP BY {what}");
    size(&by(&format!("CUBE ({})", columns(10)))).unwrap();
    size(&by(&format!("ROLLUP ({})", columns(50)))).unwrap();
    size(&by(&columns(50))).unwrap();
    for bomb in [
        format!("CUBE ({})", columns(40)),
        format!("CUBE ({}), CUBE ({})", columns(9), columns(9)),
        format!("GROUPING SETS ({})", vec!["(c0)"; 2_000].join(", ")),
        format!("GROUPING SETS ({})", vec![format!("({})", columns(50)); 1_000].join(", ")),
    ] {
        refused(&by(&bomb), "sql.max_grouping_sets");
    }
}

#[test]
fn h_88_windows_of_many_kinds_are_levels() {
    let windows = |count: usize| {
        let window =
            |number: usize| format!("SUM(c0) OVER (PARTITION BY c1 + {number}) AS w{number}");
        let windows: Vec<String> = (0..count).map(window).collect();
        format!("SELECT {} FROM t", windows.join(", "))
    };
    size(&windows(50)).unwrap();
    refused(&windows(500), "sql.max_levels");
    let same = vec!["SUM(c0) OVER (PARTITION BY c1)"; 500].join(", ");
    size(&format!("SELECT {same} FROM t")).unwrap();
}

#[test]
fn h_86_queries_that_go_on_by_themselves_are_refused() {
    let text = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r";
    assert_eq!(size(text).unwrap_err().class, ErrorClass::Unsupported);
}

#[test]
fn f_63_what_planning_takes_grows_with_words_and_columns() {
    let small = size("SELECT c0 FROM t").unwrap();
    let large =
        size(&chain("SELECT * FROM t", |name| format!("SELECT * FROM {name}"), 50)).unwrap();
    assert!(small.planning_bytes(10) < small.planning_bytes(10_000));
    assert!(small.planning_bytes(10) < large.planning_bytes(10));
}
