//! One owner a folder, for as long as its process lives.
//!
//! The operating system's lock (`flock`) is on the folder itself, so that nobody gets in by removing
//! the lock file, and through links it is the same lock. It ends with its process, however that
//! ends. `henge.lock` inside says whose it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use henge_types::format_timestamp;
use serde::{Deserialize, Serialize};

/// The file that names the owner.
const LOCK_FILE: &str = "henge.lock";

/// Whose a folder is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FolderOwner {
    /// Process id.
    pub pid: u32,
    /// When it started, in ISO 8601.
    pub started: String,
    /// The program's version.
    pub version: String,
}

impl FolderOwner {
    /// This process.
    #[must_use]
    pub fn this_process(started_ms: i64) -> Self {
        Self {
            pid: std::process::id(),
            started: format_timestamp(started_ms),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl std::fmt::Display for FolderOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}, started {}, version {}", self.pid, self.started, self.version)
    }
}

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderLockError {
    /// Another process has it.
    #[error(
        "the folder '{}' belongs to a running server ({}); stop it first, or use another folder",
        folder.display(),
        owner.as_ref().map_or_else(|| format!("see {LOCK_FILE} of its data folder"), ToString::to_string)
    )]
    Held {
        /// The folder.
        folder: PathBuf,
        /// The owner, when the folder names it.
        owner: Option<FolderOwner>,
    },
    /// Someone looks into it and wants it to stay as it is.
    #[error("the folder '{}' is being checked; try again when that is done", .0.display())]
    Checked(PathBuf),
    /// The folder or its lock file cannot be used.
    #[error("lock the folder '{}': {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

/// A folder that is ours until this is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _folder: File,
    _named: Option<File>,
}

impl FolderLock {
    /// Takes a folder and writes down whose it is. A dead owner's folder is free.
    ///
    /// # Errors
    /// `Held` or `Checked` at once when another process has it; `Io` when the lock file cannot be
    /// written.
    pub fn own(folder: &Path, owner: &FolderOwner) -> Result<Self, FolderLockError> {
        let lock = Self::exclusive(folder)?;
        let failed = |source| FolderLockError::Io { folder: folder.to_owned(), source };
        let path = folder.join(LOCK_FILE);
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let mut named = options.map_err(failed)?;
        match named.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(folder)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut text = serde_json::to_vec(owner).map_err(|e| failed(e.into()))?;
        text.push(b'\n');
        named.set_len(0).map_err(failed)?;
        named.write_all(&text).and_then(|()| named.sync_all()).map_err(failed)?;
        Ok(Self { _named: Some(named), ..lock })
    }

    /// Takes a folder that belongs to an owned one, perhaps through a link; nothing is written.
    ///
    /// # Errors
    /// As [`own`](Self::own).
    pub fn exclusive(folder: &Path) -> Result<Self, FolderLockError> {
        let failed = |source| FolderLockError::Io { folder: folder.to_owned(), source };
        let opened = File::open(folder).map_err(failed)?;
        match opened.try_lock() {
            Ok(()) => return Ok(Self { _folder: opened, _named: None }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) => {}
        }
        match opened.try_lock_shared() {
            Ok(()) => Err(FolderLockError::Checked(folder.to_owned())),
            Err(TryLockError::WouldBlock) => Err(held(folder)),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Keeps owners out while someone looks; nothing is written.
    ///
    /// # Errors
    /// `Held` when the folder has an owner.
    pub fn shared(folder: &Path) -> Result<Self, FolderLockError> {
        let failed = |source| FolderLockError::Io { folder: folder.to_owned(), source };
        let opened = File::open(folder).map_err(failed)?;
        match opened.try_lock_shared() {
            Ok(()) => Ok(Self { _folder: opened, _named: None }),
            Err(TryLockError::WouldBlock) => Err(held(folder)),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

fn held(folder: &Path) -> FolderLockError {
    // The owner may be just about to write its name.
    let text = std::fs::read(folder.join(LOCK_FILE)).unwrap_or_default();
    let owner = serde_json::from_slice(&text).ok();
    FolderLockError::Held { folder: folder.to_owned(), owner }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> FolderOwner {
        FolderOwner { pid: 4711, started: "2026-11-29T07:00:00.000Z".into(), version: "1".into() }
    }

    #[test]
    fn f_33_f_68_a_folder_has_one_owner_and_the_second_learns_who() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::own(folder.path(), &owner()).unwrap();
        let error = FolderLock::own(folder.path(), &owner()).unwrap_err().to_string();
        assert!(error.contains("process 4711, started 2026-11-29T07:00:00.000Z"), "{error}");
        assert!(FolderLock::shared(folder.path()).is_err());
        drop(lock);
        // What a dead owner left written is no lock.
        FolderLock::own(folder.path(), &owner()).unwrap();
    }

    #[test]
    fn f_33_a_link_to_a_folder_is_the_same_folder() {
        let folder = tempfile::tempdir().unwrap();
        let links = tempfile::tempdir().unwrap();
        let link = links.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let _lock = FolderLock::exclusive(folder.path()).unwrap();
        assert!(matches!(FolderLock::exclusive(&link), Err(FolderLockError::Held { .. })));
    }

    #[test]
    fn f_33_removing_the_lock_file_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = FolderLock::own(folder.path(), &owner()).unwrap();
        std::fs::remove_file(folder.path().join(LOCK_FILE)).unwrap();
        assert!(FolderLock::own(folder.path(), &owner()).is_err());
    }

    #[test]
    fn several_may_look_and_an_owner_waits_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let _one = FolderLock::shared(folder.path()).unwrap();
        let _two = FolderLock::shared(folder.path()).unwrap();
        let error = FolderLock::own(folder.path(), &owner()).unwrap_err();
        assert!(matches!(error, FolderLockError::Checked(_)), "{error}");
    }
}
