//! What the metadata note as buffered by an earlier life of this node. It stays noted, and so its rows
//! are missing for every query, until the log that has them was replayed to the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::metadata::BufferedSegment;
use henge_types::SegmentId;

use crate::error::{RealtimeError, Result};
use crate::notes::Taking;
use crate::push::{LogState, OwnLog};
use crate::shared::Shared;

/// By datasource.
#[derive(Debug)]
pub(crate) struct LeftBuffered {
    shared: Arc<Shared>,
    ids: BTreeMap<Arc<str>, Vec<SegmentId>>,
}

impl LeftBuffered {
    /// What is noted before anything is replayed.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub(crate) async fn of(shared: &Arc<Shared>) -> Result<Self> {
        let mut ids: BTreeMap<Arc<str>, Vec<SegmentId>> = BTreeMap::new();
        for buffered in shared.metadata.buffered_segments().await? {
            if is_left(shared, &buffered).await? {
                ids.entry(Arc::clone(&buffered.id.datasource)).or_default().push(buffered.id);
            }
        }
        Ok(Self { shared: Arc::clone(shared), ids })
    }

    /// Refuses to begin a log anew that is not on this disk and had rows which nobody else has: they would be
    /// missed no more. Where one process has all, the metadata are on the same disk, and marks tell.
    ///
    /// # Errors
    /// When the log that had them is not there.
    pub(crate) async fn check_log(&self, datasource: &str) -> Result<()> {
        let options = &self.shared.options;
        let (Some(ids), true) = (self.ids.get(datasource), options.is_in_cluster) else {
            return Ok(());
        };
        let (metadata, node) = (&*self.shared.metadata, &options.node);
        let log = OwnLog::of(metadata, datasource, node).await?;
        if options.wal_dir.join(log.folder).exists() {
            return Ok(());
        }
        let segments = ids.len();
        Err(RealtimeError::Unavailable(format!(
            "the log of '{datasource}' is not on this disk, and the metadata note {segments} segment(s) that \
             it had rows of: start this node on the disk that has it, or, if that is lost, give the node up \
             at another one (POST /v1/realtime/{node}/give-up), which says what is lost"
        )))
    }

    /// The log of a datasource was replayed: all of its rows are announced under new identities, or
    /// are published.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub(crate) async fn replayed(&mut self, datasource: &str) -> Result<()> {
        match self.ids.remove(datasource) {
            Some(ids) => self.forget(&ids).await,
            None => Ok(()),
        }
    }

    /// What is left belongs to datasources that are not there: nobody has a log of theirs.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub(crate) async fn forget_rest(self) -> Result<()> {
        for (datasource, ids) in &self.ids {
            let segments = ids.len();
            tracing::warn!(%datasource, segments, "was buffered for a datasource that is not there");
            self.forget(ids).await?;
        }
        Ok(())
    }

    async fn forget(&self, ids: &[SegmentId]) -> Result<()> {
        let owner = self.shared.serving.server_id();
        Ok(self.shared.metadata.change_buffered(owner, &[], ids).await?)
    }
}

/// Whether an earlier life of this node noted it. What another one began to take over, and did not, is its
/// again.
async fn is_left(shared: &Shared, note: &BufferedSegment) -> Result<bool> {
    match Taking::of(&note.owner) {
        None => Ok(note.owner == *shared.serving.server_id()),
        Some(taking) if taking.node == shared.options.node => {
            let state = LogState::of(&*shared.metadata, &note.id.datasource, &taking.node).await?;
            Ok(state.body.life == taking.life)
        }
        Some(_) => Ok(false),
    }
}
