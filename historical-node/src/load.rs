//! Loading: take the cached file if it is the right one, else fetch it; verify, map, announce.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use henge_platform::discovery::{AnnouncedSegment, ChangeSet, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_platform::rpc::{HostError, SegmentHost};
use henge_platform::runtime::map_file;
use henge_platform::storage::PushedObject;
use henge_segment::{MappedSegment, SegmentView};
use henge_types::SegmentId;

use crate::cache::remove_file;
use crate::error::{HistoricalError, Result};
use crate::{HistoricalNode, Loaded, Serving};

impl HistoricalNode {
    async fn load_segment(&self, segment: &PublishedSegment) -> Result<()> {
        if self.serving.loaded.read().contains_key(&segment.id) {
            return Ok(());
        }
        let loaded = Arc::new(match self.open_hot(segment)? {
            Some(hot) => hot,
            None => self.load_stored(segment).await?,
        });
        self.serving.loaded.write().entry(segment.id.clone()).or_insert_with(|| loaded.clone());
        self.discovery.apply(
            &self.options.server_id,
            ChangeSet { add: vec![self.announcement(segment)], remove: Vec::new() },
        )?;
        self.heat(segment, loaded);
        Ok(())
    }

    async fn load_stored(&self, segment: &PublishedSegment) -> Result<Loaded> {
        let room = self.serving.cache.reserve(segment.size_bytes)?;
        let mapped = match self.open_cached(segment) {
            Ok(Some(mapped)) => mapped,
            Ok(None) => self.fetch(segment).await?,
            Err(error) => {
                tracing::warn!(segment = %segment.id, %error, "cached file is not usable, fetching it again");
                self.fetch(segment).await?
            }
        };
        let path = self.serving.cache.path(&segment.id);
        Ok(Loaded { mapped: Arc::new(mapped), path, room })
    }

    fn open_cached(&self, segment: &PublishedSegment) -> Result<Option<MappedSegment>> {
        let path = self.serving.cache.path(&segment.id);
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HistoricalError::Io { path, source }),
            Ok(metadata) if metadata.len() != segment.size_bytes => {
                Err(HistoricalError::WrongSize { path, expected_bytes: segment.size_bytes })
            }
            Ok(_) => open_as(&path, &segment.id).map(Some),
        }
    }

    async fn fetch(&self, segment: &PublishedSegment) -> Result<MappedSegment> {
        let path = self.serving.cache.path(&segment.id);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|source| HistoricalError::Io { path: parent.to_owned(), source })?;
        }
        let expected = PushedObject { size_bytes: segment.size_bytes, checksum: segment.checksum };
        self.storage.pull(&segment.object_key, expected, &path).await?;
        open_as(&path, &segment.id)
    }

    fn announcement(&self, segment: &PublishedSegment) -> AnnouncedSegment {
        AnnouncedSegment {
            id: segment.id.clone(),
            shard_spec: segment.shard_spec,
            tier: Arc::clone(&self.options.tier),
            priority: self.options.priority,
            realtime: false,
            size_bytes: segment.size_bytes,
        }
    }

    fn unload_segment(&self, id: &SegmentId) -> Result<()> {
        self.discovery.unannounce(&self.options.server_id, vec![id.clone()])?;
        if let Some(loaded) = self.serving.loaded.write().remove(id) {
            remove_file(&loaded.path);
            self.serving.forget_dictionaries(&loaded.mapped);
        }
        Ok(())
    }

    fn host_error(&self, error: &HistoricalError) -> HostError {
        HostError {
            server: self.options.server_id.to_string(),
            reason: error.to_string(),
            class: error.class(),
        }
    }
}

/// Maps a file and checks that its footer names the segment that the metadata mean.
pub(crate) fn open_as(path: &Path, id: &SegmentId) -> Result<MappedSegment> {
    let io = |source| HistoricalError::Io { path: path.to_owned(), source };
    let mapped = MappedSegment::open(map_file(path).map_err(io)?)?;
    match mapped.id() == id {
        true => Ok(mapped),
        false => Err(HistoricalError::WrongIdentity {
            expected: id.to_string(),
            found: mapped.id().to_string(),
        }),
    }
}

impl Serving {
    /// Forgets what node-wide dictionaries know of a segment that is served no longer.
    pub(crate) fn forget_dictionaries(&self, mapped: &MappedSegment) {
        self.dictionaries.forget(mapped.instance());
        for projection in mapped.projections() {
            self.dictionaries.forget(projection.segment.instance());
        }
    }
}

#[async_trait]
impl SegmentHost for HistoricalNode {
    fn server_id(&self) -> &ServerId {
        &self.options.server_id
    }

    async fn load(&self, segment: &PublishedSegment) -> Result<(), HostError> {
        self.load_segment(segment).await.map_err(|error| self.host_error(&error))
    }

    async fn unload(&self, id: &SegmentId) -> Result<(), HostError> {
        self.unload_segment(id).map_err(|error| self.host_error(&error))
    }
}
