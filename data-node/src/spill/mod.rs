//! The groups of one query beyond its memory: written to disk, cut into partitions by key. At the end
//! each partition is merged by itself with what stayed in memory, so that memory holds one of them at
//! a time and what can be in the answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use henge_exec::{
    ExecContext, ExecError, GroupSink, GroupedPartial, Partial, decode_groups, encode_groups,
    may_cut, merge, merge_partition, partition_groups,
};
use henge_platform::spill::{SpillFile, SpillStorage};
use henge_query::Query;
use parking_lot::Mutex;

/// Bounds of one query.
#[derive(Debug, Clone, Copy)]
pub struct SpillOptions {
    /// Bytes that may be written.
    pub disk_bytes: u64,
    /// Partitions: each is to fit into memory when merged.
    pub partitions: usize,
}

/// Partitions whose best groups are held before the best of all of them are chosen.
const CUT_PARTITIONS: usize = 8;

/// Where one partition's runs are in the file.
type Runs = Vec<(u64, usize)>;

#[derive(Debug, Default)]
struct Written {
    file: Option<Box<dyn SpillFile>>,
    runs: Vec<Runs>,
}

/// The groups of one query, in memory and on disk.
#[derive(Debug)]
pub struct GroupSpill {
    storage: Arc<dyn SpillStorage>,
    options: SpillOptions,
    written_bytes: AtomicU64,
    written: Mutex<Written>,
}

impl GroupSpill {
    /// Room for one query.
    #[must_use]
    pub fn new(storage: Arc<dyn SpillStorage>, options: SpillOptions) -> Self {
        Self { storage, options, written_bytes: AtomicU64::new(0), written: Mutex::default() }
    }

    /// Bytes on disk.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// Merges `kept`, what stayed in memory, with what is on disk.
    ///
    /// # Errors
    /// Limits, cancellation, and files that cannot be read: never an answer without them.
    pub fn merge(
        &self,
        query: &Query,
        kept: Vec<Partial>,
        context: &ExecContext,
    ) -> Result<Partial, ExecError> {
        let written = std::mem::take(&mut *self.written.lock());
        let Some(file) = written.file else { return merge(query, kept, context) };
        let mut in_memory: Vec<Vec<GroupedPartial>> = Vec::new();
        in_memory.resize_with(self.options.partitions, Vec::new);
        for partial in kept {
            let Partial::Grouped(groups) = partial else { continue };
            let parts = partition_groups(&groups, self.options.partitions);
            in_memory.iter_mut().zip(parts).for_each(|(all, part)| all.push(part));
        }
        let mut merged: Vec<GroupedPartial> = Vec::with_capacity(self.options.partitions);
        let mut lease = context.memory.lease();
        for (runs, mut parts) in written.runs.into_iter().zip(in_memory) {
            context.cancel.check()?;
            for (offset, length) in runs {
                let bytes = file.read(offset, length).map_err(|error| read_failed(&error))?;
                parts.push(decode_groups(&bytes)?);
            }
            let Partial::Grouped(partition) = merge_partition(query, parts, context)? else {
                continue;
            };
            merged.push(partition);
            if merged.len() >= CUT_PARTITIONS && may_cut(query) {
                // The best of several partitions are as few as those of one.
                let best = merge_partition(query, std::mem::take(&mut merged), context)?;
                merged.extend(match best {
                    Partial::Grouped(groups) => Some(groups),
                    _ => None,
                });
            }
            let held_bytes: usize = merged.iter().map(GroupedPartial::memory_bytes).sum();
            lease.set(held_bytes)?;
            let advice = "add a limit or a having clause";
            context.check_budget(held_bytes, "the answer's own groups", advice)?;
        }
        merge(query, merged.into_iter().map(Partial::Grouped).collect(), context)
    }
}

impl GroupSink for GroupSpill {
    fn put(&self, groups: GroupedPartial) -> Result<(), ExecError> {
        let runs: Vec<Vec<u8>> = partition_groups(&groups, self.options.partitions)
            .iter()
            .map(|part| if part.group_count() == 0 { Vec::new() } else { encode_groups(part) })
            .collect();
        let bytes: usize = runs.iter().map(Vec::len).sum();
        let total = self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if total > self.options.disk_bytes {
            return Err(ExecError::ResourceLimit(format!(
                "the groups need more than {} bytes of temporary files: raise maxOnDiskStorage in \
                 the query's context or query.max_on_disk_storage_bytes",
                self.options.disk_bytes
            )));
        }
        let mut written = self.written.lock();
        if written.file.is_none() {
            written.file = Some(self.storage.create().map_err(|error| write_failed(&error))?);
            written.runs.resize_with(self.options.partitions, Vec::new);
        }
        let Written { file: Some(file), runs: places } = &mut *written else { return Ok(()) };
        for (places, run) in places.iter_mut().zip(&runs).filter(|(_, run)| !run.is_empty()) {
            let offset = file.append(run).map_err(|error| write_failed(&error))?;
            places.push((offset, run.len()));
        }
        Ok(())
    }
}

fn write_failed(error: &io::Error) -> ExecError {
    ExecError::Spill(format!("{error}: free space where temporary files are, or group by less"))
}

fn read_failed(error: &io::Error) -> ExecError {
    ExecError::Corrupt(format!("a spilled run cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
