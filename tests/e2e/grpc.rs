//! The public services over gRPC: what HTTP answers, they answer.

use std::time::Duration;

use arrow_ipc::reader::StreamReader;
use futures::StreamExt;
use henge_platform::rpc::class_of;
use henge_proto::v1::admin_client::AdminClient;
use henge_proto::v1::execute_response::Part;
use henge_proto::v1::push_client::PushClient;
use henge_proto::v1::push_events_response::Outcome;
use henge_proto::v1::query_client::QueryClient;
use henge_proto::v1::{
    CancelQueryRequest, ClusterRequest, ExecuteRequest, Format, PushEventsRequest,
    PushEventsResponse, QueryHead, QueryTail, StatusRequest,
};
use henge_tests::TestServer;
use henge_types::ErrorClass;
use serde_json::{Value, json};
use tonic::{Request, Status};

/// A server with a datasource that takes pushes.
fn server() -> TestServer {
    let server = TestServer::start();
    let schema = json!({
        "timestampSpec": {"column": "t", "format": "auto"},
        "dimensionsSpec": {"dimensions": ["s"]},
        "metricsSpec": [{"type": "count", "name": "n"}],
        "granularitySpec": {"segmentGranularity": "day", "rollup": false},
    });
    assert_eq!(server.call("PUT", "/v1/datasources/d", &[], schema.to_string().as_bytes()).0, 200);
    server
}

fn events(from: usize, count: usize) -> String {
    let event = |row| json!({"t": 1_577_836_800_000_u64 + row as u64, "s": format!("v{row}")});
    (from..from + count).map(|row| event(row).to_string() + "\n").collect()
}

fn batch(number: u64, events: String, key: &str) -> PushEventsRequest {
    PushEventsRequest {
        batch: number,
        // Named by the first batch, for all of them.
        datasource: if number == 0 { "d".into() } else { String::new() },
        events: events.into(),
        idempotency_key: key.to_owned(),
    }
}

fn push(server: &TestServer, batches: Vec<PushEventsRequest>) -> Vec<PushEventsResponse> {
    let (channel, runtime) = server.grpc();
    runtime.block_on(async {
        let answers = PushClient::new(channel).push_events(futures::stream::iter(batches)).await;
        answers.unwrap().into_inner().map(Result::unwrap).collect().await
    })
}

fn accepted(response: &PushEventsResponse) -> u64 {
    match response.outcome.as_ref().unwrap() {
        Outcome::Stored(stored) => stored.accepted,
        Outcome::Failed(failed) => panic!("{failed:?}"),
    }
}

fn scan() -> Value {
    json!({"queryType": "scan", "dataSource": "d", "intervals": ["2020/2021"],
        "columns": ["__time", "s"], "order": "ascending"})
}

fn count() -> Value {
    json!({"queryType": "timeseries", "dataSource": "d", "intervals": ["2020/2021"],
        "granularity": "all", "aggregations": [{"type": "longSum", "name": "n", "fieldName": "n"}]})
}

fn request(query: &Value) -> ExecuteRequest {
    ExecuteRequest { query: query.to_string(), ..ExecuteRequest::default() }
}

fn ask(
    server: &TestServer,
    request: Request<ExecuteRequest>,
) -> Result<(QueryHead, Vec<u8>, QueryTail), Status> {
    let (channel, runtime) = server.grpc();
    runtime.block_on(async {
        let mut parts = QueryClient::new(channel).execute(request).await?.into_inner();
        let Part::Head(head) = parts.message().await?.unwrap().part.unwrap() else {
            panic!("the head comes first")
        };
        let mut answer = Vec::new();
        loop {
            match parts.message().await?.unwrap().part.unwrap() {
                Part::Piece(piece) => answer.extend_from_slice(&piece),
                Part::Tail(tail) => {
                    assert!(parts.message().await?.is_none(), "the tail comes last");
                    return Ok((head, answer, tail));
                }
                Part::Head(_) => panic!("one head"),
            }
        }
    })
}

#[test]
fn answers_are_those_of_http_in_both_formats() {
    let server = server();
    assert_eq!(push(&server, vec![batch(0, events(0, 20_000), "")]).len(), 1);
    let (status, _, over_http) = server.query_bytes(&scan(), &[]);
    assert_eq!(status, 200);
    let asked = ExecuteRequest { query_id: "mine".into(), profile: true, ..request(&scan()) };
    let (head, answer, tail) = ask(&server, Request::new(asked)).unwrap();
    assert_eq!(head.query_id, "mine");
    assert_eq!(head.answer_bytes, answer.len() as u64);
    assert!(answer.len() > 1 << 19, "several pieces");
    // Segments are handed off meanwhile; rows stay what they are.
    let rows = |bytes: &[u8]| {
        let results: Value = serde_json::from_slice(bytes).unwrap();
        let results = results.as_array().unwrap().iter();
        results.flat_map(|one| one["events"].as_array().unwrap().clone()).collect::<Vec<_>>()
    };
    assert!(rows(&answer).len() == 20_000 && rows(&answer) == rows(&over_http));
    let profile: Value = serde_json::from_str(&tail.profile).unwrap();
    assert!(profile["segments"].as_u64() > Some(0), "{profile}");

    let arrow = ExecuteRequest { format: Format::Arrow.into(), ..request(&scan()) };
    let (_, answer, tail) = ask(&server, Request::new(arrow)).unwrap();
    let batches = StreamReader::try_new(&answer[..], None).unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 20_000);
    assert_eq!(tail.profile, "");
}

