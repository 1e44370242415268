//! [`Source`]: who answers native queries and system tables.

use std::fmt::Debug;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::Result;

/// A native query as Druid's JSON, complete with its context.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeQuery {
    /// The object that `POST /druid/v2` would take.
    pub json: Value,
}

/// The rows of a native query.
#[derive(Debug, Clone, Default)]
pub struct NativeAnswer {
    /// Columns are named as in the native answer: `timestamp` of timeseries, topN and groupBy by granularity,
    /// `__time` and columns of a scan, output names otherwise. Text is Utf8, longs Int64, doubles Float64, floats
    /// Float32, times Timestamp(Millisecond, UTC), several values List, sketches and objects base64 text. A column
    /// that is null throughout may be of any type or missing.
    pub batches: Vec<RecordBatch>,
    /// What is to be known of the answer beside its rows (missing segments, warnings).
    pub response_context: Map<String, Value>,
}

/// Answers native queries; dropping a future cancels its work.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Answers a native query over datasources.
    ///
    /// # Errors
    /// As the native query would fail, its class kept.
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer>;

    /// Answers a native query over the given rows instead of its `dataSource`: columns are named as in the batches'
    /// schema, `__time` may be missing (then it reads as 0).
    ///
    /// # Errors
    /// As [`Source::ask`].
    async fn ask_over(
        &self,
        query: NativeQuery,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<NativeAnswer>;

    /// The rows of `sys.NAME` (segments, servers, server_segments, tasks, supervisors, queries, server_properties);
    /// the columns are [`crate::catalog`]'s to define and are matched by name.
    ///
    /// # Errors
    /// When the table is not one of these, or whoever knows cannot be asked.
    async fn system_rows(&self, table: &str) -> Result<Vec<RecordBatch>>;
}
