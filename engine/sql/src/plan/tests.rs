//! What is planned, and what is said of names that are not there.

use std::sync::Arc;

use henge_types::{ColumnType, ErrorClass};
use serde_json::{Value, json};

use super::{Planned, describe, plan};
use crate::catalog::Catalog;
use crate::dialect::{self, Surroundings};
use crate::error::SqlError;
use crate::session::Parameter;
use crate::statement;
use crate::support::{Tables, column, long, table, text, texts};
use crate::watch::{Unwatched, Watch};

/// Two datasources and a lookup.
fn shop() -> Arc<dyn Catalog> {
    let users = column("users", ColumnType::Complex("HLLSketch".to_owned()));
    let tables = Tables::of([
        table("orders", [text("item"), column("price", ColumnType::Double)]),
        table("visits", [text("page"), texts("tags"), users, long("count")]),
    ]);
    Arc::new(tables.and_lookup("names", "a", "Ann"))
}

fn around(parameters: Option<Vec<Parameter>>) -> Surroundings {
    Surroundings { zone: None, now_ms: 0, parameters, approximate_distinct: true }
}

fn unwatched() -> Arc<dyn Watch> {
    Arc::new(Unwatched)
}

fn planned(text: &str) -> Result<Planned, SqlError> {
    let mut statement = statement::parse(text)?;
    dialect::rewrite(&mut statement.query, &around(Some(Vec::new())))?;
    plan(statement.query, &shop(), None, None, &unwatched())
}

fn shown(text: &str) -> String {
    planned(text).unwrap().plan.display_indent().to_string()
}

fn failure(text: &str) -> (String, Option<(u64, u64)>) {
    let error = planned(text).unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidInput);
    (error.message, error.at)
}

#[test]
fn names_that_are_not_known_are_told_with_place_and_suggestion() {
    assert_eq!(
        failure("SELECT page,\n  coutn FROM visits"),
        ("column 'coutn' is not known; did you mean 'count'?".to_owned(), Some((2, 3)))
    );
    let (message, at) = failure("SELECT 1 FROM visit");
    assert_eq!(message, "table 'visit' is not known; did you mean 'visits'?");
    assert_eq!(at, Some((1, 15)));
    assert_eq!(
        failure("SELECT LENGHT(page) FROM visits").0,
        "function 'lenght' is not known; did you mean 'length'?"
    );
    assert_eq!(
        failure("SELECT 1 FROM lookup.nams").0,
        "lookup 'nams' is not known; did you mean 'names'?"
    );
    assert_eq!(
        failure("SELECT 1 FROM sys.segment").0,
        "system table 'segment' is not known; did you mean 'segments'?"
    );
}

#[test]
fn outputs_are_told_with_druids_types() {
    let columns =
        planned("SELECT __time, page, page, tags, users, \"count\", 1.5, count = 1 FROM visits")
            .unwrap()
            .columns;
    let told: Vec<Value> = columns
        .iter()
        .map(|column| json!([column.name, column.sql_type, column.native_type]))
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["__time", "TIMESTAMP", "LONG"],
            ["page", "VARCHAR", "STRING"],
            ["page0", "VARCHAR", "STRING"],
            ["tags", "VARCHAR", "STRING"],
            ["users", "OTHER", "COMPLEX<HLLSketch>"],
            ["count", "BIGINT", "LONG"],
            ["EXPR$6", "DOUBLE", "DOUBLE"],
            ["EXPR$7", "BOOLEAN", "LONG"]
        ])
    );
}

#[test]
fn parameters_get_types_from_where_they_stand() {
    let mut statement =
        statement::parse("SELECT page FROM visits WHERE \"count\" > ? AND page = ?").unwrap();
    dialect::rewrite(&mut statement.query, &around(None)).unwrap();
    let (_, parameters) =
        describe(statement.query, &shop(), statement.parameters, &unwatched()).unwrap();
    let types: Vec<&str> = parameters.iter().map(|parameter| parameter.sql_type.as_str()).collect();
    assert_eq!(types, ["BIGINT", "VARCHAR"]);
}

#[test]
fn an_unnest_sees_what_stands_before_it() {
    let plan = shown(
        "SELECT page, tag FROM visits, UNNEST(MV_TO_ARRAY(tags)) AS u(tag) WHERE u.tag = 'x'",
    );
    assert!(plan.contains("Unnest: lists[u.tag|depth=1]"), "{plan}");
}

#[test]
fn appended_tables_have_the_columns_of_all() {
    let columns = planned("SELECT * FROM TABLE(APPEND('orders', 'visits'))").unwrap().columns;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["__time", "item", "price", "page", "tags", "users", "count"]);
}

#[test]
fn columns_of_all_tables_are_listed() {
    let columns = planned("SELECT * FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'druid'")
        .unwrap()
        .columns;
    assert_eq!(columns.len(), 17);
    assert!(planned("SELECT * FROM INFORMATION_SCHEMA.COLUMN").is_err());
}

#[test]
fn h_98_no_files_and_no_other_kinds_of_tables() {
    for text in [
        "SELECT * FROM TABLE(EXTERN('x', 'y'))",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM pg_catalog.pg_tables",
    ] {
        assert!(planned(text).is_err(), "{text}");
    }
}
