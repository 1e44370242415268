//! Stopping a task: it ends at the next piece or segment, and never once it publishes.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{RealtimeError, Result};

/// A task's brake, shared by the task and by whoever may stop it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<Mutex<Phase>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Working,
    Asked,
    Publishing,
}

impl Stop {
    /// What a stopped task ends with.
    pub(super) fn error(id: &str) -> RealtimeError {
        RealtimeError::Stopped(id.to_owned())
    }

    /// Asks the task to end.
    ///
    /// # Errors
    /// When it publishes already: whether it did is known in a moment.
    pub(super) fn ask(&self, id: &str) -> Result<()> {
        let mut phase = self.0.lock();
        if *phase == Phase::Publishing {
            return Err(RealtimeError::Unavailable(format!(
                "task '{id}' is publishing at this moment and cannot be stopped any more"
            )));
        }
        *phase = Phase::Asked;
        Ok(())
    }

    /// # Errors
    /// `Stopped` once it was asked.
    pub(super) fn check(&self, id: &str) -> Result<()> {
        if *self.0.lock() == Phase::Asked { Err(Self::error(id)) } else { Ok(()) }
    }

    /// From here on the task cannot be stopped.
    ///
    /// # Errors
    /// `Stopped` when it was asked before.
    pub(super) fn begin_publishing(&self, id: &str) -> Result<()> {
        let mut phase = self.0.lock();
        if *phase == Phase::Asked {
            return Err(Self::error(id));
        }
        *phase = Phase::Publishing;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_stopped_before_it_publishes_or_not_at_all() {
        let stop = Stop::default();
        stop.check("t").unwrap();
        stop.ask("t").unwrap();
        assert!(matches!(stop.check("t"), Err(RealtimeError::Stopped(id)) if id == "t"));
        assert!(stop.begin_publishing("t").is_err());
        let stop = Stop::default();
        stop.begin_publishing("t").unwrap();
        assert!(stop.ask("t").is_err());
        stop.check("t").unwrap();
    }
}
