//! What drivers speak: Avatica over HTTP, Arrow Flight SQL and SQL over gRPC, against a real server.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_flight::FlightInfo;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables};
use futures::{StreamExt, TryStreamExt};
use henge_proto::v1::execute_sql_response::Part;
use henge_proto::v1::query_client::QueryClient;
use henge_proto::v1::{ExecuteSqlRequest, SqlFormat, SqlParameter};
use henge_tests::TestServer;
use serde_json::{Value, json};
use tonic::transport::Channel;

const ROWS: &str = r#"{"t":"2020-01-01T00:00:00Z","a":"x","x":1}
{"t":"2020-01-01T01:00:00Z","a":"y","x":2}
{"t":"2020-01-02T00:00:00Z","a":"x","x":3}"#;
const GROUPS: &str = "SELECT a, SUM(x) AS s, MIN(__time) AS first FROM t GROUP BY a ORDER BY a";
const BY_NAME: &str = "SELECT COUNT(*) AS n FROM t WHERE a = ?";

fn server() -> TestServer {
    let server = TestServer::start();
    server.create("t");
    assert_eq!(server.push("t", ROWS.as_bytes()).0, 200);
    server
}

fn avatica(server: &TestServer, request: &Value) -> (u16, Value) {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = request.to_string();
    let path = "/druid/v2/sql/avatica/";
    let (status, _, bytes) = server.post_bytes(path, body.as_bytes(), &headers);
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn a_connection_of_avatica_runs_statements_and_lists_tables() {
    let server = server();
    let ask = |mut request: Value| {
        request["connectionId"] = json!("c");
        let (status, answer) = avatica(&server, &request);
        assert_eq!(status, 200, "{request}: {answer}");
        answer
    };
    ask(json!({"request": "openConnection", "info": {"sqlTimeZone": "Etc/UTC"}}));
    let statement = ask(json!({"request": "createStatement"}))["statementId"].clone();
    let executed = ask(json!({"request": "prepareAndExecute", "statementId": statement,
        "sql": GROUPS, "maxRowCount": -1}));
    let set = &executed["results"][0];
    assert_eq!(set["firstFrame"]["done"], true);
    let rows = json!([["x", 4, 1_577_836_800_000_u64], ["y", 2, 1_577_840_400_000_u64]]);
    assert_eq!(set["firstFrame"]["rows"], rows);
    let types: Vec<&Value> = set["signature"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["type"]["id"])
        .collect();
    assert_eq!(types, [&json!(12), &json!(-5), &json!(93)]);
    let prepared = ask(json!({"request": "prepare", "sql": BY_NAME, "maxRowCount": -1}));
    for (name, expected) in [("x", 2), ("y", 1), ("z", 0)] {
        let executed = ask(json!({"request": "execute", "statementHandle": prepared["statement"],
            "parameterValues": [{"type": "STRING", "value": name}], "maxRowCount": 100}));
        assert_eq!(executed["results"][0]["firstFrame"]["rows"], json!([[expected]]), "{name}");
    }
    let tables = ask(json!({"request": "getTables", "schemaPattern": "druid"}));
    assert_eq!(tables["firstFrame"]["rows"][0][2], "t");
    let columns = ask(json!({"request": "getColumns", "tableNamePattern": "t"}));
    assert_eq!(columns["firstFrame"]["rows"][0][4], 93);
    ask(json!({"request": "closeConnection"}));
    let (status, error) =
        avatica(&server, &json!({"request": "createStatement", "connectionId": "c"}));
    assert_eq!((status, &error["errorCode"]), (500, &json!(1)));
}

async fn rows(client: &mut FlightSqlServiceClient<Channel>, info: FlightInfo) -> Vec<RecordBatch> {
    let told = info.clone().try_decode_schema().unwrap();
    let mut all = Vec::new();
    for endpoint in info.endpoint {
        let batches = client.do_get(endpoint.ticket.unwrap()).await.unwrap();
        all.extend(batches.try_collect::<Vec<_>>().await.unwrap());
    }
    assert!(all.iter().all(|batch| *batch.schema() == told));
    all
}

#[test]
fn flight_sql_runs_statements_prepares_them_and_lists_tables() {
    let server = server();
    let (channel, runtime) = server.grpc();
    runtime.block_on(async {
        let mut client = FlightSqlServiceClient::new(channel);
        let info = client.execute(GROUPS.to_owned(), None).await.unwrap();
        let batches = rows(&mut client, info).await;
        assert_eq!(batches[0].column(1).as_primitive::<Int64Type>().values().to_vec(), [4, 2]);
        let mut prepared = client.prepare(BY_NAME.to_owned(), None).await.unwrap();
        assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 1);
        assert_eq!(prepared.parameter_schema().unwrap().fields().len(), 1);
        for (name, expected) in [("x", 2), ("y", 1)] {
            let value: ArrayRef = Arc::new(StringArray::from(vec![name]));
            prepared.set_parameters(RecordBatch::try_from_iter([("0", value)]).unwrap()).unwrap();
            let info = prepared.execute().await.unwrap();
            let batches = rows(&mut client, info).await;
            let counts = batches[0].column(0).as_primitive::<Int64Type>().values().to_vec();
            assert_eq!(counts, [expected], "{name}");
        }
        prepared.close().await.unwrap();
        let schemas = client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
        let batches = rows(&mut client, schemas).await;
        let names: Vec<&str> = batches[0].column(1).as_string::<i32>().iter().flatten().collect();
        assert!(names.contains(&"druid") && names.contains(&"sys"), "{names:?}");
        let wanted = CommandGetTables {
            table_name_filter_pattern: Some("t".to_owned()),
            include_schema: true,
            ..CommandGetTables::default()
        };
        let tables = client.get_tables(wanted).await.unwrap();
        let batches = rows(&mut client, tables).await;
        assert_eq!(batches[0].column(2).as_string::<i32>().value(0), "t");
        let error = client.execute("SELECT nope FROM t".to_owned(), None).await.unwrap_err();
        assert!(error.to_string().contains("nope"), "{error}");
    });
}

#[test]
fn statements_over_grpc_have_a_head_and_a_tail() {
    let server = server();
    let (channel, runtime) = server.grpc();
    let request = ExecuteSqlRequest {
        sql: BY_NAME.to_owned(),
        parameters: vec![SqlParameter { r#type: "VARCHAR".into(), value: "\"x\"".into() }],
        format: SqlFormat::Array.into(),
        query_id: "named".into(),
        ..ExecuteSqlRequest::default()
    };
    let parts: Vec<Part> = runtime.block_on(async {
        let answer = QueryClient::new(channel).execute_sql(request).await.unwrap().into_inner();
        answer.map(|part| part.unwrap().part.unwrap()).collect().await
    });
    let [Part::Head(head), Part::Piece(piece), Part::Tail(tail)] = &parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!((head.query_id.as_str(), head.columns[0].name.as_str()), ("named", "n"));
    assert_eq!((&piece[..], tail.rows), (&b"[[2]]\n"[..], 1));
}
