//! What processes say of themselves and of each other: `/status`, `/henge/v1/nodes`, and gauges.

use henge_test_servers::Postgres;
use henge_tests::TestServer;
use serde_json::{Value, json};

use super::cluster::{Shared, until, until_ready};

fn get(server: &TestServer, path: &str) -> Value {
    let (status, answer) = server.call("GET", path, &[], b"");
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn has(server: &TestServer, line: &str) -> Result<(), String> {
    let text = server.text("/metrics");
    if text.lines().any(|shown| shown == line) { Ok(()) } else { Err(text) }
}

#[test]
fn a_process_that_is_alone_is_a_cluster_of_one() {
    let server = TestServer::start();
    let nodes = get(&server, "/henge/v1/nodes");
    let all = ["realtime", "historical", "broker", "coordinator"];
    assert_eq!((nodes.as_array().unwrap().len(), &nodes[0]["roles"]), (1, &json!(all)));
    assert_eq!((&nodes[0]["node"], &nodes[0]["state"]), (&json!("0"), &json!("alive")));
    let url = format!("http://{}", nodes[0]["http"].as_str().unwrap());
    assert_eq!(url, server.running().url);

    let status = get(&server, "/status");
    assert_eq!((&status["node"], &status["ready"]), (&json!("0"), &json!(true)));
    assert_eq!(status["modules"][0]["name"], "realtime");
    assert!(status["memory"]["usedMemory"].as_u64().unwrap() > 1 << 20, "{status}");
    assert!(status["uptimeMs"].is_u64() && status["formats"]["segment"].is_u64(), "{status}");
    assert_eq!(status["cluster"].as_str().map(str::len), Some(36), "{status}");

    has(&server, "henge_coordinator_is_leader 1").unwrap();
    server.create("t");
    assert_eq!(server.push("t", &super::lost_metadata::rows(3, 1)).0, 200);
    server.flush();
    until("counts its segment", || has(&server, "henge_coordinator_used_segments 1"));
    until("has loaded it", || has(&server, "henge_coordinator_unavailable_segments 0"));
}

#[test]
fn every_process_lists_the_others_also_those_that_are_gone() {
    let Some(postgres) = Postgres::shared() else { return };
    let shared = Shared::new(postgres);
    let broker = shared.start("seed", &["broker"]);
    let historical = shared.start("h1", &["historical"]);
    let coordinator = shared.start("c1", &["coordinator"]);
    until_ready(&broker);
    let state = |of: &TestServer, name: &str| {
        let nodes = get(of, "/henge/v1/nodes");
        let nodes = nodes.as_array().unwrap().clone();
        nodes.into_iter().find(|node| node["node"] == name).unwrap_or_default()
    };
    for of in [&broker, &historical, &coordinator] {
        until("knows h1", || match state(of, "h1") {
            h1 if h1["state"] == "alive" => Ok(()),
            other => Err(other.to_string()),
        });
    }
    let h1 = state(&broker, "h1");
    assert_eq!(h1["roles"], json!(["historical"]));
    assert_eq!(h1["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(format!("http://{}", h1["http"].as_str().unwrap()), historical.running().url);
    until("leads", || has(&coordinator, "henge_coordinator_is_leader 1"));
    until("counts them", || has(&broker, "henge_cluster_nodes{state=\"alive\"} 3"));

    drop(historical);
    until("says that h1 is gone", || match state(&broker, "h1") {
        h1 if h1["state"] == "gone" && h1["roles"] == json!(["historical"]) => Ok(()),
        other => Err(other.to_string()),
    });
    has(&broker, "henge_cluster_nodes{state=\"gone\"} 1").unwrap();
}
