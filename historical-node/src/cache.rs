//! The folder of segment files and the bytes it may take.

mod metered;
mod names;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::files::{self, FolderEntry};
use henge_platform::runtime::remove_temporary_files;
use henge_types::SegmentId;
use parking_lot::Mutex;

use crate::error::{HistoricalError, Result};

pub(crate) use metered::Metered;
pub(crate) use names::{CachedFile, FileForm};

/// Segment files, one folder a datasource, and an account of their sizes.
#[derive(Debug)]
pub(crate) struct SegmentCache {
    root: PathBuf,
    capacity_bytes: u64,
    used_bytes: Mutex<u64>,
    /// What earlier runs left, by stem, until it is asked for.
    left: Mutex<HashMap<PathBuf, Vec<CachedFile>>>,
}

/// Bytes set aside for one file; given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    cache: Arc<SegmentCache>,
    size_bytes: u64,
}

impl SegmentCache {
    /// Opens the folder and looks what is there; leftovers of downloads that a crash cut off are
    /// removed.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub(crate) fn open(root: PathBuf, capacity_bytes: u64) -> Result<Self> {
        let io = |path: &Path, source| HistoricalError::Io { path: path.to_owned(), source };
        files::create_dir_all(&root).map_err(|e| io(&root, e))?;
        let mut left: HashMap<PathBuf, Vec<CachedFile>> = HashMap::new();
        for FolderEntry { path: folder, .. } in files::list(&root).map_err(|e| io(&root, e))? {
            if !folder.is_dir() {
                continue;
            }
            remove_temporary_files(&folder).map_err(|e| io(&folder, e))?;
            for FolderEntry { path, .. } in files::list(&folder).map_err(|e| io(&folder, e))? {
                if let Some((stem, form)) = names::parse(&path) {
                    left.entry(stem).or_default().push(CachedFile { path, form });
                }
            }
        }
        Ok(Self { root, capacity_bytes, used_bytes: Mutex::default(), left: Mutex::new(left) })
    }

    /// Where a file of a segment is. A file has this name only after it was verified to be this.
    #[must_use]
    pub(crate) fn path(&self, id: &SegmentId, form: FileForm) -> PathBuf {
        names::path(&names::stem(&self.root, id), form)
    }

    /// What earlier runs left of a segment, hot forms first. Asked for once.
    pub(crate) fn take_left(&self, id: &SegmentId) -> Vec<CachedFile> {
        let left = self.left.lock().remove(&names::stem(&self.root, id));
        let mut left = left.unwrap_or_default();
        left.sort_by_key(|file| matches!(file.form, FileForm::Stored { .. }));
        left
    }

    /// Sets bytes aside.
    ///
    /// # Errors
    /// `Full` when they are not free.
    pub(crate) fn reserve(self: &Arc<Self>, size_bytes: u64) -> Result<Reservation> {
        let mut reservation = Reservation { cache: Arc::clone(self), size_bytes: 0 };
        reservation.grow_to(size_bytes)?;
        Ok(reservation)
    }
}

impl Reservation {
    /// Bytes set aside.
    #[must_use]
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Sets more bytes aside, up to a total.
    ///
    /// # Errors
    /// `Full` when they are not free.
    pub(crate) fn grow_to(&mut self, size_bytes: u64) -> Result<()> {
        let needed_bytes = size_bytes.saturating_sub(self.size_bytes);
        let mut used = self.cache.used_bytes.lock();
        let free_bytes = self.cache.capacity_bytes.saturating_sub(*used);
        if needed_bytes > free_bytes {
            return Err(HistoricalError::Full { needed_bytes, free_bytes });
        }
        *used += needed_bytes;
        self.size_bytes += needed_bytes;
        Ok(())
    }

    /// Gives back what exceeds a total.
    pub(crate) fn shrink_to(&mut self, size_bytes: u64) {
        let over_bytes = self.size_bytes.saturating_sub(size_bytes);
        let mut used = self.cache.used_bytes.lock();
        *used = used.saturating_sub(over_bytes);
        self.size_bytes -= over_bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut used = self.cache.used_bytes.lock();
        *used = used.saturating_sub(self.size_bytes);
    }
}

/// The cached file that holds a segment's rows, as the names of files say, in a cache that nobody uses.
/// Nothing is read or changed.
#[must_use]
pub fn cached_copy(root: &Path, segment: &PublishedSegment) -> Option<PathBuf> {
    let stem = names::stem(root, &segment.id);
    let mut paths = files::list(stem.parent()?).ok()?.into_iter().map(|entry| entry.path);
    paths.find(|path| {
        names::parse(path).is_some_and(|(of, form)| of == stem && form.is_of(segment.checksum))
    })
}

/// Removes a file if it is there.
pub(crate) fn remove_file(path: &Path) {
    match files::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "failed to remove segment file");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Arc::new(SegmentCache::open(dir.path().to_owned(), 100).unwrap());
        let mut first = cache.reserve(60).unwrap();
        assert!(matches!(cache.reserve(41), Err(HistoricalError::Full { free_bytes: 40, .. })));
        first.grow_to(90).unwrap();
        assert!(first.grow_to(101).is_err());
        first.shrink_to(70);
        assert_eq!(first.size_bytes(), 70);
        drop(cache.reserve(30).unwrap());
        drop(first);
        cache.reserve(100).unwrap();
    }
}
