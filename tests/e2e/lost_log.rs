//! F-17: what is missing from the logs of pushes is said with its numbers, all of it at once, and only
//! an operator gives it up.

use std::path::{Path, PathBuf};

use henge_platform::config::ServerConfig;
use henge_platform::metadata::{DATASOURCE, MetadataStore, SqlMetadataStore, SqliteOptions};
use henge_platform::storage::LocalDeepStorage;
use henge_platform::wal::{Wal, WalOptions, log_identity};
use henge_server::data_folder::DataFolder;
use henge_server::integrity::{Report, examine, give_up_log_losses, open_metadata_copy};
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

/// Gives up what is missing from a log; gives how many records are kept.
pub(crate) fn give_up(data_dir: &Path, name: &str) -> u64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = DataFolder::new(data_dir);
    runtime.block_on(give_up_log_losses(&folder, Some(name))).unwrap()[0].1.kept_records
}

/// What a check says, which changes nothing.
fn checked(data_dir: &Path) -> Report {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = DataFolder::new(data_dir);
    let copy = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let store = open_metadata_copy(&folder, copy.path()).await.unwrap().unwrap();
        let storage = LocalDeepStorage::open(folder.deep_storage()).unwrap();
        examine(&folder, &storage, Some(&store)).await.unwrap()
    })
}

/// A server with ten rows in the log of `t`, five more after the copy was taken, and the copy.
fn older_and_newer(more: impl FnOnce(&TestServer)) -> (tempfile::TempDir, TestServer) {
    let mut server = TestServer::start();
    server.create("t");
    assert_eq!(server.push("t", &rows(10, 0)).0, 200);
    more(&server);
    server.restart();
    let older = tempfile::tempdir().unwrap();
    copy_folder(server.data_dir(), older.path());
    assert_eq!(server.push("t", &rows(5, 1)).0, 200);
    (older, server)
}

/// A copy of what a running server has on disk: what a kill leaves.
fn left_by(server: &TestServer) -> (tempfile::TempDir, ServerConfig) {
    let left = tempfile::tempdir().unwrap();
    copy_folder(server.data_dir(), left.path());
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    (left, config)
}

fn put_in_place(from: &Path, to: &Path, part: &str) {
    let place = to.join(part);
    if place.is_dir() {
        std::fs::remove_dir_all(&place).unwrap();
    }
    match from.join(part).is_dir() {
        true => copy_folder(&from.join(part), &place),
        false => drop(std::fs::copy(from.join(part), &place).unwrap()),
    }
}

#[test]
fn f_17_every_damaged_log_is_named_and_given_up_by_command_only() {
    let (left, config) = left_behind();
    std::fs::remove_file(&logs(left.path(), "t")[1]).unwrap();
    std::fs::remove_file(&logs(left.path(), "u")[2]).unwrap();
    let refused = refusal(&config);
    assert!(refused.contains("record 2 (1 push) is missing"), "{refused}");
    assert!(refused.contains("record 3 (1 push) is missing"), "{refused}");
    for name in ["t", "u"] {
        let folder = left.path().display();
        let command = format!("accept-log-loss --data-dir '{folder}' --datasource '{name}'`");
        assert!(refused.contains(&command), "{refused}");
    }
    let all = format!("accept-log-loss --data-dir '{}' --all`", left.path().display());
    assert!(refused.contains(&all), "{refused}");
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
    assert!(refused.contains("--datasource 'v'` puts it aside"), "{refused}");
    assert_eq!(give_up(left.path(), "v"), 0);
    assert!(wal.join(".given-up/v-1").is_dir() && !wal.join("v").exists());
    assert!(checked(left.path()).fits());
    // Nor does the log of another datasource under a known name.
    std::fs::remove_dir_all(wal.join("u")).unwrap();
    copy_folder(&wal.join("t"), &wal.join("u"));
    let refused = refusal(&config);
    assert!(refused.contains("another datasource or cluster"), "{refused}");
}

