//! Mapping segment files into memory.

mod guard;
mod pages;

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use super::files::{self, FileWork};

pub use guard::damages as mapped_damages;
pub use pages::PageReads;

/// A mapped file. The mapping lives until the last reader is done, also when the file was deleted
/// meanwhile. When somebody else cuts the file short, which is noticed when what is gone is read, it
/// reads as empty from then on; what was read before may end in zeros (see [`mapped_damages`]).
pub struct MappedFile {
    // Dropped first.
    region: guard::Region,
    bytes: Mmap,
}

impl AsRef<[u8]> for MappedFile {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        if self.region.is_damaged() { &[] } else { &self.bytes }
    }
}

impl MappedFile {
    /// Bytes that were mapped.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Reads the file into memory and keeps it there as long as it is mapped.
    ///
    /// # Errors
    /// When the system does not allow the process to lock so much (RLIMIT_MEMLOCK), or has not got it.
    pub fn lock(&self) -> Result<()> {
        self.bytes.lock()
    }

    /// Reads the file into memory, where it stays until the system needs the room.
    pub fn read_ahead(&self) {
        let bytes = self.as_ref();
        let touched = bytes.iter().step_by(pages::PAGE_BYTES).fold(0_u8, |all, byte| all ^ byte);
        std::hint::black_box(touched);
    }

    /// Bytes of a range that are in memory, of the pages that it touches. What lies beyond the file counts
    /// for nothing.
    #[must_use]
    pub fn resident_bytes(&self, range: &Range<u64>) -> u64 {
        pages::resident_bytes(&self.bytes, &self.whole_pages(range)) as u64
    }

    /// Asks for a range to be read into memory, and gives how much of it was not there; does not wait for it.
    pub fn ask_for(&self, range: &Range<u64>) -> u64 {
        let range = self.whole_pages(range);
        let missing = range.len() - pages::resident_bytes(&self.bytes, &range).min(range.len());
        if missing > 0 {
            pages::ask_for(&self.bytes, &range);
        }
        missing as u64
    }

    /// The pages of a range, as far as they are in the file.
    fn whole_pages(&self, range: &Range<u64>) -> Range<usize> {
        let length = self.bytes.len();
        let within = |at: u64| usize::try_from(at).map_or(length, |at| at.min(length));
        let (start, end) = (within(range.start), within(range.end));
        if start >= end {
            return 0..0;
        }
        let start = start / pages::PAGE_BYTES * pages::PAGE_BYTES;
        start..end.next_multiple_of(pages::PAGE_BYTES).min(length)
    }
}

impl std::fmt::Debug for MappedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappedFile").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Maps a regular file, read-only.
///
/// # Errors
/// When it is not a regular file (links, devices and pipes are refused) or cannot be mapped.
pub fn map_file(path: &Path) -> Result<Arc<MappedFile>> {
    files::before(FileWork::Map, path)?;
    if !std::fs::symlink_metadata(path)?.file_type().is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let bytes = map(&File::open(path)?)?;
    Ok(Arc::new(MappedFile { region: guard::Region::of(&bytes), bytes }))
}

#[expect(unsafe_code, reason = "only the caller knows that nobody changes a mapped file")]
fn map(file: &File) -> Result<Mmap> {
    // SAFETY: segment files are immutable once renamed into place, in folders that belong to this
    // process alone; they are deleted but never truncated or written while mapped. Should somebody
    // else do so, checksums and the guard find it.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_36_links_folders_and_missing_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        std::fs::write(&real, b"x").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!((*map_file(&real).unwrap()).as_ref(), b"x");
        let kind = |path: &Path| map_file(path).err().unwrap().kind();
        assert_eq!(kind(&link), ErrorKind::InvalidInput);
        assert_eq!(kind(dir.path()), ErrorKind::InvalidInput);
        assert_eq!(kind(&dir.path().join("none")), ErrorKind::NotFound);
    }

    #[test]
    fn files_are_read_into_memory_and_locked_there_where_that_is_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; 40_000]).unwrap();
        let mapped = map_file(&path).unwrap();
        mapped.read_ahead();
        let locked = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            status.lines().any(|line| line.starts_with("VmLck:") && !line.contains(" 0 kB"))
        };
        // Where it is not allowed there is an error.
        assert!(mapped.lock().is_err() || locked());
    }

    #[test]
    fn what_is_in_memory_is_known_and_what_is_not_can_be_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; 1_000_000]).unwrap();
        let mapped = map_file(&path).unwrap();
        let before = PageReads::of_thread();
        mapped.read_ahead();
        assert_eq!(mapped.resident_bytes(&(0..1 << 40)), 1_000_000);
        assert_eq!(mapped.resident_bytes(&(5_000..5_001)), 4_096);
        assert_eq!(mapped.resident_bytes(&(1_000_000..2_000_000)), 0);
        assert_eq!(mapped.ask_for(&(0..1 << 40)), 0, "all of it is there");
        assert!(PageReads::of_process().faults >= PageReads::of_thread().since(before).faults);
    }

    /// F-47: a reader of a file that is cut short under it sees zeros and a count, not SIGBUS.
    #[test]
    fn f_47_a_file_cut_short_under_its_mapping_is_an_error_and_not_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let names = (0..600).map(|number| dir.path().join(number.to_string()));
        let files: Vec<_> = names
            .map(|path| {
                std::fs::write(&path, vec![7; 40_000]).unwrap();
                (map_file(&path).unwrap(), path)
            })
            .collect();
        for (mapped, path) in &files {
            let held = (**mapped).as_ref();
            let before = mapped_damages();
            assert_eq!(held[39_999], 7);
            std::fs::File::options().write(true).open(path).unwrap().set_len(10).unwrap();
            // The first page is still in the file, and reads as zeros beyond its end. The compiler is
            // not to know that it has read these bytes before.
            let held = std::hint::black_box(held);
            assert_eq!((held[9], held[20_000], held[39_999]), (7, 0, 0));
            assert!(mapped_damages() > before);
            assert_eq!((**mapped).as_ref(), b"");
        }
        // Regions are used again, without what was found before.
        drop(files);
        let path = dir.path().join("again");
        std::fs::write(&path, vec![8; 40_000]).unwrap();
        assert_eq!((*map_file(&path).unwrap()).as_ref(), vec![8; 40_000]);
    }
}
