//! Objects that no segment names: uploads before a crash, of a task that failed, or in place of a damaged object.
//!
//! A listing finds them and decides nothing (ADR 44): what goes is older than a grace and than the oldest task that
//! runs, lies in no chunk that anybody buffers, and is named by no row when it is deleted. Each upload has a key of
//! its own, so nobody begins to name an old one. Nothing is remembered in between: whoever dies half-way, or leads
//! no more, has deleted some of what the next one finds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::metadata::{BufferedSegment, UNPLACED};
use henge_platform::storage::{DeepStorage, ObjectInfo, segment_object_key};
use henge_types::encode_path_component;

use super::judge::CLOCKS_DIFFER_MS;
use crate::Coordinator;
use crate::config::OperatorSettings;
use crate::error::{CoordinatorError, Result};
use crate::leadership::Term;

/// The folder of the objects of segments.
const FOLDER: &str = "segments";
/// Listing a large bucket takes long.
const PERIOD: Duration = Duration::from_secs(24 * 3_600);
/// The time until it is asked again whether a run is due.
const LOOK: Duration = Duration::from_secs(600);
/// The shortest grace, whatever is set for dropped segments: somebody may try for days to publish.
const LEAST_GRACE_MS: i64 = 7 * 86_400_000;
/// Keys that are asked for at a time.
const AT_ONCE: usize = 1_000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unpublished {
    /// At most as many as were asked for.
    pub objects: Vec<ObjectInfo>,
    /// There are others.
    pub more: bool,
}

impl Unpublished {
    pub(crate) fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size_bytes).sum()
    }
}

