//! F-18 and F-19: a failed fsync stops the log, a full disk does not.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::wal::io::WalFile;

const APPEND: u32 = 1;
const SYNC: u32 = 2;
const TRUNCATE: u32 = 4;
const CREATE: u32 = 8;

/// Real files whose operations fail while their bit is set.
#[derive(Debug, Default, Clone)]
struct FaultyIo {
    failing: Arc<AtomicU32>,
}

impl FaultyIo {
    fn fail(&self, operations: u32) {
        self.failing.store(operations, Ordering::SeqCst);
    }

    fn check(&self, operation: u32) -> io::Result<()> {
        if self.failing.load(Ordering::SeqCst) & operation == 0 {
            return Ok(());
        }
        Err(io::Error::other("injected"))
    }
}

impl WalIo for FaultyIo {
    fn create(&self, path: &Path, header: &[u8]) -> io::Result<Box<dyn WalFile>> {
        self.check(CREATE)?;
        Ok(Box::new(FaultyFile { inner: DiskWalIo.create(path, header)?, io: self.clone() }))
    }

    fn reopen(&self, path: &Path) -> io::Result<Box<dyn WalFile>> {
        Ok(Box::new(FaultyFile { inner: DiskWalIo.reopen(path)?, io: self.clone() }))
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn WalFile>,
    io: FaultyIo,
}

impl WalFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.io.check(APPEND) {
            // As a full disk does: a part is written.
            self.inner.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.inner.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.io.check(SYNC)?;
        self.inner.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.io.check(TRUNCATE)?;
        self.inner.truncate(length)
    }
}

fn open_faulty(directory: &Path, options: WalOptions) -> (Wal, FaultyIo) {
    let io = FaultyIo::default();
    let (wal, _) = Wal::open_with(directory, options, Arc::new(io.clone())).unwrap();
    (wal, io)
}

#[tokio::test]
async fn f_18_one_failed_fsync_stops_the_log_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, io) = open_faulty(directory.path(), WalOptions::default());
    wal.append(entry("durable")).await.unwrap();
    io.fail(SYNC);
    assert!(matches!(wal.append(entry("unknown")).await, Err(WalError::Stopped(_))));
    io.fail(0);
    // The disk works again, but nothing is claimed any more.
    assert!(matches!(wal.append(entry("later")).await, Err(WalError::Stopped(_))));
    assert!(wal.stopped().is_some());
    assert_eq!(sequences(&wal, 0), [1]);
}

#[tokio::test]
async fn f_18_everything_that_waits_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, io) = open_faulty(directory.path(), WalOptions::default());
    io.fail(SYNC);
    let tickets: Vec<_> = (0..20).filter_map(|_| wal.submit(entry("x")).ok()).collect();
    for ticket in tickets {
        assert!(matches!(ticket.await, Err(WalError::Stopped(_))));
    }
}

#[tokio::test]
async fn f_19_a_full_disk_refuses_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, io) = open_faulty(directory.path(), WalOptions::default());
    wal.append(entry("before")).await.unwrap();
    io.fail(APPEND);
    assert!(matches!(wal.append(entry("full")).await, Err(WalError::WriteFailed(_))));
    io.fail(0);
    let after = wal.append(entry("after")).await.unwrap();
    drop(wal);
    let (wal, report) = open(directory.path());
    assert_eq!(report.torn_bytes, 0);
    assert_eq!(sequences(&wal, 0), [1, after]);
}

#[tokio::test]
async fn f_19_a_write_that_cannot_be_undone_stops_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, io) = open_faulty(directory.path(), WalOptions::default());
    wal.append(entry("before")).await.unwrap();
    io.fail(APPEND | TRUNCATE);
    assert!(matches!(wal.append(entry("half")).await, Err(WalError::Stopped(_))));
    drop(wal);
    io.fail(0);
    // A restart finds the half frame as an unfinished write.
    let (wal, report) = open(directory.path());
    assert!(report.torn_bytes > 0);
    assert_eq!(sequences(&wal, 0), [1]);
}

#[tokio::test]
async fn f_19_a_file_that_cannot_be_begun_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, io) = open_faulty(directory.path(), small_files());
    wal.append(entry("first")).await.unwrap();
    io.fail(CREATE);
    assert!(matches!(wal.append(entry("refused")).await, Err(WalError::WriteFailed(_))));
    io.fail(0);
    wal.append(entry("second")).await.unwrap();
    assert_eq!(sequences(&wal, 0).len(), 2);
}

#[tokio::test]
async fn a_backlog_above_the_limit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = WalOptions { max_waiting_bytes: 2_000, ..WalOptions::default() };
    let (wal, _) = open_faulty(directory.path(), options);
    // Holding the writer keeps the queue from draining.
    let held = wal.inner.writer.lock();
    let first = wal.submit(entry(vec![0; 1_000])).unwrap();
    let error = wal.submit(entry(vec![0; 1_000])).unwrap_err();
    assert_eq!(error.class(), henge_types::ErrorClass::Capacity);
    drop(held);
    first.await.unwrap();
    wal.append(entry(vec![0; 5_000])).await.unwrap();
}