/// As after metadata were restored that do not know the datasource.
#[test]
fn f_34_an_empty_log_of_an_unknown_datasource_stops_no_start() {
    let mut server = TestServer::start();
    server.create("t");
    for hour in 0..2 {
        assert_eq!(server.push("t", &rows(10, hour)).0, 200);
        server.flush();
        server.restart();
    }
    let other = TestServer::start();
    let (left, config) = left_by(&other);
    drop(other);
    // Only the last file, of which nothing was written but its header.
    let last = logs(server.data_dir(), "t").pop().unwrap();
    std::fs::create_dir_all(left.path().join("wal/t")).unwrap();
    std::fs::copy(&last, left.path().join("wal/t").join(last.file_name().unwrap())).unwrap();
    assert!(checked(left.path()).fits());
    let mut again = TestServer::start_on(config, left);
    assert!(again.data_dir().join("wal/.given-up/t-1").is_dir());
    // A new datasource of that name begins a log of its own.
    again.create("t");
    assert_eq!(again.push("t", &rows(5, 0)).0, 200);
    again.restart();
    assert_eq!(again.count("t"), 5);
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

#[test]
fn f_17_the_older_copy_of_a_log_is_refused_until_the_right_one_is_put_back() {
    let (older, server) = older_and_newer(|_| ());
    // One log, and the folder of all logs.
    for part in ["wal/t", "wal"] {
        let (left, config) = left_by(&server);
        put_in_place(older.path(), left.path(), part);
        let refused = refusal(&config);
        assert!(refused.contains("the log of 't'"), "{refused}");
        assert!(refused.contains("ends at record 1, but was durable up to 2"), "{refused}");
        assert!(refused.contains("record 2 (1 push) is missing"), "{refused}");
        assert!(!refused.contains("metadata rebuild"), "{refused}");
        assert!(!checked(left.path()).fits());
        put_in_place(server.data_dir(), left.path(), part);
        assert_eq!(TestServer::start_on(config, left).count("t"), 15);
    }
}

#[test]
fn f_17_the_loss_of_an_older_copy_is_given_up_by_command() {
    let (older, server) = older_and_newer(|_| ());
    let (left, config) = left_by(&server);
    put_in_place(older.path(), left.path(), "wal/t");
    refusal(&config);
    assert_eq!(give_up(left.path(), "t"), 1);
    // What was given up is not missed any more, also by what the metadata have noted.
    assert!(checked(left.path()).fits());
    let mut server = TestServer::start_on(config, left);
    assert_eq!(server.count("t"), 10);
    assert_eq!(server.push("t", &rows(7, 2)).0, 200);
    server.restart();
    assert_eq!(server.count("t"), 17);
}

#[test]
fn f_17_a_log_that_is_gone_or_emptied_is_refused() {
    let (_older, server) = older_and_newer(TestServer::flush);
    for emptied in [false, true] {
        let (left, config) = left_by(&server);
        std::fs::remove_dir_all(left.path().join("wal/t")).unwrap();
        if emptied {
            std::fs::create_dir(left.path().join("wal/t")).unwrap();
        }
        let refused = refusal(&config);
        assert!(refused.contains("the log of 't'"), "{refused}");
        assert!(refused.contains("record 2 (1 push) is missing"), "{refused}");
        assert_eq!(refusal(&config), refused);
        assert_eq!(left.path().join("wal/t").exists(), emptied);
        assert_eq!(give_up(left.path(), "t"), 0);
        let mut server = TestServer::start_on(config, left);
        assert_eq!(server.count("t"), 10);
        assert_eq!(server.push("t", &rows(3, 2)).0, 200);
        server.restart();
        assert_eq!(server.count("t"), 13);
    }
}

#[test]
fn f_17_logs_and_marks_put_back_together_are_refused_by_what_the_metadata_noted() {
    let (older, mut server) = older_and_newer(|_| ());
    // An orderly end notes the marks.
    server.restart();
    let (left, config) = left_by(&server);
    for part in ["wal", "marks"] {
        put_in_place(older.path(), left.path(), part);
    }
    let refused = refusal(&config);
    assert!(refused.contains("ends at record 1, but was durable up to 2"), "{refused}");
}

#[test]
fn f_17_lost_marks_are_said_and_a_log_lost_with_its_mark_is_refused() {
    let (_older, mut server) = older_and_newer(|_| ());
    server.restart();
    let (left, config) = left_by(&server);
    std::fs::remove_file(left.path().join("marks")).unwrap();
    let report = checked(left.path());
    assert!(
        report.fits() && report.notes.iter().any(|note| note.contains("is lost")),
        "{report:?}"
    );
    let mut server = TestServer::start_on(config, left);
    assert_eq!(server.count("t"), 15);
    server.flush();
    server.restart();
    let (left, config) = left_by(&server);
    std::fs::remove_file(left.path().join("marks")).unwrap();
    std::fs::remove_dir_all(left.path().join("wal/t")).unwrap();
    let refused = refusal(&config);
    assert!(refused.contains("the log is gone, and so is its mark"), "{refused}");
}

#[test]
fn f_01_a_datasource_whose_log_was_not_made_before_a_kill_gets_one() {
    let server = TestServer::start();
    server.create("t");
    for log_was_made in [false, true] {
        let (left, config) = left_by(&server);
        // What a kill leaves of a PUT: the datasource, and perhaps a log that is not marked.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let options = SqliteOptions::new(left.path().join("metadata.sqlite"));
            let store = SqlMetadataStore::open(options).await.unwrap();
            let schema = store.get_document(DATASOURCE, "t").await.unwrap().unwrap().body_json;
            store.put_document(DATASOURCE, "v", &schema.replace("\"t\"", "\"v\"")).await.unwrap();
            if log_was_made {
                let identity = log_identity(&store.cluster_uuid().await.unwrap(), "v");
                let options = WalOptions { identity, ..WalOptions::default() };
                Wal::open(&left.path().join("wal/v"), options).unwrap();
            }
            store.close().await;
        });
        assert!(checked(left.path()).fits());
        let mut server = TestServer::start_on(config, left);
        server.create("v");
        assert_eq!(server.push("v", &rows(4, 0)).0, 200);
        server.restart();
        assert_eq!(server.count("v"), 4);
    }
}

