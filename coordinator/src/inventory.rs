//! The used segments, followed incrementally: one full read at the start, changes afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::metadata::{MetadataStore, PublishedSegment, SegmentChange};
use henge_types::{Interval, SegmentId, Version};

use crate::Coordinator;
use crate::error::Result;

/// Changes asked for in one go.
const CHANGES_PER_POLL: usize = 10_000;

/// Used segments by id.
pub(crate) type Used = BTreeMap<SegmentId, Arc<PublishedSegment>>;

/// The used segments as of `sequence`.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    used: Arc<Used>,
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
    pub(crate) fn used(&self) -> Arc<Used> {
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

impl Coordinator {
    /// The used segments at this moment.
    pub(crate) async fn used_now(&self) -> Result<Arc<Used>> {
        let mut inventory = self.inventory.lock().await;
        inventory.refresh(self.metadata.as_ref()).await?;
        Ok(inventory.used())
    }
}

/// Those of one datasource.
pub(crate) fn of_datasource<'u>(
    used: &'u Used,
    datasource: &str,
) -> impl Iterator<Item = (&'u SegmentId, &'u Arc<PublishedSegment>)> {
    let datasource: Arc<str> = datasource.into();
    let first = Interval { start_ms: i64::MIN, end_ms: i64::MIN };
    let first = SegmentId::new(Arc::clone(&datasource), first, Version(0), 0);
    used.range(first..).take_while(move |(id, _)| id.datasource == datasource)
}
