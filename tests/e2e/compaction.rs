//! Compaction: answers are the same before, while and after small segments become few, whatever is pushed
//! meanwhile; roll-up by age is what the oracle makes of the rows; what is compact is left alone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use henge_oracle::OracleRow;
use henge_query::Query;
use henge_tests::TestServer;
use henge_types::Value as Stored;
use serde_json::{Value, json};

use crate::tasks::run;

const DAY: &str = "2020-02-01/2020-02-02";

/// A load of JSON lines into hours; the columns are discovered.
fn load(data: &str, metrics: &Value, granularity: &Value) -> Value {
    let (excluded, dimensions) = match *metrics == json!([]) {
        true => (json!([]), json!([])),
        false => (json!(["x"]), json!(["page", "tenant"])),
    };
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": "t", "timestampSpec": { "column": "t" },
            "dimensionsSpec": { "useSchemaDiscovery": true, "dimensions": dimensions,
                "dimensionExclusions": excluded },
            "metricsSpec": metrics, "granularitySpec": granularity,
        },
        "ioConfig": { "type": "index_parallel", "appendToExisting": true,
            "inputSource": { "type": "inline", "data": data }, "inputFormat": { "type": "json" } },
    }})
}

fn raw(data: &str) -> Value {
    load(data, &json!([]), &json!({ "segmentGranularity": "hour", "rollup": false }))
}

fn compact(interval: &str, granularity: &Value) -> Value {
    json!({ "type": "compact", "dataSource": "t", "granularitySpec": granularity,
        "ioConfig": { "type": "compact", "inputSpec": { "type": "interval", "interval": interval } } })
}

fn succeeds(server: &TestServer, task: &Value) -> Value {
    let status = run(server, task);
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    status
}

fn notes(status: &Value) -> String {
    status["progress"]["report"]["notes"].to_string()
}

/// What dashboards ask.
fn answers(server: &TestServer) -> Vec<Value> {
    let sum = json!([{ "type": "longSum", "name": "x", "fieldName": "x" }, { "type": "count", "name": "rows" }]);
    let base = |more: Value| {
        let mut query = json!({ "dataSource": "t", "intervals": ["2020/2021"], "granularity": "hour",
            "aggregations": sum });
        for (key, value) in more.as_object().into_iter().flatten() {
            query[key] = value.clone();
        }
        server.post("/druid/v2", &query)
    };
    vec![
        base(json!({ "queryType": "timeseries" })),
        base(json!({ "queryType": "topN", "dimension": "page", "metric": "x", "threshold": 3 })),
        base(
            json!({ "queryType": "groupBy", "granularity": "all", "dimensions": ["page", "tenant"] }),
        ),
        base(json!({ "queryType": "timeBoundary" })),
    ]
}

/// Events of an hour.
fn hour(day: u64, hour: u64, events: u64) -> String {
    let event = |i: u64| {
        json!({ "t": format!("2020-02-{day:02}T{hour:02}:{:02}:{:02}", i % 60, i % 7),
            "page": format!("p{}", i % 5), "tenant": format!("t{}", i % 3), "x": i + hour })
    };
    (0..events).map(|i| event(i).to_string() + "\n").collect()
}

#[test]
fn i_01_a_day_of_small_segments_becomes_one_and_answers_stay_the_same_all_the_while() {
    let mut server = TestServer::start();
    for number in 0..24 {
        succeeds(&server, &raw(&hour(1, number, 20)));
        succeeds(&server, &raw(&hour(2, number, 3)));
    }
    let expected = answers(&server);
    let days = json!({ "segmentGranularity": "day" });
    let is_done = AtomicBool::new(false);
    let status = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !is_done.load(Ordering::Acquire) || asked == 0 {
                assert_eq!(answers(&server), expected, "while it is compacted");
                asked += 1;
            }
        });
        let status = run(&server, &compact("2020-02-01/2020-02-03", &days));
        is_done.store(true, Ordering::Release);
        asking.join().unwrap();
        status
    });
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    assert_eq!(status["progress"]["segments"], 2, "{status}");
    assert!(notes(&status).contains("24 segments with 480 rows became 1 with 480"), "{status}");
    assert_eq!(answers(&server), expected);
    // Nothing is written again, also by who cannot remember.
    let again = succeeds(&server, &compact("2020-02-01/2020-02-03", &days));
    assert!(notes(&again).contains("nothing to compact"), "{again}");
    server.restart();
    assert_eq!(answers(&server), expected, "after a restart");
    let again = succeeds(&server, &compact("2020-02-01/2020-02-03", &days));
    assert_eq!(again["progress"]["segments"], 0, "{again}");
}

