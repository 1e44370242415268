//! Disks that are full, and that forget in a crash what was written and not synced.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use henge_platform::runtime::files::{FileFaults, FileWork};
use rand::Rng;
use rand::rngs::StdRng;

/// The disks of all processes.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    /// Full ones, by the process's name.
    full: RefCell<BTreeSet<&'static str>>,
    /// The next sync of the log ends with the machine; true once it did.
    dying: RefCell<BTreeMap<&'static str, bool>>,
    /// Files by number, since their paths change, and how much of each is durable.
    unsynced: RefCell<BTreeMap<u64, u64>>,
}

/// What a crash took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lost {
    pub(crate) bytes: u64,
    pub(crate) torn_files: u64,
}

impl FileFaults for Disks {
    fn before(&self, work: FileWork, path: &Path) -> std::io::Result<()> {
        let is_on =
            |name: &str| path.components().any(|part| part.as_os_str().to_str() == Some(name));
        let grows = matches!(work, FileWork::Create | FileWork::Write);
        if grows && self.full.borrow().iter().any(|name| is_on(name)) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        // Whose machine goes down writes nothing any more.
        let mut dying = self.dying.borrow_mut();
        if let Some((_, is_down)) = dying.iter_mut().find(|(name, _)| is_on(name)) {
            *is_down |= work == FileWork::Sync && is_of_log(path);
            if *is_down {
                return Err(std::io::Error::other("simulated: the machine goes down"));
            }
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
        self.full.borrow_mut().insert(name);
    }

    pub(crate) fn free_all(&self) {
        self.full.borrow_mut().clear();
    }

    /// The machine of a process goes down when its log is synced next.
    pub(crate) fn die_at_sync(&self, name: &'static str) {
        self.dying.borrow_mut().insert(name, false);
    }

    /// Whether the machine of a process went down in the middle of a sync.
    pub(crate) fn is_down(&self, name: &str) -> bool {
        self.dying.borrow().get(name).copied().unwrap_or(false)
    }

    /// The machine of a process went down: of what was not synced some is lost, or holds anything.
    pub(crate) fn crash(&self, name: &str, disk: &Path, random: &mut StdRng) -> Lost {
        self.dying.borrow_mut().remove(name);
        let mut lost = Lost::default();
        for path in files_under(disk) {
            let Ok(file) = fs::metadata(&path) else { continue };
            let Some(durable) = self.unsynced.borrow_mut().remove(&file.ino()) else { continue };
            if durable >= file.len() {
                continue;
            }
            let kept = random.random_range(durable..=file.len());
            let Ok(opened) = OpenOptions::new().write(true).open(&path) else { continue };
            if is_of_log(&path) && random.random_bool(0.4) {
                // Its length was written down, and not all that it held.
                let garbage: Vec<u8> = (kept..file.len())
                    .map(|_| if random.random_bool(0.5) { 0 } else { random.random() })
                    .collect();
                lost.torn_files += u64::from(opened.write_all_at(&garbage, kept).is_ok());
            } else if opened.set_len(kept).is_ok() {
                lost.bytes += file.len() - kept;
            }
        }
        lost
    }
}

/// Of a log of pushes, or of the copy of one.
fn is_of_log(path: &Path) -> bool {
    let is_log = |part: &str| part == "wal" || part == "log-copies";
    path.components().any(|part| part.as_os_str().to_str().is_some_and(is_log))
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
