//! SQL over HTTP: forms of answers, headers, errors, cancellation, and what the catalogue and system tables tell of a
//! real server.

use std::io::{Read, Write};
use std::net::TcpStream;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use henge_tests::TestServer;
use serde_json::{Value, json};

const ROWS: &str = r#"{"t":"2020-01-01T00:00:00Z","a":"x","b":"1,2","x":1}
{"t":"2020-01-01T01:00:00Z","a":"y","x":2}
{"t":"2020-01-02T00:00:00Z","a":"x","b":"q\"","x":3}"#;
const GROUPS: &str = "SELECT a, SUM(x) AS s, MIN(__time) AS first FROM t GROUP BY a ORDER BY a";
const FIRST: [&str; 2] = ["2020-01-01T00:00:00.000Z", "2020-01-01T01:00:00.000Z"];

/// Rows that are published, and one that is buffered.
fn server() -> TestServer {
    let server = TestServer::start();
    server.create("t");
    let (published, buffered) = ROWS.rsplit_once('\n').unwrap();
    assert_eq!(server.push("t", published.as_bytes()).0, 200);
    server.flush();
    assert_eq!(server.push("t", buffered.as_bytes()).0, 200);
    server
}

fn rows(server: &TestServer, text: &str) -> Vec<Value> {
    let request = json!({"query": text, "resultFormat": "array"});
    let (status, _, answer) = server.sql(&request, &[]);
    assert_eq!(status, 200, "{text}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn a_statement_is_answered_in_every_form() {
    let server = server();
    let answer = |format: &str, header: bool| {
        let request = json!({"query": GROUPS, "resultFormat": format, "header": header,
            "typesHeader": header, "sqlTypesHeader": header});
        let (status, headers, text) = server.sql(&request, &[]);
        assert_eq!(status, 200, "{text}");
        assert_eq!(headers.get("x-druid-sql-header-included").is_some(), header);
        assert_eq!(headers["x-druid-response-context"], "{}");
        (headers["content-type"].to_str().unwrap().to_owned(), text)
    };
    let [x, y] = FIRST;
    let (content_type, text) = answer("object", false);
    assert_eq!(content_type, "application/json");
    // Columns are in the order of the statement.
    let expected = format!(
        "[{{\"a\":\"x\",\"s\":4,\"first\":\"{x}\"}},{{\"a\":\"y\",\"s\":2,\"first\":\"{y}\"}}]\n"
    );
    assert_eq!(text, expected);
    let (_, text) = answer("array", true);
    let names = r#"["a","s","first"],["STRING","LONG","LONG"],["VARCHAR","BIGINT","TIMESTAMP"]"#;
    assert_eq!(text, format!("[{names},[\"x\",4,\"{x}\"],[\"y\",2,\"{y}\"]]\n"));
    let (content_type, text) = answer("objectLines", true);
    assert_eq!(content_type, "text/plain");
    let header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(header["s"], json!({"type": "LONG", "sqlType": "BIGINT"}));
    assert!(text.ends_with("}\n\n") && text.lines().count() == 4, "{text}");
    let (_, text) = answer("arrayLines", false);
    assert_eq!(text, format!("[\"x\",4,\"{x}\"]\n[\"y\",2,\"{y}\"]\n\n"));
    let (content_type, text) = answer("csv", true);
    assert_eq!(content_type, "text/csv");
    let names = "a,s,first\nSTRING,LONG,LONG\nVARCHAR,BIGINT,TIMESTAMP";
    assert_eq!(text, format!("{names}\nx,4,{x}\ny,2,{y}\n\n"));
    let quoted = json!({"query": "SELECT b FROM t ORDER BY __time", "resultFormat": "csv"});
    assert_eq!(server.sql(&quoted, &[]).2, "\"1,2\"\n\n\"q\"\"\"\n\n");
}

#[test]
fn arrow_is_a_form_by_name_and_by_accept() {
    let server = server();
    let accept = ("Accept", "application/vnd.apache.arrow.stream");
    let named = json!({"query": GROUPS, "resultFormat": "arrow"}).to_string();
    let unnamed = json!({"query": GROUPS}).to_string();
    for (body, headers) in [(&named, &[][..]), (&unnamed, &[accept][..])] {
        let (status, headers, bytes) =
            server.post_bytes("/druid/v2/sql/", body.as_bytes(), headers);
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, accept.1));
        let reader = StreamReader::try_new(&bytes[..], None).unwrap();
        let names: Vec<String> =
            reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["a", "s", "first"]);
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    }
    // Who names JSON gets it whatever he accepts.
    let object = json!({"query": "SELECT 1 AS one", "resultFormat": "object"});
    assert_eq!(server.sql(&object, &[accept]).2, "[{\"one\":1}]\n");
}

