//! Published segments that cannot be read: never a smaller answer that looks whole.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use henge_platform::config::TierCodec;
use henge_tests::{TestServer, count_query};
use serde_json::{Value, json};

const HOURS: u64 = 4;
const ROWS: u64 = 2_000;

/// Values that take room in a block.
fn x_of(row: u64) -> u64 {
    row * row * 31 % 65_521
}

/// Four hours of published rows, served from their cached files.
fn published() -> TestServer {
    let server = TestServer::start_with(|config| {
        config.historical.codec = TierCodec::AsStored;
        // It would mend what the tests damage.
        config.historical.scrub_bytes_per_second = 0;
    });
    server.create("d");
    for hour in 0..HOURS {
        let event = |i| {
            let time = 1_750_032_000_000_u64 + hour * 3_600_000 + i;
            json!({ "t": time, "a": format!("h{hour}"), "x": x_of(i) }).to_string() + "\n"
        };
        let (status, reply) = server.push("d", (0..ROWS).map(event).collect::<String>().as_bytes());
        assert_eq!(status, 200, "{reply}");
    }
    server.flush();
    while cached(server.data_dir()).len() < HOURS as usize {
        std::thread::sleep(Duration::from_millis(5));
    }
    server
}

fn has_ending(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|ending| ending == wanted)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The objects of the segments, in order of time.
fn objects(data_dir: &Path) -> Vec<PathBuf> {
    let all = files(&data_dir.join("deep-storage")).into_iter();
    all.filter(|path| has_ending(path, "segment")).collect()
}

/// Cached files, in order of time.
fn cached(data_dir: &Path) -> Vec<PathBuf> {
    let all = files(&data_dir.join("segment-cache")).into_iter();
    all.filter(|path| has_ending(path, "segment")).collect()
}

fn lose_the_cache(data_dir: &Path) {
    std::fs::remove_dir_all(data_dir.join("segment-cache")).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Changes bytes in many places, in place.
fn rot(path: &Path) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    for at in (64..length).step_by(32) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
}

fn cut_short(path: &Path) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(16).unwrap();
}

