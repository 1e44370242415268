//! Queries that would be too much, or mean two things: refused by name, or answered exactly, while the
//! server goes on for the others.

use henge_tests::{TestServer, count_query};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

fn ask(server: &TestServer, query: &Value) -> (u16, Value) {
    server.call("POST", "/druid/v2", &[], query.to_string().as_bytes())
}

fn with(mut query: Value, more: Value) -> Value {
    if let Value::Object(more) = more {
        more.into_iter().for_each(|(key, value)| query[key] = value);
    }
    query
}

/// A join may be larger than all data: it is stopped by what the query may hold, and so are queries within
/// queries. The server goes on.
#[test]
fn h_84_h_86_joins_and_nested_queries_end_within_bounds() {
    let server = TestServer::start_with(|config| config.query.memory_budget_bytes = 16 << 20);
    server.create("d");
    let rows: Vec<String> =
        (0..3_000).map(|x| format!("{{\"t\":1700000000000,\"a\":\"v{x}\",\"x\":{x}}}")).collect();
    assert_eq!(server.push("d", rows.join("\n").as_bytes()).0, 200);
    let side = json!({ "type": "table", "name": "d" });
    let join = json!({ "type": "join", "left": side, "right": side, "rightPrefix": "r.", "condition": "1", "joinType": "INNER" });
    let (status, answer) = ask(&server, &with(count_query("d"), json!({ "dataSource": join })));
    assert_eq!((status, &answer["error"]), (400, &json!("Resource limit exceeded")), "{answer}");
    let mut nested = json!("d");
    for _ in 0..30 {
        nested = json!({ "type": "query", "query": with(count_query("d"), json!({ "dataSource": nested })) });
    }
    let (status, answer) = ask(&server, &with(count_query("d"), json!({ "dataSource": nested })));
    assert_eq!((status, &answer[0]["result"]["rows"]), (200, &json!(1)), "{answer}");
    assert_eq!(server.count("d"), 3_000);
}

/// What would read from elsewhere, and windows, are not built: none is begun.
#[test]
fn h_88_windows_and_sources_elsewhere_are_refused_by_name() {
    let server = TestServer::start();
    server.create("d");
    let source = json!({ "type": "external", "inputSource": { "type": "http", "uris": ["http://localhost/"] } });
    let (status, answer) = ask(&server, &with(count_query("d"), json!({ "dataSource": source })));
    assert_eq!(status, 501, "{answer}");
    let message = answer["errorMessage"].to_string();
    assert!(message.contains("dataSource") && message.contains("external"), "{message}");
    for kind in ["windowOperator", "movingAverage", "unionQuery"] {
        let (status, answer) = ask(&server, &with(count_query("d"), json!({ "queryType": kind })));
        assert_eq!(status, 501, "{answer}");
        assert!(answer["errorMessage"].to_string().contains(kind), "{answer}");
    }
}

