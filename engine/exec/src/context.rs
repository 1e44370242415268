//! What execution is told by the outside: cancellation and limits. The engine has no clock; the
//! caller watches the deadline and sets the flag.

use std::sync::Arc;

use henge_scan::{CancelFlag, ExecError, NodeDictionaries, Result};

use crate::group_sink::Spill;
use crate::memory::QueryMemory;

/// How groups get their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// As expected to be fastest.
    #[default]
    Auto,
    /// As positions in dense arrays, wherever ids allow it.
    Dense,
    /// By hash tables, wherever there are dimensions.
    Hashed,
}

/// How rows are gone through. Answers do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Rows that are decoded and aggregated together, rounded up to a multiple of 1,024.
    pub batch_rows: usize,
    /// How groups get their numbers.
    pub grouping: Grouping,
    /// Groups in a segment's tables, numbered by hashing, from which on they are handed on and the
    /// tables begin anew: larger ones exceed the cache.
    pub flushed_groups: usize,
    /// Groups waiting to be merged from which on they are cut into partitions.
    pub parted_groups: usize,
}

impl Tuning {
    pub(crate) fn batch_rows(&self) -> usize {
        self.batch_rows.clamp(1, henge_segment::BLOCK_ROWS).next_multiple_of(1024)
    }
}

impl Default for Tuning {
    /// Batches that stay in the first and second cache.
    fn default() -> Self {
        Self {
            batch_rows: 4096,
            grouping: Grouping::Auto,
            flushed_groups: 1 << 15,
            parted_groups: 1 << 16,
        }
    }
}

/// Limits and switches of one query on one node.
#[derive(Debug, Clone)]
pub struct ExecContext {
    /// Checked once a block.
    pub cancel: CancelFlag,
    /// Bytes that group keys and states, or queued rows, may take before the query fails.
    pub memory_budget_bytes: usize,
    /// Where what the query holds on this node is accounted for.
    pub memory: QueryMemory,
    /// Most time buckets that a query may produce.
    pub max_buckets: usize,
    /// How rows are gone through.
    pub tuning: Tuning,
    /// The node's dictionaries, and the hashes of values that it keeps.
    pub dictionaries: Option<Arc<NodeDictionaries>>,
    /// Where groups go that do not fit into memory.
    pub spill: Option<Spill>,
}

impl ExecContext {
    /// Fails when what one task holds is more than the query's memory budget. `holder` begins the
    /// sentence, in the plural; `advice` says what the client can do to need less.
    ///
    /// # Errors
    /// `ResourceLimit`.
    pub fn check_budget(&self, used_bytes: usize, holder: &str, advice: &str) -> Result<()> {
        let budget_bytes = self.memory_budget_bytes;
        if used_bytes <= budget_bytes {
            return Ok(());
        }
        Err(ExecError::ResourceLimit(format!(
            "{holder} need {used_bytes} bytes, the query's memory budget is {budget_bytes}: \
             {advice}, or raise query.memory_budget_bytes"
        )))
    }

    /// Fails when there are more time buckets than a query may make.
    pub(crate) fn check_buckets(&self, count: usize) -> Result<()> {
        if count <= self.max_buckets {
            return Ok(());
        }
        Err(ExecError::ResourceLimit(format!(
            "the granularity makes more than {} time buckets: use a coarser granularity or a \
             shorter interval",
            self.max_buckets
        )))
    }
}

impl Default for ExecContext {
    fn default() -> Self {
        Self {
            cancel: CancelFlag::default(),
            memory_budget_bytes: 1 << 30,
            memory: QueryMemory::default(),
            max_buckets: 1_000_000,
            tuning: Tuning::default(),
            dictionaries: None,
            spill: None,
        }
    }
}
