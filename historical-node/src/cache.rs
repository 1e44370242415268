//! The folder of segment files and the bytes it may take.

use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// Bytes set aside for one file; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    cache: Arc<SegmentCache>,
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

    /// Where the hot form of a segment is: another stored file has another checksum, and so another
    /// hot file.
    #[must_use]
    pub fn hot_path(&self, id: &SegmentId, stored_checksum: u64) -> PathBuf {
        self.path(id).with_extension(format!("{stored_checksum:016x}.hot"))
    }

    /// Sets bytes aside.
    ///
    /// # Errors
    /// `Full` when they are not free.
    pub fn reserve(self: &Arc<Self>, size_bytes: u64) -> Result<Reservation> {
        let mut reservation = Reservation { cache: Arc::clone(self), size_bytes: 0 };
        reservation.grow_to(size_bytes)?;
        Ok(reservation)
    }
}

impl Reservation {
    /// Bytes set aside.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Sets more bytes aside, up to a total.
    ///
    /// # Errors
    /// `Full` when they are not free.
    pub fn grow_to(&mut self, size_bytes: u64) -> Result<()> {
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
    pub fn shrink_to(&mut self, size_bytes: u64) {
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

/// Removes a file if it is there.
pub(crate) fn remove_file(path: &Path) {
    match std::fs::remove_file(path) {
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
