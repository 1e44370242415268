//! Merging while replies still arrive: a slow node delays its own part and no more, and what waits to be
//! merged is bounded.

use std::future::pending;
use std::sync::Arc;

use henge_data_node::NodeError;
use henge_exec::{ExecContext, ExecError, MemoryLease, Partial, merge};
use henge_platform::runtime::{CpuPool, CpuTask, Priority};
use henge_query::Query;
use tokio::time::Instant;

use super::ledger::CallId;
use crate::finish::micros;

/// Less is merged at the end, where the answer is made.
const WORTH_MERGING_BYTES: usize = 64 << 10;
/// While more than this waits, and more than is merged already, no further reply is taken.
const MOST_WAITING_BYTES: usize = 16 << 20;

/// Partial results of some calls, and what they hold.
#[derive(Debug, Default)]
struct Part {
    /// The first of the calls.
    id: Option<CallId>,
    partials: Vec<Partial>,
    leases: Vec<MemoryLease>,
    bytes: usize,
}

/// A part, and what it took: microseconds in the queue and on a thread.
type Merged = (Part, u64, u64);

/// The partial results of a query, as far as they came.
#[derive(Debug)]
pub(super) struct Merging {
    query: Arc<Query>,
    context: ExecContext,
    pool: CpuPool,
    priority: Priority,
    waiting: Vec<Part>,
    /// At most one, while no task is at work.
    merged: Option<Part>,
    at_work: Option<CpuTask<Result<Merged, ExecError>>>,
    /// What was merged last came to.
    merged_bytes: usize,
    waiting_bytes: usize,
    /// Time in the CPU pool's queue.
    pub(super) queue_micros: u64,
    /// Time on its threads.
    pub(super) cpu_micros: u64,
}

impl Merging {
    /// Nothing yet.
    #[must_use]
    pub(super) fn of(
        query: Arc<Query>,
        context: ExecContext,
        pool: CpuPool,
        priority: Priority,
    ) -> Self {
        Self {
            query,
            context,
            pool,
            priority,
            waiting: Vec::new(),
            merged: None,
            at_work: None,
            merged_bytes: 0,
            waiting_bytes: 0,
            queue_micros: 0,
            cpu_micros: 0,
        }
    }

    /// A reply that counts.
    pub(super) fn add(&mut self, id: CallId, partials: Vec<Partial>, leases: Vec<MemoryLease>) {
        let bytes = partials.iter().map(Partial::memory_bytes).sum();
        self.waiting_bytes += bytes;
        self.waiting.push(Part { id: Some(id), partials, leases, bytes });
    }

    /// True when nothing more should come before something is merged.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        self.at_work.is_some() && self.waiting_bytes > MOST_WAITING_BYTES.max(self.merged_bytes)
    }

    /// Begins to merge what waits, when nothing is being merged and there is as much of it as was merged
    /// before: so nothing is merged more than twice, as it were.
    pub(super) fn begin_if_due(&mut self) {
        let parts = self.waiting.len() + usize::from(self.merged.is_some());
        let worth = WORTH_MERGING_BYTES.max(self.merged_bytes);
        if self.at_work.is_some() || parts < 2 || self.waiting_bytes < worth {
            return;
        }
        let mut parts: Vec<Part> = self.merged.take().into_iter().collect();
        parts.append(&mut self.waiting);
        self.waiting_bytes = 0;
        let (query, context) = (Arc::clone(&self.query), self.context.clone());
        let queued = Instant::now();
        self.at_work = Some(self.pool.spawn(self.priority, move || {
            let started = Instant::now();
            let merged = merge_parts(&query, parts, &context)?;
            Ok((merged, micros(started - queued), micros(started.elapsed())))
        }));
    }

    /// Waits until what is being merged is merged; for ever when nothing is. May be dropped and called
    /// again.
    ///
    /// # Errors
    /// As [`merge`].
    pub(super) async fn progress(&mut self) -> Result<(), NodeError> {
        let Some(task) = &mut self.at_work else { return pending().await };
        let outcome = task.await;
        self.at_work = None;
        let (part, queued, busy) = outcome??;
        self.queue_micros += queued;
        self.cpu_micros += busy;
        self.merged_bytes = part.bytes;
        self.merged = Some(part);
        Ok(())
    }

    /// Everything that came, in the order of the calls, merged as far as that was worth while.
    ///
    /// # Errors
    /// As [`merge`].
    pub(super) async fn end(&mut self) -> Result<(Vec<Partial>, Vec<MemoryLease>), NodeError> {
        if self.at_work.is_some() {
            self.progress().await?;
        }
        let mut parts: Vec<Part> = self.merged.take().into_iter().collect();
        parts.append(&mut self.waiting);
        // As if all had come at once: sums of doubles depend on the order.
        parts.sort_by_key(|part| part.id);
        let (mut partials, mut leases) = (Vec::new(), Vec::new());
        for part in parts {
            partials.extend(part.partials);
            leases.extend(part.leases);
        }
        Ok((partials, leases))
    }
}

