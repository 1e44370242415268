//! Merging the partitions of several nodes.

use std::sync::Arc;

use henge_exec::{
    ExecContext, ExecError, GroupedPartial, MemoryLease, Partial, may_cut, merge, merge_partition,
    partition_groups,
};
use henge_query::Query;

use crate::reply::{PARTITIONS, Partition};

/// Partitions whose best groups are held before the best of all of them are chosen.
const CUT_PARTITIONS: usize = 8;

/// Merges partitions as they come: memory holds one of them and what can be in the answer.
#[derive(Debug)]
pub struct PartitionMerger {
    query: Arc<Query>,
    context: ExecContext,
    /// What came whole, of each partition that is still to come; the last one first.
    in_memory: Vec<Vec<GroupedPartial>>,
    /// What that holds.
    leases: Vec<MemoryLease>,
    merged: Vec<GroupedPartial>,
    lease: MemoryLease,
}

impl PartitionMerger {
    /// Nothing merged yet; `whole` are partial results that are not partitioned, charged to `leases`.
    #[must_use]
    pub fn new(
        query: Arc<Query>,
        whole: Vec<Partial>,
        leases: Vec<MemoryLease>,
        context: ExecContext,
    ) -> Self {
        let mut in_memory: Vec<Vec<GroupedPartial>> = vec![Vec::new(); PARTITIONS];
        for partial in whole {
            let Partial::Grouped(groups) = partial else { continue };
            let parts = partition_groups(&groups, PARTITIONS).into_iter().rev();
            in_memory.iter_mut().zip(parts).for_each(|(all, part)| all.push(part));
        }
        let lease = context.memory.lease();
        Self { query, context, in_memory, leases, merged: Vec::new(), lease }
    }

    /// True when every partition was added.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.in_memory.is_empty()
    }

    /// Adds the next partition, as all nodes that have partitions gave it.
    ///
    /// # Errors
    /// Limits and cancellation.
    pub fn add(&mut self, of_nodes: Vec<Partition>) -> Result<(), ExecError> {
        self.context.cancel.check()?;
        let mut parts = self.in_memory.pop().unwrap_or_default();
        let (groups, leases): (Vec<_>, Vec<_>) =
            of_nodes.into_iter().map(|partition| (partition.groups, partition.lease)).unzip();
        parts.extend(groups);
        let partition = merge_partition(&self.query, parts, &self.context)?;
        drop(leases);
        self.keep(partition);
        if self.merged.len() >= CUT_PARTITIONS && may_cut(&self.query) {
            // The best of several partitions are as few as those of one.
            let best = std::mem::take(&mut self.merged);
            let best = merge_partition(&self.query, best, &self.context)?;
            self.keep(best);
        }
        let held_bytes: usize = self.merged.iter().map(GroupedPartial::memory_bytes).sum();
        self.lease.set(held_bytes)?;
        let advice = "add a limit or a having clause";
        self.context.check_budget(held_bytes, "the answer's own groups", advice)
    }

    fn keep(&mut self, merged: Partial) {
        if let Partial::Grouped(groups) = merged {
            self.merged.push(groups);
        }
    }

    /// Everything added, as one partial, and what it holds.
    ///
    /// # Errors
    /// Limits and cancellation.
    pub fn finish(mut self) -> Result<(Partial, MemoryLease), ExecError> {
        drop(self.leases);
        let merged = self.merged.into_iter().map(Partial::Grouped).collect();
        let merged = merge(&self.query, merged, &self.context)?;
        self.lease.set(merged.memory_bytes())?;
        Ok((merged, self.lease))
    }
}
