//! Loading: take a cached file if it is the right one, else fetch it; verify, map, announce.
//!
//! A cached file is the right one when its name carries the checksum that the metadata record: it got
//! that name only after it was verified, and blocks are verified again when they are read. Identity
//! and size alone are never enough, because metadata restored from a backup give ids out again.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use henge_data_node::{HostError, Instruction, SegmentHost};
use henge_platform::discovery::{AnnouncedSchema, AnnouncedSegment, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::{MappedFile, blocking, map_file, spawn};
use henge_platform::storage::PushedObject;
use henge_segment::{MappedSegment, SegmentView};
use henge_types::{SegmentId, SegmentSchema};

use crate::cache::{CachedFile, FileForm, remove_file};
use crate::error::{HistoricalError, Result};
use crate::left::Opening;
use crate::read_ahead::{AheadInFile, Reading};
use crate::{HistoricalNode, Loaded, ServedForm, Serving};

impl HistoricalNode {
    pub(crate) async fn load_segment(&self, segment: &PublishedSegment) -> Result<()> {
        if let Some(trouble) = self.disk.trouble() {
            return Err(HistoricalError::DiskHangs(trouble));
        }
        // A load that its coordinator gave up on may be under way: it is waited for, not made again.
        let turn = self.serving.told.turn_to_load(&segment.id);
        let _turn = turn.lock().await;
        if self.serving.loaded.read().contains_key(&segment.id) {
            return Ok(());
        }
        let outcome = self.load_any(segment).await;
        let trouble = outcome.as_ref().err().map(ToString::to_string);
        self.discovery.report(&self.options.server_id, &segment.id, trouble);
        let (loaded, is_spare) = outcome?;
        let (loaded, schema) = loaded;
        let loaded = Arc::new(loaded);
        self.serving.loaded.write().entry(segment.id.clone()).or_insert_with(|| loaded.clone());
        let announced = vec![self.announcement(segment, Arc::new(schema))];
        self.discovery.announce(&self.options.server_id, announced)?;
        if is_spare {
            let (node, loaded) = (self.clone(), Arc::clone(&loaded));
            spawn(async move { node.care_for_object(&loaded).await });
        }
        match self.wants_to_heat(&loaded) {
            true => self.heat_behind(vec![loaded]),
            false => self.pin_behind(vec![loaded]),
        }
        Ok(())
    }

    /// Also gives whether it is a form that the tier does not want, and better than none.
    async fn load_any(&self, segment: &PublishedSegment) -> Result<(Opened, bool)> {
        let kept = Arc::new(without_schema(segment));
        let (serving, form) = (Arc::clone(&self.serving), self.options.form);
        let of_cache = Arc::clone(&kept);
        let look = move || {
            let left = serving.open_left(&of_cache, form, Opening::AtOnce);
            let wanted = left.wanted.map(|loaded| serving.with_schema(loaded)).transpose();
            wanted.map(|wanted| (wanted, left.spare))
        };
        let (wanted, spare) = blocking(look).await??;
        if let Some(opened) = wanted {
            return Ok((opened, false));
        }
        if self.options.form == ServedForm::OnDemand {
            return Ok((self.make_blocks(segment, spare).await?, false));
        }
        let error = match self.fetch(Arc::clone(&kept)).await {
            Ok(opened) => {
                blocking(move || spare.iter().for_each(|file| remove_file(&file.path))).await?;
                return Ok((opened, false));
            }
            Err(error) => error,
        };
        let (serving, id) = (Arc::clone(&self.serving), segment.id.clone());
        let look = move || {
            let loaded = serving.open_spare(spare, &kept);
            loaded.map(|loaded| serving.with_schema(loaded)).transpose()
        };
        match blocking(look).await?? {
            Some(opened) => {
                tracing::error!(segment = %id, %error, "serves the hot form that an earlier run left");
                Ok((opened, true))
            }
            None => Err(error),
        }
    }

    async fn fetch(&self, segment: Arc<PublishedSegment>) -> Result<Opened> {
        let room = self.serving.cache.reserve(segment.size_bytes)?;
        let form = FileForm::Stored { checksum: Some(segment.checksum) };
        let path = self.serving.cache.path(&segment.id, form);
        // Makes the folder too.
        self.storage.pull(&segment.object_key, stored_object(&segment), &path).await?;
        let loaded = Loaded::new(CachedFile { path, form }, Arc::new(room), segment);
        let serving = Arc::clone(&self.serving);
        blocking(move || serving.with_schema(loaded)).await?
    }

    pub(crate) fn announcement(
        &self,
        segment: &PublishedSegment,
        schema: Arc<AnnouncedSchema>,
    ) -> AnnouncedSegment {
        AnnouncedSegment {
            id: segment.id.clone(),
            shard_spec: segment.shard_spec,
            tier: Arc::clone(&self.options.tier),
            priority: self.options.priority,
            realtime: false,
            size_bytes: segment.size_bytes,
            schema,
        }
    }

    /// What is loaded, or will be, stays when earlier instructions arrive.
    async fn load_as_told(
        &self,
        segment: &PublishedSegment,
        instruction: Instruction,
    ) -> Result<()> {
        self.serving.told.to_load(&segment.id, instruction);
        let loaded = self.load_segment(segment).await;
        if loaded.is_err() {
            self.serving.told.could_not_load(&segment.id, instruction);
        }
        loaded
    }

    fn unload_as_told(&self, id: &SegmentId, instruction: Instruction) -> Result<()> {
        let done = self.serving.told.unless_later(id, instruction, || self.unload_segment(id));
        if let Err(HistoricalError::Outdated { .. }) = &done {
            let Instruction { epoch, number } = instruction;
            tracing::warn!(segment = %id, epoch, number, "refused to drop a segment: the coordinator relies on it by now");
        }
        done
    }

    fn unload_segment(&self, id: &SegmentId) -> Result<()> {
        self.discovery.unannounce(&self.options.server_id, vec![id.clone()])?;
        self.care.endangered.lock().remove(id);
        if let Some(loaded) = self.serving.loaded.write().remove(id) {
            remove_file(&loaded.file.path);
            self.serving.close(&loaded);
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

/// What is kept of what the metadata say.
pub(crate) fn without_schema(segment: &PublishedSegment) -> PublishedSegment {
    PublishedSegment { schema_json: String::new(), ..segment.clone() }
}

/// The columns that a segment is announced with.
pub(crate) fn announced_columns(schema: &SegmentSchema) -> AnnouncedSchema {
    let columns = schema.columns.iter();
    AnnouncedSchema::of(columns.map(|column| (column.name.as_str(), column.column_type.clone())))
}

/// The object in deep storage, as the metadata record it.
pub(crate) fn stored_object(segment: &PublishedSegment) -> PushedObject {
    PushedObject { size_bytes: segment.size_bytes, checksum: segment.checksum }
}

/// Maps a file and checks that its footer names the segment that the metadata mean.
pub(crate) fn open_as(path: &Path, segment: &PublishedSegment) -> Result<MappedSegment> {
    open_mapped(path, segment, None).map(|(mapped, _)| mapped)
}

/// As [`open_as`], with the file that is mapped; reads ahead in it if that is wanted.
pub(crate) fn open_mapped(
    path: &Path,
    segment: &PublishedSegment,
    reading: Option<&Arc<Reading>>,
) -> Result<(MappedSegment, Arc<MappedFile>)> {
    let io = |source| HistoricalError::Io { path: path.to_owned(), source };
    let file = map_file(path).map_err(io)?;
    let bytes = Arc::clone(&file);
    let mapped = match reading {
        Some(reading) => {
            MappedSegment::open_ahead(bytes, Arc::new(AheadInFile::new(reading, &file)))?
        }
        None => MappedSegment::open(bytes)?,
    };
    Ok((if_is(mapped, path, segment)?, file))
}

/// What was opened, if it is the segment that the metadata mean.
pub(crate) fn if_is(
    mapped: MappedSegment,
    path: &Path,
    segment: &PublishedSegment,
) -> Result<MappedSegment> {
    if *mapped.id() != segment.id {
        return Err(HistoricalError::WrongIdentity {
            expected: segment.id.to_string(),
            found: mapped.id().to_string(),
        });
    }
    match mapped.row_count() as u64 == segment.row_count {
        true => Ok(mapped),
        false => Err(HistoricalError::WrongContent { path: path.to_owned() }),
    }
}

/// What is loaded, and its columns.
pub(crate) type Opened = (Loaded, AnnouncedSchema);

impl Serving {
    /// A segment with its columns, which its file says.
    pub(crate) fn with_schema(&self, loaded: Loaded) -> Result<Opened> {
        let schema = announced_columns(self.open(&loaded)?.schema());
        Ok((loaded, schema))
    }
}

#[async_trait]
impl SegmentHost for HistoricalNode {
    fn server_id(&self) -> &ServerId {
        &self.options.server_id
    }

    async fn load(
        &self,
        segment: &PublishedSegment,
        instruction: Instruction,
    ) -> Result<(), HostError> {
        let loaded = self.load_as_told(segment, instruction).await;
        loaded.map_err(|error| self.host_error(&error))
    }

    async fn unload(&self, id: &SegmentId, instruction: Instruction) -> Result<(), HostError> {
        self.unload_as_told(id, instruction).map_err(|error| self.host_error(&error))
    }
}
