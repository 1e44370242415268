//! Loading: take the cached file if it is the right one, else fetch it; verify, map, announce.

use std::sync::Arc;

use async_trait::async_trait;
use henge_platform::discovery::{AnnouncedSegment, ChangeSet, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_platform::rpc::{HostError, SegmentHost};
use henge_platform::runtime::map_file;
use henge_platform::storage::PushedObject;
use henge_segment::{MappedSegment, SegmentView};
use henge_types::SegmentId;

use crate::HistoricalNode;
use crate::error::{HistoricalError, Result};

impl HistoricalNode {
    async fn load_segment(&self, segment: &PublishedSegment) -> Result<()> {
        if self.loaded.read().contains_key(&segment.id) {
            return Ok(());
        }
        let room = self.cache.reserve(segment.size_bytes)?;
        let mapped = match self.open_cached(segment) {
            Ok(Some(mapped)) => mapped,
            Ok(None) => self.fetch(segment).await?,
            Err(error) => {
                tracing::warn!(segment = %segment.id, %error, "cached file is not usable, fetching it again");
                self.fetch(segment).await?
            }
        };
        if self.loaded.write().insert(segment.id.clone(), Arc::new(mapped)).is_none() {
            room.keep();
        }
        self.discovery.apply(
            &self.options.server_id,
            ChangeSet { add: vec![self.announcement(segment)], remove: Vec::new() },
        )?;
        Ok(())
    }

    fn open_cached(&self, segment: &PublishedSegment) -> Result<Option<MappedSegment>> {
        let path = self.cache.path(&segment.id);
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HistoricalError::Io { path, source }),
            Ok(metadata) if metadata.len() != segment.size_bytes => {
                Err(HistoricalError::WrongSize { path, expected_bytes: segment.size_bytes })
            }
            Ok(_) => self.map(segment).map(Some),
        }
    }

    async fn fetch(&self, segment: &PublishedSegment) -> Result<MappedSegment> {
        let path = self.cache.path(&segment.id);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|source| HistoricalError::Io { path: parent.to_owned(), source })?;
        }
        let expected = PushedObject { size_bytes: segment.size_bytes, checksum: segment.checksum };
        self.storage.pull(&segment.object_key, expected, &path).await?;
        self.map(segment)
    }

    /// Maps the file and checks that its footer names the segment that the metadata mean.
    fn map(&self, segment: &PublishedSegment) -> Result<MappedSegment> {
        let path = self.cache.path(&segment.id);
        let bytes = map_file(&path).map_err(|source| HistoricalError::Io { path, source })?;
        let mapped = MappedSegment::open(bytes)?;
        if *mapped.id() != segment.id {
            return Err(HistoricalError::WrongIdentity {
                expected: segment.id.to_string(),
                found: mapped.id().to_string(),
            });
        }
        Ok(mapped)
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
        if let Some(mapped) = self.loaded.write().remove(id) {
            self.cache.remove(id, mapped.size_bytes());
            self.dictionaries.forget(mapped.instance());
            for projection in mapped.projections() {
                self.dictionaries.forget(projection.segment.instance());
            }
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
