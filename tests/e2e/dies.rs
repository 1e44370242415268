//! What a process leaves that dies at a known place, put together from folders of before and after: the
//! log of one moment, the metadata and the objects of another.

use std::path::Path;

use henge_tests::{TestServer, count_query};
use serde_json::Value;
use tempfile::TempDir;

use crate::lost_metadata::{copy_folder, rows};

const BATCHES: u64 = 3;

fn push(server: &TestServer, batch: u64) -> Value {
    let key = format!("k{batch}");
    let path = "/v1/datasources/t/events";
    let (status, answer) =
        server.call("POST", path, &[("Idempotency-Key", &key)], &rows(batch + 5, batch));
    assert_eq!(status, 200, "{answer}");
    answer
}

fn pushed() -> u64 {
    (0..BATCHES).map(|batch| batch + 5).sum()
}

/// A server's folder before its rows were published, and after.
fn before_and_after() -> (TestServer, TempDir, TempDir) {
    let mut server = TestServer::start();
    server.create("t");
    (0..BATCHES).for_each(|batch| drop(push(&server, batch)));
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    server.restart_after(|folder| copy_folder(folder, before.path()));
    server.flush();
    server.restart_after(|folder| copy_folder(folder, after.path()));
    (server, before, after)
}

/// Starts on `parts`, each from a folder, and wants every row once: at once, asked again under its key,
/// published, and after another start.
fn lives(like: &TestServer, parts: &[(&Path, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (from, part) in parts {
        let (from, to) = (from.join(part), folder.path().join(part));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
            // SQLite's journal belongs to its file.
            let journal = format!("{part}-wal");
            let _ = std::fs::copy(from.with_file_name(&journal), to.with_file_name(&journal));
        }
    }
    let mut config = like.config().clone();
    config.data_dir = folder.path().to_owned();
    let mut server = TestServer::start_on(config, folder);
    assert_eq!(server.count("t"), pushed());
    for batch in 0..BATCHES {
        assert_eq!(push(&server, batch)["duplicate"], true);
    }
    server.flush();
    assert_eq!(server.count("t"), pushed());
    assert_eq!(server.push("t", &rows(4, 1)).0, 200);
    server.restart();
    server.flush();
    assert_eq!(server.count("t"), pushed() + 4);
}

/// Dead after the metadata's commit and before the log was cut and a historical had the segments.
#[test]
fn f_02_f_04_what_is_published_and_still_in_the_log_is_counted_once() {
    let (server, before, after) = before_and_after();
    let (before, after) = (before.path(), after.path());
    lives(
        &server,
        &[
            (before, "wal"),
            (after, "metadata.sqlite"),
            (after, "deep-storage"),
            (after, "cluster.json"),
        ],
    );
}

/// Dead after the upload and before the commit: the same rows are published once more, beside the object
/// that nobody knows.
#[test]
fn f_03_what_is_uploaded_and_not_published_is_published_once() {
    let (server, before, after) = before_and_after();
    let orphans = after.path().join("deep-storage/segments");
    copy_folder(&orphans, &before.path().join("deep-storage/segments"));
    let before = before.path();
    lives(
        &server,
        &[
            (before, "wal"),
            (before, "metadata.sqlite"),
            (before, "deep-storage"),
            (before, "cluster.json"),
        ],
    );
}

/// Dead in the instant after the answer, whatever was buffered then.
#[test]
fn f_16_what_was_acknowledged_is_in_the_folder_at_that_instant() {
    let server = TestServer::start();
    server.create("t");
    let mut acknowledged = 0;
    for batch in 0..4 {
        push(&server, batch);
        acknowledged += batch + 5;
        let left = tempfile::tempdir().unwrap();
        copy_folder(server.data_dir(), left.path());
        let mut config = server.config().clone();
        config.data_dir = left.path().to_owned();
        assert_eq!(TestServer::start_on(config, left).count("t"), acknowledged);
    }
}

/// No room on the historical: what is published is served by those who buffered it, and once they are
/// gone its absence is an error with the reason, until there is room.
#[test]
fn f_23_without_room_for_segments_nothing_is_dropped() {
    let mut server = TestServer::start_with(|config| config.historical.capacity_bytes = 1);
    server.create("t");
    (0..BATCHES).for_each(|batch| drop(push(&server, batch)));
    server.flush();
    assert_eq!(server.count("t"), pushed());
    assert_eq!(server.push("t", &rows(4, 1)).0, 200);
    assert_eq!(server.count("t"), pushed() + 4);
    server.restart();
    let (status, _, text) = server.query(&count_query("t"), &[]);
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("3 segment(s) are unavailable") && text.contains("free"), "{text}");
    assert_eq!(server.push("t", &rows(2, 1)).0, 200, "pushes go on");
    server.restart_with(|config| config.historical.capacity_bytes = 1 << 30);
    assert_eq!(server.count("t"), pushed() + 6);
}
