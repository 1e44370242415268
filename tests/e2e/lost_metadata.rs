//! F-33: the metadata are lost at any moment of any history. The server refuses to start on what is
//! left, and after a rebuild from the manifests every acknowledged row is there once.

use std::path::Path;

use henge_platform::config::ServerConfig;
use henge_platform::metadata::{SqlMetadataStore, SqliteOptions};
use henge_platform::storage::LocalDeepStorage;
use henge_server::data_folder::DataFolder;
use henge_server::integrity::{open_marks, rebuild};
use henge_tests::TestServer;
use serde_json::json;

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    // Hand-offs go on meanwhile: files may go, and new ones are not needed.
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_folder(&entry.path(), &target),
            Ok(_) => {
                let _ = std::fs::copy(entry.path(), target);
            }
            Err(_) => {}
        }
    }
}

/// What a kill leaves, without the metadata. The log first: what is cut from it later is in deep
/// storage by then.
fn leave_without_metadata(server: &TestServer, to: &Path) {
    let root = &server.config().data_dir;
    for folder in ["wal", "deep-storage", "segment-cache"] {
        copy_folder(&root.join(folder), &to.join(folder));
    }
    std::fs::copy(root.join("cluster.json"), to.join("cluster.json")).unwrap();
}

pub(crate) fn rebuild_in(data_dir: &Path) {
    let folder = DataFolder::new(data_dir);
    let lock = folder.own().unwrap();
    let storage = LocalDeepStorage::open(folder.deep_storage()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rebuilt = runtime.block_on(rebuild(&folder, &storage)).unwrap();
    assert_eq!(rebuilt.report.findings, Vec::<String>::new());
    assert_eq!(rebuilt.objects.missing, Vec::<String>::new());
    drop(lock);
}

pub(crate) fn rows(count: u64, hour: u64) -> Vec<u8> {
    let rows: Vec<String> = (0..count)
        .map(|x| format!("{{\"t\":\"2020-01-01T{hour:02}:00:00\",\"a\":\"v{x}\",\"x\":{x}}}"))
        .collect();
    rows.join("\n").into_bytes()
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

#[test]
fn f_33_lost_metadata_are_rebuilt_at_any_moment_of_a_history_with_every_row() {
    for seed in 0..3 {
        println!("seed {seed}");
        let server = TestServer::start();
        server.create("t");
        let mut dice = Dice(seed);
        let mut expected = 0;
        let mut last_push = None;
        for step in 0..25 {
            match dice.roll(6) {
                0 => server.flush(),
                1 => server.create(["u", "v", "w"][dice.roll(3) as usize]),
                _ => {
                    let count = 1 + dice.roll(50);
                    let key = format!("k{step}");
                    let path = "/v1/datasources/t/events";
                    let body = rows(count, dice.roll(4));
                    let pushed = server.call("POST", path, &[("Idempotency-Key", &key)], &body);
                    assert_eq!(pushed.0, 200, "{}", pushed.1);
                    expected += count;
                    last_push = Some((key, body));
                }
            }
            if step % 5 != 4 {
                continue;
            }
            let left = tempfile::tempdir().unwrap();
            leave_without_metadata(&server, left.path());
            let mut config = server.config().clone();
            config.data_dir = left.path().to_owned();
            let refused = refusal(&config);
            assert!(refused.contains("henge metadata rebuild"), "{refused}");
            assert!(refused.contains("gone or empty"), "{refused}");
            rebuild_in(left.path());
            let after = TestServer::start_on(config, left);
            assert_eq!(after.count("t"), expected, "seed {seed} step {step}");
            // What was pushed under a key before is known, whether published or in the log.
            let Some((key, body)) = &last_push else { continue };
            let path = "/v1/datasources/t/events";
            let again = after.call("POST", path, &[("Idempotency-Key", key)], body);
            assert_eq!((again.0, &again.1["duplicate"]), (200, &json!(true)), "{}", again.1);
            assert_eq!(after.count("t"), expected);
        }
    }
}

pub(crate) fn refusal(config: &ServerConfig) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let started = runtime.block_on(henge_server::start(config, None));
    format!("{:#}", started.map(|_| ()).unwrap_err())
}

#[test]
fn f_33_dropped_segments_and_uploads_before_a_crash_are_not_adopted() {
    let server = TestServer::start();
    server.create("t");
    assert_eq!(server.push("t", &rows(10, 0)).0, 200);
    server.flush();
    // An upload that was never published.
    let segments = server.config().data_dir.join("deep-storage/segments");
    let object = find_file(&segments).unwrap();
    std::fs::copy(&object, object.with_file_name("7_00000000000000ff.segment")).unwrap();
    let left = tempfile::tempdir().unwrap();
    leave_without_metadata(&server, left.path());
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    rebuild_in(left.path());
    let after = TestServer::start_on(config, left);
    assert_eq!(after.count("t"), 10);
    assert_eq!(after.push("t", &rows(5, 0)).0, 200);
    after.flush();
    assert_eq!(after.count("t"), 15);
}

fn find_file(folder: &Path) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find_map(|path| if path.is_dir() { find_file(&path) } else { Some(path) })
}

#[test]
fn f_34_folders_of_two_clusters_are_not_taken_for_one() {
    let (one, two) = (TestServer::start(), TestServer::start());
    for server in [&one, &two] {
        server.create("t");
        assert_eq!(server.push("t", &rows(10, 0)).0, 200);
        server.flush();
    }
    for folder in ["wal", "deep-storage", "segment-cache"] {
        let mixed = tempfile::tempdir().unwrap();
        copy_folder(&one.config().data_dir, mixed.path());
        std::fs::remove_dir_all(mixed.path().join(folder)).unwrap();
        copy_folder(&two.config().data_dir.join(folder), &mixed.path().join(folder));
        let mut config = one.config().clone();
        config.data_dir = mixed.path().to_owned();
        let refused = refusal(&config);
        assert!(refused.contains("belongs to cluster"), "{folder}: {refused}");
    }
}

