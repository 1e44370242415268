//! F-35 and restarts: what only a file can suffer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

async fn filled() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let store = open_sqlite(&directory).await.unwrap();
    for number in 0..200 {
        store
            .put_document(DATASOURCE, &format!("datasource-{number}"), &"x".repeat(500))
            .await
            .unwrap();
    }
    let segment = allocate(&store, day(1)).await;
    store.publish(&append("t1", &[segment])).await.unwrap();
    store.close().await;
    let path = directory.path().join("metadata.db");
    (directory, path)
}

fn overwrite(path: &Path, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut content = std::fs::read(path).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    std::fs::write(path, &content).unwrap();
    content
}

#[tokio::test]
async fn f_35_a_corrupt_page_or_header_refuses_to_start_and_is_left_untouched() {
    for at in [0, 4_096 * 5] {
        let (directory, path) = filled().await;
        let content = overwrite(&path, at, &[0xa5; 2_000]);
        let error = open_sqlite(&directory).await.unwrap_err();
        assert!(matches!(error, MetadataError::Corrupt(_)), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn i_12_a_flipped_bit_in_a_segment_s_record_is_found() {
    let (directory, path) = filled().await;
    let content = std::fs::read(&path).unwrap();
    let key = b"\"object_key\":\"segments/";
    let at = content.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    overwrite(&path, at, b"9");
    let store = open_sqlite(&directory).await.unwrap();
    let error = store.used_segments().await.unwrap_err();
    assert!(matches!(error, MetadataError::Corrupt(_)), "{error}");
    assert!(store.segment_changes(0, 10).await.is_err());
}

#[tokio::test]
async fn f_33_a_store_whose_making_was_cut_short_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path().join("metadata.db"));
    assert!(SqlMetadataStore::is_unmade(options.clone()).await.unwrap());
    // What is there before the first transaction commits: a header that says which journal it has.
    let connect =
        sqlx::sqlite::SqliteConnectOptions::new().filename(&options.path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(connect).await.unwrap();
    sqlx::query("PRAGMA journal_mode = WAL").execute(&pool).await.unwrap();
    pool.close().await;
    assert!(std::fs::metadata(&options.path).unwrap().len() > 0);
    assert!(SqlMetadataStore::is_unmade(options.clone()).await.unwrap());
    let store = open_sqlite(&directory).await.unwrap();
    store.put_document(DATASOURCE, "d", "{}").await.unwrap();
    store.close().await;
    assert!(!SqlMetadataStore::is_unmade(options.clone()).await.unwrap());
}

#[tokio::test]
async fn f_34_a_stranger_s_database_is_refused_and_left_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let stranger = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&stranger).await.unwrap();
    stranger.close().await;
    let content = std::fs::read(&path).unwrap();
    let error = open_sqlite(&directory).await.unwrap_err();
    assert!(error.to_string().contains("another application"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), content);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let (directory, path) = filled().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("PRAGMA user_version = 99").execute(&pool).await.unwrap();
    pool.close().await;
    let error = open_sqlite(&directory).await.unwrap_err();
    assert!(error.to_string().contains("schema version 99"), "{error}");
}

#[tokio::test]
async fn f_35_a_lock_held_elsewhere_ends_in_an_error_that_says_later() {
    let (directory, path) = filled().await;
    let options =
        SqliteOptions { busy_timeout: Duration::from_millis(100), ..SqliteOptions::new(&path) };
    let store = SqlMetadataStore::open(options).await.unwrap();
    let other = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let other = sqlx::SqlitePool::connect_with(other).await.unwrap();
    let mut lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = store.allocate_version().await.unwrap_err();
    assert_eq!(error.class(), henge_types::ErrorClass::Unavailable, "{error}");
    // Reading goes on, and writing once the lock is gone.
    assert_eq!(store.list_documents(DATASOURCE).await.unwrap().len(), 200);
    sqlx::query("UPDATE counters SET value = value").execute(&mut *lock).await.unwrap();
    lock.rollback().await.unwrap();
    store.allocate_version().await.unwrap();
    drop(directory);
}

#[tokio::test]
async fn everything_committed_is_there_after_an_end_without_closing() {
    let directory = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let store = open_sqlite(&directory).await.unwrap();
    let segment = allocate(&store, day(1)).await;
    let request = PublishRequest {
        source: advance_of("s", SourceMark::default(), mark(7, "")),
        ..append("t1", std::slice::from_ref(&segment))
    };
    store.publish(&request).await.unwrap();
    // What a killed process leaves: the files as they are now.
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let recovered = open_sqlite(&copy).await.unwrap();
    assert_eq!(recovered.used_segments().await.unwrap().segments, [segment]);
    assert_eq!(mark_of(&recovered, "s").await, mark(7, ""));
}

/// A database as a killed process leaves it, with many commits in SQLite's journal.
async fn killed() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let store = open_sqlite(&directory).await.unwrap();
    for number in 0..30 {
        let segment = allocate(&store, day(number)).await;
        store.publish(&append(&format!("t{number}"), &[segment])).await.unwrap();
    }
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

#[tokio::test]
async fn f_35_damage_in_sqlite_s_journal_is_refused_or_costs_the_last_commit_at_most() {
    let killed = killed().await;
    let journal = killed.path().join("metadata.db-wal");
    let bytes = std::fs::read(&journal).unwrap();
    assert!(bytes.len() > 100_000, "{}", bytes.len());
    let made = open_sqlite_copy(&killed, &bytes).await.unwrap();
    let mut refused = 0;
    for step in 0..60 {
        let mut changed = bytes.clone();
        let at = bytes.len() / 60 * step + step * 7;
        changed[at] ^= 1 << (step % 8);
        match open_sqlite_copy(&killed, &changed).await {
            // The manifests' numbers tell what SQLite does not.
            Ok(after) => assert!(after >= made - 1, "byte {at}: {after} of {made}"),
            Err(error) => {
                assert!(matches!(error, MetadataError::Corrupt(_)), "byte {at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 40, "{refused}");
}

/// Opens a copy with another journal; the number of manifests that it knows.
async fn open_sqlite_copy(killed: &tempfile::TempDir, journal: &[u8]) -> Result<u64> {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(killed.path().join("metadata.db"), copy.path().join("metadata.db")).unwrap();
    std::fs::write(copy.path().join("metadata.db-wal"), journal).unwrap();
    Ok(open_sqlite(&copy).await?.manifest_state().await?.made)
}
