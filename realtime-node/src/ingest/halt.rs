//! Why a datasource takes no more events of a source, or of some partitions of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::runtime::watch;

use super::source::Partition;
use crate::error::{RealtimeError, Result};

/// Why nothing more is read of some partitions.
pub type PartitionFailures = BTreeMap<Partition, Arc<str>>;

/// Set once, by the writer or the hand-off; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt {
    reason: Arc<watch::Sender<Option<Reason>>>,
    partitions: Arc<watch::Sender<PartitionFailures>>,
}

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

    /// Nothing more is read of a partition; the others go on.
    pub(crate) fn fail_partition(&self, partition: &Partition, reason: &str) {
        self.partitions.send_modify(|failures| {
            failures.entry(Arc::clone(partition)).or_insert_with(|| reason.into());
        });
    }

    /// The partitions of which nothing more is read, and changes of that.
    pub(crate) fn partitions(&self) -> watch::Receiver<PartitionFailures> {
        self.partitions.subscribe()
    }

    /// Somebody else published from the source: what is buffered is let go, and reading begins anew
    /// behind what is published.
    pub(crate) fn supersede(&self) {
        self.set(Reason::Superseded);
    }

    /// True when no more events are taken.
    pub(crate) fn is_set(&self) -> bool {
        self.reason.borrow().is_some()
    }

    /// True once somebody else published from the source.
    pub(crate) fn is_superseded(&self) -> bool {
        matches!(*self.reason.borrow(), Some(Reason::Superseded))
    }

    /// Returns once somebody else published from the source.
    pub(crate) async fn superseded(&self) {
        let mut reasons = self.reason.subscribe();
        let _ = reasons.wait_for(|reason| matches!(reason, Some(Reason::Superseded))).await;
    }

    /// Why no more events are taken, when that is for good.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        match &*self.reason.borrow() {
            Some(Reason::Failed(reason)) => Some(Arc::clone(reason)),
            Some(Reason::Superseded) | None => None,
        }
    }

    /// Returns, with the reason, once no more events are taken for good.
    pub(crate) async fn failed(&self) -> String {
        let mut reasons = self.reason.subscribe();
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
        Err(RealtimeError::Unavailable(match &*self.reason.borrow() {
            None => return Ok(()),
            Some(Reason::Failed(reason)) => format!(
                "no more events are taken until the server is started again, because earlier ones \
                 could not be added: {reason}"
            ),
            Some(Reason::Superseded) => {
                "somebody else published from the source; what is buffered of it is let go".into()
            }
        }))
    }

    fn set(&self, reason: Reason) {
        self.reason.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(reason);
            is_first
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_08_the_first_reason_stands_and_names_no_kind_of_source() {
        let halt = Halt::default();
        halt.check().unwrap();
        halt.fail_partition(&"a".into(), "a gap");
        halt.check().unwrap();
        halt.fail("the disk is gone");
        halt.supersede();
        let error = halt.check().unwrap_err().to_string();
        assert!(error.contains("earlier ones could not be added: the disk is gone"), "{error}");
        assert!(!halt.is_superseded());
        assert_eq!(
            halt.partitions().borrow().keys().map(|name| &**name).collect::<Vec<_>>(),
            ["a"]
        );
        let halt = Halt::default();
        halt.supersede();
        let error = halt.check().unwrap_err().to_string();
        assert!(error.contains("somebody else") && !error.contains("started again"), "{error}");
    }
}
