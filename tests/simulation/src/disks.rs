//! Disks that are full, and that forget in a crash what was written and not synced.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use henge_platform::runtime::files::{FileFaults, FileWork};
use rand::Rng;
use rand::rngs::StdRng;

/// The disks of all processes.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    /// Full ones, by the process's name.
    full: RefCell<Vec<&'static str>>,
    /// Files by number, since their paths change, and how much of each is durable.
    unsynced: RefCell<BTreeMap<u64, u64>>,
}

impl FileFaults for Disks {
    fn before(&self, work: FileWork, path: &Path) -> std::io::Result<()> {
        let is_on =
            |name: &&str| path.components().any(|part| part.as_os_str().to_str() == Some(*name));
        let grows = matches!(work, FileWork::Create | FileWork::Write);
        if grows && self.full.borrow().iter().any(is_on) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        if let (FileWork::Write | FileWork::Sync, Ok(file)) = (work, fs::metadata(path)) {
            let mut unsynced = self.unsynced.borrow_mut();
            if work == FileWork::Sync {
                unsynced.remove(&file.ino());
            } else {
                let durable = unsynced.entry(file.ino()).or_insert(file.len());
                *durable = file.len().min(*durable);
            }
        }
        Ok(())
    }
}

impl Disks {
    pub(crate) fn any_full(&self) -> bool {
        !self.full.borrow().is_empty()
    }

    pub(crate) fn fill(&self, name: &'static str) {
        self.full.borrow_mut().push(name);
    }

    pub(crate) fn free_all(&self) {
        self.full.borrow_mut().clear();
    }

    /// The machine of a process went down: of what was not synced some is lost. Gives the bytes.
    pub(crate) fn crash(&self, disk: &Path, random: &mut StdRng) -> u64 {
        let mut lost_bytes = 0;
        for path in files_under(disk) {
            let Ok(file) = fs::metadata(&path) else { continue };
            let Some(durable) = self.unsynced.borrow_mut().remove(&file.ino()) else { continue };
            if durable < file.len() {
                let kept = random.random_range(durable..=file.len());
                let cut = OpenOptions::new().write(true).open(&path);
                if cut.and_then(|cut| cut.set_len(kept)).is_ok() {
                    lost_bytes += file.len() - kept;
                }
            }
        }
        lost_bytes
    }
}

/// In an order that does not depend on the disk.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let below = |path: PathBuf| match path.is_dir() {
        true => files_under(&path),
        false => vec![path],
    };
    paths.into_iter().flat_map(below).collect()
}
