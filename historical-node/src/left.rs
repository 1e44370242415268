//! What earlier runs left of a segment: whether it is what the metadata mean, and which of its files is served.

use std::path::Path;
use std::sync::Arc;

use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::files::{self, rename_durably};
use henge_platform::storage::checksum_file;

use crate::cache::{CachedFile, FileForm, remove_file};
use crate::error::{HistoricalError, Result};
use crate::load::open_as;
use crate::{Loaded, ServedForm, Serving};

/// When a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// At once: one that cannot be is not usable.
    AtOnce,
    /// When it is first read: its name and size are believed.
    WhenRead,
}

/// What an earlier run left of a segment.
pub(crate) struct Left {
    /// What the tier wants to serve.
    pub(crate) wanted: Option<Loaded>,
    /// Files of another form, kept until the wanted one is there: they may be the last good copy.
    pub(crate) spare: Vec<CachedFile>,
}

impl Serving {
    /// What an earlier run left of a segment, if it is what the metadata mean. Files that nobody needs
    /// are removed.
    pub(crate) fn open_left(
        self: &Arc<Self>,
        segment: &Arc<PublishedSegment>,
        form: ServedForm,
        opening: Opening,
    ) -> Left {
        let mut left = Left { wanted: None, spare: Vec::new() };
        for file in self.cache.take_left(&segment.id) {
            let is_wanted = match file.form {
                FileForm::Stored { .. } => form != ServedForm::OnDemand,
                FileForm::Hot { codec, .. } => form.is_written_as(codec),
                FileForm::Blocks { .. } => form == ServedForm::OnDemand,
            };
            if !is_wanted && matches!(file.form, FileForm::Blocks { .. }) {
                remove_file(&file.path);
            } else if !is_wanted {
                left.spare.push(file);
            } else if left.wanted.is_some() {
                remove_file(&file.path);
            } else {
                left.wanted = self.open_usable(file, segment, opening);
            }
        }
        if left.wanted.is_some() {
            left.spare.drain(..).for_each(|file| remove_file(&file.path));
        }
        left
    }

    /// The first usable one of these; the others are removed.
    pub(crate) fn open_spare(
        self: &Arc<Self>,
        spare: Vec<CachedFile>,
        segment: &Arc<PublishedSegment>,
    ) -> Option<Loaded> {
        let mut opened = None;
        for file in spare {
            match opened {
                None => opened = self.open_usable(file, segment, Opening::AtOnce),
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
        opening: Opening,
    ) -> Option<Loaded> {
        let path = file.path.clone();
        let error = match self.open_file(file, segment, opening) {
            Ok(loaded) => return Some(loaded),
            Err(error) => error,
        };
        tracing::warn!(segment = %segment.id, path = %path.display(), %error, "cached file is not usable");
        remove_file(&path);
        None
    }

    fn open_file(
        &self,
        file: CachedFile,
        segment: &Arc<PublishedSegment>,
        opening: Opening,
    ) -> Result<Loaded> {
        let io = |source| HistoricalError::Io { path: file.path.clone(), source };
        if let FileForm::Blocks { checksum } = file.form {
            return match checksum == segment.checksum {
                true => self.with_blocks(file, segment),
                false => Err(HistoricalError::WrongContent { path: file.path }),
            };
        }
        let size_bytes = files::size_bytes(&file.path).map_err(io)?;
        let room = Arc::new(self.cache.reserve(size_bytes)?);
        let form = proved(&file, size_bytes, segment)?;
        let path = self.cache.path(&segment.id, form);
        let mut loaded =
            Loaded::new(CachedFile { form, ..file.clone() }, room, Arc::clone(segment));
        if opening == Opening::AtOnce {
            self.open(&loaded)?;
        }
        if path != file.path {
            rename_durably(&file.path, &path).map_err(io)?;
            loaded.file.path = path;
        }
        Ok(loaded)
    }
}

/// The form of a file that holds a segment, with the checksums that its name lacks.
fn proved(file: &CachedFile, size_bytes: u64, segment: &PublishedSegment) -> Result<FileForm> {
    let path = &file.path;
    let (form, of) = match file.form {
        FileForm::Stored { .. } if size_bytes != segment.size_bytes => {
            let (path, expected_bytes) = (path.clone(), segment.size_bytes);
            return Err(HistoricalError::WrongSize { path, expected_bytes });
        }
        FileForm::Stored { checksum } => {
            let checksum = checksum.map_or_else(|| checksum_of(path), Ok)?;
            (FileForm::Stored { checksum: Some(checksum) }, checksum)
        }
        FileForm::Hot { codec, stored, checksum: None } if stored == segment.checksum => {
            open_as(path, segment)?.verify()?;
            (FileForm::Hot { codec, stored, checksum: Some(checksum_of(path)?) }, stored)
        }
        form @ FileForm::Hot { stored, .. } => (form, stored),
        form @ FileForm::Blocks { checksum } => (form, checksum),
    };
    match of == segment.checksum {
        true => Ok(form),
        false => Err(HistoricalError::WrongContent { path: path.clone() }),
    }
}

fn checksum_of(path: &Path) -> Result<u64> {
    Ok(checksum_file(path)?.checksum)
}
