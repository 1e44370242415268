//! The metadata in one file and back: made beside a running server, restored where none is, and refused where it
//! would lose what is there.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use henge_platform::storage::LocalDeepStorage;
use henge_server::backup::Backup;
use henge_server::data_folder::DataFolder;
use henge_server::integrity::{Restored, restore};
use henge_tests::TestServer;

use crate::lost_metadata::{copy_folder, rows};

/// A server with ten rows in two segments, and its backup, made while it runs.
fn backed_up() -> (TestServer, Backup) {
    let server = TestServer::start();
    server.create("t");
    for hour in 0..2 {
        assert_eq!(server.push("t", &rows(5, hour)).0, 200);
    }
    server.flush();
    let backup = backup_of(server.data_dir()).unwrap();
    let bytes = backup.encode().unwrap();
    (server, Backup::decode(&bytes).unwrap())
}

fn backup_of(data_dir: &Path) -> Result<Backup> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Backup::of(&DataFolder::new(data_dir)))
}

/// A copy of the folder of a server that has stopped, to be changed.
fn left_by(mut server: TestServer) -> (TestServer, tempfile::TempDir) {
    let left = tempfile::tempdir().unwrap();
    server.restart_after(|folder| copy_folder(folder, left.path()));
    (server, left)
}

fn lose_metadata(data_dir: &Path) {
    std::fs::remove_file(data_dir.join("metadata.sqlite")).unwrap();
    for journal in ["metadata.sqlite-wal", "metadata.sqlite-shm"] {
        // There is one where the server did not close it.
        let _ = std::fs::remove_file(data_dir.join(journal));
    }
}

fn restore_in(data_dir: &Path, backup: &Backup, force: bool) -> Result<Restored> {
    let folder = DataFolder::new(data_dir);
    let _lock = folder.own().unwrap();
    let storage = LocalDeepStorage::open(folder.deep_storage()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(restore(&folder, Arc::new(storage), backup, force))
}

fn started_on(left: tempfile::TempDir, of: &TestServer) -> TestServer {
    let mut config = of.config().clone();
    config.data_dir = left.path().to_owned();
    TestServer::start_on(config, left)
}

#[test]
fn lost_metadata_are_restored_from_a_backup_of_a_running_server() {
    let (server, backup) = backed_up();
    assert_eq!(backup.metadata.segments.len(), 2);
    let (server, left) = left_by(server);
    lose_metadata(left.path());
    let restored = restore_in(left.path(), &backup, false).unwrap();
    assert!(restored.report.fits(), "{:?}", restored.report);
    assert_eq!((restored.given_up, restored.kept), (0, None));
    let again = started_on(left, &server);
    assert_eq!(again.count("t"), 10);
    // Ids go on above those of before.
    assert_eq!(again.push("t", &rows(5, 3)).0, 200);
    again.flush();
    assert_eq!(again.count("t"), 15);
}

#[test]
fn metadata_that_are_there_are_put_aside_by_force_only() {
    let (server, backup) = backed_up();
    let (server, left) = left_by(server);
    let error = restore_in(left.path(), &backup, false).unwrap_err().to_string();
    assert!(error.contains("there are metadata in") && error.contains("--force"), "{error}");
    let restored = restore_in(left.path(), &backup, true).unwrap();
    assert!(restored.kept.unwrap().exists());
    assert_eq!(started_on(left, &server).count("t"), 10);
}

#[test]
fn later_changes_are_given_up_by_force_only() {
    let (server, backup) = backed_up();
    server.create("later");
    let (server, left) = left_by(server);
    lose_metadata(left.path());
    let error = restore_in(left.path(), &backup, false).unwrap_err().to_string();
    assert!(error.contains("later change(s)") && error.contains("metadata rebuild"), "{error}");
    let restored = restore_in(left.path(), &backup, true).unwrap();
    assert!(restored.given_up > 0 && restored.report.fits(), "{restored:?}");
    let again = started_on(left, &server);
    assert_eq!(again.count("t"), 10);
    assert_eq!(again.call("GET", "/v1/datasources/later", &[], b"").0, 404);
}

#[test]
fn segments_that_are_not_in_deep_storage_are_named() {
    let (server, backup) = backed_up();
    let (_server, left) = left_by(server);
    lose_metadata(left.path());
    let lost = &backup.metadata.segments[0];
    std::fs::remove_file(left.path().join("deep-storage").join(&lost.object_key)).unwrap();
    let error = restore_in(left.path(), &backup, false).unwrap_err().to_string();
    assert!(error.contains(&lost.object_key), "{error}");
    let restored = restore_in(left.path(), &backup, true).unwrap();
    assert_eq!(restored.objects.missing.len(), 1);
}

#[test]
fn f_34_a_backup_of_another_cluster_is_refused() {
    let (server, _) = backed_up();
    let (_, strange) = backed_up();
    let (_server, left) = left_by(server);
    lose_metadata(left.path());
    let error = restore_in(left.path(), &strange, true).unwrap_err().to_string();
    assert!(error.contains("belongs to cluster"), "{error}");
}

#[test]
fn there_is_no_backup_of_nothing() {
    let empty = tempfile::tempdir().unwrap();
    let error = backup_of(empty.path()).unwrap_err().to_string();
    assert!(error.contains("there are no metadata in"), "{error}");
}