#[test]
fn large_chunks_are_cut_by_time_and_rows_of_a_moment_stay_together() {
    let server = TestServer::start();
    for number in 0..6 {
        succeeds(&server, &raw(&hour(1, number, 50)));
    }
    let expected = answers(&server);
    let mut task = compact(DAY, &json!({ "segmentGranularity": "day" }));
    task["tuningConfig"] = json!({ "type": "index_parallel", "partitionsSpec": { "type": "dynamic", "maxRowsPerSegment": 100 } });
    let status = succeeds(&server, &task);
    assert_eq!(status["progress"]["segments"], 3, "{status}");
    assert_eq!(answers(&server), expected);
    assert!(notes(&succeeds(&server, &task)).contains("nothing to compact"));
    // Finer chunks than there are.
    let status = succeeds(&server, &compact(DAY, &json!({ "segmentGranularity": "hour" })));
    assert_eq!(status["progress"]["segments"], 6, "{status}");
    assert_eq!(answers(&server), expected);
}

/// Rows that come while a chunk is compacted, buffered, published, into it and into what it becomes, are
/// there once.
#[test]
fn f_77_rows_that_come_while_it_is_compacted_are_there_once() {
    let mut server = TestServer::start();
    server.create("t");
    for number in 0..12 {
        assert_eq!(server.push("t", hour(1, number, 10).as_bytes()).0, 200);
    }
    server.flush();
    let (acknowledged, sent) = (AtomicU64::new(120), AtomicU64::new(120));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| {
            for number in 0..60_u64 {
                sent.fetch_add(3, Ordering::SeqCst);
                assert_eq!(server.push("t", hour(1, number % 24, 3).as_bytes()).0, 200);
                acknowledged.fetch_add(3, Ordering::SeqCst);
                if number % 4 == 0 {
                    server.flush();
                }
            }
        });
        let asking = scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                let least = acknowledged.load(Ordering::SeqCst);
                let found = server.count("t");
                let most = sent.load(Ordering::SeqCst);
                assert!((least..=most).contains(&found), "{least} <= {found} <= {most}");
            }
        });
        let mut sizes = ["day", "hour", "six_hour"].into_iter().cycle();
        while !pushing.is_finished() {
            let granularity = json!({ "segmentGranularity": sizes.next() });
            let status = run(&server, &compact(DAY, &granularity));
            // Who loses against pushes ten times says so, and nothing is lost.
            let lost = status["errorMsg"].to_string().contains("others published");
            assert!(status["statusCode"] == "SUCCESS" || lost, "{status}");
        }
        is_done.store(true, Ordering::Release);
        pushing.join().unwrap();
        asking.join().unwrap();
    });
    server.flush();
    let expected = answers(&server);
    assert_eq!(server.count("t"), 120 + 180);
    succeeds(&server, &compact(DAY, &json!({ "segmentGranularity": "day" })));
    assert_eq!(answers(&server), expected);
    server.restart();
    assert_eq!(answers(&server), expected);
}

#[test]
fn two_compactions_of_one_time_and_one_that_is_interrupted_write_it_once() {
    let mut server = TestServer::start();
    for number in 0..8 {
        succeeds(&server, &raw(&hour(1, number, 10)));
    }
    let expected = answers(&server);
    let mut ids = Vec::new();
    for number in 0..3 {
        let mut task = compact(DAY, &json!({ "segmentGranularity": "day" }));
        task["id"] = json!(format!("c{number}"));
        ids.push(server.post("/druid/indexer/v1/task", &task)["task"].clone());
    }
    // Whatever of them ran, is running or waits.
    server.restart();
    let segments: u64 = ids
        .iter()
        .map(|id| {
            let status = crate::tasks::ended(&server, id);
            assert_eq!(status["statusCode"], "SUCCESS", "{status}");
            status["progress"]["segments"].as_u64().unwrap()
        })
        .sum();
    // One that was killed after it had published does not remember that it did.
    assert!(segments <= 1, "{segments}");
    assert_eq!(answers(&server), expected);
    let again = succeeds(&server, &compact(DAY, &json!({ "segmentGranularity": "day" })));
    assert!(notes(&again).contains("nothing to compact"), "{again}");
}

