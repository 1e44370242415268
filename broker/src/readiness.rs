//! Whether this broker has seen every data node that lives, once since its start. Before that it does not
//! know what is buffered where, and answers nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use henge_platform::membership::MissingInventory;
use tokio::sync::watch;

use crate::error::{BrokerError, Result};

/// Nodes that an error names.
const NAMED: usize = 10;

/// What has still to be seen.
#[derive(Debug)]
pub(crate) struct Readiness {
    awaited: watch::Receiver<Vec<MissingInventory>>,
    was_complete: AtomicBool,
}

impl Readiness {
    /// Ready once nothing is awaited.
    #[must_use]
    pub(crate) fn of(awaited: watch::Receiver<Vec<MissingInventory>>) -> Self {
        Self { awaited, was_complete: AtomicBool::new(false) }
    }

    /// Fails until everything was seen once.
    ///
    /// # Errors
    /// `NotReady` with what is awaited.
    pub(crate) fn check(&self) -> Result<()> {
        let awaited = self.awaited();
        if awaited.is_empty() {
            return Ok(());
        }
        let mut named: Vec<String> = awaited.iter().take(NAMED).map(ToString::to_string).collect();
        if awaited.len() > NAMED {
            named.push(format!("and {} more", awaited.len() - NAMED));
        }
        Err(BrokerError::NotReady { awaited: named.join(", ") })
    }

    /// True while a node that lives was not seen yet: it may have come after the first query.
    #[must_use]
    pub(crate) fn awaits_somebody(&self) -> bool {
        !self.awaited.borrow().is_empty()
    }

    /// What has to be seen before the first query is answered; nothing from then on.
    #[must_use]
    pub(crate) fn awaited(&self) -> Vec<MissingInventory> {
        if self.was_complete.load(Ordering::Acquire) {
            return Vec::new();
        }
        let awaited = self.awaited.borrow().clone();
        if awaited.is_empty() {
            self.was_complete.store(true, Ordering::Release);
        }
        awaited
    }
}

#[cfg(test)]
mod tests {
    use henge_types::ErrorClass;

    use super::*;

    #[test]
    fn f_59_a_broker_is_ready_once_all_was_seen_and_stays_so() {
        let awaited = watch::Sender::new(vec![MissingInventory::Cluster]);
        let readiness = Readiness::of(awaited.subscribe());
        let error = readiness.check().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable);
        assert!(error.to_string().contains("nodes are not known yet"), "{error}");
        let not_pulled = |node: usize| MissingInventory::NotPulled(node.to_string().into());
        awaited.send_replace((0..12).map(not_pulled).collect());
        let error = readiness.check().unwrap_err().to_string();
        assert!(error.contains("what '9' serves") && error.contains("and 2 more"), "{error}");
        awaited.send_replace(Vec::new());
        assert!(readiness.check().is_ok());
        awaited.send_replace(vec![not_pulled(7)]);
        assert!(readiness.check().is_ok(), "what comes later is followed as it comes");
    }
}
