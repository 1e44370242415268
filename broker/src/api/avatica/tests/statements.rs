//! Statements, prepared ones, frames and errors in JSON.

use super::*;

#[tokio::test]
async fn golden_connection_that_is_opened_synced_and_closed() {
    let client = Client::of(Fake::default());
    let rpc = json!({"response": "rpcMetadata", "serverAddress": SERVER});
    let open = json!({"request": "openConnection", "connectionId": "c", "info": {"user": "u"}});
    let opened = client.ask(open).await;
    assert_eq!(opened, json!({"response": "openConnection", "rpcMetadata": rpc}));
    let properties = json!({
        "connProps": "connPropsImpl", "autoCommit": null, "readOnly": null,
        "transactionIsolation": null, "catalog": null, "schema": null, "dirty": true,
    });
    let sync = json!({"request": "connectionSync", "connectionId": "c", "connProps": properties});
    let synced = client.ask(sync).await;
    let expected =
        json!({"response": "connectionSync", "connProps": properties, "rpcMetadata": rpc});
    assert_eq!(synced, expected);
    let close = json!({"request": "closeConnection", "connectionId": "c"});
    // A client may well do so twice.
    for _ in 0..2 {
        let closed = client.ask(close.clone()).await;
        assert_eq!(closed, json!({"response": "closeConnection", "rpcMetadata": rpc}));
    }
}

#[tokio::test]
async fn golden_types_of_an_answer() {
    let client = Client::connected(all_types()).await;
    let executed = client.run("SELECT 1", -1, -1).await;
    assert_eq!(executed["missingStatement"], false);
    let set = &executed["results"][0];
    assert_eq!(
        (&set["response"], &set["connectionId"], &set["statementId"], &set["ownStatement"]),
        (&json!("resultSet"), &json!("c"), &json!(1), &json!(false))
    );
    assert_eq!(set["updateCount"], -1);
    let columns = set["signature"]["columns"].as_array().unwrap();
    let first = json!({
        "ordinal": 0, "autoIncrement": false, "caseSensitive": true, "searchable": false,
        "currency": false, "nullable": 1, "signed": true, "displaySize": 19, "label": "n",
        "columnName": "n", "schemaName": null, "precision": 19, "scale": 0, "tableName": null,
        "catalogName": null, "type": {"type": "scalar", "id": -5, "name": "BIGINT", "rep": "LONG"},
        "readOnly": true, "writable": false, "definitelyWritable": false,
        "columnClassName": "java.lang.Long",
    });
    assert_eq!(columns[0], first);
    let types: Vec<_> = columns
        .iter()
        .map(|column| {
            (column["type"]["id"].as_i64().unwrap(), column["type"]["rep"].as_str().unwrap())
        })
        .collect();
    let expected = [
        (-5, "LONG"),
        (93, "LONG"),
        (8, "DOUBLE"),
        (12, "STRING"),
        (16, "BOOLEAN"),
        (91, "INTEGER"),
        (2003, "ARRAY"),
        (1111, "OBJECT"),
    ];
    assert_eq!(types, expected);
    assert_eq!((&columns[3]["precision"], &columns[3]["scale"]), (&json!(-1), &json!(i32::MIN)));
    let element = json!({"type": "scalar", "id": -5, "name": "BIGINT", "rep": "LONG"});
    assert_eq!(columns[6]["type"]["component"], element);
    assert_eq!(columns[7]["type"]["name"], "COMPLEX<json>");
    let frame = json!({
        "offset": 0,
        "done": true,
        "rows": [[39_244, 1_442_018_873_259_i64, 1.5, "#en", true, 16_690, [1, null], null]],
    });
    assert_eq!(set["firstFrame"], frame);
    let factory = json!({"style": "LIST", "clazz": null, "fieldNames": null});
    assert_eq!(set["signature"]["cursorFactory"], factory);
    assert_eq!(set["signature"]["statementType"], "SELECT");
}

