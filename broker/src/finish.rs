//! The end of a query: what nodes put on disk is taken in, everything is merged and finished, and the
//! answer is written.

use std::time::Duration;

use futures::future::try_join_all;
use henge_data_node::spill::PartitionMerger;
use henge_data_node::{NodeError, Partition, Partitions};
use henge_exec::{Answer, ExecContext, ExecError, MemoryLease, Partial};
use henge_query::Query;
use henge_types::ErrorClass;
use tokio::time::Instant;

use crate::Broker;
use crate::error::Result;
use crate::gather::Gathered;
use crate::made::{Held, Made, Shape};
use crate::profile::Profile;
use crate::running::Running;

/// Contributions below this are merged and finished on the spot: handing them to another thread
/// would take longer.
const INLINE_BYTES: usize = 64 << 10;

impl Broker {
    /// The answer, made into what is asked for.
    pub(crate) async fn finish(
        &self,
        running: &Running,
        gathered: Gathered,
        profile: &mut Profile,
    ) -> Result<Held> {
        let gathered = self.take_partitions(running, gathered, profile).await?;
        let bytes: usize = gathered.partials.iter().map(Partial::memory_bytes).sum();
        if bytes <= INLINE_BYTES {
            let started = Instant::now();
            let held = make(&running.query, running.shape, gathered, &running.context)?;
            profile.cpu_micros += micros(started.elapsed());
            return Ok(held);
        }
        let (query, shape) = (running.query.clone(), running.shape);
        let context = running.context.clone();
        let work = move || make(&query, shape, gathered, &context);
        self.on_pool(running, profile, work).await
    }

    /// Merges what nodes have on disk with all the rest, a partition of every node at a time.
    pub(crate) async fn take_partitions(
        &self,
        running: &Running,
        gathered: Gathered,
        profile: &mut Profile,
    ) -> Result<Gathered> {
        let Gathered { partials, leases, mut partitions, .. } = gathered;
        if partitions.is_empty() {
            return Ok(Gathered { partials, leases, ..Gathered::default() });
        }
        let (query, context) = (running.query.clone(), running.context.clone());
        let start = move || Ok(PartitionMerger::new(query, partials, leases, context));
        let mut merger = self.on_pool(running, profile, start).await?;
        while !merger.is_done() {
            let of_nodes = try_join_all(partitions.iter_mut().map(next_of)).await?;
            let add = move || merger.add(of_nodes).map(|()| merger);
            merger = self.on_pool(running, profile, add).await?;
        }
        let (merged, lease) = self.on_pool(running, profile, || merger.finish()).await?;
        Ok(Gathered { partials: vec![merged], leases: vec![lease], ..Gathered::default() })
    }

    pub(crate) async fn on_pool<T: Send + 'static>(
        &self,
        running: &Running,
        profile: &mut Profile,
        work: impl FnOnce() -> Result<T, ExecError> + Send + 'static,
    ) -> Result<T> {
        let queued = Instant::now();
        let timed = move || {
            let started = Instant::now();
            let done = work()?;
            Ok::<_, ExecError>((done, started - queued, started.elapsed()))
        };
        let (done, waited, busy) = self.services.pool.spawn(running.priority(), timed).await??;
        profile.queue_micros += micros(waited);
        profile.cpu_micros += micros(busy);
        Ok(done)
    }
}

async fn next_of(partitions: &mut Partitions) -> Result<Partition, NodeError> {
    match partitions.next().await {
        Some(partition) => partition,
        None => Err(NodeError::failed(ErrorClass::Internal, "a data node ended its reply early")),
    }
}

/// The answer as columns, with what they hold of the query's memory.
pub(crate) fn finished(
    query: &Query,
    gathered: Gathered,
    context: &ExecContext,
) -> Result<(Answer, MemoryLease), ExecError> {
    let merged = henge_exec::merge(query, gathered.partials, context)?;
    drop(gathered.leases);
    let mut lease = context.memory.lease();
    lease.set(merged.memory_bytes() + order_bytes(&merged))?;
    Ok((henge_exec::finalise(query, merged, context)?, lease))
}

fn make(
    query: &Query,
    shape: Shape,
    gathered: Gathered,
    context: &ExecContext,
) -> Result<Held, ExecError> {
    let (answer, _lease) = finished(query, gathered, context)?;
    let mut lease = context.memory.lease();
    let Shape::Written(form) = shape else {
        let batches = henge_answer::to_batches(query, &answer, &mut |bytes| lease.set(bytes))?;
        return Ok(Held { made: Made::Batches(batches.into()), lease: Some(lease) });
    };
    let (mut body, mut room) = (Vec::new(), 0);
    // The text's buffer doubles, and so does what is charged for it.
    henge_answer::write(query, &answer, form, &mut body, &mut |length| {
        if length > room {
            room = length.next_power_of_two().max(INLINE_BYTES);
            lease.set(room)?;
        }
        Ok(())
    })?;
    if body.capacity() - body.len() > INLINE_BYTES {
        body.shrink_to_fit();
    }
    Ok(Held { made: Made::Written(body.into()), lease: None })
}

/// What it takes to put the rows of a scan in order: their places, twice.
fn order_bytes(merged: &Partial) -> usize {
    const PLACES_BYTES: usize = 2 * size_of::<(u32, u32)>();
    match merged {
        Partial::Rows(rows) => {
            rows.batches.iter().map(|batch| batch.row_count * PLACES_BYTES).sum()
        }
        _ => 0,
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
