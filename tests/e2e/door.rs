//! Nothing is lost at the door in silence: types come from all values, what is not stored as it came
//! is counted by column with its line, and what was there is named.

use henge_tests::TestServer;
use serde_json::{Value, json};

use crate::tasks::run;

fn task(datasource: &str, data: &str, format: &Value, dimensions: &Value) -> Value {
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": {
            "dataSource": datasource,
            "timestampSpec": { "column": "t" },
            "dimensionsSpec": dimensions,
            "granularitySpec": { "segmentGranularity": "day", "rollup": false },
        },
        "ioConfig": { "type": "index_parallel",
            "inputSource": { "type": "inline", "data": data }, "inputFormat": format },
    }})
}

/// Rows of a datasource by time, once there are as many.
fn rows(server: &TestServer, datasource: &str, count: usize) -> Vec<Value> {
    let scan = json!({
        "queryType": "scan", "dataSource": datasource, "intervals": ["1900/2300"],
        "resultFormat": "compactedList", "order": "ascending", "columns": ["__time", "x", "y"],
    });
    loop {
        let answer = server.post("/druid/v2", &scan);
        let lists = answer.as_array().cloned().unwrap_or_default();
        let rows = lists.iter().filter_map(|list| list["events"].as_array()).flatten();
        let rows: Vec<Value> = rows.map(|row| json!([row[1], row[2]])).collect();
        if rows.len() >= count {
            return rows;
        }
        std::thread::yield_now();
    }
}

#[test]
fn types_of_a_task_come_from_all_values() {
    let server = TestServer::start();
    let discover = json!({ "useSchemaDiscovery": true });
    let mut lines: Vec<String> = (0..5_000)
        .map(|row| format!("{{\"t\":{},\"x\":{row},\"y\":1}}", 1_577_836_800 + row))
        .collect();
    lines.push("{\"t\":1577850000,\"x\":0.5,\"y\":\"last\"}".to_owned());
    let status =
        run(&server, &task("json", &lines.join("\n"), &json!({ "type": "json" }), &discover));
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    let found = rows(&server, "json", 5_001);
    assert_eq!((&found[7], &found[5_000]), (&json!([7.0, "1"]), &json!([0.5, "last"])));
    assert_eq!(status["progress"]["report"]["changes"], json!([]));

    let csv = json!({ "type": "csv", "findColumnsFromHeader": true, "tryParseNumbers": "exact" });
    let text = "t,x,y\n1577836800,5,007\n1577836801,0.25,8\n20200102,,9\n";
    let status = run(&server, &task("csv", text, &csv, &discover));
    assert_eq!(status["statusCode"], "SUCCESS", "{status}");
    let expected = [json!([5.0, "007"]), json!([0.25, "8"]), json!([null, "9"])];
    assert_eq!(rows(&server, "csv", 3), expected);
}

#[test]
fn f_21_refusals_and_changes_are_counted_by_column_with_their_first_line() {
    let server = TestServer::start();
    let declared = json!({ "dimensions": [{ "name": "x", "type": "long" }, "y"] });
    let csv = json!({ "type": "csv", "findColumnsFromHeader": true });
    let text = "t,x,y\n2020-01-01,1,\"two\nlines\"\n2020-01-01,1.5,b\n\nsoon,1,c\n2020-01-01,abc,d\n\
                later,1,e\n2020-01-01,1\n2020-01-01,2.5,f\n";
    let status = run(&server, &task("csv", text, &csv, &declared));
    let report = &status["progress"]["report"];
    let place = |line: u64| json!({ "input": "inline", "line": line, "isRow": false });
    let [change] = &report["changes"].as_array().cloned().unwrap_or_default()[..] else {
        panic!("{report}")
    };
    assert_eq!(
        (&change["column"], &change["count"], &change["nulled"]),
        (&json!("x"), &json!(3), &json!(1))
    );
    assert_eq!((&change["example"], &change["place"]), (&json!("1.5"), &place(4)));
    let [times, widths] = &report["refusals"].as_array().cloned().unwrap_or_default()[..] else {
        panic!("{report}")
    };
    assert_eq!(
        (&times["column"], &times["count"], &times["place"]),
        (&json!("t"), &json!(2), &place(6))
    );
    assert_eq!(
        (&widths["kind"], &widths["count"], &widths["place"]),
        (&json!("syntax"), &json!(1), &place(9))
    );
    let id = status["id"].as_str().map(|id| id.replace(':', "%3A")).unwrap_or_default();
    let (_, reports) =
        server.call("GET", &format!("/druid/indexer/v1/task/{id}/reports"), &[], b"");
    let payload = &reports["ingestionStatsAndErrors"]["payload"];
    assert_eq!(
        (&payload["changedColumns"], &payload["refusals"]),
        (&report["changes"], &report["refusals"])
    );
    let (_, letters) = server.call("GET", "/v1/datasources/csv/dead-letters", &[], b"");
    let reason = letters["deadLetters"][0]["reason"].to_string();
    assert!(reason.contains("inline line 6: the timestamp column"), "{reason}");

    let lines = "{\"t\":\"2020-01-01\",\"x\":1}\n[{\"t\":\"2020-01-01\",\"x\":1},\n{\"t\":\"2020-01-01\",\"x\":1.5}]\n{\"x\":1}";
    let status = run(&server, &task("json", lines, &json!({ "type": "json" }), &declared));
    let report = &status["progress"]["report"];
    assert_eq!(report["changes"][0]["place"], place(3), "{report}");
    assert_eq!(report["refusals"][0]["place"], place(4), "{report}");
}

