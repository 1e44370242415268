//! Statements that would be too much: refused before they are planned, by the setting that says so, or ended in
//! time; the server goes on for the others.

use std::fmt::Write;

use henge_tests::TestServer;
use serde_json::{Value, json};

/// A server with low limits and one thread for what is no native query.
fn server() -> TestServer {
    let server = TestServer::start_with(|config| {
        config.sql.partitions = 1;
        config.sql.max_words = 5_000;
        config.sql.max_joins = 20;
        config.sql.max_levels = 90;
        config.sql.max_grouping_sets = 64;
        config.sql.max_carried_columns = 20_000;
        config.sql.memory_bytes = 8 << 20;
        config.sql.spill_bytes = 0;
    });
    server.create("d");
    let rows: Vec<String> =
        (0..30_000).map(|x| format!("{{\"t\":1700000000000,\"a\":\"v{x}\",\"x\":{x}}}")).collect();
    assert_eq!(server.push("d", rows.join("\n").as_bytes()).0, 200);
    server
}

#[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
fn answer(server: &TestServer, text: &str, context: Value) -> (u16, Value) {
    let request = json!({"query": text, "context": context, "resultFormat": "array"});
    let (status, _, answer) = server.sql(&request, &[]);
    (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
}

#[track_caller]
fn is_well(server: &TestServer) {
    let (status, rows) = answer(server, "SELECT COUNT(*) FROM d", json!({}));
    assert_eq!((status, rows), (200, json!([[30_000]])));
}

#[test]
fn h_78_h_79_h_80_h_84_h_86_h_99_statements_that_grow_are_refused_by_their_setting() {
    let server = server();
    let doubling = |next: &str| {
        let mut text = "WITH a0 AS (SELECT x FROM d)".to_owned();
        for number in 1..15 {
            let body = next.replace('@', &format!("a{}", number - 1));
            write!(text, ", a{number} AS ({body})").unwrap();
        }
        format!("{text} SELECT COUNT(*) FROM a14")
    };
    let columns: Vec<String> = (0..20).map(|number| format!("x + {number}")).collect();
    let joined: Vec<String> = (0..50).map(|number| format!("d AS d{number}")).collect();
    let windows = |number| format!("SUM(x) OVER (ORDER BY x + {number}) AS w{number}");
    let windows: Vec<String> = (0..60).map(windows).collect();
    let bombs = [
        ("max_words", format!("SELECT 1 FROM d WHERE x IN ({})", vec!["1"; 10_000].join(","))),
        ("max_words", format!("SELECT{}1", " ".repeat(50_000))),
        ("max_words", format!("VALUES {}", vec!["(1)"; 5_000].join(","))),
        ("max_joins", format!("SELECT COUNT(*) FROM {}", joined.join(", "))),
        ("max_joins", format!("SELECT {} FROM d", vec!["(SELECT MAX(x) FROM d)"; 30].join(", "))),
        ("sql.max_", doubling("SELECT p.x FROM @ p JOIN @ q ON p.x = q.x")),
        ("sql.max_", doubling("SELECT x FROM @ UNION ALL SELECT x FROM @")),
        ("max_levels", format!("SELECT {} FROM d", windows.join(", "))),
        (
            "max_grouping_sets",
            format!("SELECT COUNT(*) FROM d GROUP BY CUBE ({})", columns.join(", ")),
        ),
    ];
    for (setting, text) in &bombs {
        for text in [text.clone(), format!("EXPLAIN PLAN FOR {text}")] {
            let (status, answer) = answer(&server, &text, json!({}));
            assert_eq!(status, 400, "{text:.80}: {answer}");
            let message = answer["errorMessage"].to_string();
            assert!(message.contains(setting), "{text:.80}: {message}");
        }
    }
    let deep = format!("SELECT {}x{} FROM d", "(".repeat(2_000), ")".repeat(2_000));
    let (status, told) = answer(&server, &deep, json!({}));
    assert_eq!(status, 400, "{told}");
    assert!(told["errorMessage"].to_string().contains("nested"), "{told}");
    is_well(&server);
}

#[test]
fn f_61_h_84_joins_of_hundreds_of_millions_of_pairs_end_with_their_time() {
    let server = server();
    for text in [
        "SELECT MAX(a.x * b.x) FROM d a, d b",
        "SELECT COUNT(*) FROM d a JOIN d b ON a.x + b.x < -1",
        "SELECT COUNT(*) FROM d a JOIN d b ON MOD(a.x, 2) = MOD(b.x, 2) AND a.x + b.x < -1",
    ] {
        let (status, told) = answer(&server, text, json!({"timeout": 200}));
        assert_eq!(status, 504, "{text}: {told}");
        // There is one thread: whoever kept it would keep this one waiting.
        is_well(&server);
    }
}

#[test]
fn f_63_h_83_h_84_what_does_not_fit_is_refused_by_the_setting() {
    let server = server();
    let text =
        "SELECT MAX(w) FROM (SELECT a.x, SUM(b.x) OVER (PARTITION BY a.x) AS w FROM d a, d b)";
    let (status, told) = answer(&server, text, json!({}));
    assert_eq!(status, 400, "{told}");
    assert!(told["errorMessage"].to_string().contains("sql.memory_bytes"), "{told}");
    is_well(&server);
}