#[tokio::test]
async fn times_are_shifted_to_the_zone_of_the_connection_and_properties_are_its_context() {
    let client = Client::of(all_types());
    let info = json!({
        "sqlTimeZone": "Asia/Tokyo", "useCache": "false", "password": "p", "sqlQueryId": "7",
    });
    client.ask(json!({"request": "openConnection", "connectionId": "c", "info": info})).await;
    let executed = client.run("SELECT 1", -1, -1).await;
    let row = &executed["results"][0]["firstFrame"]["rows"][0];
    assert_eq!(row[1], 1_442_018_873_259_i64 + 9 * 3_600_000);
    let ran = client.fake.ran.lock();
    let expected = json!({
        "sqlStringifyArrays": false, "sqlTimeZone": "Asia/Tokyo", "useCache": false, "sqlQueryId": "7",
    });
    assert_eq!(Value::Object(ran[0].context.clone()), expected);
    assert_eq!(ran[0].now_ms, NOW_MS);
}

#[tokio::test]
async fn rows_come_in_frames_that_are_never_tiny() {
    let fake = Fake::default().on("SELECT n", vec![("n", "BIGINT", longs(0..250))], &[], 70);
    let client = Client::connected(fake).await;
    let executed = client.run("SELECT n", -1, 1).await;
    let set = &executed["results"][0];
    let first = &set["firstFrame"];
    assert_eq!((first["rows"].as_array().unwrap().len(), &first["done"]), (100, &json!(false)));
    let statement = &set["statementId"];
    let second = client.fetch(statement, 100, 120).await;
    assert_eq!(
        (&second["missingStatement"], &second["missingResults"]),
        (&json!(false), &json!(false))
    );
    let rows = second["frame"]["rows"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0], &second["frame"]["offset"]),
        (120, &json!([100]), &json!(100))
    );
    let third = client.fetch(statement, 220, -1).await;
    let rows = third["frame"]["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[29], &third["frame"]["done"]), (30, &json!([249]), &json!(true)));
    // What has ended goes on to have ended.
    let after = client.fetch(statement, 250, 10).await;
    assert_eq!(after["frame"], json!({"offset": 250, "done": true, "rows": []}));
    let back = json!({
        "request": "fetch", "connectionId": "c", "statementId": statement, "offset": 0,
        "fetchMaxRowCount": 10,
    });
    let error = client.try_ask(back).await.unwrap_err();
    assert!(error.to_string().contains("offset 0 was asked for, and 250 is next"), "{error}");
}

#[tokio::test]
async fn no_more_rows_come_than_the_client_wants() {
    let fake = Fake::default().on("SELECT n", vec![("n", "BIGINT", longs(0..250))], &[], 70);
    let client = Client::connected(fake).await;
    for (most, expected) in [(7, 7), (0, 250), (-1, 250), (70, 70)] {
        let executed = client.run("SELECT n", most, -1).await;
        let set = &executed["results"][0];
        let rows = set["firstFrame"]["rows"].as_array().unwrap().len();
        assert_eq!((rows, &set["firstFrame"]["done"]), (expected, &json!(true)), "{most}");
        client
            .ask(json!({
                "request": "closeStatement", "connectionId": "c", "statementId": set["statementId"],
            }))
            .await;
    }
}

#[tokio::test]
async fn golden_prepared_statement_that_is_run_twice() {
    let sql = "SELECT n WHERE a = ? AND b > ?";
    let column = vec![("n", "BIGINT", longs([11_549]))];
    let fake = Fake::default().on(sql, column, &["VARCHAR", "BIGINT"], 10);
    let client = Client::connected(fake).await;
    let prepare = json!({"request": "prepare", "connectionId": "c", "sql": sql, "maxRowCount": -1});
    let prepared = client.ask(prepare).await;
    assert_eq!(
        (&prepared["response"], &prepared["statement"]["id"]),
        (&json!("prepare"), &json!(1))
    );
    let first = json!({
        "signed": false, "precision": -1, "scale": i32::MIN, "parameterType": 12,
        "typeName": "VARCHAR", "className": "java.lang.String", "name": "?0",
    });
    let signature = &prepared["statement"]["signature"];
    assert_eq!(signature["parameters"][0], first);
    assert_eq!(
        (&signature["parameters"][1]["parameterType"], &signature["sql"]),
        (&json!(-5), &json!(sql))
    );
    for (text, number) in [("#en.wikipedia", "LONG"), ("#de.wikipedia", "INTEGER")] {
        let mut handle = prepared["statement"].clone();
        handle["signature"] = Value::Null;
        let given = json!([{"type": "STRING", "value": text}, {"type": number, "value": -1}]);
        let execute = json!({
            "request": "execute", "statementHandle": handle, "parameterValues": given,
            "maxRowCount": 100,
        });
        let executed = client.ask(execute).await;
        assert_eq!(executed["results"][0]["firstFrame"]["rows"], json!([[11_549]]));
    }
    let ran = client.fake.ran.lock();
    let given: Vec<_> =
        ran[1].parameters.iter().map(|one| (one.sql_type.as_str(), one.value.clone())).collect();
    assert_eq!(given, [("VARCHAR", json!("#de.wikipedia")), ("BIGINT", json!(-1))]);
}

