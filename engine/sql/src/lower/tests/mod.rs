//! Statements and the native queries that they become.

mod groups;
mod rows;
mod times;

use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::arrow::array::AsArray;
use futures::TryStreamExt;
use futures::executor::block_on;
use henge_types::{ColumnType, Interval};
use serde_json::{Map, Value};

use crate::support::{Tables, column, long, no_rows, table, text, texts};
use crate::{SqlEngine, SqlOptions, SqlRequest};

/// An engine over the tables `t` and `u`, which are alike and have no rows.
fn engine() -> SqlEngine {
    let columns = [
        text("country"),
        texts("tags"),
        long("added"),
        column("delta", ColumnType::Double),
        column("users", ColumnType::Complex("hyperUnique".to_owned())),
    ];
    let tables = Tables::of([table("t", columns.clone()), table("u", columns)]);
    SqlEngine::new(Arc::new(tables), no_rows(), SqlOptions::default())
}

/// What EXPLAIN says of a statement.
fn explained(sql: &str, context: Value) -> Value {
    let context: Map<String, Value> = serde_json::from_value(context).unwrap();
    let text = format!("EXPLAIN PLAN FOR {sql}");
    let request = SqlRequest { text, context, ..SqlRequest::default() };
    let batches: Vec<RecordBatch> = block_on(async {
        let answer = engine().run(request).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        answer.batches.try_collect().await.unwrap()
    });
    let plan = batches[0].column(0).as_string::<i32>().value(0);
    serde_json::from_str(plan).unwrap()
}

/// The one native query that a statement becomes, without the parts that all of them share.
#[track_caller]
fn native_in(sql: &str, context: Value) -> Value {
    let explained = explained(sql, context);
    let parts = explained.as_array().unwrap();
    assert_eq!(parts.len(), 1, "{sql}: {explained:#}");
    let mut query = parts[0]["query"].clone();
    let fields = query.as_object_mut().unwrap();
    let all = serde_json::json!([Interval::ETERNITY.to_string()]);
    fields.retain(|name, value| match name.as_str() {
        "intervals" => *value != all,
        "dataSource" => value != "t",
        "granularity" => value != "all",
        "resultFormat" => false,
        _ => true,
    });
    query
}

#[track_caller]
fn native(sql: &str) -> Value {
    native_in(sql, Value::Object(Map::new()))
}

#[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
#[track_caller]
fn assert_native(sql: &str, expected: Value) {
    let query = native(sql);
    assert_eq!(query, expected, "{sql}: {query:#}");
}

/// The reasons for which a part of a statement is no native query.
fn refusals(sql: &str) -> Vec<String> {
    let explained = explained(sql, Value::Object(Map::new()));
    let last = explained.as_array().unwrap().last().unwrap();
    serde_json::from_value(last["henge"]["reasons"].clone()).unwrap()
}
