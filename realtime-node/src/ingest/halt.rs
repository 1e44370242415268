//! Why a datasource takes no more events of a source.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::{RealtimeError, Result};

/// Set once, by the writer or the hand-off; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt(Arc<watch::Sender<Option<Reason>>>);

#[derive(Debug, Clone)]
enum Reason {
    /// What comes behind it is not added either, so that the position stays before it.
    Failed(Arc<str>),
    /// Somebody else published what is buffered here.
    Superseded,
}

impl Halt {
    /// Events could not be added, or what is published of their source went back: a restart reads them
    /// again.
    pub(crate) fn fail(&self, reason: &str) {
        self.set(Reason::Failed(reason.into()));
    }

    /// Somebody else published from the source: what is buffered is let go, and reading begins anew
    /// behind what is published.
    pub(crate) fn supersede(&self) {
        self.set(Reason::Superseded);
    }

    /// True when no more events are taken.
    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// True once somebody else published from the source.
    pub(crate) fn is_superseded(&self) -> bool {
        matches!(*self.0.borrow(), Some(Reason::Superseded))
    }

    /// Returns once somebody else published from the source.
    pub(crate) async fn superseded(&self) {
        let mut reasons = self.0.subscribe();
        let _ = reasons.wait_for(|reason| matches!(reason, Some(Reason::Superseded))).await;
    }

    /// Why no more events are taken, when that is for good.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        match &*self.0.borrow() {
            Some(Reason::Failed(reason)) => Some(Arc::clone(reason)),
            Some(Reason::Superseded) | None => None,
        }
    }

    /// Returns, with the reason, once no more events are taken for good.
    pub(crate) async fn failed(&self) -> String {
        let mut reasons = self.0.subscribe();
        match reasons.wait_for(|reason| matches!(reason, Some(Reason::Failed(_)))).await {
            Ok(reason) => match &*reason {
                Some(Reason::Failed(reason)) => reason.to_string(),
                Some(Reason::Superseded) | None => String::new(),
            },
            Err(_) => String::new(),
        }
    }

    /// # Errors
    /// When no more events are taken.
    pub(crate) fn check(&self) -> Result<()> {
        let reason = match &*self.0.borrow() {
            None => return Ok(()),
            Some(Reason::Failed(reason)) => Arc::clone(reason),
            Some(Reason::Superseded) => "somebody else published from the source".into(),
        };
        Err(RealtimeError::Unavailable(format!(
            "the datasource takes no events until the server is started again, because a \
             logged request could not be added: {reason}"
        )))
    }

    fn set(&self, reason: Reason) {
        self.0.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(reason);
            is_first
        });
    }
}
