//! Native queries over rows at hand in the place of a datasource: the rows become a segment in memory, and the query
//! runs over it like over any other, so that aggregators have one implementation wherever rows come from.

mod rows;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use henge_exec::{ExecError, MemoryLease};
use henge_query::Query;

use crate::Broker;
use crate::admission::Admission;
use crate::error::Result;
use crate::execute::made_id;
use crate::gather::Gathered;
use crate::made::{Held, Made, Shape};
use crate::profile::Profile;

/// The answer to a query over these rows, with what it holds of the memory of queries.
///
/// # Errors
/// As the query over a datasource would fail, and when the rows do not fit into a query's memory.
pub(super) async fn answer(
    broker: &Broker,
    query: Query,
    schema: SchemaRef,
    rows: Vec<RecordBatch>,
) -> Result<(Vec<RecordBatch>, Option<MemoryLease>)> {
    let running = broker.running(query, Shape::Batches, &made_id())?;
    let lane = Admission::lane_of(&running.query.base().context);
    let _place = broker.admission.enter(lane).await?;
    let (query, context) = (running.query.clone(), running.context.clone());
    let run = move || {
        let mut lease = context.memory.lease();
        let view = rows::view_of(&schema, &rows, context.memory_budget_bytes)?;
        lease.set(view.memory_bytes)?;
        let partial = henge_exec::run(&query, &*view.segment, &context)?;
        Ok::<_, ExecError>((partial, lease))
    };
    let (partial, lease) = broker.services.pool.spawn(running.priority(), run).await??;
    let gathered = Gathered { partials: vec![partial], leases: vec![lease], ..Gathered::default() };
    let finished = broker.finish(&running, gathered, &mut Profile::default()).await?;
    let Held { made: Made::Batches(batches), lease } = finished else {
        return Err(ExecError::Internal("an answer was made into bytes".to_owned()).into());
    };
    Ok((batches.to_vec(), lease))
}
