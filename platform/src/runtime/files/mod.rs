//! The door to files. What is kept is either wholly there or not at all, also after a power cut: write
//! to a temporary name in the same directory, fsync the file, rename, fsync the directory. Roles reach
//! files by nothing else, so that each of their steps can be made to fail (see [`FileFaults`]).

mod faults;
mod packed;
mod plain;
mod zip;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use faults::{FileFaults, FileWork};
pub use packed::{Packing, Unpacked};
pub use plain::{
    AppendedFile, EntryKind, FolderEntry, NewFile, RegularFile, allocated_bytes, create_dir_all,
    create_with_holes, list, real_path, remove_dir_all, remove_file, size_bytes, write_at,
};
pub use zip::{ZipEntry, zip_entries};

use super::random;
pub(super) use faults::before;

/// The ending of temporary names; a start-up removes what a crash left under it.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

/// Makes renames, creations and removals in a directory durable.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_dir(directory: &Path) -> io::Result<()> {
    before(FileWork::Sync, directory)?;
    File::open(directory)?.sync_all()
}

/// A temporary name beside `path`, never used before.
#[must_use]
pub(crate) fn temporary_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{:016x}{TEMPORARY_SUFFIX}", random::<u64>()));
    path.with_file_name(name)
}

/// Replaces the file at `path` by `bytes`: a reader sees the old content or the new one, and the
/// new one survives a power cut once this returns.
///
/// # Errors
/// When writing, syncing or renaming fails; then `path` is as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = TemporaryFile::create(path)?;
    let mut file = temporary.file()?;
    file.write_all(bytes)?;
    drop(file);
    temporary.commit()
}

/// Moves a finished, already synced file to its place and makes the move durable.
///
/// # Errors
/// When renaming or syncing the directory fails.
pub fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    before(FileWork::Rename, to)?;
    fs::rename(from, to)?;
    sync_dir(parent(to))
}

/// Creates a directory with its missing parents and makes the creation durable.
///
/// # Errors
/// When a directory cannot be made or synced.
pub fn create_dir_durably(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    if above != directory {
        create_dir_durably(above)?;
    }
    before(FileWork::Create, directory)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_dir(above)
}

/// Removes what a crash left under temporary names, directly inside `directory`. Gives the number
/// of files removed.
///
/// # Errors
/// When the directory cannot be read or a file cannot be removed.
pub fn remove_temporary_files(directory: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for FolderEntry { path, kind } in list(directory)? {
        let name = path.file_name().unwrap_or_default();
        if kind == EntryKind::File && name.to_string_lossy().ends_with(TEMPORARY_SUFFIX) {
            remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The directory that holds `path`; `.` for a bare name.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// A file under a temporary name that takes its final name on [`commit`](Self::commit) and
/// vanishes when dropped before.
#[derive(Debug)]
pub struct TemporaryFile {
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl TemporaryFile {
    /// Creates the temporary file beside `target`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(target: &Path) -> io::Result<Self> {
        let temporary = temporary_path(target);
        before(FileWork::Create, target)?;
        fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        Ok(Self { temporary, target: target.to_owned(), committed: false })
    }

    /// Where the content is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// A writer at the start of the file.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn file(&self) -> io::Result<NewFile> {
        NewFile::open(&self.temporary)
    }

    /// Takes another target, in the same directory: for names that say what was written.
    #[must_use]
    pub fn named(mut self, target: &Path) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Syncs the content and renames it over the target.
    ///
    /// # Errors
    /// When syncing or renaming fails; the temporary file is then removed.
    pub fn commit(mut self) -> io::Result<()> {
        self.file()?.sync()?;
        rename_durably(&self.temporary, &self.target)?;
        self.committed = true;
        Ok(())
    }

    /// Renames the content over the target without syncing anything: whole for every reader in this
    /// process, but not after a power cut. For files that a restart discards.
    ///
    /// # Errors
    /// When renaming fails; the temporary file is then removed.
    pub fn commit_unsynced(mut self) -> io::Result<()> {
        before(FileWork::Rename, &self.target)?;
        fs::rename(&self.temporary, &self.target)?;
        self.committed = true;
        Ok(())
    }

    /// Syncs the content and gives it the target's name unless that name is taken.
    ///
    /// # Errors
    /// `AlreadyExists` when the target is there (it is left as it is), or any other failure.
    pub fn commit_new(self) -> io::Result<()> {
        self.file()?.sync()?;
        before(FileWork::Rename, &self.target)?;
        // A hard link, unlike a rename, refuses to replace.
        fs::hard_link(&self.temporary, &self.target)?;
        sync_dir(parent(&self.target))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_replace_whole_files_and_leave_no_temporary() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn f_48_an_abandoned_temporary_file_is_never_the_target() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segment");
        let temporary = TemporaryFile::create(&path).unwrap();
        temporary.file().unwrap().write_all(b"half").unwrap();
        assert!(!path.exists());
        // As a crash would: the file stays under its temporary name.
        std::mem::forget(temporary);
        assert_eq!(remove_temporary_files(directory.path()).unwrap(), 1);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn commit_new_refuses_to_replace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("object");
        write_atomically(&path, b"first").unwrap();
        let late = TemporaryFile::create(&path).unwrap();
        late.file().unwrap().write_all(b"late").unwrap();
        assert_eq!(late.commit_new().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn nested_directories_are_created() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("a/b/c");
        create_dir_durably(&nested).unwrap();
        create_dir_durably(&nested).unwrap();
        assert!(nested.is_dir());
    }
}
