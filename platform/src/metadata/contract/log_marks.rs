//! How far logs were durable, noted beside the logs; and how far the store was, marked beside the store.

use std::collections::BTreeMap;

use super::*;
use crate::wal::{LogMark, LogMarks};

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

fn letter() -> DeadLetter {
    DeadLetter {
        received_ms: 1,
        origin: "push".into(),
        position: 0,
        offset_bytes: 0,
        reason: "bad".into(),
        raw: "{}".into(),
    }
}

#[tokio::test]
async fn f_33_an_older_copy_without_the_last_tasks_and_letters_is_told_by_the_marks() {
    let directory = tempfile::tempdir().unwrap();
    let marks = LogMarks::open(&directory.path().join("marks")).unwrap();
    let path = directory.path().join("metadata.db");
    let options = || SqliteOptions { marks: marks.clone(), ..SqliteOptions::new(&path) };
    let store = SqlMetadataStore::open(options()).await.unwrap();
    let counts = async |store: &SqlMetadataStore| store.unpublished_changes(&marks).await.unwrap();
    assert_eq!(counts(&store).await, (0, 0));
    // Schemas, segments and positions are in manifests, and allocations are given up at any kill.
    store.put_document(DATASOURCE, DS, "{}").await.unwrap();
    allocate(&store, day(1)).await;
    store.append_dead_letters(DS, &[letter()], None, 10).await.unwrap();
    assert_eq!(counts(&store).await, (1, 1));
    store.close().await;
    let older = std::fs::read(&path).unwrap();
    let store = SqlMetadataStore::open(options()).await.unwrap();
    let record = LetterRecord { log: DS.into(), sequence: 7, is_replayed: false };
    store.append_dead_letters(DS, &[letter()], Some(record.clone()), 10).await.unwrap();
    let replayed = LetterRecord { is_replayed: true, ..record };
    store.append_dead_letters(DS, &[letter()], Some(replayed), 10).await.unwrap();
    assert_eq!(counts(&store).await, (2, 2));
    let update = TaskUpdate {
        status: TaskStatus::Failed,
        error: None,
        duration_ms: None,
        progress: TaskProgress::default(),
    };
    assert!(store.update_task("nobody's", &update).await.is_err());
    assert_eq!(counts(&store).await, (2, 2));
    store.close().await;
    std::fs::write(&path, older).unwrap();
    let store = SqlMetadataStore::open(options()).await.unwrap();
    assert_eq!(counts(&store).await, (1, 2));
    store.give_up_unpublished(&marks).await.unwrap();
    assert_eq!(counts(&store).await, (2, 2));
    store.append_dead_letters(DS, &[letter()], None, 10).await.unwrap();
    assert_eq!(counts(&store).await, (3, 3));
    assert_eq!(LogMarks::read(&directory.path().join("marks")).unwrap().damaged(), 0);
}
