//! A flag that stops the work on a query. The engine has no clock: the caller watches the deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{ExecError, Result};

/// A flag that is checked once a block, and within long evaluations of expressions.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicU8>);

impl CancelFlag {
    /// Stops the work: somebody cancelled it.
    pub fn cancel(&self) {
        let _ = self.0.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Stops the work: its deadline passed.
    pub fn time_out(&self) {
        let _ = self.0.compare_exchange(0, 2, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// True when the work is to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Fails when the work is to stop.
    ///
    /// # Errors
    /// `Cancelled` or `TimedOut`.
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            1 => Err(ExecError::Cancelled),
            _ => Err(ExecError::TimedOut),
        }
    }
}
