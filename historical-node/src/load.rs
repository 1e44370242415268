//! Loading: take a cached file if it is the right one, else fetch it; verify, map, announce.
//!
//! A cached file is the right one when its name carries the checksum that the metadata record: it got
//! that name only after it was verified, and blocks are verified again when they are read. Identity
//! and size alone are never enough, because metadata restored from a backup give ids out again.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use henge_data_node::{HostError, Instruction, SegmentHost};
use henge_platform::discovery::{AnnouncedSchema, AnnouncedSegment, ChangeSet, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::files::{self, rename_durably};
use henge_platform::runtime::{blocking, map_file, spawn};
use henge_platform::storage::{PushedObject, checksum_file};
use henge_segment::{MappedSegment, SegmentView};
use henge_types::{SegmentId, SegmentSchema};

use crate::cache::{CachedFile, FileForm, remove_file};
use crate::error::{HistoricalError, Result};
use crate::{HistoricalNode, Loaded, ServedForm, Serving};

impl HistoricalNode {
    pub(crate) async fn load_segment(&self, segment: &PublishedSegment) -> Result<()> {
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
        let loaded = Arc::new(loaded);
        self.serving.loaded.write().entry(segment.id.clone()).or_insert_with(|| loaded.clone());
        self.discovery.apply(
            &self.options.server_id,
            ChangeSet {
                add: vec![self.announcement(segment, loaded.mapped.schema())],
                ..ChangeSet::default()
            },
        )?;
        if is_spare {
            let (node, loaded) = (self.clone(), Arc::clone(&loaded));
            spawn(async move { node.care_for_object(&loaded).await });
        }
        self.heat(loaded);
        Ok(())
    }

    /// Also gives whether it is a form that the tier does not want, and better than none.
    async fn load_any(&self, segment: &PublishedSegment) -> Result<(Loaded, bool)> {
        let kept = PublishedSegment { schema_json: String::new(), ..segment.clone() };
        let (serving, kept, form) = (Arc::clone(&self.serving), Arc::new(kept), self.options.form);
        let of_cache = Arc::clone(&kept);
        let left = blocking(move || serving.open_left(&of_cache, form)).await?;
        if let Some(loaded) = left.wanted {
            return Ok((loaded, false));
        }
        let error = match self.fetch(Arc::clone(&kept)).await {
            Ok(loaded) => {
                let remove = move || left.spare.iter().for_each(|file| remove_file(&file.path));
                blocking(remove).await?;
                return Ok((loaded, false));
            }
            Err(error) => error,
        };
        let (serving, id) = (Arc::clone(&self.serving), segment.id.clone());
        match blocking(move || serving.open_spare(left.spare, &kept)).await? {
            Some(loaded) => {
                tracing::error!(segment = %id, %error, "serves the hot form that an earlier run left");
                Ok((loaded, true))
            }
            None => Err(error),
        }
    }

    async fn fetch(&self, segment: Arc<PublishedSegment>) -> Result<Loaded> {
        let room = self.serving.cache.reserve(segment.size_bytes)?;
        let form = FileForm::Stored { checksum: Some(segment.checksum) };
        let path = self.serving.cache.path(&segment.id, form);
        // Makes the folder too.
        self.storage.pull(&segment.object_key, stored_object(&segment), &path).await?;
        let (of, at) = (Arc::clone(&segment), path.clone());
        let mapped = Arc::new(blocking(move || open_as(&at, &of)).await??);
        Ok(Loaded { mapped, file: CachedFile { path, form }, room: Arc::new(room), segment })
    }

    fn announcement(&self, segment: &PublishedSegment, schema: &SegmentSchema) -> AnnouncedSegment {
        let columns = schema.columns.iter();
        let columns = columns.map(|column| (column.name.as_str(), column.column_type.clone()));
        AnnouncedSegment {
            id: segment.id.clone(),
            shard_spec: segment.shard_spec,
            tier: Arc::clone(&self.options.tier),
            priority: self.options.priority,
            realtime: false,
            size_bytes: segment.size_bytes,
            schema: Arc::new(AnnouncedSchema::of(columns)),
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

/// The object in deep storage, as the metadata record it.
pub(crate) fn stored_object(segment: &PublishedSegment) -> PushedObject {
    PushedObject { size_bytes: segment.size_bytes, checksum: segment.checksum }
}

/// Maps a file and checks that its footer names the segment that the metadata mean.
pub(crate) fn open_as(path: &Path, segment: &PublishedSegment) -> Result<MappedSegment> {
    let io = |source| HistoricalError::Io { path: path.to_owned(), source };
    let mapped = MappedSegment::open(map_file(path).map_err(io)?)?;
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

/// What an earlier run left of a segment.
struct Left {
    /// What the tier wants to serve.
    wanted: Option<Loaded>,
    /// Files of another form, kept until the wanted one is there: they may be the last good copy.
    spare: Vec<CachedFile>,
}

impl Serving {
    /// What an earlier run left of a segment, if it is what the metadata mean. Files that nobody needs
    /// are removed.
    fn open_left(self: &Arc<Self>, segment: &Arc<PublishedSegment>, form: ServedForm) -> Left {
        let mut left = Left { wanted: None, spare: Vec::new() };
        for file in self.cache.take_left(&segment.id) {
            let is_wanted = form == ServedForm::Hot || matches!(file.form, FileForm::Stored { .. });
            if !is_wanted {
                left.spare.push(file);
            } else if left.wanted.is_some() {
                remove_file(&file.path);
            } else {
                left.wanted = self.open_usable(file, segment);
            }
        }
        if left.wanted.is_some() {
            left.spare.drain(..).for_each(|file| remove_file(&file.path));
        }
        left
    }

    /// The first usable one of these; the others are removed.
    fn open_spare(
        self: &Arc<Self>,
        spare: Vec<CachedFile>,
        segment: &Arc<PublishedSegment>,
    ) -> Option<Loaded> {
        let mut opened = None;
        for file in spare {
            match opened {
                None => opened = self.open_usable(file, segment),
                Some(_) => remove_file(&file.path),
            }
        }
        opened
    }

    /// Opens a file; one that is not usable is removed.
    fn open_usable(
        self: &Arc<Self>,
        file: CachedFile,
        segment: &Arc<PublishedSegment>,
    ) -> Option<Loaded> {
        let path = file.path.clone();
        let error = match self.open_file(file, segment) {
            Ok(loaded) => return Some(loaded),
            Err(error) => error,
        };
        tracing::warn!(segment = %segment.id, path = %path.display(), %error, "cached file is not usable");
        remove_file(&path);
        None
    }

    fn open_file(&self, file: CachedFile, segment: &Arc<PublishedSegment>) -> Result<Loaded> {
        let io = |source| HistoricalError::Io { path: file.path.clone(), source };
        let wrong = || HistoricalError::WrongContent { path: file.path.clone() };
        let size_bytes = files::size_bytes(&file.path).map_err(io)?;
        let room = Arc::new(self.cache.reserve(size_bytes)?);
        let form = match file.form {
            FileForm::Stored { checksum } => {
                if size_bytes != segment.size_bytes {
                    let (path, expected_bytes) = (file.path, segment.size_bytes);
                    return Err(HistoricalError::WrongSize { path, expected_bytes });
                }
                let checksum = match checksum {
                    Some(checksum) => checksum,
                    None => checksum_file(&file.path)?.checksum,
                };
                if checksum != segment.checksum {
                    return Err(wrong());
                }
                FileForm::Stored { checksum: Some(checksum) }
            }
            FileForm::Hot { stored, checksum } => {
                if stored != segment.checksum {
                    return Err(wrong());
                }
                let checksum = match checksum {
                    Some(checksum) => checksum,
                    None => {
                        open_as(&file.path, segment)?.verify()?;
                        checksum_file(&file.path)?.checksum
                    }
                };
                FileForm::Hot { stored, checksum: Some(checksum) }
            }
        };
        let mapped = Arc::new(open_as(&file.path, segment)?);
        let path = self.cache.path(&segment.id, form);
        if path != file.path {
            rename_durably(&file.path, &path).map_err(io)?;
        }
        let file = CachedFile { path, form };
        Ok(Loaded { mapped, file, room, segment: Arc::clone(segment) })
    }

    /// Forgets what node-wide dictionaries know of a segment that is served no longer.
    pub(crate) fn forget_dictionaries(&self, mapped: &MappedSegment) {
        self.dictionaries.forget(mapped.instance());
        for projection in mapped.embedded() {
            self.dictionaries.forget(projection.instance());
        }
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