#[test]
fn statements_come_bare_and_as_forms_and_with_parameters() {
    let server = server();
    for (content_type, body) in [
        ("text/plain", "SELECT COUNT(*) AS n FROM t"),
        ("application/x-www-form-urlencoded", "{\"query\":\"SELECT COUNT(*) AS n FROM t\"}"),
        ("application/json;charset=UTF-8", "{\"query\":\"SELECT COUNT(*) AS n FROM t;\"}"),
    ] {
        let headers = [("Content-Type", content_type)];
        let (status, _, bytes) = server.post_bytes("/druid/v2/sql", body.as_bytes(), &headers);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!((status, text.as_str()), (200, "[{\"n\":3}]\n"), "{body}");
    }
    // A client that types all of its parameters as text.
    let request = json!({
        "query": "SELECT a FROM t WHERE x >= CAST(? AS BIGINT) AND a = ? ORDER BY __time",
        "parameters": [{"type": "VARCHAR", "value": "2"}, {"type": "VARCHAR", "value": "x"}],
    });
    assert_eq!(server.sql(&request, &[]).2, "[{\"a\":\"x\"}]\n");
}

#[test]
fn errors_name_their_class_and_place() {
    let server = server();
    let failed = |request: Value| {
        let (status, headers, text) = server.sql(&request, &[]);
        let answer: Value = serde_json::from_str(&text).unwrap();
        for field in ["error", "errorMessage", "errorClass", "category", "persona", "errorCode"] {
            assert!(answer[field].is_string(), "{field}: {answer}");
        }
        (status, headers, answer)
    };
    let request = json!({"query": "SELECT a,\n  nowhere FROM t", "context": {"sqlQueryId": "q-7"}});
    let (status, headers, answer) = failed(request);
    assert_eq!((status, headers["x-druid-sql-query-id"].to_str().unwrap()), (400, "q-7"));
    assert_eq!(answer["category"], "INVALID_INPUT");
    assert!(answer["errorMessage"].to_string().contains("nowhere"), "{answer}");
    assert_eq!(
        (&answer["context"]["sourceType"], &answer["context"]["line"]),
        (&json!("sql"), &json!("2"))
    );
    for (request, word) in [
        (json!({"query": "SELEC 1"}), "SELEC"),
        (json!({"query": "SELECT * FROM nobody"}), "nobody"),
        (json!({"query": "SELECT 1", "context": {"timeout": "soon"}}), "context.timeout"),
        (json!({"query": "SELECT 1", "context": {"sqlTimeZone": "Mars"}}), "sqlTimeZone"),
        (json!({"query": "SELECT 1", "resultFormat": "xml"}), "resultFormat"),
        (json!({"query": "SELECT 1", "typesHeader": true}), "typesHeader"),
        (json!({"sql": "SELECT 1"}), "query"),
    ] {
        let (status, _, answer) = failed(request.clone());
        assert_eq!(status, 400, "{request}");
        assert!(answer["errorMessage"].to_string().contains(word), "{request}: {answer}");
    }
    let (status, answer) = server.call("GET", "/druid/v2/sql", &[], b"");
    assert_eq!(status, 405);
    assert!(answer["errorMessage"].to_string().contains("POST"), "{answer}");
    assert_eq!(server.call("DELETE", "/druid/v2/sql/nobody", &[], b"").0, 404);
    assert_eq!(server.call("POST", "/druid/v2/sql/statements", &[], b"{}").0, 501);
    let numbers = server.text("/metrics");
    assert!(numbers.contains("henge_sql_statements_total{outcome=\"invalid\"}"), "{numbers}");
}

#[test]
fn fields_that_nothing_reads_are_told_of_and_strict_statements_refused() {
    let server = server();
    let request = json!({"query": "SELECT 1 AS one", "resultsFormat": "csv"});
    let (status, headers, _) = server.sql(&request, &[]);
    let warnings = headers["x-henge-warnings"].to_str().unwrap();
    assert!(status == 200 && warnings.contains("did you mean 'resultFormat'"), "{warnings}");
    let mut strict = request;
    strict["context"] = json!({"strict": true});
    assert_eq!(server.sql(&strict, &[]).0, 400);
}

/// Far more work than anybody waits for.
fn endless(server: &TestServer) -> &'static str {
    server.create("many");
    let event = |x: u32| format!("{{\"t\":\"2020-01-01\",\"a\":\"v{x}\",\"x\":{x}}}");
    let events: Vec<String> = (0..5_000).map(event).collect();
    assert_eq!(server.push("many", events.join("\n").as_bytes()).0, 200);
    "SELECT COUNT(*) FROM many l JOIN many m ON l.x <> m.x JOIN many r ON m.x + l.x <> r.x"
}

