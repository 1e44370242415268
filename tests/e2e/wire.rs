//! What comes over the socket and is no honest request: it costs its own connection and nothing else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use henge_tests::{TestServer, count_query};
use serde_json::json;

/// Sends bytes and reads until the server closes, at most ten seconds.
pub(crate) fn exchange(server: &TestServer, bytes: &[u8]) -> String {
    let address = server.running().url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // The server may close before all is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("still open after {}", String::from_utf8_lossy(&answer))
        }
        _ => String::from_utf8_lossy(&answer).into_owned(),
    }
}

pub(crate) fn host(server: &TestServer) -> String {
    server.running().url.trim_start_matches("http://").to_owned()
}

/// Number of answers in what one connection gave.
fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[test]
fn h_56_lengths_that_contradict_never_make_two_requests_of_one() {
    let server = TestServer::start();
    server.create("d");
    let event = r#"{"t":1700000000000,"a":"x"}"#;
    let hidden = format!(
        "POST /v1/datasources/d/events HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{event}",
        host(&server),
        event.len()
    );
    for lengths in [
        "content-length: 0\r\ncontent-length: 5\r\n",
        "content-length: 5, 0\r\n",
        "content-length: -1\r\n",
        "content-length: +5\r\n",
        "content-length: 0x10\r\n",
        "content-length: 99999999999999999999999\r\n",
        "content-length: 1 2\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
    ] {
        let bytes =
            format!("POST /druid/v2 HTTP/1.1\r\nhost: {}\r\n{lengths}\r\n{hidden}", host(&server));
        let answer = exchange(&server, bytes.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{lengths}: {answer}");
        assert!(answers(&answer) <= 1, "{lengths}: {answer}");
        assert_eq!(server.count("d"), 0, "{lengths}: the hidden request was run");
    }
    // With both, the chunks alone say where the body ends, in either order.
    for lengths in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    ] {
        let body = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        let bytes = format!(
            "POST /druid/v2 HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{lengths}\r\n{body}",
            host(&server)
        );
        let answer = exchange(&server, bytes.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{lengths}: {answer}");
        assert!(answers(&answer) <= 1, "{lengths}: {answer}");
        assert_eq!(server.count("d"), 0, "{lengths}: the hidden request was run");
    }
    // A body that ends before its length is no push, though what came is a whole event.
    let address = host(&server);
    let mut stream = TcpStream::connect(&address).unwrap();
    let short = format!(
        "POST /v1/datasources/d/events HTTP/1.1\r\nhost: {address}\r\ncontent-length: 500\r\n\r\n{event}\n"
    );
    stream.write_all(short.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(server.count("d"), 0);
    assert_eq!(server.push("d", event.as_bytes()).0, 200);
    assert_eq!(server.count("d"), 1);
}

/// There is one protocol on the port, HTTP/1.1 in the clear: others are closed at once, many of them too.
#[test]
fn h_58_h_62_other_protocols_are_closed() {
    let server = TestServer::start();
    let client_hello = [
        0x16, 0x03, 0x01, 0x00, 0x2e, 0x01, 0x00, 0x00, 0x2a, 0x03, 0x03, 0x0d, 0x0a, 0x0d, 0x0a,
        0x00,
    ];
    let mut rapid_reset =
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec();
    for stream in (1..2_001_u32).step_by(2) {
        let [a, b, c, d] = stream.to_be_bytes();
        rapid_reset.extend([0, 0, 1, 1, 5, a, b, c, d, 0x82]);
        rapid_reset.extend([0, 0, 4, 3, 0, a, b, c, d, 0, 0, 0, 8]);
    }
    let upgrade = format!(
        "GET /status/health HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade, HTTP2-Settings, close\r\n\
         upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
        host(&server)
    );
    for _ in 0..50 {
        for other in
            [&client_hello[..], &rapid_reset, b"\x00\x00\x00\x00\r\n\r\n", b"SSH-2.0-x\r\n\r\n"]
        {
            let answer = exchange(&server, other);
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
    }
    let answer = exchange(&server, upgrade.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "an upgrade is an offer, not an order: {answer}");
    assert_eq!(server.text("/status/health"), "true");
}

#[test]
fn h_59_bodies_that_say_they_are_something_else_are_415() {
    let server = TestServer::start();
    server.create("d");
    let event = r#"{"t":1700000000000,"a":"x"}"#;
    let wide: Vec<u8> = event.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let query = count_query("d").to_string();
    for content_type in [
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "multipart/form-data; boundary=b",
        "application/x-jackson-smile",
    ] {
        let headers = [("Content-Type", content_type)];
        for (path, body) in [
            ("/v1/datasources/d/events", event.as_bytes()),
            ("/v1/datasources/d/events", &wide),
            ("/druid/v2", query.as_bytes()),
            ("/druid/indexer/v1/task", b"{}"),
        ] {
            let (status, answer) = server.call("POST", path, &headers, body);
            assert_eq!(status, 415, "{content_type} {path}: {answer}");
            assert!(answer["errorMessage"].to_string().contains("application/json"), "{answer}");
        }
    }
    // Wide text that does not say so is no JSON.
    let (status, answer) = server.push("d", &wide);
    assert!(status == 400 || answer["accepted"] == 0, "{status} {answer}");
    assert_eq!(server.count("d"), 0);
}

/// Nothing a request names is fetched: neither a target with another host nor a source of a task.
#[test]
fn h_71_the_server_fetches_nothing_for_a_request() {
    let server = TestServer::start();
    // Would see a connection.
    let bait = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    bait.set_nonblocking(true).unwrap();
    let other = bait.local_addr().unwrap();
    for target in [
        format!("http://{other}/druid/v2/datasources"),
        format!("http://{}@{other}/status", host(&server)),
        format!("//{other}/status"),
        format!("/proxy/coordinator/http://{other}/"),
        format!("/status?url=http://{other}/&redirect=http://{other}/"),
        format!("/\\{other}/"),
    ] {
        let bytes = format!(
            "GET {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            host(&server)
        );
        let answer = exchange(&server, bytes.as_bytes());
        assert!(!answer.starts_with("HTTP/1.1 3"), "{target}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("\r\nlocation:"), "{target}: {answer}");
    }
    for source in [
        json!({ "type": "http", "uris": [format!("http://{other}/x.json")] }),
        json!({ "type": "http", "uris": ["http://169.254.169.254/latest/meta-data/", "http://2852039166/"] }),
        json!({ "type": "s3", "uris": ["s3://a/b"], "endpointConfig": { "url": format!("http://{other}") } }),
        json!({ "type": "hdfs", "paths": format!("hdfs://{other}/x") }),
        json!({ "type": "sql", "database": { "type": "mysql", "connectorConfig": { "connectURI": format!("jdbc:mysql://{other}/x?allowLoadLocalInfile=true") } } }),
        json!({ "type": "local", "files": [format!("http://{other}/x.json")] }),
        json!({ "type": "local", "baseDir": format!("file://{other}/etc"), "filter": "*" }),
    ] {
        let task = json!({ "type": "index_parallel", "spec": {
            "dataSchema": { "dataSource": "d", "timestampSpec": { "column": "t" }, "dimensionsSpec": {} },
            "ioConfig": { "type": "index_parallel", "inputSource": source, "inputFormat": { "type": "json" } },
        }});
        let body = task.to_string();
        let (status, answer) = server.call("POST", "/druid/indexer/v1/task", &[], body.as_bytes());
        if status == 200 {
            // A path that only looks like an address is a file that is not there.
            let status = crate::tasks::ended(&server, &answer["task"]);
            assert_eq!(status["statusCode"], "FAILED", "{source}: {status}");
        } else {
            assert!(status == 400 || status == 501, "{source}: {status} {answer}");
            assert!(answer["errorMessage"].to_string().contains("inputSource"), "{answer}");
        }
    }
    assert!(bait.accept().is_err(), "the server connected to an address of a request");
}

/// There is no internal port: what servers say to each other in Druid is refused on this one, and changes
/// nothing.
#[test]
fn h_74_h_103_h_105_orders_of_other_servers_and_of_operators_change_nothing() {
    let server = TestServer::start();
    server.create("d");
    assert_eq!(server.push("d", br#"{"t":1700000000000,"a":"x"}"#).0, 200);
    server.flush();
    let eternity =
        json!({ "interval": "-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z" });
    let rules = json!([{ "type": "dropForever" }, { "type": "loadByPeriod", "period": "P999999999Y", "tieredReplicants": { "nowhere": -1 } }]);
    for (method, path, body) in [
        ("POST", "/druid-internal/v1/segments/changeRequests", json!([{ "action": "drop" }])),
        ("POST", "/druid/historical/v1/loadstatus", json!({})),
        ("POST", "/druid/indexer/v1/action", json!({ "action": { "type": "segmentNuke" } })),
        ("POST", "/druid/worker/v1/chat/x", json!({})),
        ("POST", "/druid/indexer/v1/datasources/d/markUnused", eternity),
    ] {
        let (status, answer) = server.call(method, path, &[], body.to_string().as_bytes());
        assert!(matches!(status, 404 | 405 | 501), "{method} {path}: {status} {answer}");
        assert!(answer["errorMessage"].is_string(), "{method} {path}: {answer}");
    }
    // What operators may do is refused when it makes no sense, and what is for good needs more than a slip.
    let v1 = "/druid/coordinator/v1";
    for (method, path, body) in [
        ("POST", "rules/d", rules.clone()),
        ("POST", "rules/_default", rules),
        ("POST", "config", json!({ "killDataSourceWhitelists": ["d"] })),
        ("POST", "datasources/d/markUnused", json!({ "interval": "1000/500" })),
        ("DELETE", "datasources/d/intervals/eternity", json!(null)),
    ] {
        let path = format!("{v1}/{path}");
        let (status, answer) = server.call(method, &path, &[], body.to_string().as_bytes());
        assert_eq!(status, 400, "{method} {path}: {answer}");
        assert!(answer["errorMessage"].is_string(), "{method} {path}: {answer}");
    }
    // What is used is not deleted.
    let path = format!("{v1}/datasources/d/intervals/2000_2100");
    let (status, answer) = server.call("DELETE", &path, &[], b"");
    assert_eq!((status, &answer["numChangedSegments"]), (200, &json!(0)), "{answer}");
    let kill = json!({ "type": "kill", "dataSource": "d", "interval": "1000/3000" });
    let (status, answer) =
        server.call("POST", "/druid/indexer/v1/task", &[], kill.to_string().as_bytes());
    assert!(matches!(status, 400 | 501), "{status} {answer}");
    assert_eq!(server.count("d"), 1);
}
