//! Statements and the native queries that they become.

mod groups;
mod rows;
mod times;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use futures::TryStreamExt;
use futures::executor::block_on;
use henge_types::{ColumnType, Interval};
use serde_json::{Map, Value};

use crate::error::Result;
use crate::{
    Catalog, Column, NativeAnswer, NativeQuery, Source, SqlEngine, SqlOptions, SqlRequest, Table,
};

/// One table `t`.
#[derive(Debug)]
struct OneTable;

impl Catalog for OneTable {
    fn version(&self) -> u64 {
        1
    }

    fn table_names(&self) -> Vec<String> {
        vec!["t".to_owned(), "u".to_owned()]
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        let column = |name: &str, column_type, multi_value| Column {
            name: name.to_owned(),
            column_type,
            multi_value,
        };
        let columns = vec![
            column("__time", ColumnType::Long, false),
            column("country", ColumnType::String, false),
            column("tags", ColumnType::String, true),
            column("added", ColumnType::Long, false),
            column("delta", ColumnType::Double, false),
            column("users", ColumnType::Complex("hyperUnique".to_owned()), false),
        ];
        let name = name.to_owned();
        matches!(name.as_str(), "t" | "u").then(|| Arc::new(Table { name, columns }))
    }

    fn lookup_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn lookup(&self, _: &str) -> Option<Arc<[(String, Option<String>)]>> {
        None
    }
}

#[async_trait]
impl Source for OneTable {
    async fn ask(&self, _: NativeQuery) -> Result<NativeAnswer> {
        Ok(NativeAnswer::default())
    }

    async fn ask_over(
        &self,
        _: NativeQuery,
        _: SchemaRef,
        _: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        Ok(NativeAnswer::default())
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}

/// What EXPLAIN says of a statement.
fn explained(sql: &str, context: Value) -> Value {
    let engine = SqlEngine::new(Arc::new(OneTable), Arc::new(OneTable), SqlOptions::default());
    let context: Map<String, Value> = serde_json::from_value(context).unwrap();
    let text = format!("EXPLAIN PLAN FOR {sql}");
    let request = SqlRequest { text, context, ..SqlRequest::default() };
    let batches: Vec<RecordBatch> = block_on(async {
        let answer = engine.run(request).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
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
