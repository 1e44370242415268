//! The folder of segment files and the bytes it may take.

use std::path::{Path, PathBuf};

use henge_platform::runtime::remove_temporary_files;
use henge_types::{SegmentId, encode_path_component};
use parking_lot::Mutex;

use crate::error::{HistoricalError, Result};

/// Segment files, one folder a datasource, and an account of their sizes.
#[derive(Debug)]
pub struct SegmentCache {
    root: PathBuf,
    capacity_bytes: u64,
    used_bytes: Mutex<u64>,
}

/// Bytes set aside for one segment; given back when dropped without [`Reservation::keep`].
#[derive(Debug)]
pub struct Reservation<'a> {
    cache: &'a SegmentCache,
    size_bytes: u64,
}

impl SegmentCache {
    /// Opens the folder; leftovers of downloads that a crash cut off are removed.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(root: PathBuf, capacity_bytes: u64) -> Result<Self> {
        let io = |path: &Path, source| HistoricalError::Io { path: path.to_owned(), source };
        std::fs::create_dir_all(&root).map_err(|e| io(&root, e))?;
        for entry in std::fs::read_dir(&root).map_err(|e| io(&root, e))? {
            let path = entry.map_err(|e| io(&root, e))?.path();
            if path.is_dir() {
                remove_temporary_files(&path).map_err(|e| io(&path, e))?;
            }
        }
        Ok(Self { root, capacity_bytes, used_bytes: Mutex::default() })
    }

    /// Where a segment's file is. Built from the encoded id, never from the plain name.
    #[must_use]
    pub fn path(&self, id: &SegmentId) -> PathBuf {
        self.root.join(encode_path_component(&id.datasource)).join(format!(
            "{}_{}_{}_{}.segment",
            id.interval.start_ms, id.interval.end_ms, id.version, id.partition
        ))
    }

    /// Sets bytes aside.
    ///
    /// # Errors
    /// `Full` when they are not free.
    pub fn reserve(&self, size_bytes: u64) -> Result<Reservation<'_>> {
        let mut used = self.used_bytes.lock();
        let free_bytes = self.capacity_bytes.saturating_sub(*used);
        if size_bytes > free_bytes {
            return Err(HistoricalError::Full { needed_bytes: size_bytes, free_bytes });
        }
        *used += size_bytes;
        Ok(Reservation { cache: self, size_bytes })
    }

    /// Deletes a segment's file and gives its bytes back.
    pub fn remove(&self, id: &SegmentId, size_bytes: u64) {
        let path = self.path(id);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "failed to remove segment file");
        }
        self.release(size_bytes);
    }

    fn release(&self, size_bytes: u64) {
        let mut used = self.used_bytes.lock();
        *used = used.saturating_sub(size_bytes);
    }
}

impl Reservation<'_> {
    /// Keeps the bytes for good (until [`SegmentCache::remove`]).
    pub fn keep(mut self) {
        self.size_bytes = 0;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.cache.release(self.size_bytes);
    }
}