#[test]
fn segments_with_different_columns_and_orders_become_one() {
    let server = TestServer::start();
    succeeds(&server, &raw(&hour(1, 1, 9)));
    succeeds(
        &server,
        &raw(
            "{\"t\":\"2020-02-01T02:00\",\"page\":\"p9\",\"x\":7,\"more\":[\"b\",\"a\"],\"d\":1.5}\n",
        ),
    );
    succeeds(&server, &raw("{\"t\":\"2020-02-01T03:00\",\"page\":\"p5\",\"x\":1,\"d\":2}\n"));
    let more = |server: &TestServer| {
        let query = json!({ "queryType": "groupBy", "dataSource": "t", "intervals": ["2020/2021"],
            "granularity": "all", "dimensions": ["page", "more", { "type": "default", "dimension": "d", "outputType": "DOUBLE" }],
            "aggregations": [{ "type": "count", "name": "rows" }] });
        server.post("/druid/v2", &query)
    };
    let (expected, expected_more) = (answers(&server), more(&server));
    let mut task = compact(DAY, &json!({ "segmentGranularity": "day" }));
    task["dimensionsSpec"] = json!({ "dimensions": ["tenant", { "type": "long", "name": "__time" }],
        "forceSegmentSortByTime": false, "includeAllDimensions": true });
    succeeds(&server, &task);
    assert_eq!((answers(&server), more(&server)), (expected.clone(), expected_more.clone()));
    let scan = json!({ "queryType": "scan", "dataSource": "t", "intervals": ["2020/2021"],
        "resultFormat": "compactedList" });
    let columns = server.post("/druid/v2", &scan)[0]["columns"].clone();
    assert_eq!((&columns[0], &columns[1]), (&json!("tenant"), &json!("__time")), "{columns}");
    assert!(notes(&succeeds(&server, &task)).contains("nothing to compact"));
    // Time first again.
    task["dimensionsSpec"] = json!({ "dimensions": ["__time"], "includeAllDimensions": true });
    assert_eq!(succeeds(&server, &task)["progress"]["segments"], 1);
    assert_eq!((answers(&server), more(&server)), (expected, expected_more));
}

#[test]
fn chunks_of_different_sizes_that_hide_each_other_become_one() {
    let server = TestServer::start();
    let day: String = (0..24).map(|number| hour(1, number, 4)).collect();
    let mut whole = raw(&day);
    whole["spec"]["dataSchema"]["granularitySpec"]["segmentGranularity"] = json!("day");
    succeeds(&server, &whole);
    // Two hours are new, one is emptied, and something is appended to each.
    let mut newer = raw(&hour(1, 5, 2));
    newer["spec"]["ioConfig"]["appendToExisting"] = json!(false);
    newer["spec"]["ioConfig"]["dropExisting"] = json!(true);
    newer["spec"]["dataSchema"]["granularitySpec"]["intervals"] =
        json!(["2020-02-01T05/2020-02-01T07"]);
    succeeds(&server, &newer);
    succeeds(&server, &raw(&(hour(1, 5, 1) + &hour(1, 6, 1) + &hour(1, 7, 1))));
    let expected = answers(&server);
    assert_eq!(server.count("t"), 22 * 4 + 2 + 3);
    let days = json!({ "segmentGranularity": "day" });
    let status = succeeds(&server, &compact("2020-02-01T05/2020-02-01T06", &days));
    assert_eq!(status["progress"]["segments"], 1, "{status}");
    assert_eq!(answers(&server), expected);
    assert!(notes(&succeeds(&server, &compact(DAY, &days))).contains("nothing to compact"));
}

fn metrics() -> Value {
    json!([
        { "type": "count", "name": "n" },
        { "type": "longSum", "name": "x", "fieldName": "x" },
        { "type": "longMin", "name": "low", "fieldName": "x" },
        { "type": "HLLSketchBuild", "name": "pages", "fieldName": "page" },
    ])
}

