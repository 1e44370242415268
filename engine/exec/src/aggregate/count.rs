//! `count`: rows.

use super::batch::Batch;
use super::{Accumulator, BlockInput, gather};
use crate::column::SlotId;
use crate::error::Result;
use crate::partial::StateColumn;

/// Counts rows by group.
#[derive(Debug, Default)]
pub(super) struct CountAccumulator {
    counts: Vec<i64>,
}

impl Accumulator for CountAccumulator {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, batch: &Batch<'_>, _: &BlockInput<'_>) -> Result<()> {
        let counts = &mut self.counts;
        match batch {
            Batch::One { selection, group } => counts[*group as usize] += selection.len() as i64,
            batch => batch.visit(|_, group| counts[group] += 1),
        }
        Ok(())
    }

    fn update_by_count(&mut self, group: u32, rows: usize) -> bool {
        self.counts[group as usize] += rows as i64;
        true
    }

    fn memory_bytes(&self) -> usize {
        self.counts.capacity() * 8
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>) -> Result<StateColumn> {
        Ok(StateColumn::Long { values: gather(self.counts, groups), valid: None })
    }
}