/// SQL is not built. Whatever its text, nothing of it is read or run: no bomb, no second statement, no
/// parameter, no comment, no `EXPLAIN` has another answer than the plainest query.
#[test]
fn h_78_h_92_h_98_h_99_statements_do_no_more_than_they_say_and_bombs_of_them_cost_an_error() {
    let server = TestServer::start();
    server.create("d");
    assert_eq!(server.push("d", br#"{"t":1700000000000,"a":"x"}"#).0, 200);
    let sql =
        |query: &Value| server.call("POST", "/druid/v2/sql", &[], query.to_string().as_bytes());
    let million = vec!["1"; 1_000_000].join(",");
    let deep = 20_000;
    for query in [
        json!({ "query": format!("SELECT * FROM d WHERE a IN ({million})") }),
        json!({ "query": format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep)) }),
        json!({ "query": "SELECT 'open" }),
        json!({ "query": "SELECT 1; DROP TABLE d; --" }),
        json!({ "query": "SELECT 1;".repeat(10_000) }),
        json!({ "query": "DROP TABLE d" }),
        json!({ "query": "SELECT ?", "parameters": vec![json!({ "type": "X", "value": "\u{0}" }); 10_000] }),
        json!({ "query": "INSERT INTO d SELECT * FROM TABLE(EXTERN('{\"type\":\"http\"}', '{}'))" }),
    ] {
        let (status, answer) = sql(&query);
        assert!((400..=501).contains(&status) && status != 500, "{status} {answer}");
        assert!(answer["errorMessage"].is_string(), "{answer}");
    }
    // What looks like a statement is a text where a text is due.
    let text = "'; DROP TABLE d";
    let parameters = json!([{ "type": "VARCHAR", "value": text }]);
    let asked = json!({ "query": "SELECT ? AS x", "parameters": parameters });
    assert_eq!(sql(&asked), (200, json!([{ "x": text }])));
    // Statements that run as tasks are not there, and say so.
    for path in ["/druid/v2/sql/statements", "/druid/v2/sql/task"] {
        let (status, answer) = server.call("POST", path, &[], br#"{"query": "SELECT 1"}"#);
        assert_eq!(status, 501, "{answer}");
    }
    // Several native queries in one body are none, rather than the first of them.
    let one = count_query("d").to_string();
    for several in [
        format!("{one}{one}"),
        format!("{one};{one}"),
        format!("[{one},{one}]"),
        format!("{one}/*x*/"),
    ] {
        let (status, answer) = server.call("POST", "/druid/v2", &[], several.as_bytes());
        assert_eq!(status, 400, "{answer}");
    }
    let (_, names) = server.call("GET", "/druid/v2/datasources", &[], b"");
    assert_eq!(names, json!(["d"]));
}

/// The same query under another zone, other rights to partial answers, another form: another entry of
/// the caches, whoever asked first.
#[test]
fn h_100_answers_of_the_caches_differ_where_their_questions_do() {
    let questions = |base: &Value| {
        let zone = |zone: &str| json!({ "granularity": { "type": "period", "period": "P1D", "timeZone": zone } });
        vec![
            base.clone(),
            with(base.clone(), zone("Etc/UTC")),
            with(base.clone(), zone("Asia/Tokyo")),
            with(base.clone(), zone("America/Los_Angeles")),
            with(base.clone(), json!({ "context": { "skipEmptyBuckets": true } })),
            with(base.clone(), json!({ "context": { "skipEmptyBuckets": false } })),
            with(base.clone(), json!({ "context": { "grandTotal": true } })),
            with(base.clone(), json!({ "context": { "serializeDateTimeAsLong": true } })),
            with(base.clone(), json!({ "descending": true })),
            with(
                base.clone(),
                json!({ "filter": { "type": "selector", "dimension": "a", "value": "1" } }),
            ),
            with(
                base.clone(),
                json!({ "filter": { "type": "equals", "column": "x", "matchValueType": "LONG", "matchValue": 1 } }),
            ),
            with(
                base.clone(),
                json!({ "filter": { "type": "selector", "dimension": "a", "value": "" } }),
            ),
            with(base.clone(), json!({ "filter": { "type": "null", "column": "a" } })),
        ]
    };
    let server = TestServer::start();
    server.create("d");
    let event = |hour: u64| {
        let time = 1_750_032_000_000_u64 + hour * 3_600_000;
        json!({ "t": time, "a": (hour % 3).to_string(), "x": hour }).to_string() + "\n"
    };
    let body: String = (0..48).filter(|hour| !(20..30).contains(hour)).map(event).collect();
    assert_eq!(server.push("d", body.as_bytes()).0, 200);
    server.flush();
    let base = with(
        count_query("d"),
        json!({ "granularity": "hour", "intervals": ["2025-06-15/2025-06-19"] }),
    );
    let uncached = |query: &Value| {
        let mut query = query.clone();
        for flag in ["useCache", "populateCache", "useResultLevelCache", "populateResultLevelCache"]
        {
            query["context"][flag] = json!(false);
        }
        server.query(&query, &[]).2
    };
    let all = questions(&base);
    let right: Vec<String> = all.iter().map(uncached).collect();
    let different: std::collections::BTreeSet<&String> = right.iter().collect();
    assert!(different.len() >= 10, "the questions are too much alike: {}", different.len());
    for _ in 0..3 {
        for (query, right) in all.iter().zip(&right) {
            let (status, _, text) = server.query(query, &[]);
            assert_eq!((status, &text), (200, right), "{query}");
        }
    }
    // Asked the other way round, over filled caches.
    for (query, right) in all.iter().zip(&right).rev() {
        assert_eq!(&server.query(query, &[]).2, right, "{query}");
    }
}

/// Sums of values of very different size, over many segments that threads take in any order: as far from
/// the exact sum as `docs/numbers.md` allows, and no further.
#[test]
fn h_22_sums_of_doubles_stay_within_the_documented_tolerance() {
    let server = TestServer::start_with(|config| config.query.threads = 4);
    let schema = json!({
        "timestampSpec": { "column": "t", "format": "auto" },
        "dimensionsSpec": { "dimensions": ["a", { "type": "double", "name": "x" }] },
        "granularitySpec": { "segmentGranularity": "hour", "rollup": false },
    });
    assert_eq!(server.call("PUT", "/v1/datasources/d", &[], schema.to_string().as_bytes()).0, 200);
    let mut rng = StdRng::seed_from_u64(7);
    let mut values: Vec<f64> = Vec::new();
    for hour in 0..24_u64 {
        let body: String = (0..50)
            .map(|row| {
                let x = [1e16, -1e16, 1.0, 0.5, -0.25, 9e15, -7.0][rng.random_range(0..7)];
                values.push(x);
                let time = 1_750_032_000_000_u64 + hour * 3_600_000 + row;
                json!({ "t": time, "a": format!("{}", row % 3), "x": x }).to_string() + "\n"
            })
            .collect();
        assert_eq!(server.push("d", body.as_bytes()).0, 200);
    }
    server.flush();
    let sum = json!([{ "type": "doubleSum", "name": "s", "fieldName": "x" }]);
    let off = json!({ "useCache": false, "populateCache": false, "useResultLevelCache": false, "populateResultLevelCache": false });
    let base = with(count_query("d"), json!({ "aggregations": sum, "context": off }));
    // Quarters of whole numbers, which 128 bits hold exactly.
    let exact = values.iter().map(|x| (x * 4.0) as i128).sum::<i128>() as f64 / 4.0;
    let size: f64 = values.iter().map(|x| x.abs()).sum();
    let tolerance = values.len() as f64 * f64::EPSILON * size;
    for query in [base.clone(), with(base, json!({ "queryType": "groupBy", "dimensions": [] }))] {
        for _ in 0..40 {
            let answer = server.post("/druid/v2", &query);
            let found = ["result", "event"].iter().find_map(|form| answer[0][form]["s"].as_f64());
            let found = found.unwrap();
            assert!((found - exact).abs() <= tolerance, "{found} for {exact}, {tolerance}");
        }
    }
}

/// Scrambled queries from a fixed seed while events come in: each costs an error or an answer, and what is
/// counted between them is exact.
#[test]
fn h_102_scrambled_queries_while_events_come_in_change_no_answer() {
    let seed = 102;
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let server = TestServer::start_with(|config| config.ingestion.handoff_rows = 400);
    server.create("d");
    let words = [
        json!(null),
        json!(-1),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("d"),
        json!("x"),
        json!([]),
        json!({}),
        json!("all"),
        json!("1000/3000"),
        json!("P0D"),
        json!({ "type": "x" }),
        json!(true),
        json!("\u{0}"),
        json!({ "type": "not", "field": { "type": "null", "column": "a" } }),
    ];
    let models = [
        json!({ "queryType": "groupBy", "dimensions": ["a"], "limitSpec": { "type": "default", "limit": 5 } }),
        json!({ "queryType": "topN", "dimension": "a", "metric": "rows", "threshold": 3 }),
        json!({ "queryType": "scan", "columns": ["a", "x"], "limit": 5, "order": "ascending" }),
        json!({ "queryType": "search", "query": { "type": "contains", "value": "h" } }),
        json!({ "queryType": "timeseries", "filter": { "type": "bound", "dimension": "x", "lower": "3" } }),
        json!({ "queryType": "timeBoundary" }),
        json!({ "queryType": "segmentMetadata" }),
    ];
    let mut pushed = 0;
    for round in 0..400 {
        let mut query = with(count_query("d"), models[rng.random_range(0..models.len())].clone());
        for _ in 0..rng.random_range(1..4) {
            let fields = query.as_object_mut().unwrap();
            let key = fields.keys().nth(rng.random_range(0..fields.len())).unwrap().clone();
            fields.insert(key, words[rng.random_range(0..words.len())].clone());
        }
        let mut bytes = query.to_string().into_bytes();
        if rng.random_bool(0.2) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random_range(0..=255);
        }
        let (status, answer) = server.call("POST", "/druid/v2", &[], &bytes);
        let known = matches!(status, 200 | 400 | 501);
        assert!(known, "{}: {status} {answer}", String::from_utf8_lossy(&bytes));
        if round % 4 == 0 {
            let event = |x: u64| json!({ "t": 1_700_000_000_000_u64 + x, "a": format!("h{}", x % 5), "x": x });
            let body: Vec<String> = (0..20).map(|row| event(pushed + row).to_string()).collect();
            assert_eq!(server.push("d", body.join("\n").as_bytes()).0, 200);
            pushed += 20;
            assert_eq!(server.count("d"), pushed, "round {round}");
        }
    }
    server.flush();
    assert_eq!(server.count("d"), pushed);
}
