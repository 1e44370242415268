//! Native queries over rows at hand in the place of a datasource: the rows become a segment in memory, and the query
//! runs over it like over any other, so that aggregators have one implementation wherever rows come from.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use henge_data_node::task_priority;
use henge_exec::QueryMemory;
use henge_query::Query;

use crate::Broker;
use crate::error::Result;
use crate::execute::{BatchesResponse, made_id};

/// The answer to a query over these rows.
///
/// # Errors
/// As the query over a datasource would fail, and when the rows do not fit into a query's memory.
pub(super) async fn answer(
    broker: &Broker,
    query: Query,
    schema: SchemaRef,
    rows: Vec<RecordBatch>,
) -> Result<BatchesResponse> {
    let context = &query.base().context;
    let priority = task_priority(context.priority, context.lane.as_deref());
    let query_id = context.query_id.clone().unwrap_or_else(made_id);
    let pool = Arc::clone(broker.services.running.pool());
    let memory = QueryMemory::new(pool, broker.options.memory_budget_bytes);
    let make = move || henge_inline::rows_of_batches(&schema, &rows, Some(&memory));
    let rows = broker.services.pool.spawn(priority, make).await??;
    broker.batches_over(query, rows, &query_id).await
}