fn truncate(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

/// Queries of every type; each reads all hours.
fn queries() -> Vec<Value> {
    let base = |query_type: &str, more: Value| {
        let mut query = json!({
            "queryType": query_type, "dataSource": "d", "intervals": ["2000/2100"],
            "granularity": "all", "aggregations": [{ "type": "count", "name": "n" }],
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            query[key] = value.clone();
        }
        query
    };
    vec![
        base("timeseries", json!({})),
        base("topN", json!({ "dimension": "a", "metric": "n", "threshold": 9 })),
        base("groupBy", json!({ "dimensions": ["a"] })),
        base("scan", json!({ "columns": ["a"] })),
        base("search", json!({ "query": { "type": "contains", "value": "h" } })),
        base("segmentMetadata", json!({})),
        json!({ "queryType": "dataSourceMetadata", "dataSource": "d" }),
        json!({ "queryType": "timeBoundary", "dataSource": "d",
            "filter": { "type": "not", "field": { "type": "null", "column": "a" } } }),
    ]
}

#[test]
fn f_39_f_40_i_09_a_segment_that_cannot_be_loaded_fails_every_query_by_name() {
    for damage in [remove, flip, truncate] {
        let mut server = published();
        server.restart_after(|data_dir| {
            lose_the_cache(data_dir);
            damage(&objects(data_dir)[1]);
        });
        for query in queries() {
            let (status, headers, text) = server.query(&query, &[]);
            assert_eq!(status, 503, "{query}: {text}");
            assert!(text.contains("1 segment(s) are unavailable: 'd_2025-06-16T01"), "{text}");
            assert!(!headers.contains_key("etag"), "{headers:?}");
        }
        let (status, _) = server.call("GET", "/druid/v2/datasources/d", &[], b"");
        assert_eq!(status, 503);
        let (_, names) = server.call("GET", "/druid/v2/datasources", &[], b"");
        assert_eq!(names, json!(["d"]));
        let (_, ready) = server.call("GET", "/status/ready", &[], b"");
        assert_eq!((&ready["complete"], &ready["unavailableSegments"]), (&json!(false), &json!(1)));
        let metrics = server.text("/metrics");
        assert!(metrics.contains("henge_segments_unavailable{datasource=\"d\"} 1\n"), "{metrics}");
        // What the missing segment has nothing to do with is answered.
        let mut elsewhere = count_query("d");
        elsewhere["intervals"] = json!(["2025-06-16T02/2025-06-16T04"]);
        assert_eq!(server.post("/druid/v2", &elsewhere)[0]["result"]["rows"], 2 * ROWS);
    }
}

#[test]
fn f_56_f_57_an_answer_that_may_be_partial_says_what_it_lacks_and_is_not_kept() {
    let mut server = published();
    server.restart_after(|data_dir| {
        lose_the_cache(data_dir);
        remove(&objects(data_dir)[1]);
    });
    for name in ["allowPartial", "returnPartialResults"] {
        let mut query = count_query("d");
        query["context"] = json!({ name: true });
        for _ in 0..2 {
            let (status, headers, text) = server.query(&query, &[]);
            assert_eq!(status, 200, "{text}");
            let rows = serde_json::from_str::<Value>(&text).unwrap()[0]["result"]["rows"].clone();
            assert_eq!(rows, (HOURS - 1) * ROWS);
            assert!(!headers.contains_key("etag"));
            let context = headers["x-druid-response-context"].to_str().unwrap();
            let context: Value = serde_json::from_str(context).unwrap();
            assert_eq!(context["missingSegmentCount"], 1);
            assert_eq!(context["missingSegments"][0]["part"], 0);
            let hour = "2025-06-16T01:00:00.000Z/2025-06-16T02:00:00.000Z";
            assert_eq!(context["missingIntervals"], json!([hour]));
        }
    }
    let (status, _, _) = server.query(&count_query("d"), &[]);
    assert_eq!(status, 503, "a partial answer is never taken for the whole one");
}

/// Bytes that rot and files that are cut short under a running server: the next query that reads them
/// gets the answer from a fresh copy, and without one an error that says where the damage is.
#[test]
fn f_46_f_47_i_12_damage_under_a_running_server_is_mended_and_named() {
    for damage in [rot, cut_short] {
        let mut server = published();
        server.restart();
        let sum = json!({
            "queryType": "groupBy", "dataSource": "d", "intervals": ["2000/2100"],
            "granularity": "all", "dimensions": ["a"],
            "aggregations": [{ "type": "longSum", "name": "x", "fieldName": "x" }],
            "context": { "useCache": false, "useResultLevelCache": false },
        });
        damage(&cached(server.data_dir())[1]);
        let right: u64 = (0..ROWS).map(x_of).sum();
        let answer = server.post("/druid/v2", &sum);
        let sums: Vec<&Value> = (0..HOURS as usize).map(|n| &answer[n]["event"]["x"]).collect();
        assert_eq!(sums, [right; HOURS as usize], "{answer}");
        let metrics = server.text("/metrics");
        assert!(metrics.contains("henge_damages_repaired_total 1\n"), "{metrics}");

        // The same again, with the object in deep storage damaged as well.
        let object = &objects(server.data_dir())[1];
        rot(object);
        server.restart();
        damage(&cached(server.data_dir())[1]);
        let (status, _, text) = server.query(&sum, &[]);
        assert_eq!(status, 503, "{text}");
        for part in ["1 segment(s)", "d_2025-06-16T01", "(historical-0: ", "corrupt"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

/// All segments gone: the datasource is still there, and not empty.
#[test]
fn f_59_a_datasource_of_which_nothing_is_served_is_not_empty() {
    let mut server = published();
    server.restart_after(|data_dir| {
        lose_the_cache(data_dir);
        objects(data_dir).iter().for_each(|path| remove(path));
    });
    let (status, _, text) = server.query(&count_query("d"), &[]);
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("4 segment(s) are unavailable"), "{text}");
    let (_, names) = server.call("GET", "/druid/v2/datasources", &[], b"");
    assert_eq!(names, json!(["d"]));
    assert_eq!(server.text("/status/health"), "true");
}
