//! [`Asker`]: whom the leaves of a running plan ask.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use serde_json::{Map, Value};

use crate::error::SqlError;
use crate::source::{NativeAnswer, NativeQuery, Source};

/// What a leaf asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// A native query as Druid's JSON. Its `context` holds only what its shape needs; the statement's is added.
    Query(Arc<Value>),
    /// The rows of `sys.NAME`.
    System(String),
}

/// The source and the context of one statement. Put it into the configuration of the session that runs the
/// plan (`SessionConfig::with_extension(Arc::new(asker))`): plans hold neither, so that they can be kept.
#[derive(Debug)]
pub(crate) struct Asker {
    source: Arc<dyn Source>,
    context: Map<String, Value>,
}

impl Asker {
    /// With the native context that each query of the statement gets.
    #[must_use]
    pub(crate) fn new(source: Arc<dyn Source>, context: Map<String, Value>) -> Self {
        Self { source, context }
    }

    /// That of a running plan.
    pub(super) fn of(task: &TaskContext) -> Result<Arc<Self>> {
        task.session_config().get_extension::<Self>().ok_or_else(|| {
            DataFusionError::Internal("the session has nobody to ask native queries".to_owned())
        })
    }

    pub(super) async fn ask(&self, ask: &Ask) -> Result<Vec<RecordBatch>> {
        let answer = match ask {
            Ask::Query(query) => self.source.ask(self.complete(query)).await,
            Ask::System(table) => self
                .source
                .system_rows(table)
                .await
                .map(|batches| NativeAnswer { batches, ..NativeAnswer::default() }),
        };
        answer.map(|answer| answer.batches).map_err(external)
    }

    pub(super) async fn ask_over(
        &self,
        query: &Value,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<RecordBatch>> {
        let answer = self.source.ask_over(self.complete(query), schema, rows).await;
        answer.map(|answer| answer.batches).map_err(external)
    }

    /// The query with the statement's context; what the query says itself wins.
    fn complete(&self, query: &Value) -> NativeQuery {
        let mut json = query.clone();
        let mut context = self.context.clone();
        if let Some(Value::Object(own)) = query.get("context") {
            context.extend(own.clone());
        }
        json["context"] = Value::Object(context);
        NativeQuery { json }
    }
}

fn external(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
