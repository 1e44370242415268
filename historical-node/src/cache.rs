//! The folder of segment files and the bytes it may take.

mod metered;
mod names;

use std::collections::BTreeMap;
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
    left: Mutex<Left>,
}

/// What earlier runs left, by stem, until it is asked for or its room is needed.
#[derive(Debug, Default)]
struct Left {
    files: BTreeMap<PathBuf, Vec<LeftFile>>,
    total_bytes: u64,
}

/// A file that an earlier run left.
#[derive(Debug)]
struct LeftFile {
    file: CachedFile,
    size_bytes: u64,
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
        let mut left = Left::default();
        for FolderEntry { path: folder, .. } in files::list(&root).map_err(|e| io(&root, e))? {
            if !folder.is_dir() {
                continue;
            }
            remove_temporary_files(&folder).map_err(|e| io(&folder, e))?;
            for FolderEntry { path, .. } in files::list(&folder).map_err(|e| io(&folder, e))? {
                if let Some((stem, form)) = names::parse(&path) {
                    let file = CachedFile { path, form };
                    let size_bytes = file.taken_bytes().map_err(|e| io(&file.path, e))?;
                    left.total_bytes += size_bytes;
                    left.files.entry(stem).or_default().push(LeftFile { file, size_bytes });
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
        let mut left = self.left.lock();
        let files = left.files.remove(&names::stem(&self.root, id)).unwrap_or_default();
        left.total_bytes -= files.iter().map(|left| left.size_bytes).sum::<u64>();
        let mut files: Vec<CachedFile> = files.into_iter().map(|left| left.file).collect();
        files.sort_by_key(|file| matches!(file.form, FileForm::Stored { .. }));
        files
    }

    /// The segments of which earlier runs left files, those of the latest times first.
    pub(crate) fn left_ids(&self) -> Vec<SegmentId> {
        let left = self.left.lock();
        let mut ids: Vec<_> =
            left.files.keys().filter_map(|stem| names::id_of(&self.root, stem)).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(id.interval.end_ms));
        ids
    }

    /// Leaves files for whoever asks for them later.
    pub(crate) fn give_back(&self, id: &SegmentId, files: Vec<CachedFile>) {
        let size_of = |file: CachedFile| {
            let size_bytes = file.taken_bytes().ok()?;
            Some(LeftFile { file, size_bytes })
        };
        let files: Vec<LeftFile> = files.into_iter().filter_map(size_of).collect();
        if files.is_empty() {
            return;
        }
        let mut left = self.left.lock();
        left.total_bytes += files.iter().map(|left| left.size_bytes).sum::<u64>();
        left.files.entry(names::stem(&self.root, id)).or_default().extend(files);
    }

    /// Removes what earlier runs left of a segment.
    pub(crate) fn remove_left(&self, id: &SegmentId) {
        for file in self.take_left(id) {
            tracing::debug!(path = %file.path.display(), "removed the file of a segment that is not used any more");
            remove_file(&file.path);
        }
    }

    /// Removes files that earlier runs left and nobody asked for, until the others take no more than
    /// this: the coordinator may have told the node to hold something else since.
    fn shrink_left_to(&self, size_bytes: u64) {
        let mut left = self.left.lock();
        while left.total_bytes > size_bytes {
            let Some((_, files)) = left.files.pop_first() else { return };
            for LeftFile { file, size_bytes } in files {
                tracing::info!(path = %file.path.display(), "a file of an earlier run makes room");
                remove_file(&file.path);
                left.total_bytes -= size_bytes;
            }
        }
    }

    /// Bytes set aside now.
    #[must_use]
    pub(crate) fn used_bytes(&self) -> u64 {
        *self.used_bytes.lock()
    }

    /// The most bytes that can be.
    #[must_use]
    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
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
        if needed_bytes > 0 {
            self.cache.shrink_left_to(self.cache.capacity_bytes - *used);
        }
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

    #[test]
    fn files_of_earlier_runs_that_nobody_asks_for_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let interval = henge_types::Interval { start_ms: 0, end_ms: 1 };
        let id = |partition| SegmentId::new("d", interval, henge_types::Version(1), partition);
        let cache = SegmentCache::open(dir.path().to_owned(), 100).unwrap();
        let form = FileForm::Stored { checksum: Some(7) };
        for partition in 0..3 {
            let path = cache.path(&id(partition), form);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, [0; 30]).unwrap();
        }
        let cache = Arc::new(SegmentCache::open(dir.path().to_owned(), 100).unwrap());
        let asked_for = cache.take_left(&id(2));
        let _kept = cache.reserve(30).unwrap();
        // 60 bytes are left, and 70 free.
        let _first = cache.reserve(10).unwrap();
        assert_eq!(cache.left.lock().files.len(), 2);
        let _second = cache.reserve(1).unwrap();
        assert_eq!(cache.left.lock().files.len(), 1);
        let _third = cache.reserve(59).unwrap();
        assert!(cache.left.lock().files.is_empty() && asked_for[0].path.exists());
        assert!((0..2).all(|partition| !cache.path(&id(partition), form).exists()));
    }
}
