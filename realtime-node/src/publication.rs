//! Segments on their way from local files to deep storage, as hand-offs and tasks have them.

use std::sync::Arc;

use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::random;
use henge_platform::storage::{DeepStorage, Payload, segment_object_key};

use crate::error::Result;
use crate::sink::WrittenSegment;

/// A segment on its way.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Its local file.
    pub(crate) file: Arc<WrittenSegment>,
    /// What to publish; `None` while it is not in deep storage.
    pub(crate) pushed: Option<PublishedSegment>,
}

impl Outgoing {
    /// Not pushed so far.
    pub(crate) fn new(file: Arc<WrittenSegment>) -> Self {
        Self { file, pushed: None }
    }

    /// Puts the file into deep storage, unless it is there.
    pub(crate) async fn push(&mut self, storage: &dyn DeepStorage) -> Result<()> {
        if self.pushed.is_some() {
            return Ok(());
        }
        let mut published = self.file.published.clone();
        published.object_key = segment_object_key(&published.id, random());
        let payload = Payload::File(self.file.path.clone());
        let object = storage.push(&published.object_key, payload).await?;
        published.size_bytes = object.size_bytes;
        published.checksum = object.checksum;
        self.pushed = Some(published);
        Ok(())
    }
}

/// What is to be published of these.
pub(crate) fn published(outgoing: &[Outgoing]) -> Vec<PublishedSegment> {
    outgoing.iter().filter_map(|segment| segment.pushed.clone()).collect()
}

/// The local files of these.
pub(crate) fn files(outgoing: &[Outgoing]) -> Vec<Arc<WrittenSegment>> {
    outgoing.iter().map(|segment| Arc::clone(&segment.file)).collect()
}
