//! Reading queries: every type, every building block, and what must be refused.

mod blocks;
mod context;
mod datasources;
mod documented;
mod extraction;
mod filters;
mod hostile;
mod misspelt;
mod remarks;
mod types;
mod unread;

use serde_json::{Value, json};

use crate::{Query, QueryError};

/// A query of the given type over one day of `wikipedia`, with more fields on top.
fn with(query_type: &str, fields: Value) -> Value {
    let mut query = json!({
        "queryType": query_type,
        "dataSource": "wikipedia",
        "intervals": "2015-09-12/2015-09-13",
    });
    if let (Value::Object(query), Value::Object(fields)) = (&mut query, fields) {
        query.extend(fields);
    }
    query
}

fn parse(query: &Value) -> Query {
    Query::from_value(query).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(query: &Value) -> QueryError {
    match Query::from_value(query) {
        Ok(query) => panic!("was accepted: {query:.300?}"),
        Err(error) => error,
    }
}

/// The error's text, which starts with the path.
fn message(query: &Value) -> String {
    refused(query).to_string()
}

#[track_caller]
fn assert_refused(query: &Value, beginning: &str) {
    let message = message(query);
    assert!(message.starts_with(beginning), "got: {message}\nnot: {beginning}");
}

fn count() -> Value {
    json!({"type": "count", "name": "rows"})
}