#[test]
fn errors_have_the_class_of_those_of_http() {
    let server = server();
    let class = |asked: ExecuteRequest| {
        let status = ask(&server, Request::new(asked)).unwrap_err();
        assert!(!status.message().is_empty());
        (class_of(&status), status.code())
    };
    let no_query = ExecuteRequest { query: "{".into(), ..ExecuteRequest::default() };
    assert_eq!(class(no_query), (ErrorClass::InvalidInput, tonic::Code::InvalidArgument));
    let format = ExecuteRequest { format: 77, ..request(&count()) };
    assert_eq!(class(format).0, ErrorClass::InvalidInput);
    let mut strict = count();
    strict["context"] = json!({"strict": true});
    strict["dataSource"] = "dd".into();
    assert_eq!(class(request(&strict)).0, ErrorClass::InvalidInput);
    let too_long = ExecuteRequest { query: " ".repeat(17 << 20), ..ExecuteRequest::default() };
    assert_eq!(class(too_long).0, ErrorClass::ResourceLimit);
}

#[test]
fn f_60_the_deadline_of_a_call_ends_its_query() {
    let server = server();
    push(&server, vec![batch(0, events(0, 10), "")]);
    let mut short = Request::new(request(&count()));
    short.set_timeout(Duration::from_nanos(1));
    let status = ask(&server, short).unwrap_err();
    assert_eq!(class_of(&status), ErrorClass::Timeout, "{status}");
    let mut long = Request::new(request(&count()));
    long.set_timeout(Duration::from_secs(60));
    let (_, answer, _) = ask(&server, long).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer[0]["result"]["n"], 10);
}

#[test]
fn every_batch_of_a_stream_is_answered_in_order_and_stored_once() {
    let server = server();
    let batches = (0..50)
        .map(|number| batch(number, events(number as usize * 10, 10), &format!("key-{number}")));
    let batches: Vec<_> = batches.collect();
    let answers = push(&server, batches.clone());
    assert_eq!(
        answers.iter().map(|answer| answer.batch).collect::<Vec<_>>(),
        Vec::from_iter(0..50)
    );
    assert!(answers.iter().all(|answer| accepted(answer) == 10));
    // All of it again, as a client that saw no answer does.
    for answer in push(&server, batches) {
        let Some(Outcome::Stored(stored)) = answer.outcome else { panic!("{answer:?}") };
        assert!(stored.is_duplicate && stored.accepted == 10);
    }
    let (_, answer, _) = ask(&server, Request::new(request(&count()))).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer[0]["result"]["n"], 500);
}

#[test]
fn a_batch_that_is_refused_does_not_end_its_stream() {
    let server = server();
    let unknown = PushEventsRequest { datasource: "nowhere".into(), ..batch(1, events(0, 1), "") };
    let back = PushEventsRequest { datasource: "d".into(), ..batch(3, events(1, 1), "") };
    push(&server, vec![batch(0, events(0, 1), "k")]);
    let answers = push(
        &server,
        vec![
            batch(0, events(0, 1), "k"),
            unknown,
            PushEventsRequest { datasource: "d".into(), ..batch(2, events(9, 1), "k") },
            back,
            batch(4, "\u{1f}\u{8b}".into(), "é"),
            batch(5, "{\"t\": 1}\n{\"t\": \"never\"}\n".into(), ""),
        ],
    );
    let classes: Vec<&str> = answers
        .iter()
        .map(|answer| match answer.outcome.as_ref().unwrap() {
            Outcome::Stored(_) => "stored",
            Outcome::Failed(failed) => &failed.error_class,
        })
        .collect();
    let expected = ["stored", "notFound", "contradiction", "stored", "invalidInput", "stored"];
    assert_eq!(classes, expected);
    let Some(Outcome::Stored(last)) = &answers[5].outcome else { panic!("{answers:?}") };
    assert_eq!((last.received, last.accepted, last.rejected), (2, 1, 1));
    let details: Value = serde_json::from_str(&last.details).unwrap();
    assert_eq!(details["errors"][0]["line"], 2);
}

#[test]
fn the_server_stops_while_a_stream_of_pushes_is_open() {
    let mut server = server();
    let (sender, mut answers) = {
        let (channel, runtime) = server.grpc();
        runtime.block_on(async {
            let (sender, batches) = futures::channel::mpsc::unbounded();
            sender.unbounded_send(batch(0, events(0, 3), "")).unwrap();
            let answers = PushClient::new(channel).push_events(batches).await.unwrap();
            let mut answers = answers.into_inner();
            assert_eq!(accepted(&answers.message().await.unwrap().unwrap()), 3);
            (sender, answers)
        })
    };
    let started = std::time::Instant::now();
    server.restart();
    assert!(started.elapsed() < Duration::from_secs(9), "waits for no client");
    let (_, runtime) = server.grpc();
    assert!(matches!(runtime.block_on(answers.message()), Ok(None) | Err(_)));
    drop(sender);
    let (_, answer, _) = ask(&server, Request::new(request(&count()))).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer[0]["result"]["n"], 3);
}

#[test]
fn operators_are_told_how_the_server_is() {
    let server = server();
    push(&server, vec![batch(0, events(0, 3), "")]);
    let (channel, runtime) = server.grpc();
    let (status, cluster) = runtime.block_on(async {
        let mut client = AdminClient::new(channel.clone());
        QueryClient::new(channel)
            .cancel_query(CancelQueryRequest { query_id: "unknown".into() })
            .await
            .unwrap();
        let status = client.status(StatusRequest {}).await.unwrap().into_inner();
        (status, client.cluster(ClusterRequest {}).await.unwrap().into_inner())
    });
    assert!(status.is_complete && status.metadata_away.is_empty());
    assert!(!status.version.is_empty() && !status.cluster.is_empty());
    assert_eq!(status.unavailable_segments, 0);
    let segments: u64 = cluster.servers.iter().map(|server| server.segments).sum();
    assert_eq!((cluster.servers.len(), segments), (2, 1));
}