/// The same events as the oracle has them.
fn oracle_rows(events: &str) -> Vec<OracleRow> {
    let row = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| Stored::String(event[name].as_str().unwrap().into());
        let x = event["x"].as_i64().unwrap();
        let values = [
            ("page", text("page")),
            ("tenant", text("tenant")),
            ("n", Stored::Long(1)),
            ("x", Stored::Long(x)),
            ("low", Stored::Long(x)),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let time_ms = henge_types::parse_timestamp_ms(event["t"].as_str().unwrap()).unwrap();
        OracleRow { time_ms, values }
    };
    events.lines().map(row).collect()
}

#[test]
fn i_01_rows_are_rolled_up_further_as_the_oracle_has_them() {
    let server = TestServer::start();
    let minutes =
        json!({ "segmentGranularity": "hour", "queryGranularity": "minute", "rollup": true });
    let mut events = String::new();
    for number in 0..12 {
        for part in [hour(1, number, 40), hour(1, number, 7)] {
            succeeds(&server, &load(&part, &metrics(), &minutes));
            events.push_str(&part);
        }
    }
    let rows = oracle_rows(&events);
    let aggregations = json!([
        { "type": "longSum", "name": "n", "fieldName": "n" },
        { "type": "longSum", "name": "x", "fieldName": "x" },
        { "type": "longMin", "name": "low", "fieldName": "low" },
    ]);
    let queries: Vec<Value> = ["hour", "day"]
        .into_iter()
        .flat_map(|granularity| {
            let base = json!({ "dataSource": "t", "intervals": ["2020-02-01/2020-02-03"],
                "granularity": granularity, "aggregations": aggregations });
            [
                json!({ "queryType": "timeseries" }),
                json!({ "queryType": "groupBy", "dimensions": ["tenant"] }),
                json!({ "queryType": "topN", "dimension": "page", "metric": "x", "threshold": 9 }),
            ]
            .into_iter()
            .map(move |mut query| {
                for (key, value) in base.as_object().into_iter().flatten() {
                    query[key] = value.clone();
                }
                query
            })
        })
        .collect();
    let check = |when: &str, finest: &str| {
        for query in
            queries.iter().filter(|query| finest == "hour" || query["granularity"] == "day")
        {
            let parsed = Query::parse(query.to_string().as_bytes()).unwrap();
            let expected = henge_oracle::answer(&parsed, &rows);
            assert_eq!(server.post("/druid/v2", query), expected, "{when}: {query}");
        }
    };
    let distinct = || {
        let query = json!({ "queryType": "timeseries", "dataSource": "t", "intervals": ["2020/2021"],
            "granularity": "all", "aggregations": [{ "type": "HLLSketchMerge", "name": "pages",
                "fieldName": "pages", "round": true }] });
        server.post("/druid/v2", &query)[0]["result"]["pages"].clone()
    };
    check("before", "hour");
    assert_eq!(distinct(), 5);
    let stored = server.count("t");
    let hours = json!({ "segmentGranularity": "day", "queryGranularity": "hour", "rollup": true });
    succeeds(&server, &compact(DAY, &hours));
    check("in hours", "hour");
    // 15 combinations an hour.
    assert!(server.count("t") < stored && server.count("t") <= 12 * 15, "{}", server.count("t"));
    let days = json!({ "segmentGranularity": "month", "queryGranularity": "day", "rollup": true });
    succeeds(&server, &compact(DAY, &days));
    check("in days", "day");
    assert_eq!((server.count("t"), distinct()), (15, json!(5)));
    // What is coarse stays so, and late rows join it.
    assert!(notes(&succeeds(&server, &compact(DAY, &days))).contains("nothing to compact"));
    assert!(
        notes(&succeeds(&server, &compact("2020-02-01/2020-03-01", &hours))).contains("became")
    );
    check("in chunks of days again", "day");
    assert_eq!(server.count("t"), 15);
}