#[test]
fn i_12_a_damaged_manifest_is_noticed_while_the_metadata_can_still_say_it_again() {
    let server = TestServer::start();
    for name in ["t", "u", "v", "w"] {
        server.create(name);
    }
    assert_eq!(server.push("t", &rows(10, 0)).0, 200);
    let left = tempfile::tempdir().unwrap();
    copy_folder(&server.config().data_dir, left.path());
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    let second = left.path().join("deep-storage/manifests/00000000000000000002.json");
    let mut bytes = std::fs::read(&second).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&second, bytes).unwrap();
    let after = TestServer::start_on(config, left);
    let copied = tempfile::tempdir().unwrap();
    leave_without_metadata(&after, copied.path());
    rebuild_in(copied.path());
}

#[test]
fn f_35_a_flipped_bit_in_what_sqlite_keeps_is_found_by_the_manifests() {
    let server = TestServer::start();
    server.create("t");
    for hour in 0..3 {
        assert_eq!(server.push("t", &rows(10, hour)).0, 200);
    }
    server.flush();
    let left = tempfile::tempdir().unwrap();
    copy_folder(&server.config().data_dir, left.path());
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    let path = left.path().join("metadata.sqlite");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqlMetadataStore::open(SqliteOptions::new(&path)).await.unwrap();
        store.close().await;
    });
    let intact = std::fs::read(&path).unwrap();
    // A schema's text, and the record of the log's position: the name and the number behind it.
    for (name, skip, bit) in [(&b"\"segmentGranularity\""[..], 24, 8), (b"push:t3", 6, 4)] {
        let at = intact.windows(name.len()).position(|bytes| bytes == name).unwrap();
        let mut bytes = intact.clone();
        bytes[at + skip] ^= bit;
        std::fs::write(&path, bytes).unwrap();
        let refused = refusal(&config);
        assert!(refused.contains("is another one than in the manifests"), "{refused}");
    }
    rebuild_in(left.path());
    let after = TestServer::start_on(config, left);
    assert_eq!(after.count("t"), 30);
}

#[test]
fn f_33_an_older_copy_of_the_metadata_without_refused_events_is_refused() {
    let server = TestServer::start();
    server.create("t");
    assert_eq!(server.push("t", &rows(10, 0)).0, 200);
    let older = tempfile::tempdir().unwrap();
    copy_folder(server.data_dir(), older.path());
    let (status, reply) = server.push("t", b"{\"t\":null}");
    assert_eq!((status, &reply["rejected"]), (200, &json!(1)));
    for given_up in [false, true] {
        let left = tempfile::tempdir().unwrap();
        copy_folder(server.data_dir(), left.path());
        let mut config = server.config().clone();
        config.data_dir = left.path().to_owned();
        let put_in_place = |from: &Path| {
            for name in ["metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm"] {
                std::fs::copy(from.join(name), left.path().join(name)).unwrap();
            }
        };
        put_in_place(older.path());
        let refused = refusal(&config);
        let missing = "1 of 1 changes of tasks and refused events are missing";
        assert!(refused.contains(missing), "{refused}");
        assert!(!refused.contains("metadata rebuild"), "{refused}");
        if given_up {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let options = SqliteOptions::new(left.path().join("metadata.sqlite"));
                let store = SqlMetadataStore::open(options).await.unwrap();
                let marks = open_marks(&DataFolder::new(left.path())).unwrap();
                store.give_up_unpublished(&marks).await.unwrap();
                store.close().await;
            });
        } else {
            put_in_place(server.data_dir());
        }
        let after = TestServer::start_on(config, left);
        assert_eq!(after.count("t"), 10);
        let (_, letters) = after.call("GET", "/v1/datasources/t/dead-letters", &[], b"");
        assert_eq!(letters["totals"]["received"], json!(u64::from(!given_up)));
    }
}

/// A manifest copied as the next number: named as what it is, and no reason to lose anything.
#[test]
fn f_33_a_copy_of_a_manifest_under_the_next_number_is_told_and_left_out() {
    let mut server = TestServer::start();
    server.create("t");
    assert_eq!(server.push("t", &rows(10, 1)).0, 200);
    server.flush();
    let left = tempfile::tempdir().unwrap();
    server.restart_after(|data_dir| copy_folder(data_dir, left.path()));
    let mut config = server.config().clone();
    config.data_dir = left.path().to_owned();
    let folder = left.path().join("deep-storage/manifests");
    let mut manifests: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    manifests.sort();
    let number = manifests.len() as u64;
    let copy = folder.join(format!("{:020}.json", number + 1));
    let put = || std::fs::copy(manifests.last().unwrap(), &copy).unwrap();
    put();
    let refused = refusal(&config);
    let expected = format!("is a copy of manifest {number}");
    assert!(refused.contains(&expected) && refused.contains("remove it"), "{refused}");
    // Rebuilding is no way round it that fails.
    rebuild_in(left.path());
    assert!(!copy.exists());
    let mut server = TestServer::start_on(config.clone(), left);
    assert_eq!(server.count("t"), 10);
    // And what is advised works.
    server.restart_after(|_| {
        let mut manifests: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        manifests.sort();
        let next = folder.join(format!("{:020}.json", manifests.len() + 1));
        std::fs::copy(manifests.last().unwrap(), &next).unwrap();
        assert!(refusal(&config).contains("is a copy of manifest"));
        std::fs::remove_file(next).unwrap();
    });
    assert_eq!(server.count("t"), 10);
}
