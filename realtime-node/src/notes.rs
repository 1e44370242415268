//! What the metadata note as buffered by this node (ADR 10), kept as it is announced.
//!
//! Most answers that are lost are no matter: the same change is asked for again. Of a new note it is not known
//! under which identity it was made. Such rows are announced under one of this node, which is noted as soon as
//! the metadata answer, and whoever pushed them waits for that; the lost note is found by comparing all of them
//! with what is announced, which is done after each doubt, and every minute for what came about late.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::{Discovery, ServerId};
use henge_platform::metadata::{MetadataError, MetadataStore};
use henge_platform::runtime::watch;
use henge_types::SegmentId;
use tokio::sync::{Notify, RwLock, RwLockReadGuard};

use crate::error::Result;
use crate::options::server_of;
use crate::repeat::until_known;

/// Comparing waits so long for who changes a note and what is announced.
const SHORT: Duration = Duration::from_millis(10);
/// Between who takes a log over and whose it is; no name of a node has a slash.
const TAKES: &str = "/takes/";

/// Who notes what a lost node buffered, while another one takes a life of its log over: neither of the two
/// ends these notes for another reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taking {
    /// Who takes it over.
    pub(crate) by: Arc<str>,
    /// The node that is lost.
    pub(crate) node: Arc<str>,
    /// The life of its log.
    pub(crate) life: u64,
}

impl Taking {
    /// The owner of the notes.
    pub(crate) fn owner(&self) -> String {
        format!("{}{TAKES}{}/{}", server_of(&self.by), self.node, self.life)
    }

    /// What an owner of notes stands for; `None` for a server.
    pub(crate) fn of(owner: &str) -> Option<Self> {
        let (by, taken) = owner.split_once(TAKES)?;
        let (node, life) = taken.rsplit_once('/')?;
        let by = by.strip_prefix(&*server_of(""))?;
        Some(Self { by: by.into(), node: node.into(), life: life.parse().ok()? })
    }
}

/// The notes of a node.
#[derive(Debug)]
pub(crate) struct Notes {
    metadata: Arc<dyn MetadataStore>,
    discovery: Arc<dyn Discovery>,
    owner: ServerId,
    /// Held while a note and what is announced change, one after the other.
    changing: RwLock<()>,
    /// Announced, and not noted yet.
    unnoted: watch::Sender<BTreeSet<SegmentId>>,
    /// Told when it is not known what the metadata have.
    doubt: Arc<Notify>,
}

impl Notes {
    pub(crate) fn new(
        owner: ServerId,
        metadata: Arc<dyn MetadataStore>,
        discovery: Arc<dyn Discovery>,
        doubt: Arc<Notify>,
    ) -> Self {
        let (changing, unnoted) = (RwLock::new(()), watch::Sender::default());
        Self { metadata, discovery, owner, changing, unnoted, doubt }
    }

    /// Until it is dropped notes may be without announcements.
    pub(crate) async fn changing(&self) -> RwLockReadGuard<'_, ()> {
        self.changing.read().await
    }

    /// Rows are announced under an identity of this node, which is noted from the moment on when the metadata
    /// answer again.
    pub(crate) fn note_later(&self, id: &SegmentId) {
        self.unnoted.send_modify(|unnoted| {
            unnoted.insert(id.clone());
        });
        self.doubt.notify_one();
    }

    /// Those of these that are not noted.
    pub(crate) fn unnoted<'a>(&self, ids: impl Iterator<Item = &'a SegmentId>) -> Vec<SegmentId> {
        let unnoted = self.unnoted.borrow();
        ids.filter(|id| unnoted.contains(id)).cloned().collect()
    }

    /// Returns once all of these are noted, or their rows are under identities that are.
    pub(crate) async fn noted(&self, ids: &[SegmentId]) {
        let mut unnoted = self.unnoted.subscribe();
        let are_noted = |unnoted: &BTreeSet<SegmentId>| ids.iter().all(|id| !unnoted.contains(id));
        let _ = unnoted.wait_for(are_noted).await;
    }

    /// Rows pass from some identities to others. Returns once it is known that this is noted.
    ///
    /// # Errors
    /// When it is certainly not.
    pub(crate) async fn pass(
        &self,
        from: &[SegmentId],
        to: &[SegmentId],
    ) -> Result<(), MetadataError> {
        until_known(|| self.metadata.change_buffered(&self.owner, to, from)).await?;
        self.forget(from);
        Ok(())
    }

    /// Rows are nowhere any more, or others have them.
    pub(crate) async fn end(&self, ids: &[SegmentId]) {
        self.forget(ids);
        if let Err(error) = self.metadata.change_buffered(&self.owner, &[], ids).await {
            tracing::warn!(%error, "rows that were let go count as missing until the notes are compared");
            self.doubt.notify_one();
        }
    }

    /// Notes what is announced without a note.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub(crate) async fn note_missing(&self) -> Result<()> {
        let missing = self.missing(&self.announced());
        if !missing.is_empty() {
            self.metadata.change_buffered(&self.owner, &missing, &[]).await?;
            self.forget(&missing);
        }
        Ok(())
    }

    /// Makes the notes those of what is announced.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub(crate) async fn compare(&self) -> Result<()> {
        // Others are not held up: they wait for the metadata themselves.
        let _nobody_changes_them = loop {
            match self.changing.try_write() {
                Ok(alone) => break alone,
                Err(_) => tokio::time::sleep(SHORT).await,
            }
        };
        let noted = self.metadata.buffered_segments().await?;
        let announced = self.announced();
        let own = noted.into_iter().filter(|note| note.owner == self.owner).map(|note| note.id);
        let lost: Vec<SegmentId> = own.filter(|id| !announced.contains(id)).collect();
        let missing = self.missing(&announced);
        if missing.is_empty() && lost.is_empty() {
            return Ok(());
        }
        self.metadata.change_buffered(&self.owner, &missing, &lost).await?;
        tracing::info!(
            noted = missing.len(),
            ended = lost.len(),
            "notes of buffered rows were put right"
        );
        self.forget(&missing);
        Ok(())
    }

    fn missing(&self, announced: &BTreeSet<SegmentId>) -> Vec<SegmentId> {
        let unnoted = self.unnoted.borrow();
        unnoted.iter().filter(|id| announced.contains(id)).cloned().collect()
    }

    fn forget(&self, ids: &[SegmentId]) {
        self.unnoted.send_if_modified(|unnoted| {
            let before = unnoted.len();
            ids.iter().for_each(|id| {
                unnoted.remove(id);
            });
            unnoted.len() < before
        });
    }

    /// What is announced as buffered.
    fn announced(&self) -> BTreeSet<SegmentId> {
        let snapshot = self.discovery.snapshot();
        let Some(own) = snapshot.servers.get(&self.owner) else { return BTreeSet::new() };
        let buffered = own.segments.values().filter(|segment| segment.realtime);
        buffered.map(|segment| segment.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_owners_of_notes() {
        let taking = Taking { by: "b".into(), node: "a-1".into(), life: 7 };
        assert_eq!(taking.owner(), "realtime-b/takes/a-1/7");
        assert_eq!(Taking::of(&taking.owner()), Some(taking));
        for owner in ["realtime-b", "realtime-b/takes/a", "other/takes/a/7"] {
            assert_eq!(Taking::of(owner), None, "{owner}");
        }
    }
}
