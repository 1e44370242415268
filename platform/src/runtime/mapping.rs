//! Mapping segment files into memory: the one place with `unsafe` in this package.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

/// Bytes of a mapped file. The mapping lives until the last reader is done, also when the file was
/// deleted meanwhile.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Maps a regular file, read-only.
///
/// # Errors
/// When it is not a regular file (links, devices and pipes are refused) or cannot be mapped.
pub fn map_file(path: &Path) -> Result<SharedBytes> {
    if !std::fs::symlink_metadata(path)?.file_type().is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(Arc::new(map(&File::open(path)?)?))
}

#[expect(unsafe_code, reason = "only the caller knows that nobody changes a mapped file")]
fn map(file: &File) -> Result<Mmap> {
    // SAFETY: segment files are immutable once renamed into place, in folders that belong to this
    // process alone; they are deleted but never truncated or written while mapped.
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
}
