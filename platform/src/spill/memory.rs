//! Temporary files in memory, for tests, with disks that fill up and bytes that go bad.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{SpillFile, SpillStorage};

/// A [`SpillStorage`] in memory.
#[derive(Debug)]
pub struct MemorySpillStorage {
    free_bytes: Arc<AtomicUsize>,
    damaged: bool,
    files: Arc<AtomicUsize>,
}

impl MemorySpillStorage {
    /// A disk of so many bytes.
    #[must_use]
    pub fn new(free_bytes: usize) -> Self {
        Self {
            free_bytes: Arc::new(AtomicUsize::new(free_bytes)),
            damaged: false,
            files: Arc::default(),
        }
    }

    /// A disk that gives back other bytes than were written.
    #[must_use]
    pub fn damaged() -> Self {
        Self { damaged: true, ..Self::new(usize::MAX) }
    }

    /// Files that are in use.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.files.load(Ordering::SeqCst)
    }
}

impl SpillStorage for MemorySpillStorage {
    fn create(&self) -> io::Result<Box<dyn SpillFile>> {
        self.files.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(MemorySpillFile {
            bytes: Vec::new(),
            free_bytes: Arc::clone(&self.free_bytes),
            damaged: self.damaged,
            files: Arc::clone(&self.files),
        }))
    }
}

#[derive(Debug)]
struct MemorySpillFile {
    bytes: Vec<u8>,
    free_bytes: Arc<AtomicUsize>,
    damaged: bool,
    files: Arc<AtomicUsize>,
}

impl SpillFile for MemorySpillFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        self.free_bytes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| free.checked_sub(bytes.len()))
            .map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        let offset = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        Ok(offset)
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let start = usize::try_from(offset).map_err(|_| end())?;
        let stop = start.checked_add(length).ok_or_else(end)?;
        let mut bytes = self.bytes.get(start..stop).ok_or_else(end)?.to_vec();
        if self.damaged
            && let Some(last) = bytes.last_mut()
        {
            *last ^= 1;
        }
        Ok(bytes)
    }
}

impl Drop for MemorySpillFile {
    fn drop(&mut self) {
        self.free_bytes.fetch_add(self.bytes.len(), Ordering::SeqCst);
        self.files.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[test]
    fn the_contract_holds() {
        let storage = MemorySpillStorage::new(1_000);
        contract::holds(&storage);
        assert_eq!(storage.file_count(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_and_room_comes_back() {
        let storage = MemorySpillStorage::new(5);
        let mut file = storage.create().unwrap();
        file.append(b"abc").unwrap();
        assert_eq!(file.append(b"def").unwrap_err().kind(), io::ErrorKind::StorageFull);
        drop(file);
        storage.create().unwrap().append(b"abcde").unwrap();
    }
}