#[tokio::test]
async fn times_that_a_client_gives_are_of_its_wall_clock() {
    let fake =
        Fake::default().on("SELECT ?", vec![("n", "BIGINT", longs([1]))], &["TIMESTAMP"], 10);
    let client = Client::of(fake);
    let info = json!({"sqlTimeZone": "Asia/Tokyo"});
    client.ask(json!({"request": "openConnection", "connectionId": "c", "info": info})).await;
    let prepare = json!({"request": "prepare", "connectionId": "c", "sql": "SELECT ?"});
    let handle = client.ask(prepare).await["statement"].clone();
    let given = json!([{"type": "JAVA_SQL_TIMESTAMP", "value": 9 * 3_600_000}]);
    let execute =
        json!({"request": "execute", "statementHandle": handle, "parameterValues": given});
    client.ask(execute).await;
    let given = client.fake.ran.lock()[0].parameters[0].clone();
    assert_eq!((given.sql_type.as_str(), given.value), ("TIMESTAMP", json!(0)));
}

#[tokio::test]
async fn golden_errors() {
    let client = Client::connected(Fake::default()).await;
    let statement = client.statement().await;
    let wrong = json!({
        "request": "prepareAndExecute", "connectionId": "c", "statementId": statement,
        "sql": "SELECT nope", "maxRowCount": -1,
    });
    let failure = client.try_ask(wrong).await.unwrap_err();
    let message = "no answer to: SELECT nope (line 1, column 8)";
    let expected = json!({
        "response": "error",
        "exceptions": [format!("java.lang.RuntimeException: {message}")],
        "errorMessage": message,
        "errorCode": -1,
        "sqlState": "00000",
        "severity": "UNKNOWN",
        "rpcMetadata": null,
    });
    assert_eq!(json::refuse(&failure), expected);
    let nobody = json!({"request": "createStatement", "connectionId": "nobody"});
    let refused = json::refuse(&client.try_ask(nobody).await.unwrap_err());
    assert_eq!((&refused["errorCode"], &refused["severity"]), (&json!(1), &json!("ERROR")));
    assert!(refused["errorMessage"].as_str().unwrap().contains("connection 'nobody' is not known"));
    for (text, part) in [
        ("[1]", "not Avatica's JSON"),
        ("{}", "no field 'request'"),
        (r#"{"request":"executeBatch"}"#, "request 'executeBatch' is not answered here"),
    ] {
        let error = json::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn statements_that_are_not_known_are_told_so_that_the_client_makes_them_anew() {
    let client = Client::connected(Fake::default()).await;
    let execute = json!({
        "request": "prepareAndExecute", "connectionId": "c", "statementId": 99, "sql": "SELECT 1",
    });
    let executed = client.ask(execute).await;
    assert_eq!((&executed["missingStatement"], &executed["results"]), (&json!(true), &Value::Null));
    let fetched = client.fetch(&json!(99), 0, 10).await;
    assert_eq!((&fetched["missingStatement"], &fetched["frame"]), (&json!(true), &Value::Null));
    // One that was not run has no rows.
    let statement = client.statement().await;
    let fetched = client.fetch(&statement, 0, 10).await;
    assert_eq!(
        (&fetched["missingStatement"], &fetched["missingResults"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn transactions_are_answered_and_do_nothing() {
    let client = Client::connected(Fake::default()).await;
    for request in ["commit", "rollback"] {
        let answer = client.ask(json!({"request": request, "connectionId": "c"})).await;
        assert_eq!(answer, json!({"response": request}));
    }
    let properties = json!({"request": "databaseProperties", "connectionId": "c"});
    let properties = client.ask(properties).await;
    assert_eq!(properties["response"], "databaseProperties");
}
