//! The used segments, followed incrementally: one full read at the start, changes afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::metadata::{MetadataStore, PublishedSegment, SegmentChange};
use henge_types::SegmentId;

use crate::error::Result;

/// Changes asked for in one go.
const CHANGES_PER_POLL: usize = 10_000;

/// The used segments as of `sequence`.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    used: Arc<BTreeMap<SegmentId, Arc<PublishedSegment>>>,
    sequence: u64,
    complete: bool,
}

impl Inventory {
    /// Catches up with the metadata store.
    ///
    /// # Errors
    /// When the store cannot be read; the inventory then stays as it was.
    pub(crate) async fn refresh(&mut self, metadata: &dyn MetadataStore) -> Result<()> {
        if !self.complete {
            let snapshot = metadata.used_segments().await?;
            let used = snapshot.segments.into_iter().map(|s| (s.id.clone(), Arc::new(s)));
            self.used = Arc::new(used.collect());
            self.sequence = snapshot.sequence;
            self.complete = snapshot.complete;
            return Ok(());
        }
        loop {
            let batch = metadata.segment_changes(self.sequence, CHANGES_PER_POLL).await?;
            self.apply(batch.changes);
            self.sequence = batch.sequence;
            if !batch.more {
                return Ok(());
            }
        }
    }

    fn apply(&mut self, changes: Vec<SegmentChange>) {
        if changes.is_empty() {
            return;
        }
        let used = Arc::make_mut(&mut self.used);
        for change in changes {
            match change {
                SegmentChange::Used(segment) => {
                    used.insert(segment.id.clone(), Arc::new(*segment));
                }
                SegmentChange::Unused(id) => {
                    used.remove(&id);
                }
            }
        }
    }

    /// The used segments.
    #[must_use]
    pub(crate) fn used(&self) -> Arc<BTreeMap<SegmentId, Arc<PublishedSegment>>> {
        Arc::clone(&self.used)
    }

    /// Changes with them.
    #[must_use]
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// True when they are known to be all.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }
}
