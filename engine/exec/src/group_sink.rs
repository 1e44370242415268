//! Where groups go that do not fit into memory.

use std::fmt::Debug;
use std::sync::Arc;

use henge_scan::Result;

use crate::partial::GroupedPartial;

/// Takes groups that do not fit into memory.
pub trait GroupSink: Send + Sync + Debug {
    /// Puts groups aside.
    ///
    /// # Errors
    /// When there is no room for them either.
    fn put(&self, groups: GroupedPartial) -> Result<()>;
}

/// When and where to groups are put aside.
#[derive(Debug, Clone)]
pub struct Spill {
    /// Where to.
    pub sink: Arc<dyn GroupSink>,
    /// What one worker may hold before.
    pub above_bytes: usize,
}
