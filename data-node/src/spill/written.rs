//! Groups of which a part is on disk, read back partition by partition.

use std::io;
use std::sync::Arc;

use henge_exec::{
    ExecContext, ExecError, Extent, GroupedPartial, MemoryLease, Partial, merge, merge_partition,
    partition_groups,
};
use henge_platform::spill::SpillFile;
use henge_query::Query;

use super::{Runs, Written};
use crate::reply::{PARTITIONS, Partition};

/// The groups of one call, in memory and on disk.
#[derive(Debug)]
pub struct SpilledGroups {
    query: Arc<Query>,
    file: Box<dyn SpillFile>,
    /// Of each partition that was not given yet, the last one first.
    partitions: Vec<(Runs, GroupedPartial)>,
    lease: MemoryLease,
    extent: Extent,
    context: ExecContext,
}

impl SpilledGroups {
    /// What was `written`, with `kept`, which stayed in memory and is charged to `lease`. Of
    /// the whole, what cannot be in the answer is left out.
    pub(crate) fn new(
        query: Arc<Query>,
        written: Written,
        kept: Partial,
        lease: MemoryLease,
        extent: Extent,
        context: ExecContext,
    ) -> Result<Self, ExecError> {
        let Partial::Grouped(kept) = kept else {
            return Err(ExecError::Internal("groups of a query that does not group".to_owned()));
        };
        let kept = partition_groups(&kept, PARTITIONS);
        let partitions = written.runs.into_iter().zip(kept).rev().collect();
        Ok(Self { query, file: written.file, partitions, lease, extent, context })
    }

    /// The next partition; `None` after the last.
    ///
    /// # Errors
    /// Limits, cancellation, and files that cannot be read: never a partition without them.
    pub fn next_partition(&mut self) -> Result<Option<Partition>, ExecError> {
        self.context.cancel.check()?;
        let Some((runs, kept)) = self.partitions.pop() else { return Ok(None) };
        let left_bytes = self.partitions.iter().map(|(_, kept)| kept.memory_bytes()).sum();
        self.lease.set(left_bytes)?;
        let mut parts = vec![kept];
        for (offset, length) in runs {
            let bytes = self.file.read(offset, length).map_err(|error| read_failed(&error))?;
            parts.push(GroupedPartial::decode(&bytes).map_err(damaged)?);
        }
        let merged = match self.extent {
            Extent::Whole => merge_partition(&self.query, parts, &self.context)?,
            Extent::Part => {
                let parts = parts.into_iter().map(Partial::Grouped).collect();
                merge(&self.query, parts, &self.context)?
            }
        };
        let Partial::Grouped(groups) = merged else {
            return Err(ExecError::Internal("groups became something else".to_owned()));
        };
        let mut lease = self.context.memory.lease();
        lease.set(groups.memory_bytes())?;
        Ok(Some(Partition { groups, lease }))
    }
}

fn read_failed(error: &io::Error) -> ExecError {
    ExecError::Corrupt(format!("a spilled run cannot be read: {error}"))
}

fn damaged(error: ExecError) -> ExecError {
    match error {
        ExecError::Corrupt(reason) => ExecError::Corrupt(format!(
            "a spilled run is damaged: check the disk of the temporary files ({reason})"
        )),
        other => other,
    }
}
