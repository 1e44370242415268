//! Whether the coordinator sees all of the cluster.

use std::fmt::Debug;

use henge_platform::runtime::watch;

/// Says whether every node that lives was seen, and what it serves. Without that nothing is dropped and
/// nothing marked unused.
pub trait Sight: Send + Sync + Debug {
    /// True when what discovery knows is known to be all.
    fn is_complete(&self) -> bool;
}

/// The cluster is this process: there is nothing else to see.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneProcess;

impl Sight for OneProcess {
    fn is_complete(&self) -> bool {
        true
    }
}

impl Sight for watch::Receiver<bool> {
    fn is_complete(&self) -> bool {
        *self.borrow()
    }
}
