//! What the queues of all hosts share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use henge_data_node::Instruction;
use henge_platform::runtime::{Clock, watch};
use tokio::sync::Notify;

use crate::attempts::Attempts;
use crate::explain::Explanations;
use crate::leadership::Leadership;
use crate::options::CoordinatorOptions;
use crate::sight::Sight;

#[derive(Debug)]
pub(crate) struct Shared {
    pub options: CoordinatorOptions,
    pub clock: Arc<dyn Clock>,
    pub leadership: Leadership,
    pub sight: Arc<dyn Sight>,
    pub loads: Attempts,
    pub drops: Attempts,
    /// The last moves, why, and what became of them.
    pub explained: Explanations,
    /// A queue ran dry, or leading began: there may be something to plan.
    pub wake: Notify,
    /// Moves with each order that ended.
    pub finished: watch::Sender<u64>,
    /// The number of the last instruction.
    last_number: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        options: CoordinatorOptions,
        clock: Arc<dyn Clock>,
        leadership: Leadership,
        sight: Arc<dyn Sight>,
    ) -> Self {
        Self {
            options,
            clock,
            leadership,
            sight,
            loads: Attempts::default(),
            drops: Attempts::default(),
            explained: Explanations::default(),
            wake: Notify::new(),
            finished: watch::Sender::default(),
            last_number: AtomicU64::new(0),
        }
    }

    /// What a call carries, later than all before.
    pub(crate) fn next_instruction(&self, epoch: u64) -> Instruction {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        Instruction { epoch, number }
    }
}
