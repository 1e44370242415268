//! How far logs were durable, noted beside the logs.

use std::collections::BTreeMap;

use super::*;
use crate::wal::LogMark;

fn mark(generation: u64, sequence: u64) -> LogMark {
    LogMark { identity: 7, generation, before_last: sequence / 2, sequence, checksum: u64::MAX }
}

#[tokio::test]
async fn f_17_the_newest_mark_of_each_log_is_kept() {
    let (_directory, stores) = stores().await;
    for store in stores {
        let note = async |marks: &[(&str, LogMark)]| {
            let marks = marks.iter().map(|(name, mark)| ((*name).to_owned(), *mark)).collect();
            store.note_log_marks(&marks).await.unwrap();
        };
        let noted = async |name: &str| store.log_marks().await.unwrap().get(name).copied();
        assert_eq!(store.log_marks().await.unwrap(), BTreeMap::new());
        note(&[]).await;
        note(&[("a", mark(1, 0)), ("b", mark(1, 9))]).await;
        note(&[("a", mark(1, 5)), ("b", mark(1, 8))]).await;
        assert_eq!((noted("a").await, noted("b").await), (Some(mark(1, 5)), Some(mark(1, 9))));
        // An end that was taken back is newer, whatever its sequence.
        note(&[("b", mark(2, 3)), ("c", mark(1, u64::MAX))]).await;
        note(&[("b", mark(1, 20))]).await;
        assert_eq!(
            (noted("b").await, noted("c").await),
            (Some(mark(2, 3)), Some(mark(1, u64::MAX)))
        );
        assert_eq!(store.log_marks().await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn i_12_f_17_marks_are_there_after_a_restart_and_a_changed_one_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_sqlite(&directory).await.unwrap();
    store.note_log_marks(&BTreeMap::from([("a".to_owned(), mark(3, 5))])).await.unwrap();
    store.close().await;
    let store = open_sqlite(&directory).await.unwrap();
    assert_eq!(store.log_marks().await.unwrap()["a"], mark(3, 5));
    store.close().await;
    let path = directory.path().join("metadata.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let name = b"HENGMRK1";
    let at = bytes.windows(name.len()).position(|bytes| bytes == name).unwrap();
    bytes[at + 40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let store = open_sqlite(&directory).await.unwrap();
    let error = store.log_marks().await.unwrap_err();
    assert!(matches!(error, MetadataError::Corrupt(_)), "{error}");
}
