//! Several servers that share PostgreSQL and a folder of segments, each with its own roles: they find each
//! other by gossip and call each other over gRPC.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use henge_platform::config::ServerConfig;
use henge_proto::v1::ClusterRequest;
use henge_proto::v1::admin_client::AdminClient;
use henge_test_servers::Postgres;
use henge_tests::{TestServer, count_query};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::lost_metadata::rows;

/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "0123456789abcdef";

/// What the servers of a cluster share.
pub(crate) struct Shared {
    database: String,
    objects: TempDir,
    seed: String,
}

impl Shared {
    pub(crate) fn new(postgres: &Postgres) -> Self {
        Self {
            database: postgres.new_database(),
            objects: tempfile::tempdir().unwrap(),
            seed: free_address(),
        }
    }

    /// A server with some roles; the first one is the seed of the others.
    pub(crate) fn start(&self, node: &str, roles: &[&str]) -> TestServer {
        TestServer::start_with(|config| self.configure(config, node, roles))
    }

    fn configure(&self, config: &mut ServerConfig, node: &str, roles: &[&str]) {
        config.query.encode_calls = false;
        config.metadata.url = self.database.clone().into();
        config.metadata.timeout_ms = 30_000;
        config.storage.url = format!("file://{}", self.objects.path().display());
        let cluster = &mut config.cluster;
        cluster.node = node.to_owned();
        cluster.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        cluster.seeds = vec![self.seed.clone()];
        cluster.gossip_listen = match node {
            "seed" => self.seed.clone(),
            _ => "127.0.0.1:0".to_owned(),
        };
        cluster.gossip_interval_ms = 100;
        cluster.lease_ms = 2_000;
    }
}

/// A UDP address that was free a moment ago.
fn free_address() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Asks until the answer is as it should be: nothing tells from outside when that is.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(found) => return found,
            Err(told) => assert!(Instant::now() < end, "{what}: {told}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn until_ready(server: &TestServer) -> Value {
    until("is ready", || {
        let (status, ready) = server.call("GET", "/status/ready", &[], b"");
        if status == 200 && ready["complete"] != json!(false) {
            Ok(ready)
        } else {
            Err(ready.to_string())
        }
    })
}

/// The count; an error as its text.
fn counted(server: &TestServer, datasource: &str) -> Result<u64, String> {
    let (status, _, text) = server.query(&count_query(datasource), &[]);
    if status != 200 {
        return Err(text);
    }
    let answer: Value = serde_json::from_str(&text).unwrap();
    Ok(answer[0]["result"]["rows"].as_u64().unwrap_or(0))
}

fn until_counted(server: &TestServer, datasource: &str, rows: u64) {
    until("counts", || match counted(server, datasource) {
        Ok(found) if found == rows => Ok(()),
        other => Err(format!("{other:?} instead of {rows}")),
    });
}

/// Segments that a server announces, as another process sees it.
fn segments_of(server: &TestServer, name: &str) -> u64 {
    let (channel, runtime) = server.grpc();
    let asked = async { AdminClient::new(channel).cluster(ClusterRequest {}).await };
    let servers = runtime.block_on(asked).unwrap().into_inner().servers;
    servers.iter().find(|known| known.name == name).map_or(0, |known| known.segments)
}

#[test]
fn f_59_roles_in_processes_of_their_own_answer_as_one() {
    let Some(postgres) = Postgres::shared() else { return };
    let shared = Shared::new(postgres);
    // Brokers first: what they wait for, they say.
    let broker = shared.start("seed", &["broker"]);
    let realtime = shared.start("r1", &["realtime"]);
    let mut historical = shared.start("h1", &["historical"]);
    let _coordinator = shared.start("c1", &["coordinator"]);
    let ready = until_ready(&broker);
    assert_eq!((&ready["node"], &ready["roles"]), (&json!("seed"), &json!(["broker"])));

    until("a realtime node takes it", || {
        let (status, answer) = broker.call("GET", "/v1/datasources", &[], b"");
        if status == 200 { Ok(()) } else { Err(answer.to_string()) }
    });
    broker.create("t");
    let (status, answer) = broker.push("t", &rows(50, 1));
    assert_eq!(status, 200, "{answer}");
    until_counted(&broker, "t", 50);
    // Handed off to a process that has no log, and still counted once.
    realtime.flush();
    until("is loaded, and withdrawn by who buffered it", || {
        match (segments_of(&broker, "historical-h1"), segments_of(&broker, "realtime-r1")) {
            (1, 0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    until_counted(&broker, "t", 50);
    assert_eq!(broker.push("t", &rows(20, 2)).0, 200);
    until_counted(&broker, "t", 70);

    // A historical node that is away takes its segments with it: an error, and never fewer rows.
    historical.restart_after(|_| {
        until("says that it is incomplete", || match counted(&broker, "t") {
            Err(told) if told.contains("unavailable") => Ok(()),
            Ok(70) => Err("not seen yet".to_owned()),
            other => panic!("{other:?}"),
        });
    });
    until_counted(&broker, "t", 70);
}

#[test]
fn f_34_strangers_of_the_cluster_are_refused() {
    let Some(postgres) = Postgres::shared() else { return };
    let shared = Shared::new(postgres);
    let broker = shared.start("seed", &["broker", "coordinator"]);
    let stranger = TestServer::start_with(|config| {
        shared.configure(config, "h1", &["historical"]);
        config.cluster.token = TOKEN.into();
    });
    // It is alive, as gossip says, and the broker may not look at what it serves.
    let told = until("waits for the stranger", || {
        let (status, ready) = broker.call("GET", "/status/ready", &[], b"");
        let waits = ready["waitsFor"].to_string();
        if status == 503 && waits.contains("what 'h1'") {
            Ok(waits)
        } else {
            Err(ready.to_string())
        }
    });
    assert!(told.contains("what 'h1' serves is not known yet"), "{told}");
    drop(stranger);
    until_ready(&broker);
}

#[test]
fn all_roles_in_one_process_are_a_cluster_that_others_may_join() {
    let Some(postgres) = Postgres::shared() else { return };
    let shared = Shared::new(postgres);
    let all = shared.start("seed", &[]);
    all.create("t");
    assert_eq!(all.push("t", &rows(30, 1)).0, 200);
    let broker = shared.start("b1", &["broker"]);
    until_ready(&broker);
    assert_eq!(counted(&broker, "t"), Ok(30));
    all.flush();
    until_counted(&broker, "t", 30);
    let told: BTreeMap<String, Value> =
        serde_json::from_value(broker.call("GET", "/status/ready", &[], b"").1).unwrap();
    assert_eq!(told["unavailableSegments"], json!(0));
}