#[test]
fn what_cannot_be_combined_is_refused_by_name_and_nothing_changes() {
    let server = TestServer::start();
    succeeds(&server, &raw(&hour(1, 1, 5)));
    let rolled = json!({ "segmentGranularity": "day", "rollup": true });
    let status = run(&server, &compact(DAY, &rolled));
    assert_eq!(status["statusCode"], "FAILED", "{status}");
    assert!(status["errorMsg"].to_string().contains("type count"), "{status}");
    // A column that is a dimension here and a metric there.
    let hours = json!({ "segmentGranularity": "hour", "rollup": false });
    let mut other = load(
        &hour(1, 2, 5),
        &json!([{ "type": "longSum", "name": "page", "fieldName": "x" }]),
        &hours,
    );
    other["spec"]["dataSchema"]["dimensionsSpec"] = json!({ "dimensions": ["tenant"] });
    succeeds(&server, &other);
    let expected = server.count("t");
    let status = run(&server, &compact(DAY, &json!({ "segmentGranularity": "day" })));
    assert!(status["errorMsg"].to_string().contains("'page'"), "{status}");
    assert_eq!(server.count("t"), expected);
    for (wrong, part) in [
        (json!({ "type": "compact", "dataSource": "t" }), "ioConfig"),
        (
            json!({ "type": "compact", "dataSource": "t", "interval": DAY, "metricsSpec": [{}] }),
            "metricsSpec",
        ),
    ] {
        let body = wrong.to_string();
        let (code, answer) = server.call("POST", "/druid/indexer/v1/task", &[], body.as_bytes());
        assert_eq!(code, 400, "{answer}");
        assert!(answer["errorMessage"].to_string().contains(part), "{answer}");
    }
}

/// What the coordinator says of the datasource.
fn explained(server: &TestServer) -> Vec<(String, String)> {
    let path = "/henge/v1/coordinator/compaction/explain?dataSource=t";
    let (status, answer) = server.call("GET", path, &[], b"");
    assert_eq!(status, 200, "{answer}");
    let parts = answer.as_array().into_iter().flatten();
    let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
    parts.map(|part| (text(&part["state"]), text(&part["why"]))).collect()
}

#[test]
fn what_is_configured_is_compacted_by_itself_until_there_is_nothing_to_do() {
    let server = TestServer::start();
    for day in 1..4 {
        for number in 0..5 {
            succeeds(&server, &raw(&hour(day, number, 7)));
        }
    }
    let expected = answers(&server);
    let base = "/druid/coordinator/v1/config/compaction";
    let get = |path: &str| server.call("GET", path, &[], b"");
    assert_eq!(get(&format!("{base}/t")).0, 404);
    assert_eq!(get("/druid/coordinator/v1/compaction/progress?dataSource=t").0, 404);
    let config = json!({ "dataSource": "t", "skipOffsetFromLatest": "PT5H",
        "granularitySpec": { "segmentGranularity": "day" } });
    let author = [("x-druid-author", "me"), ("x-druid-comment", "small ones")];
    let (status, answer) = server.call("POST", base, &author, config.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
    assert_eq!(get(&format!("{base}/t")).1["skipOffsetFromLatest"], "PT5H");
    assert_eq!(get(base).1["compactionConfigs"][0]["dataSource"], "t");
    // The last day is young: its end is the latest.
    while explained(&server).iter().filter(|(state, _)| state == "compacted").count() < 2 {
        let _ = server.post("/druid/coordinator/v1/compaction/compact", &Value::Null);
        std::thread::yield_now();
    }
    let states = explained(&server);
    assert_eq!(states[0].0, "skipped", "{states:?}");
    assert!(states[0].1.contains("skipOffsetFromLatest"), "{states:?}");
    assert_eq!(answers(&server), expected);
    let status =
        get("/druid/coordinator/v1/compaction/status?dataSource=t").1["latestStatus"][0].clone();
    assert_eq!(status["segmentCountCompacted"], 2, "{status}");
    assert_eq!(
        (&status["segmentCountSkipped"], &status["intervalCountAwaitingCompaction"]),
        (&json!(5), &json!(0))
    );
    let left = get("/druid/coordinator/v1/compaction/progress?dataSource=t").1;
    assert_eq!(left["remainingSegmentSize"], 0);
    assert_eq!(server.call("DELETE", &format!("{base}/t"), &author, b"").0, 200);
    assert_eq!(get(&format!("{base}/t")).0, 404);
    let history = get(&format!("{base}/t/history")).1;
    assert_eq!(history.as_array().unwrap().len(), 2, "{history}");
    assert_eq!(history[1]["auditInfo"]["author"], "me");
    let wrong = json!({ "dataSource": "t", "rollupByAge": [{ "queryGranularity": "soon" }] });
    let (status, answer) = server.call("POST", base, &[], wrong.to_string().as_bytes());
    assert_eq!(status, 400, "{answer}");
}
