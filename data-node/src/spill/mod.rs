//! The groups of one query beyond its memory: written to disk, cut into partitions by key. Each
//! partition is merged by itself with what stayed in memory, so that memory holds one of them at a
//! time and what can be in the answer.

mod merger;
mod written;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use henge_exec::{
    DerivedKeys, ExecContext, ExecError, GroupSink, GroupedPartial, partition_groups,
};
use henge_platform::spill::{SpillFile, SpillStorage};
use parking_lot::Mutex;

use crate::reply::PARTITIONS;

pub use merger::PartitionMerger;
pub use written::SpilledGroups;

/// Where one partition's runs are in the file.
type Runs = Vec<(u64, usize)>;

/// What was put aside.
#[derive(Debug)]
pub(crate) struct Written {
    file: Box<dyn SpillFile>,
    runs: Vec<Runs>,
}

/// Takes the groups of one call that do not fit into memory.
#[derive(Debug)]
pub(crate) struct GroupSpill {
    storage: Arc<dyn SpillStorage>,
    disk_bytes: u64,
    written_bytes: AtomicU64,
    written: Mutex<Option<Written>>,
    /// Keys that groups are to have before they are put aside.
    derived: Option<DerivedKeys>,
}

impl GroupSpill {
    /// Room of `disk_bytes`.
    pub(crate) fn new(storage: Arc<dyn SpillStorage>, disk_bytes: u64) -> Self {
        let (written_bytes, written) = (AtomicU64::new(0), Mutex::default());
        Self { storage, disk_bytes, written_bytes, written, derived: None }
    }

    /// Adds these keys to all groups: partitions are of whole keys, on all nodes.
    pub(crate) fn with(self, derived: Option<DerivedKeys>) -> Self {
        Self { derived, ..self }
    }

    /// Bytes on disk.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// What was put aside, if anything was.
    pub(crate) fn take(&self) -> Option<Written> {
        self.written.lock().take()
    }
}

impl GroupSink for GroupSpill {
    fn put(&self, groups: GroupedPartial) -> Result<(), ExecError> {
        let groups = match &self.derived {
            Some(derived) => derived.completed(groups, &ExecContext::default())?,
            None => groups,
        };
        let runs: Vec<Vec<u8>> = partition_groups(&groups, PARTITIONS)
            .iter()
            .map(|part| if part.group_count() == 0 { Ok(Vec::new()) } else { part.encode() })
            .collect::<Result<_, _>>()?;
        let bytes: usize = runs.iter().map(Vec::len).sum();
        let total = self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if total > self.disk_bytes {
            return Err(ExecError::ResourceLimit(format!(
                "the groups need more than {} bytes of temporary files: raise maxOnDiskStorage in \
                 the query's context or query.max_on_disk_storage_bytes",
                self.disk_bytes
            )));
        }
        let mut place = self.written.lock();
        let written = match &mut *place {
            Some(written) => written,
            empty => {
                let file = self.storage.create().map_err(|error| write_failed(&error))?;
                empty.insert(Written { file, runs: vec![Vec::new(); PARTITIONS] })
            }
        };
        for (places, run) in written.runs.iter_mut().zip(&runs).filter(|(_, run)| !run.is_empty()) {
            let offset = written.file.append(run).map_err(|error| write_failed(&error))?;
            places.push((offset, run.len()));
        }
        Ok(())
    }
}

fn write_failed(error: &io::Error) -> ExecError {
    ExecError::Spill(format!("{error}: free space where temporary files are, or group by less"))
}

#[cfg(test)]
mod tests;
