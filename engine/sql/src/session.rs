//! [`SqlEngine`]: statements in, rows out.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::FieldRef;
use futures::stream::BoxStream;
use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::error::Result;
use crate::source::Source;

/// A statement as a client sends it.
#[derive(Debug, Clone, Default)]
pub struct SqlRequest {
    /// One statement, after `SET name = value;` as often as one likes.
    pub text: String,
    /// Druid's SQL context and native context, in one object; what `SET` says wins.
    pub context: Map<String, Value>,
    /// For `?`, in order.
    pub parameters: Vec<Parameter>,
    /// What CURRENT_TIMESTAMP is when the context does not say, ms.
    pub now_ms: i64,
}

/// The value of a `?`.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Druid's name of its SQL type: `VARCHAR`, `BIGINT`, `TIMESTAMP`, `ARRAY`, …
    pub sql_type: String,
    /// As JSON has it.
    pub value: Value,
}

/// A column of an answer.
#[derive(Debug, Clone)]
pub struct SqlColumn {
    /// Its name as Druid gives it (`EXPR$0` for what has none).
    pub name: String,
    /// Its type in the batches: Utf8 (several values as Druid's SQL prints them), Int64, Float32, Float64, Boolean,
    /// Timestamp(Millisecond, None), Date32, List of these, Utf8 with `druid.type` metadata for COMPLEX.
    pub field: FieldRef,
    /// `VARCHAR`, `BIGINT`, `DOUBLE`, `TIMESTAMP`, `ARRAY`, `OTHER`, …
    pub sql_type: String,
    /// `STRING`, `LONG`, `DOUBLE`, `ARRAY<STRING>`, `COMPLEX<…>`
    pub native_type: String,
}

/// An answer: its columns are known before its rows.
pub struct SqlAnswer {
    /// In order.
    pub columns: Vec<SqlColumn>,
    /// The rows; after an error nothing follows. Dropping it cancels the work.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
    /// The context of the statement with what `SET` said.
    pub context: Map<String, Value>,
}

/// Bounds and defaults.
#[derive(Debug, Clone)]
pub struct SqlOptions {
    /// Bytes that operators outside of native queries may hold before they spill.
    pub memory_bytes: usize,
    /// Where they spill.
    pub spill_folder: Option<std::path::PathBuf>,
    /// Plans that are remembered.
    pub cached_plans: usize,
    /// Parts in which DataFusion works.
    pub partitions: usize,
}

/// Plans and runs statements.
#[derive(Debug)]
pub struct SqlEngine {
    catalog: Arc<dyn Catalog>,
    source: Arc<dyn Source>,
    options: SqlOptions,
}

impl SqlEngine {
    /// Over a catalogue and a source.
    #[must_use]
    pub fn new(catalog: Arc<dyn Catalog>, source: Arc<dyn Source>, options: SqlOptions) -> Self {
        Self { catalog, source, options }
    }

    /// The columns of a statement's answer and the number of its parameters, without running it.
    ///
    /// # Errors
    /// When the statement is wrong.
    pub async fn prepare(&self, request: &SqlRequest) -> Result<(Vec<SqlColumn>, Vec<SqlColumn>)> {
        todo!("columns, then parameters")
    }

    /// Runs a statement (SELECT, VALUES, EXPLAIN PLAN FOR).
    ///
    /// # Errors
    /// When the statement is wrong or fails before its first row.
    pub async fn run(&self, request: SqlRequest) -> Result<SqlAnswer> {
        todo!()
    }
}
