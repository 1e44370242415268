//! A server whose metadata are in PostgreSQL: push, hand-off, query, restart; and what must hold of
//! metadata elsewhere holds of these.

use std::sync::Arc;

use henge_platform::config::ServerConfig;
use henge_platform::storage::LocalDeepStorage;
use henge_server::backup::Backup;
use henge_server::data_folder::DataFolder;
use henge_server::integrity::{Restored, rebuild, restore};
use henge_test_servers::{Postgres, Signal};
use henge_tests::TestServer;
use serde_json::json;

use super::lost_metadata::{refusal, rows};

/// Where nothing is away, nobody waits for as long as `timeout_ms`.
fn start_on(address: &str, timeout_ms: u64) -> TestServer {
    TestServer::start_with(|config| {
        config.metadata.url = address.to_owned().into();
        config.metadata.timeout_ms = timeout_ms;
    })
}

#[test]
fn f_05_push_hand_off_query_and_restart_over_postgresql() {
    let Some(server) = Postgres::shared() else { return };
    let mut henge = start_on(&server.new_database(), 30_000);
    henge.create("t");
    let keyed = [("Idempotency-Key", "k1")];
    let path = "/v1/datasources/t/events";
    assert_eq!(henge.call("POST", path, &keyed, &rows(50, 1)).0, 200);
    henge.flush();
    assert_eq!(henge.push("t", &rows(20, 2)).0, 200);
    assert_eq!(henge.count("t"), 70);
    for _ in 0..2 {
        henge.restart();
        assert_eq!(henge.count("t"), 70);
        // Known from the metadata, not from the log.
        let again = henge.call("POST", path, &keyed, &rows(50, 1));
        assert_eq!((again.0, &again.1["duplicate"]), (200, &json!(true)), "{}", again.1);
    }
    henge.flush();
    assert_eq!(henge.count("t"), 70);
    assert!(!henge.data_dir().join("metadata.sqlite").exists());
}

#[test]
fn f_35_postgresql_goes_away_under_a_server_and_comes_back() {
    let Some(server) = Postgres::start() else { return };
    let henge = start_on(&server.new_database(), 2_000);
    henge.create("t");
    assert_eq!(henge.push("t", &rows(10, 1)).0, 200);
    henge.flush();
    server.signal(Signal::Kill);
    // What is open goes on; what needs the metadata says that it is for later.
    assert_eq!(henge.count("t"), 10);
    let schema = json!({
        "timestampSpec": { "column": "t", "format": "auto" },
        "dimensionsSpec": { "dimensions": ["a"] },
        "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
    })
    .to_string();
    let refused = henge.call("PUT", "/v1/datasources/u", &[], schema.as_bytes());
    assert_eq!(refused.0, 503, "{}", refused.1);
    server.resume();
    henge.create("u");
    assert_eq!(henge.push("t", &rows(5, 2)).0, 200);
    henge.flush();
    assert_eq!(henge.count("t"), 15);
}

#[test]
fn f_33_f_34_a_lost_or_foreign_database_is_no_empty_server_and_is_rebuilt() {
    let Some(server) = Postgres::shared() else { return };
    let henge = start_on(&server.new_database(), 30_000);
    henge.create("t");
    assert_eq!(henge.push("t", &rows(30, 1)).0, 200);
    henge.flush();
    assert_eq!(henge.push("t", &rows(7, 2)).0, 200);
    let left = tempfile::tempdir().unwrap();
    super::lost_metadata::copy_folder(henge.data_dir(), left.path());
    let mut config = henge.config().clone();
    drop(henge);
    config.data_dir = left.path().to_owned();
    // An empty database, one of another cluster, and none: a file that would be made.
    let empty = server.new_database();
    let foreign = server.new_database();
    drop(start_on(&foreign, 30_000));
    for (address, said) in [
        (&empty, "gone or empty"),
        (&foreign, "belongs to cluster"),
        (&String::new(), "gone or empty"),
    ] {
        config.metadata.url = address.clone().into();
        let refused = refusal(&config);
        assert!(refused.contains(said), "{refused}");
    }
    config.metadata.url = foreign.into();
    assert!(rebuild_in(&config).unwrap_err().to_string().contains("not empty"));
    config.metadata.url = empty.into();
    rebuild_in(&config).unwrap();
    let rebuilt = TestServer::start_on(config, left);
    assert_eq!(rebuilt.count("t"), 37);
}