#[test]
fn a_load_names_what_it_replaced_what_it_has_read_before_and_odd_times() {
    let server = TestServer::start();
    let declared = json!({ "dimensions": ["x"] });
    let json_lines = json!({ "type": "json" });
    let data = "{\"t\":\"2020-01-01T05:00\",\"x\":\"a\"}\n{\"t\":\"2020-01-02\",\"x\":\"b\"}";
    let first = run(&server, &task("d", data, &json_lines, &declared));
    let report = &first["progress"]["report"];
    assert_eq!((&report["replaced"], &report["warnings"]), (&Value::Null, &json!([])));
    let second = run(&server, &task("d", data, &json_lines, &declared));
    let report = &second["progress"]["report"];
    let replaced = json!({ "segments": 2, "rows": 2,
        "interval": "2020-01-01T05:00:00.000Z/2020-01-02T00:00:00.000Z" });
    assert_eq!(report["replaced"], replaced);
    let warning = report["warnings"].to_string();
    assert!(
        warning.contains("was loaded before") && warning.contains("index_parallel_d"),
        "{warning}"
    );
    let odd = run(&server, &task("odd", "{\"t\":5}", &json_lines, &declared));
    let warning = odd["progress"]["report"]["warnings"].to_string();
    assert!(
        warning.contains("1970-01-01T00:00:00.005Z") && warning.contains("timestampSpec.format"),
        "{warning}"
    );
}