fn merge_parts(
    query: &Query,
    mut parts: Vec<Part>,
    context: &ExecContext,
) -> Result<Part, ExecError> {
    parts.sort_by_key(|part| part.id);
    let id = parts.first().and_then(|part| part.id);
    let (mut partials, mut leases) = (Vec::new(), Vec::new());
    for part in parts {
        partials.extend(part.partials);
        leases.extend(part.leases);
    }
    let merged = merge(query, partials, context)?;
    // What was merged is gone by now.
    drop(leases);
    let bytes = merged.memory_bytes();
    let mut lease = context.memory.lease();
    lease.set(bytes)?;
    Ok(Part { id, partials: vec![merged], leases: vec![lease], bytes })
}

#[cfg(test)]
mod tests {
    use henge_exec::{BucketStarts, GroupedPartial, MemoryPool, QueryMemory};

    use super::super::ledger::Ledger;
    use super::*;

    fn query() -> Arc<Query> {
        let text = br#"{"queryType":"timeseries","dataSource":"t","granularity":"hour",
            "intervals":["1970/1971"],"aggregations":[]}"#;
        Arc::new(Query::parse(text).unwrap())
    }

    fn groups(count: i64) -> Partial {
        Partial::Grouped(GroupedPartial {
            bucket_starts: BucketStarts::At((0..count).map(|hour| hour * 3_600_000).collect()),
            data_range_ms: vec![Some((0, count * 3_600_000))],
            ..GroupedPartial::default()
        })
    }

    fn merging(memory: &QueryMemory) -> Merging {
        let context = ExecContext { memory: memory.clone(), ..ExecContext::default() };
        Merging::of(query(), context, CpuPool::new(1).unwrap(), 0)
    }

    fn add(merging: &mut Merging, memory: &QueryMemory, id: CallId, count: i64) {
        let partial = groups(count);
        let mut lease = memory.lease();
        lease.set(partial.memory_bytes()).unwrap();
        merging.add(id, vec![partial], vec![lease]);
    }

    fn ids(count: usize) -> Vec<CallId> {
        let mut ledger = Ledger::of(count);
        (0..count).map(|place| ledger.ask(vec![place])).collect()
    }

    #[tokio::test]
    async fn f_62_what_came_is_merged_while_the_rest_is_on_its_way_and_what_waits_is_bounded() {
        let pool = Arc::new(MemoryPool::new(1 << 30));
        let memory = QueryMemory::new(Arc::clone(&pool), 1 << 30);
        let mut merging = merging(&memory);
        const GROUPS: i64 = 1 << 20;
        let mut most = 0;
        for id in ids(20) {
            while merging.is_full() {
                merging.progress().await.unwrap();
            }
            add(&mut merging, &memory, id, GROUPS);
            merging.begin_if_due();
            most = most.max(pool.used_bytes());
        }
        // Twenty of them would be 160 MiB.
        assert!(most <= 80 << 20, "{most}");
        let (partials, leases) = merging.end().await.unwrap();
        assert!(partials.len() < 10, "{}", partials.len());
        let merged = merge(&query(), partials, &ExecContext::default()).unwrap();
        let Partial::Grouped(groups) = merged else { panic!() };
        assert_eq!(groups.group_count() as i64, GROUPS);
        drop((leases, merging));
        assert_eq!(pool.used_bytes(), 0);
    }

    #[tokio::test]
    async fn little_is_left_as_it_came_in_the_order_of_the_calls() {
        let memory = QueryMemory::default();
        let mut merging = merging(&memory);
        let ids = ids(3);
        for (id, count) in [(ids[2], 3), (ids[0], 1), (ids[1], 2)] {
            add(&mut merging, &memory, id, count);
            merging.begin_if_due();
        }
        let (partials, _leases) = merging.end().await.unwrap();
        let counts: Vec<usize> = partials
            .iter()
            .map(|partial| match partial {
                Partial::Grouped(groups) => groups.group_count(),
                _ => 0,
            })
            .collect();
        assert_eq!(counts, [1, 2, 3]);
    }

    #[tokio::test]
    async fn f_63_what_cannot_be_merged_fails() {
        let memory = QueryMemory::default();
        let mut merging = merging(&memory);
        let boundary = Partial::TimeBoundary { min_ms: None, max_ms: None };
        let ids = ids(2);
        merging.add(ids[0], vec![boundary], Vec::new());
        add(&mut merging, &memory, ids[1], 1 << 17);
        merging.begin_if_due();
        let error = merging.end().await.unwrap_err();
        assert!(error.to_string().contains("another query"), "{error}");
    }
}
