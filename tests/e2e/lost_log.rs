//! F-17: what is missing from the logs of pushes is said with its numbers, all of it at once, and only
//! an operator gives it up.

use std::path::{Path, PathBuf};

use henge_platform::config::ServerConfig;
use henge_platform::wal::accept_loss;
use henge_server::data_folder::DataFolder;
use henge_server::integrity::{known_logs, open_metadata_copy};
use henge_tests::TestServer;

use crate::lost_metadata::{copy_folder, refusal, rows};

/// A folder with three log files a datasource, of ten rows each, left by a stopped server.
fn left_behind() -> (tempfile::TempDir, ServerConfig) {
    let mut server = TestServer::start();
    for name in ["t", "u"] {
        server.create(name);
    }
    for hour in 0..3 {
        for name in ["t", "u"] {
            assert_eq!(server.push(name, &rows(10, hour)).0, 200);
        }
        server.restart();
    }
    let left = tempfile::tempdir().unwrap();
    copy_folder(&server.config().data_dir, left.path());
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    (left, config)
}

fn logs(data_dir: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data_dir.join("wal").join(name)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "wal")).collect();
    files.sort();
    files
}

fn give_up(data_dir: &Path, name: &str) -> u64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = DataFolder::new(data_dir);
    let copy = tempfile::tempdir().unwrap();
    let known = runtime.block_on(async {
        let store = open_metadata_copy(&folder, copy.path()).await.unwrap().unwrap();
        known_logs(&folder, &store).await.unwrap()
    });
    let log = &known[name];
    accept_loss(&log.folder, log.identity, log.committed).unwrap().kept_records
}

#[test]
fn f_17_every_damaged_log_is_named_and_given_up_by_command_only() {
    let (left, config) = left_behind();
    std::fs::remove_file(&logs(left.path(), "t")[1]).unwrap();
    std::fs::remove_file(&logs(left.path(), "u")[2]).unwrap();
    let refused = refusal(&config);
    assert!(refused.contains("records 2 to 2 are missing"), "{refused}");
    assert!(refused.contains("records 3 to 3 are missing"), "{refused}");
    assert!(refused.contains("accept-log-loss --datasource 't'"), "{refused}");
    assert!(refused.contains("accept-log-loss --datasource 'u'"), "{refused}");
    // Refused again: nothing was changed.
    assert_eq!(refusal(&config), refused);
    assert_eq!((give_up(left.path(), "t"), give_up(left.path(), "u")), (2, 2));
    let mut server = TestServer::start_on(config, left);
    assert_eq!((server.count("t"), server.count("u")), (20, 20));
    assert_eq!(server.push("t", &rows(5, 4)).0, 200);
    server.restart();
    assert_eq!((server.count("t"), server.count("u")), (25, 20));
    assert!(server.text("/metrics").contains("henge_wal_quarantined_files 2"));
}

#[test]
fn f_17_a_torn_write_is_kept_and_shown() {
    let (left, config) = left_behind();
    let file = logs(left.path(), "t").pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"half a frame");
    std::fs::write(&file, bytes).unwrap();
    let server = TestServer::start_on(config, left);
    assert_eq!(server.count("t"), 30);
    let metrics = server.text("/metrics");
    assert!(metrics.contains("henge_wal_torn_bytes 12"), "{metrics}");
}

#[test]
fn f_34_the_log_of_an_unknown_datasource_does_not_fit() {
    let (left, config) = left_behind();
    let wal = left.path().join("wal");
    copy_folder(&wal.join("t"), &wal.join("v"));
    let refused = refusal(&config);
    assert!(
        refused.contains("a datasource that the metadata do not know, with 3 record"),
        "{refused}"
    );
    std::fs::remove_dir_all(wal.join("v")).unwrap();
    // Nor does the log of another datasource under a known name.
    std::fs::remove_dir_all(wal.join("u")).unwrap();
    copy_folder(&wal.join("t"), &wal.join("u"));
    let refused = refusal(&config);
    assert!(refused.contains("another datasource or cluster"), "{refused}");
}

#[test]
fn f_17_a_log_that_is_gone_is_said_and_published_rows_need_none() {
    let mut server = TestServer::start();
    server.create("t");
    assert_eq!(server.push("t", &rows(10, 0)).0, 200);
    server.flush();
    server.restart();
    let left = tempfile::tempdir().unwrap();
    copy_folder(&server.config().data_dir, left.path());
    std::fs::remove_dir_all(left.path().join("wal/t")).unwrap();
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    let mut server = TestServer::start_on(config, left);
    assert_eq!(server.count("t"), 10);
    assert_eq!(server.push("t", &rows(5, 0)).0, 200);
    server.restart();
    assert_eq!(server.count("t"), 15);
    server.flush();
    assert_eq!(server.count("t"), 15);
}
