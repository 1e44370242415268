//! The log's promises: durable in order, refused when damaged, stopped when unsure.

mod chain;
mod damage;
mod faults;
mod given_up;
mod marked;

use std::path::PathBuf;

use bytes::Bytes;

use super::super::handles::LogHandles;
use super::super::options::WalCodec;
use super::*;

fn entry(payload: impl Into<Bytes>) -> WalEntry {
    WalEntry {
        received_at_ms: 1_700_000_000_000,
        schema_version: 3,
        flags: 1,
        idempotency_key: None,
        context: Bytes::from_static(b"context"),
        payload: payload.into(),
    }
}

fn open(directory: &Path) -> (Wal, RecoveryReport) {
    Wal::open(directory, WalOptions::default()).unwrap()
}

/// A new file after every frame.
fn small_files() -> WalOptions {
    WalOptions { max_file_bytes: 1, ..WalOptions::default() }
}

fn sequences(wal: &Wal, from: u64) -> Vec<u64> {
    wal.replay(from).map(|record| record.unwrap().sequence).collect()
}

fn log_files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wal"))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn what_was_appended_is_replayed_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let payloads = [vec![], b"{\"a\":1}".to_vec(), vec![b'x'; 100_000], (0..=255).collect()];
    for codec in [WalCodec::None, WalCodec::Lz4] {
        let options = WalOptions { codec, ..WalOptions::default() };
        let (wal, _) = Wal::open(directory.path(), options).unwrap();
        for payload in &payloads {
            let keyed = WalEntry {
                idempotency_key: Some(Arc::from("schlüssel")),
                ..entry(payload.clone())
            };
            wal.append(keyed).await.unwrap();
        }
    }
    let (wal, report) = open(directory.path());
    assert_eq!(
        (report.records, report.first_sequence, report.last_sequence),
        (8, Some(1), Some(8))
    );
    assert_eq!(report.torn_bytes, 0);
    let records: Vec<_> = wal.replay(0).collect::<Result<_>>().unwrap();
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record.sequence, index as u64 + 1);
        assert_eq!(record.entry.payload, payloads[index % 4]);
        assert_eq!(record.entry.idempotency_key.as_deref(), Some("schlüssel"));
        assert_eq!((record.entry.schema_version, record.entry.flags), (3, 1));
    }
    assert_eq!(sequences(&wal, 6), [6, 7, 8]);
    assert_eq!(wal.next_sequence(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_appends_share_groups_and_each_is_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, _) = open(directory.path());
    let tasks: Vec<_> = (0..200)
        .map(|number: u32| {
            let wal = wal.clone();
            tokio::spawn(async move {
                let sequence = wal.append(entry(number.to_string())).await.unwrap();
                (sequence, number.to_string())
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for task in tasks {
        acknowledged.push(task.await.unwrap());
    }
    acknowledged.sort();
    let stored: Vec<_> = wal
        .replay(0)
        .map(|record| record.unwrap())
        .map(|r| (r.sequence, String::from_utf8(r.entry.payload.to_vec()).unwrap()))
        .collect();
    assert_eq!(stored, acknowledged);
    assert_eq!(wal.durable_sequence(), 200);
}

#[tokio::test]
async fn files_rotate_and_old_ones_are_deleted_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::open(directory.path(), small_files()).unwrap();
    for _ in 0..5 {
        wal.append(entry("x")).await.unwrap();
    }
    assert_eq!(log_files(directory.path()).len(), 5);
    assert_eq!(wal.truncate_before(4).unwrap(), 3);
    assert_eq!(sequences(&wal, 0), [4, 5]);
    assert_eq!(wal.truncate_before(4).unwrap(), 0);
    // Everything is obsolete: only an empty file stays, and the sequence goes on after a restart.
    assert_eq!(wal.truncate_before(100).unwrap(), 2);
    assert!(sequences(&wal, 0).is_empty());
    drop(wal);
    let options = WalOptions { minimum_next_sequence: 6, ..WalOptions::default() };
    let (wal, report) = Wal::open(directory.path(), options).unwrap();
    assert_eq!((report.files, report.records, wal.next_sequence()), (1, 0, 6));
    assert_eq!(wal.append(entry("y")).await.unwrap(), 6);
}

#[tokio::test]
async fn a_lost_directory_never_reuses_published_sequences() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let options = WalOptions { minimum_next_sequence: 501, ..WalOptions::default() };
    let refused = Wal::open(&path, options.clone()).unwrap_err().to_string();
    assert!(refused.contains("and so is its mark"), "{refused}");
    crate::wal::accept_loss(&path, options.expected(), &options.marks).unwrap();
    let (wal, _) = Wal::open(&path, options).unwrap();
    assert_eq!(wal.append(entry("x")).await.unwrap(), 501);
}

#[tokio::test]
async fn empty_restarts_leave_one_file() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        open(directory.path());
    }
    assert_eq!(log_files(directory.path()).len(), 1);
}