fn rebuild_in(config: &ServerConfig) -> anyhow::Result<()> {
    let folder = DataFolder::of(config)?;
    let _lock = folder.own()?;
    let storage = LocalDeepStorage::open(folder.deep_storage())?;
    let rebuilt = tokio::runtime::Runtime::new()?.block_on(rebuild(&folder, &storage))?;
    assert_eq!(rebuilt.report.findings, Vec::<String>::new());
    Ok(())
}

/// Into an empty database, never under somebody who lives.
#[test]
fn a_backup_is_restored_into_postgresql_while_nobody_runs_on_it() {
    let Some(server) = Postgres::shared() else { return };
    let mut henge = start_on(&server.new_database(), 30_000);
    henge.create("t");
    assert_eq!(henge.push("t", &rows(30, 1)).0, 200);
    henge.flush();
    let own = henge.config().clone();
    let backup = backup_of(&own).unwrap();
    // Another folder, and the database of one that runs.
    let copy = tempfile::tempdir().unwrap();
    super::lost_metadata::copy_folder(henge.data_dir(), copy.path());
    let mut elsewhere = own.clone();
    elsewhere.data_dir = copy.path().to_owned();
    let refused = restore_in(&elsewhere, &backup, true).unwrap_err().to_string();
    assert!(refused.contains("run(s) on these metadata"), "{refused}");
    let left = tempfile::tempdir().unwrap();
    henge.restart_after(|folder| {
        super::lost_metadata::copy_folder(folder, left.path());
    });
    assert_eq!(henge.count("t"), 30);
    assert_eq!(henge.push("t", &rows(5, 2)).0, 200);
    henge.flush();
    assert_eq!(henge.count("t"), 35);
    drop(henge);
    let mut config = own;
    config.metadata.url = server.new_database().into();
    config.data_dir = left.path().to_owned();
    let restored = restore_in(&config, &backup, false).unwrap();
    assert_eq!((restored.given_up, restored.set_aside), (0, None));
    assert_eq!(TestServer::start_on(config, left).count("t"), 30);
}

/// Whoever stops in order leaves nothing that has to run out.
#[test]
fn f_34_a_backup_is_restored_by_force_as_soon_as_a_server_stopped() {
    let Some(server) = Postgres::shared() else { return };
    let mut henge = start_on(&server.new_database(), 30_000);
    henge.create("t");
    assert_eq!(henge.push("t", &rows(30, 1)).0, 200);
    henge.flush();
    let config = henge.config().clone();
    let backup = backup_of(&config).unwrap();
    henge.create("later");
    // What is buffered keeps nobody waiting either.
    assert_eq!(henge.push("later", &rows(5, 2)).0, 200);
    henge.stop();
    let restored = restore_in(&config, &backup, true).unwrap();
    assert!(restored.given_up > 0 && restored.set_aside.is_some(), "{restored:?}");
}

fn backup_of(config: &ServerConfig) -> anyhow::Result<Backup> {
    tokio::runtime::Runtime::new()?.block_on(Backup::of(&DataFolder::of(config)?))
}

fn restore_in(config: &ServerConfig, backup: &Backup, force: bool) -> anyhow::Result<Restored> {
    let folder = DataFolder::of(config)?;
    let _lock = folder.own()?;
    let storage = Arc::new(LocalDeepStorage::open(folder.deep_storage())?);
    tokio::runtime::Runtime::new()?.block_on(restore(&folder, storage, backup, force))
}
