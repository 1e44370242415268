//! What coordinators told the node of its segments. A call may be late by minutes, and come from a
//! coordinator that leads no more: a segment that was to be loaded is not dropped by an instruction from
//! before that.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use henge_data_node::Instruction;
use henge_types::SegmentId;
use parking_lot::Mutex;

use crate::error::{HistoricalError, Result};

/// The last instructions to load, and the loads under way.
#[derive(Debug, Default)]
pub(crate) struct Told {
    to_load: Mutex<HashMap<SegmentId, Instruction>>,
    turns: Mutex<HashMap<SegmentId, Weak<tokio::sync::Mutex<()>>>>,
}

impl Told {
    /// Notes that a segment is to be loaded.
    pub(crate) fn to_load(&self, id: &SegmentId, instruction: Instruction) {
        let mut to_load = self.to_load.lock();
        let last = to_load.entry(id.clone()).or_default();
        *last = instruction.max(*last);
    }

    /// It could not be loaded: nobody relies on it.
    pub(crate) fn could_not_load(&self, id: &SegmentId, instruction: Instruction) {
        let mut to_load = self.to_load.lock();
        if to_load.get(id) == Some(&instruction) {
            to_load.remove(id);
        }
    }

    /// Unloads a segment, unless a later instruction was to load it: none comes in between.
    ///
    /// # Errors
    /// `Outdated`, or why it cannot be unloaded.
    pub(crate) fn unless_later(
        &self,
        id: &SegmentId,
        instruction: Instruction,
        unload: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let mut to_load = self.to_load.lock();
        if to_load.get(id).is_some_and(|last| *last > instruction) {
            return Err(HistoricalError::Outdated { id: id.to_string() });
        }
        unload()?;
        to_load.remove(id);
        Ok(())
    }

    /// What a load of the segment holds while it is under way.
    pub(crate) fn turn_to_load(&self, id: &SegmentId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock();
        if let Some(turn) = turns.get(id).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(id.clone(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use henge_types::{ErrorClass, Interval, Version};

    use super::*;

    fn told(epoch: u64, number: u64) -> Instruction {
        Instruction { epoch, number }
    }

    #[test]
    fn f_68_f_69_what_a_later_leader_relies_on_is_not_dropped_by_an_earlier_one() {
        let id = SegmentId::new("d", Interval { start_ms: 0, end_ms: 1 }, Version(1), 0);
        let all = Told::default();
        all.to_load(&id, told(3, 1));
        // The leader of epoch 5 makes sure that it is there; that of epoch 3 was paused and wakes.
        all.to_load(&id, told(5, 1));
        all.to_load(&id, told(3, 8));
        let late = all.unless_later(&id, told(3, 9), || panic!("dropped"));
        assert_eq!(late.unwrap_err().class(), ErrorClass::Conflict);
        // A call of its own that was late.
        all.to_load(&id, told(5, 4));
        assert!(all.unless_later(&id, told(5, 3), || panic!("dropped")).is_err());
        all.unless_later(&id, told(5, 5), || Ok(())).unwrap();
        // What is not there cannot be relied on.
        all.unless_later(&id, told(3, 10), || Ok(())).unwrap();
    }

    #[tokio::test]
    async fn loads_of_one_segment_take_turns() {
        let interval = Interval { start_ms: 0, end_ms: 1 };
        let id = |partition| SegmentId::new("d", interval, Version(1), partition);
        let told = Told::default();
        let first = told.turn_to_load(&id(0));
        let held = first.lock().await;
        assert!(told.turn_to_load(&id(0)).try_lock().is_err());
        assert!(told.turn_to_load(&id(1)).try_lock().is_ok());
        drop(held);
        drop(first);
        assert!(told.turn_to_load(&id(0)).try_lock().is_ok());
        assert_eq!(told.turns.lock().len(), 1);
    }
}
