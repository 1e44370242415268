//! Sums of integers by group that take in those of partials: exact, so they are kept in 128 bits
//! once one of them is beyond 64.

use std::any::Any;

use henge_scan::Result;
use henge_vector::{Array, Column, widened};

use super::numbers::Numbers;
use super::{MergedStates, absorb_finished, other_states};
use crate::kernels::LongSum;
use crate::number::{Combine, WideSum};

/// Sums of integers by group.
#[derive(Default)]
pub(crate) struct MergedSums {
    longs: Numbers<LongSum>,
    /// All of them, since one was beyond 64 bits.
    wide: Option<Numbers<WideSum>>,
}

impl MergedSums {
    /// The same sums in 128 bits.
    fn widen(&mut self) -> &mut Numbers<WideSum> {
        let Self { longs, wide } = self;
        wide.get_or_insert_with(|| {
            let Numbers { values, valid } = std::mem::take(longs);
            Numbers { values: values.into_iter().map(i128::from).collect(), valid }
        })
    }
}

impl MergedStates for MergedSums {
    fn resize(&mut self, groups: usize) {
        match &mut self.wide {
            None => self.longs.resize(groups),
            Some(wide) => wide.resize(groups),
        }
    }

    fn add(&mut self, name: &str, states: Column, groups: &[u32], seen: &[bool]) -> Result<()> {
        if let Column::Wide(from) = states {
            self.widen().add(from.values(), from.nulls(), groups, seen);
            return Ok(());
        }
        let Column::Long(from) = states else { return Err(other_states(name, states.kind())) };
        let (values, nulls) = (from.values(), from.nulls());
        if let Some(wide) = &mut self.wide {
            wide.add(widened(&from).values(), nulls, groups, seen);
        } else if self.longs.add(values, nulls, groups, seen) {
            self.longs.change(values, nulls, groups, seen, take_back);
            self.widen().add(widened(&from).values(), nulls, groups, seen);
        }
        Ok(())
    }

    fn absorb(
        &mut self,
        name: &str,
        other: Box<dyn MergedStates>,
        seen: &[bool],
        other_seen: &[bool],
    ) -> Result<()> {
        let alike = (&*other as &dyn Any).downcast_ref::<Self>();
        if let Some(Self { longs: from, wide: None }) = alike
            && self.wide.is_none()
            && from.is_whole()
            && self.longs.is_whole()
        {
            if !self.longs.change_all(from, LongSum::add) {
                return Ok(());
            }
            self.longs.change_all(from, take_back);
            self.widen();
        }
        absorb_finished(self, name, other, seen, other_seen)
    }

    fn memory_bytes(&self) -> usize {
        self.longs.memory_bytes() + self.wide.as_ref().map_or(0, Numbers::memory_bytes)
    }

    fn finish(self: Box<Self>, groups: &[u32]) -> Column {
        match self.wide {
            None => {
                let (values, nulls) = self.longs.finish(groups);
                Column::longs(values, nulls)
            }
            Some(wide) => {
                let (values, nulls) = wide.finish(groups);
                Column::of_wide(values, nulls)
            }
        }
    }
}

/// Undoes an addition that wrapped around.
fn take_back(state: &mut i64, value: i64) -> bool {
    *state = state.wrapping_sub(value);
    false
}