#[test]
fn f_34_the_logs_of_two_datasources_in_each_other_s_place_are_refused() {
    let (left, config) = left_behind();
    let place = |name: &str| left.path().join("wal").join(name);
    std::fs::rename(place("t"), place("x")).unwrap();
    std::fs::rename(place("u"), place("t")).unwrap();
    std::fs::rename(place("x"), place("u")).unwrap();
    let refused = refusal(&config);
    for name in ["t", "u"] {
        assert!(refused.contains(&format!("the log of '{name}'")), "{refused}");
    }
    assert!(refused.contains("another datasource or cluster"), "{refused}");
}

#[test]
fn f_17_a_log_behind_a_link_is_used_and_missed_when_the_link_leads_nowhere() {
    let (left, config) = left_behind();
    let elsewhere = tempfile::tempdir().unwrap();
    let (place, moved) = (left.path().join("wal/t"), elsewhere.path().join("moved"));
    std::fs::rename(&place, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &place).unwrap();
    let mut server = TestServer::start_on(config, left);
    assert_eq!(server.push("t", &rows(5, 4)).0, 200);
    server.restart();
    assert_eq!(server.count("t"), 35);
    // The link is not copied.
    let (left, config) = left_by(&server);
    std::os::unix::fs::symlink(elsewhere.path().join("nowhere"), left.path().join("wal/t"))
        .unwrap();
    let refused = refusal(&config);
    assert!(refused.contains("records 1 to 4 (4 pushes) are missing"), "{refused}");
}