#[tokio::test]
async fn tickets_carry_their_sequence_before_they_are_durable() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, _) = open(directory.path());
    let tickets: Vec<_> = (0..3).map(|_| wal.submit(entry("x")).unwrap()).collect();
    for (index, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(ticket.sequence(), index as u64 + 1);
        assert_eq!(ticket.await.unwrap(), index as u64 + 1);
    }
}

#[tokio::test]
async fn bad_entries_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (wal, _) = open(directory.path());
    let key = "k".repeat(65_536);
    let long_key = WalEntry { idempotency_key: Some(Arc::from(key)), ..entry("x") };
    assert!(matches!(wal.append(long_key).await, Err(WalError::Invalid(_))));
    assert_eq!(wal.append(entry("x")).await.unwrap(), 1);
}

#[tokio::test]
async fn i_11_logs_share_few_open_files_and_go_on_where_they_were() {
    let handles = LogHandles::new(1);
    let directories: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let open = |directory: &Path| {
        let options = WalOptions { handles: handles.clone(), ..WalOptions::default() };
        Wal::open(directory, options).unwrap().0
    };
    let logs: Vec<Wal> = directories.iter().map(|directory| open(directory.path())).collect();
    for round in 1..=3 {
        for log in &logs {
            assert_eq!(log.append(entry(vec![b'x'; round])).await.unwrap(), round as u64);
        }
    }
    assert_eq!(logs.iter().map(|log| sequences(log, 1)).collect::<Vec<_>>(), [[1, 2, 3]; 3]);
    // One file a log: closing and opening again begins no new one.
    assert!(directories.iter().all(|directory| log_files(directory.path()).len() == 1));
    drop(logs);
    for directory in &directories {
        assert_eq!(sequences(&open(directory.path()), 1), [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_copy_keeps_the_sequences_of_its_log_and_gets_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let options = |minimum_next_sequence| WalOptions {
        minimum_next_sequence,
        max_group_bytes: 40,
        ..WalOptions::default()
    };
    let (copy, _) = Wal::open(directory.path(), options(1)).unwrap();
    let records = |sequences: &[u64]| -> Vec<WalRecord> {
        let record = |sequence: &u64| WalRecord { sequence: *sequence, entry: entry("0123456789") };
        sequences.iter().map(record).collect()
    };
    copy.append_copies(Vec::new()).await.unwrap();
    // A frame takes one or two of them, and the log that is copied may have gaps.
    copy.append_copies(records(&[5, 6, 9, 10, 11])).await.unwrap();
    for wrong in [&[11][..], &[12, 12], &[13, 12], &[4]] {
        let refused = copy.append_copies(records(wrong)).await.unwrap_err();
        assert!(matches!(refused, WalError::Invalid(_)), "{refused}");
    }
    copy.append_copies(records(&[20])).await.unwrap();
    assert_eq!(sequences(&copy, 0), [5, 6, 9, 10, 11, 20]);
    drop(copy);
    let (copy, report) = Wal::open(directory.path(), options(5)).unwrap();
    assert_eq!((report.records, report.last_sequence), (6, Some(20)));
    assert_eq!((sequences(&copy, 10), copy.next_sequence()), (vec![10, 11, 20], 21));
}