#[test]
fn a_statement_is_cancelled_by_its_id() {
    let server = server();
    let text = endless(&server);
    for path in ["/druid/v2/sql/q-long", "/druid/v2/q-long"] {
        let request = json!({"query": text, "context": {"sqlQueryId": "q-long"}});
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| server.sql(&request, &[]));
            // Until it is at work there is nobody to cancel.
            while rows(&server, "SELECT sql_id FROM sys.queries WHERE sql_id = 'q-long'").is_empty()
            {
                assert!(!asking.is_finished(), "it should have taken long");
            }
            assert_eq!(server.call("DELETE", path, &[], b"").0, 202);
            let (status, headers, text) = asking.join().unwrap();
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((status, &answer["error"]), (500, &json!("Query cancelled")), "{text}");
            assert_eq!(headers["x-druid-sql-query-id"], "q-long");
        });
    }
    assert_eq!(server.call("DELETE", "/druid/v2/sql/q-long", &[], b"").0, 404);
}

#[test]
fn f_60_a_statement_has_no_more_time_than_it_asks_for() {
    let server = server();
    let text = endless(&server);
    let (status, _, text) = server.sql(&json!({"query": text, "context": {"timeout": 50}}), &[]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &answer["error"]), (504, &json!("Query timeout")), "{text}");
    assert!(answer["errorMessage"].to_string().contains("50 ms"), "{answer}");
}

#[test]
fn a_whole_answer_says_so_to_clients_that_take_trailers() {
    let server = server();
    let address = server.running().url.strip_prefix("http://").unwrap().to_owned();
    let body = json!({"query": "SELECT a FROM t ORDER BY __time", "resultFormat": "arrayLines"});
    let body = body.to_string();
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /druid/v2/sql HTTP/1.1\r\nhost: {address}\r\nte: trailers\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(body.contains("[\"x\"]\n[\"y\"]\n[\"x\"]\n\n"), "{body}");
    assert!(body.ends_with("x-druid-response-complete: true\r\n\r\n"), "{body}");
}

#[test]
fn the_catalogue_follows_what_is_pushed_and_published() {
    let server = server();
    let columns = |server: &TestServer| {
        rows(
            server,
            "SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS \
             WHERE TABLE_NAME = 't' ORDER BY ORDINAL_POSITION",
        )
    };
    let expected = [
        json!(["__time", "TIMESTAMP"]),
        json!(["a", "VARCHAR"]),
        json!(["b", "VARCHAR"]),
        json!(["x", "BIGINT"]),
    ];
    assert_eq!(columns(&server), expected);
    let tables = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'druid'";
    assert_eq!(rows(&server, tables), [json!(["t"])]);
    // What was acknowledged a moment ago is a table with rows.
    server.create("later");
    assert_eq!(server.push("later", br#"{"t":"2020-01-01","a":"z","x":5}"#).0, 200);
    assert_eq!(rows(&server, "SELECT a, x FROM later"), [json!(["z", 5])]);
    assert_eq!(rows(&server, tables).len(), 2);
}

#[test]
fn system_tables_tell_of_segments_servers_and_tasks() {
    let server = server();
    let segments = "SELECT is_published, is_realtime, is_available, is_overshadowed, num_rows \
                    FROM sys.segments WHERE datasource = 't' ORDER BY is_published DESC, \"start\"";
    let found = rows(&server, segments);
    let published: Vec<&Value> = found.iter().filter(|row| row[0] == 1).collect();
    assert_eq!(published, [&json!([1, 0, 1, 0, 1]), &json!([1, 0, 1, 0, 1])], "{found:?}");
    assert!(found.iter().any(|row| row[0] == 0 && row[1] == 1 && row[2] == 1), "{found:?}");
    let servers = rows(&server, "SELECT server_type FROM sys.servers ORDER BY server_type");
    let expected = ["broker", "coordinator", "historical", "indexer"];
    assert_eq!(servers, expected.map(|name| json!([name])));
    let pairs = rows(
        &server,
        "SELECT COUNT(*) FROM sys.server_segments ss JOIN sys.segments s \
         ON ss.segment_id = s.segment_id WHERE s.is_published = 1",
    );
    assert_eq!(pairs, [json!([2])]);
    assert!(rows(&server, "SELECT * FROM sys.supervisors").is_empty());
    assert!(rows(&server, "SELECT * FROM sys.tasks").is_empty());
    let port = "SELECT \"value\" FROM sys.server_properties WHERE property = 'query.max_buckets'";
    assert_eq!(rows(&server, port), [json!(["1000000"])]);
}