impl Coordinator {
    /// Deletes what was never published once a day, where operators want that, while it leads. Never returns.
    pub(crate) async fn delete_uploads_now_and_then(&self) {
        let Some(storage) = &self.storage else { return std::future::pending().await };
        let mut leads_since = None;
        loop {
            let wait = match self.delete_uploads_if_due(storage, &mut leads_since).await {
                Ok(None) => LOOK,
                Ok(Some(deleted)) => {
                    if deleted > 0 {
                        tracing::info!(deleted, "deleted objects that were never published");
                    }
                    PERIOD
                }
                Err(error) => {
                    tracing::warn!(%error, "deleting what was never published failed, and goes on later");
                    LOOK
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// `None` when it is not for this coordinator to do, or not yet.
    pub(super) async fn delete_uploads_if_due(
        &self,
        storage: &Arc<dyn DeepStorage>,
        leads_since: &mut Option<(u64, u64)>,
    ) -> Result<Option<usize>> {
        let Some((term, leads_for_ms)) = self.leads_for(leads_since) else { return Ok(None) };
        let set = self.config.read().await?;
        let is_due = set.deletes_uploads()
            && !set.config.pause_coordination.unwrap_or(false)
            && leads_for_ms >= set.wait_before_deleting_ms()
            && self.shared.sight.is_complete();
        if !is_due {
            return Ok(None);
        }
        let found = self.unpublished_uploads(&set, super::MOST).await?;
        self.delete_uploads(storage, found, &term).await.map(Some)
    }

    /// Objects that no segment names and nobody can be about to publish. Changes nothing.
    ///
    /// # Errors
    /// When deep storage cannot be listed or the metadata cannot be read.
    pub(crate) async fn unpublished_uploads(
        &self,
        set: &OperatorSettings,
        most: usize,
    ) -> Result<Unpublished> {
        let Some(storage) = &self.storage else { return Err(CoordinatorError::NoStorage) };
        let (before_ms, kept) = (self.uploads_before_ms(set).await?, self.kept_folders().await?);
        let listed = storage.list(FOLDER).await.map_err(CoordinatorError::Storage)?;
        let may_go = |object: &ObjectInfo| {
            object.modified_ms < before_ms && folders_of(&object.key).all(|f| !kept.contains(f))
        };
        let old: Vec<ObjectInfo> = listed.into_iter().filter(may_go).collect();
        let mut found = Unpublished::default();
        for some in old.chunks(AT_ONCE) {
            let keys: Vec<String> = some.iter().map(|object| object.key.clone()).collect();
            let unnamed: BTreeSet<String> =
                self.metadata.unnamed_objects(&keys).await?.into_iter().collect();
            let of_nobody = some.iter().filter(|object| unnamed.contains(&object.key));
            found.objects.extend(of_nobody.cloned());
            if found.objects.len() > most {
                found.objects.truncate(most);
                found.more = true;
                break;
            }
        }
        Ok(found)
    }

    /// What was uploaded before this moment is old enough.
    pub(crate) async fn uploads_before_ms(&self, set: &OperatorSettings) -> Result<i64> {
        let now_ms = self.now_ms();
        let grace_ms = set.unused_before_ms(now_ms).min(now_ms.saturating_sub(LEAST_GRACE_MS));
        let oldest = self.oldest_task().await?;
        let began_ms = oldest.map(|(_, created_ms)| created_ms.saturating_sub(CLOCKS_DIFFER_MS));
        Ok(grace_ms.min(began_ms.unwrap_or(i64::MAX)))
    }

    /// Folders of time chunks, or of datasources, that somebody buffers rows of: those are uploaded some day.
    async fn kept_folders(&self) -> Result<BTreeSet<String>> {
        let buffered = self.metadata.buffered_segments().await?;
        let folder = |BufferedSegment { id, .. }: &BufferedSegment| match id.version {
            UNPLACED => format!("{FOLDER}/{}", encode_path_component(&id.datasource)),
            _ => chunk_of(&segment_object_key(id, 0)).unwrap_or_default().to_owned(),
        };
        Ok(buffered.iter().map(folder).collect())
    }

    /// Deletes them one by one, each after one look more; gives how many.
    async fn delete_uploads(
        &self,
        storage: &Arc<dyn DeepStorage>,
        found: Unpublished,
        term: &Term,
    ) -> Result<usize> {
        let mut deleted = 0;
        for object in found.objects {
            let leads = self.shared.leadership.leads_under(term.epoch);
            if !leads || !self.shared.sight.is_complete() {
                break;
            }
            let keys = [object.key];
            if self.metadata.unnamed_objects(&keys).await?.is_empty() {
                continue;
            }
            let [key] = keys;
            match super::delete_object(&**storage, &key).await {
                Ok(()) => deleted += 1,
                Err(why) => tracing::warn!(key, why, "an object stays in deep storage for now"),
            }
        }
        Ok(deleted)
    }
}

/// The folder of a time chunk, in the key of an object of some version of it.
fn chunk_of(key: &str) -> Option<&str> {
    key.rsplitn(3, '/').nth(2)
}

/// The folders of the datasource and of the time chunk that an object lies in.
fn folders_of(key: &str) -> impl Iterator<Item = &str> {
    let chunk = chunk_of(key);
    let datasource = chunk.and_then(|chunk| chunk.rsplit_once('/')).map(|(folder, _)| folder);
    chunk.into_iter().chain(datasource)
}

#[cfg(test)]
mod tests {
    use henge_platform::metadata::MetadataStore as _;
    use henge_platform::storage::Payload;
    use henge_types::SegmentId;

    use super::super::tests::World;
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    impl World {
        async fn uploads(&self) -> Vec<String> {
            let set = self.coordinator.config.read().await.unwrap();
            let found = self.coordinator.unpublished_uploads(&set, 10).await.unwrap();
            found.objects.into_iter().map(|object| object.key).collect()
        }

        async fn delete_uploads(&self) -> Option<usize> {
            let storage: Arc<dyn DeepStorage> = Arc::clone(&self.storage) as _;
            // It has led for long.
            let mut leads_since = Some((0, 0));
            self.coordinator.delete_uploads_if_due(&storage, &mut leads_since).await.unwrap()
        }
    }

    /// A day of 2060, when everything that the tests upload now is old.
    const LATER_MS: u64 = 33_000 * DAY_MS;

    #[tokio::test(start_paused = true)]
    async fn f_43_uploads_that_nobody_published_go_after_a_grace_and_only_when_that_is_wanted() {
        let world = World::of_days(2).await;
        let upload = async |id: &SegmentId, unique| {
            let key = segment_object_key(id, unique);
            let content = Payload::Bytes("x".into());
            world.objects.push(&key, content).await.unwrap();
            key
        };
        let first = upload(&world.ids[0], 1).await;
        let second = upload(&world.ids[1], 2).await;
        assert!(world.uploads().await.is_empty(), "they are new");
        world.setup.clock.pass(LATER_MS);
        assert_eq!(world.uploads().await, [first.clone(), second.clone()]);
        assert_eq!(world.delete_uploads().await, None, "nobody wants it");
        world.set(r#"{"killUnpublishedUploads": true}"#).await;
        // A node buffers rows of the second day.
        let interval = world.ids[1].interval;
        let metadata = &world.setup.metadata;
        let buffered = metadata.buffer_segment("r", "d", interval).await.unwrap();
        assert_eq!(world.uploads().await, std::slice::from_ref(&first));
        world.setup.sight.send_replace(false);
        assert_eq!(world.delete_uploads().await, None, "not all is seen");
        world.setup.sight.send_replace(true);
        assert_eq!(world.delete_uploads().await, Some(1));
        assert!(!world.objects.exists(&first).await.unwrap());
        metadata.change_buffered("r", &[], &[buffered.id]).await.unwrap();
        assert_eq!(world.delete_uploads().await, Some(1));
        assert!(!world.objects.exists(&second).await.unwrap());
        // What rows name stays, used or not.
        assert_eq!(world.there().await, [0, 1]);
        assert_eq!(world.delete_uploads().await, Some(0));
    }
}
