//! What the writer of a datasource tells those who accept requests.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::error::{RealtimeError, Result};
use crate::push::known::KnownColumns;

/// What the writer knows and the intake needs.
#[derive(Debug, Default)]
pub(crate) struct Feedback {
    /// The columns that a durable record told last.
    logged: Mutex<Option<Arc<KnownColumns>>>,
    /// Why nothing is added any more.
    halted: OnceLock<String>,
}

impl Feedback {
    /// Whether the log tells these columns, so that the next record need not.
    #[must_use]
    pub(crate) fn is_logged(&self, known: &Arc<KnownColumns>) -> bool {
        let logged = self.logged.lock();
        known.discovered.is_empty() || logged.as_ref().is_some_and(|last| Arc::ptr_eq(last, known))
    }

    /// A record that told these columns is durable.
    pub(crate) fn note_logged(&self, known: &Arc<KnownColumns>) {
        *self.logged.lock() = Some(Arc::clone(known));
    }

    /// A logged request could not be added. What is logged after it could not be answered either,
    /// so nothing more is: a restart replays the log.
    pub(crate) fn halt(&self, reason: &str) {
        let _ = self.halted.set(reason.to_owned());
    }

    /// # Errors
    /// When the writer has stopped.
    pub(crate) fn check(&self) -> Result<()> {
        let halted = |reason| {
            RealtimeError::Unavailable(format!(
                "the datasource takes no events until the server is started again, because a \
                 logged request could not be added: {reason}"
            ))
        };
        self.halted.get().map_or(Ok(()), |reason| Err(halted(reason)))
    }
}
