//! A log with a mark beside it, for tests that damage either.

use super::*;
use crate::wal::{AcceptedLoss, ExpectedLog, LogMarks, accept_loss};

/// A log's folder, and what was marked beside it.
pub(super) struct Marked {
    pub(super) folder: tempfile::TempDir,
    pub(super) marks: LogMarks,
}

impl Marked {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), marks: LogMarks::default() }
    }

    pub(super) fn without_folder() -> Self {
        let log = Self::new();
        std::fs::remove_dir(log.path()).unwrap();
        log
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn options(&self) -> WalOptions {
        WalOptions { marks: self.marks.clone(), ..WalOptions::default() }
    }

    pub(super) fn open(&self) -> Wal {
        Wal::open(self.path(), self.options()).unwrap().0
    }

    /// The records that a start finds which knows that those up to `committed` are published.
    pub(super) fn open_published(&self, committed: u64) -> Result<Vec<u64>> {
        let options = WalOptions { minimum_next_sequence: committed + 1, ..self.options() };
        Wal::open(self.path(), options).map(|(wal, _)| sequences(&wal, committed + 1))
    }

    pub(super) fn error(&self, committed: u64) -> String {
        self.open_published(committed).unwrap_err().to_string()
    }

    pub(super) fn expected(&self, committed: u64) -> ExpectedLog {
        ExpectedLog {
            identity: 0,
            committed,
            published_of: 0,
            known: self.marks.known_end(0, None),
            begins: false,
        }
    }

    pub(super) fn accept(&self, committed: u64) -> AcceptedLoss {
        accept_loss(self.path(), self.expected(committed), &self.marks).unwrap()
    }

    /// A copy of the log's files, and of its mark.
    pub(super) fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_files(self.path(), folder.path());
        Self { folder, marks: self.marks.copied() }
    }

    /// Puts the files of an earlier copy in the place of those that are there, and no others.
    pub(super) fn restore(&self, older: &Self) {
        for file in std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if file.is_file() {
                std::fs::remove_file(file).unwrap();
            }
        }
        copy_files(older.path(), self.path());
    }

    pub(super) fn file(&self, number: usize) -> PathBuf {
        log_files(self.path()).remove(number)
    }

    pub(super) fn cut_file(&self, number: usize, length: u64) {
        let file = std::fs::OpenOptions::new().write(true).open(self.file(number)).unwrap();
        file.set_len(length).unwrap();
    }
}

pub(super) fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// A log of several files, a frame each.
pub(super) async fn several(count: u64) -> Marked {
    let log = Marked::new();
    let options = WalOptions { max_file_bytes: 1, ..log.options() };
    let (wal, _) = Wal::open(log.path(), options).unwrap();
    for number in 0..count {
        wal.append(entry(format!("payload number {number}"))).await.unwrap();
    }
    log
}

/// A log of one file, and where its frames end.
pub(super) async fn one_file(count: usize) -> (Marked, Vec<u64>) {
    let log = Marked::new();
    let wal = log.open();
    let mut ends = Vec::new();
    for _ in 0..count {
        wal.append(entry("some payload")).await.unwrap();
        ends.push(wal.size_bytes());
    }
    (log, ends)
}
