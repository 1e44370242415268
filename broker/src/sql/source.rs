//! [`BrokerSource`]: native queries of statements, run as clients' native queries are: the same admission, lanes,
//! deadlines, caches, accounts of memory and metrics, and record batches in the place of bytes.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use henge_platform::runtime::Clock;
use henge_query::Query;
use henge_sql::{NativeAnswer, NativeQuery, Result, Source, SqlError};
use henge_types::ErrorClass;
use serde_json::Value;

use super::cluster::ClusterFacts;
use super::over;
use super::statements::Statement;
use super::system;
use crate::Broker;
use crate::error::BrokerError;
use crate::execute::{BatchesResponse, made_id};

/// A query of more values than this is read on the pool: an IN list may have a million.
const READ_INLINE_VALUES: usize = 4_096;

/// Answers the native queries of statements.
#[derive(Debug)]
pub(crate) struct BrokerSource {
    pub(super) broker: Arc<Broker>,
    pub(super) cluster: Arc<dyn ClusterFacts>,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Source for BrokerSource {
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        let (query, statement) = self.read(query).await?;
        let query_id = query.base().context.query_id.clone().unwrap_or_else(made_id);
        let answered = self.broker.batches_of(query, &query_id).await;
        let response = answered.map_err(|error| failed(&error, statement.as_deref()))?;
        Ok(noted(response, statement.as_deref()))
    }

    async fn ask_over(
        &self,
        query: NativeQuery,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        let (query, statement) = self.read(query).await?;
        let answered = over::answer(&self.broker, query, schema, rows).await;
        let response = answered.map_err(|error| failed(&error, statement.as_deref()))?;
        Ok(noted(response, statement.as_deref()))
    }

    async fn system_rows(&self, table: &str) -> Result<Vec<RecordBatch>> {
        system::rows(self, table).await
    }
}

impl BrokerSource {
    /// Reads a query, with the statement that it is part of: it has what is left of the statement's time.
    async fn read(&self, query: NativeQuery) -> Result<(Query, Option<Arc<Statement>>)> {
        let NativeQuery { json } = query;
        let key = json["context"]["queryId"].as_str();
        let statement = key.and_then(|key| self.broker.statements.of_key(key));
        let lookups = match names_lookups(&json) {
            true => Some(self.broker.lookups().await.map_err(|error| failed(&error, None))?),
            false => None,
        };
        let is_large = has_more_values(&json, &mut READ_INLINE_VALUES.clone());
        let read = move || Query::from_value_with(&json, lookups);
        let read = match is_large {
            false => read(),
            true => {
                let spawned = self.broker.services.pool.spawn(0, read);
                spawned.await.map_err(|error| failed(&error.into(), None))?
            }
        };
        let mut query = read.map_err(|error| failed(&error.into(), None))?;
        if let Some(statement) = &statement {
            let context = &mut query.base_mut().context;
            let (left_ms, own_ms) = (statement.left_ms(), context.timeout_ms);
            // `SET` may ask for less than the statement has.
            let own_ms = own_ms.filter(|own_ms| *own_ms > 0);
            context.timeout_ms = Some(own_ms.map_or(left_ms, |own_ms| own_ms.min(left_ms)));
        }
        Ok((query, statement))
    }
}

/// An answer, whose statement holds and tells from now on what it takes.
fn noted(response: BatchesResponse, statement: Option<&Statement>) -> NativeAnswer {
    let BatchesResponse { batches, response_context, profile, lease } = response;
    if let Some(statement) = statement {
        statement.note(&response_context, &profile, lease);
    }
    NativeAnswer { batches: batches.to_vec(), response_context }
}

/// True when something in a query may name a lookup.
fn names_lookups(json: &Value) -> bool {
    /// In what expressions, dimensions, extraction functions and data sources say of lookups.
    const WORD: &str = "ookup";
    match json {
        Value::String(text) => text.contains(WORD),
        Value::Array(items) => items.iter().any(names_lookups),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(WORD) || names_lookups(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// True when a document has more values than are `left`.
fn has_more_values(json: &Value, left: &mut usize) -> bool {
    match left.checked_sub(1) {
        Some(fewer) => *left = fewer,
        None => return true,
    }
    match json {
        Value::Array(items) => items.iter().any(|item| has_more_values(item, left)),
        Value::Object(members) => members.values().any(|member| has_more_values(member, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// An error of the broker as one of its statement.
pub(super) fn failed(error: &BrokerError, statement: Option<&Statement>) -> SqlError {
    match (error.class(), statement) {
        // The query's own limit was what the statement had left.
        (ErrorClass::Timeout, Some(statement)) => statement.timed_out(),
        (class, _) => SqlError::new(class, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