#[test]
fn pushed_rows_without_metrics_are_kept_as_they_are() {
    let server = TestServer::start();
    let schema =
        json!({ "timestampSpec": { "column": "t" }, "dimensionsSpec": { "dimensions": [] } });
    let (status, answer) =
        server.call("PUT", "/v1/datasources/clicks", &[], schema.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
    let event = "{\"t\":\"2026-01-01T00:00:00Z\",\"page\":\"/home\"}\n".repeat(3);
    assert_eq!(server.push("clicks", event.as_bytes()).0, 200);
    assert_eq!(server.count("clicks"), 3);
    server.flush();
    assert_eq!(server.count("clicks"), 3);
    let (_, answer) = server.call("GET", "/v1/datasources/clicks", &[], b"");
    assert_eq!(answer["schema"]["granularitySpec"]["rollup"], false);
    let (_, usual) = server.push("clicks", b"{\"t\":1767225600}\n\n{\"t\":\"x\"}\n{\"t\":true}");
    assert_eq!((&usual["errors"][0]["line"], &usual["errors"][1]["line"]), (&json!(3), &json!(4)));
    assert!(usual.get("warnings").is_none(), "{usual}");
    let (_, odd) = server.push("clicks", b"{\"t\":5}");
    assert!(odd["warnings"][0].to_string().contains("1970-01-01T00:00:00.005Z"), "{odd}");
    let typo = json!({ "timestampSpec": { "colunm": "t" } }).to_string();
    let (status, answer) = server.call("PUT", "/v1/datasources/typo", &[], typo.as_bytes());
    assert_eq!(status, 400);
    assert!(answer["errorMessage"].to_string().contains("did you mean 'column'"), "{answer}");
}

#[test]
fn fields_without_a_place_and_places_without_a_field_are_told_of() {
    let server = TestServer::start();
    let declared = json!({ "dimensions": ["x", "vlaue"], "dimensionExclusions": ["secret"] });
    let text = "{\"t\":1577836800,\"x\":\"a\",\"value\":1,\"secret\":2}\n\
                {\"t\":1577836800,\"value\":null}\n{\"t\":\"2020-01-01T00:00:00.0001Z\",\"value\":3}\n";
    let csv = "t,x,value,secret\n1577836800,a,1,2\n1577836800,,,\n2020-01-01T00:00:00.0001Z,,3,\n";
    let header = json!({ "type": "csv", "findColumnsFromHeader": true });
    for (name, text, format) in [("json", text, json!({ "type": "json" })), ("csv", csv, header)] {
        let asked = task(name, text, &format, &declared);
        let status = run(&server, &asked);
        assert_eq!(status["statusCode"], "SUCCESS", "{status}");
        let report = &status["progress"]["report"];
        let [ignored] = &report["ignored"].as_array().cloned().unwrap_or_default()[..] else {
            panic!("{report}")
        };
        assert_eq!((&ignored["field"], &ignored["count"]), (&json!("value"), &json!(2)));
        let line = if name == "csv" { 2 } else { 1 };
        assert_eq!((&ignored["example"], &ignored["place"]["line"]), (&json!("1"), &json!(line)));
        let [cut] = &report["changes"].as_array().cloned().unwrap_or_default()[..] else {
            panic!("{report}")
        };
        assert_eq!((&cut["column"], &cut["count"]), (&json!("t"), &json!(1)));
        assert_eq!((&cut["cutToMs"], &cut["place"]["line"]), (&json!(true), &json!(line + 2)));
        let told = report["warnings"].to_string();
        assert!(
            told.contains("'vlaue', which none of 3 events has; did you mean 'value'"),
            "{told}"
        );

        // A strict task stores nothing then.
        let mut strict = asked;
        strict["context"] = json!({ "strict": true });
        strict["spec"]["ioConfig"]["appendToExisting"] = json!(true);
        let status = run(&server, &strict);
        assert_eq!(status["statusCode"], "FAILED", "{status}");
        assert!(status["errorMsg"].to_string().contains("the task is strict"), "{status}");
        assert_eq!(rows(&server, name, 3).len(), 3);
    }
}

#[test]
fn the_value_that_makes_a_column_text_is_named_with_its_line() {
    let server = TestServer::start();
    let discover = json!({ "useSchemaDiscovery": true });
    let lines: Vec<String> = (0..1_000)
        .map(|row| match row {
            700 => "{\"t\":1577836800,\"x\":\"N/A\",\"y\":1}".to_owned(),
            _ => format!("{{\"t\":1577836800,\"x\":{row},\"y\":{row}.5}}"),
        })
        .collect();
    let body = lines.join("\n");
    let status = run(&server, &task("d", &body, &json!({ "type": "json" }), &discover));
    let notes = status["progress"]["report"]["notes"].to_string();
    assert!(notes.contains("'x' is text: 1 of its 1000 values"), "{notes}");
    assert!(notes.contains("the first is 'N/A' in inline line 701"), "{notes}");
    assert!(!notes.contains("'y'"), "{notes}");

    let schema = json!({
        "timestampSpec": { "column": "t" }, "dimensionsSpec": discover,
        "granularitySpec": { "segmentGranularity": "day" },
    });
    let (code, answer) =
        server.call("PUT", "/v1/datasources/p", &[], schema.to_string().as_bytes());
    assert_eq!(code, 200, "{answer}");
    let (code, answer) = server.push("p", body.as_bytes());
    let told = answer["warnings"].to_string();
    assert!(
        code == 200 && told.contains("'x', LONG so far, is text from now on: line 701"),
        "{answer}"
    );
}

#[test]
fn fields_of_pushes_without_a_place_are_counted_by_name() {
    let server = TestServer::start();
    let schema = json!({
        "timestampSpec": { "column": "t" }, "dimensionsSpec": { "dimensions": ["x"] },
        "granularitySpec": { "segmentGranularity": "day" },
    });
    let (code, answer) =
        server.call("PUT", "/v1/datasources/p", &[], schema.to_string().as_bytes());
    assert_eq!(code, 200, "{answer}");
    for _ in 0..2 {
        let (code, answer) = server
            .push("p", b"{\"t\":1577836800,\"x\":\"a\"}\n{\"t\":1577836800,\"xx\":7,\"y\":null}");
        let expected = json!([{ "field": "xx", "count": 1, "example": "7", "position": 1 }]);
        assert_eq!((code, &answer["ignored"]), (200, &expected), "{answer}");
    }
    let (_, status) = server.call("GET", "/v1/datasources/p", &[], b"");
    assert_eq!(status["fieldsIgnoredSinceStart"][0]["count"], 2, "{status}");
}
