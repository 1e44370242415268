//! Answers in parts: what clients are told of them, and that together they are the whole.

use std::collections::BTreeMap;

use arrow_array::TimestampMillisecondArray;
use arrow_array::types::Int64Type;
use arrow_flight::FlightEndpoint;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use henge_sql::{
    Catalog, Column, NativeAnswer, NativeQuery, Parameter, Result, Source, SqlAnswer, SqlEngine,
    SqlError, SqlOptions, SqlRequest, StatementPlan, Table, Unwatched, Watch,
};
use henge_types::{ColumnType, Interval};
use parking_lot::Mutex;
use serde_json::Map;

use super::*;
use crate::api::drivers::Prepared;
use crate::api::flight_sql::command::Asked;
use crate::sql::Division;

const TEXT: &str = "SELECT __time, n FROM t WHERE __time >= TIMESTAMP '1970-01-01 00:00:01'";

fn from_to(start_ms: i64, end_ms: i64) -> Interval {
    Interval { start_ms, end_ms }
}

/// Cuts at 2 seconds and at 3.5.
fn division(elsewhere: &[&str]) -> Division {
    let Interval { start_ms, end_ms } = Interval::ETERNITY;
    let parts = vec![from_to(start_ms, 2_000), from_to(2_000, 3_500), from_to(3_500, end_ms)];
    let elsewhere = elsewhere.iter().map(|address| (*address).to_owned()).collect();
    Division { parts, elsewhere }
}

/// A table `t` of rows in memory, which statements of the real engine read.
#[derive(Debug, Default)]
struct Pushed {
    rows: Mutex<Vec<(i64, i64)>>,
}

impl Pushed {
    fn push(&self, rows: impl IntoIterator<Item = (i64, i64)>) {
        self.rows.lock().extend(rows);
    }
}

impl Catalog for Pushed {
    fn version(&self) -> u64 {
        1
    }

    fn table_names(&self) -> Vec<String> {
        vec!["t".to_owned()]
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        let columns = ["__time", "n"].map(|name| Column {
            name: name.to_owned(),
            column_type: ColumnType::Long,
            multi_value: false,
        });
        let table = || Arc::new(Table { name: "t".to_owned(), columns: columns.into() });
        (name == "t").then(table)
    }

    fn lookup_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn lookup(&self, _: &str) -> Option<Arc<[(String, Option<String>)]>> {
        None
    }
}

#[async_trait]
impl Source for Pushed {
    /// The rows within the intervals of a query.
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        let intervals: Vec<Interval> =
            serde_json::from_value(query.json["intervals"].clone()).unwrap();
        let rows = self.rows.lock();
        let within = |time| intervals.iter().any(|interval| interval.contains(time));
        let kept = rows.iter().filter(|(time, _)| within(*time));
        let (times, counts): (Vec<i64>, Vec<i64>) = kept.copied().unzip();
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC"));
        let counts: ArrayRef = Arc::new(Int64Array::from(counts));
        let batch = RecordBatch::try_from_iter([("__time", times), ("n", counts)]).unwrap();
        Ok(NativeAnswer { batches: vec![batch], ..NativeAnswer::default() })
    }

    async fn ask_over(
        &self,
        _: NativeQuery,
        _: SchemaRef,
        _: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        Err(SqlError::unsupported("not in this test"))
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Err(SqlError::unsupported("not in this test"))
    }
}

/// A broker with such a table, which is large enough to be divided.
#[derive(Debug)]
struct Large {
    engine: SqlEngine,
}

impl Large {
    fn plan(&self, request: &SqlRequest) -> Result<StatementPlan> {
        self.engine.plan(request, &unwatched())
    }
}

fn unwatched() -> Arc<dyn Watch> {
    Arc::new(Unwatched)
}

#[async_trait]
impl AnswerSql for Large {
    async fn prepare(&self, request: SqlRequest) -> Result<Prepared> {
        let (columns, parameters) = self.engine.prepare(&request, &unwatched())?;
        Ok(Prepared { columns, parameters })
    }

    async fn run(&self, request: SqlRequest) -> Result<SqlAnswer> {
        self.engine.start(&self.plan(&request)?, &request, unwatched()).await
    }

    async fn divide(&self, request: SqlRequest) -> Result<Division> {
        let scan = self.plan(&request)?.divisible_scan();
        Ok(scan.map(|_| division(&[])).unwrap_or_default())
    }

    async fn run_part(&self, request: SqlRequest, part: Interval) -> Result<SqlAnswer> {
        let plan = self.plan(&request)?.within(part)?;
        self.engine.start(&plan, &request, unwatched()).await
    }

    async fn cancel(&self, _: &str) {}
}

fn large() -> (Arc<Pushed>, FlightSql) {
    let pushed = Arc::new(Pushed::default());
    let engine = SqlEngine::new(pushed.clone(), pushed.clone(), SqlOptions::default());
    let service = service_over(Arc::new(Large { engine }));
    (pushed, service)
}

/// A server that divides all statements.
fn divided(elsewhere: &[&str]) -> Server {
    let mut fake = counted();
    fake.division = division(elsewhere);
    server(fake)
}

async fn info_of(service: &FlightSql, text: &str) -> FlightInfo {
    let query = CommandStatementQuery { query: text.to_owned(), transaction_id: None };
    let request = Request::new(described(&query));
    service.get_flight_info(request).await.unwrap().into_inner()
}

async fn fetch(service: &FlightSql, ticket: Ticket) -> Result<Vec<RecordBatch>, tonic::Status> {
    let data = service.do_get(Request::new(ticket)).await?.into_inner();
    let batches = FlightRecordBatchStream::new_from_flight_data(data.map_err(FlightError::from));
    Ok(batches.try_collect().await.unwrap())
}

/// How often each value of `n` is in an endpoint's rows.
async fn count(service: &FlightSql, endpoint: &FlightEndpoint) -> BTreeMap<i64, usize> {
    let batches = fetch(service, endpoint.ticket.clone().unwrap()).await.unwrap();
    let mut counts = BTreeMap::new();
    for batch in batches {
        for value in batch.column(1).as_primitive::<Int64Type>().values() {
            *counts.entry(*value).or_default() += 1;
        }
    }
    counts
}

fn handle_of(endpoint: &FlightEndpoint) -> Handle {
    let ticket = endpoint.ticket.clone().unwrap();
    match Asked::read(&ticket.ticket, Map::new()).unwrap() {
        Asked::Statement(handle) => handle,
        Asked::Listing(_) => panic!("a listing"),
    }
}

#[tokio::test]
async fn the_rows_of_all_parts_are_those_of_the_whole_with_those_that_come_meanwhile() {
    let (pushed, service) = large();
    pushed.push([(0, 1), (1_000, 2), (1_999, 3), (2_000, 4), (3_499, 5), (3_500, 6), (9_000, 7)]);
    let info = info_of(&service, TEXT).await;
    assert_eq!(info.endpoint.len(), 3);
    assert!(!info.ordered);
    assert!(info.endpoint.iter().all(|endpoint| endpoint.location.is_empty()));
    let shown: Vec<BTreeMap<i64, usize>> = [
        count(&service, &info.endpoint[0]).await,
        count(&service, &info.endpoint[1]).await,
        count(&service, &info.endpoint[2]).await,
    ]
    .into();
    let keys: Vec<Vec<i64>> = shown.iter().map(|part| part.keys().copied().collect()).collect();
    assert_eq!(keys, [vec![2, 3], vec![4, 5], vec![6, 7]]);
    // Before all others and after them, at the cuts and beside them; one that the statement does not want.
    pushed.push([(-5, 10), (1_001, 11), (2_000, 12), (3_499, 13), (3_500, 14), (99_000, 15)]);
    let mut together = BTreeMap::new();
    for endpoint in info.endpoint.iter().rev() {
        for (value, times) in count(&service, endpoint).await {
            *together.entry(value).or_default() += times;
        }
    }
    let mut whole = handle_of(&info.endpoint[0]);
    whole.part = None;
    let whole = Asked::Statement(whole).ticket().unwrap();
    let whole = FlightEndpoint::new().with_ticket(Ticket::new(whole));
    assert_eq!(together, count(&service, &whole).await);
    assert_eq!(together.len(), 11);
    assert!(together.values().all(|times| *times == 1));
}

#[tokio::test]
async fn statements_without_parts_have_one_endpoint_and_refuse_tickets_of_parts() {
    let (pushed, service) = large();
    pushed.push([(1_000, 2), (5_000, 3)]);
    let text = "SELECT n FROM t LIMIT 5";
    let info = info_of(&service, text).await;
    assert!(info.endpoint.len() == 1 && info.ordered);
    assert_eq!(handle_of(&info.endpoint[0]).part, None);
    let made_up = Handle::new(text.to_owned(), Map::new()).part(from_to(0, 2_000));
    let ticket = Asked::Statement(made_up).ticket().unwrap();
    let refused = fetch(&service, Ticket::new(ticket)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("ask for the whole statement"), "{refused}");
    // What is a part is not divided again.
    let part = Handle::new(TEXT.to_owned(), Map::new()).part(from_to(0, 2_000)).write().unwrap();
    let query = CommandPreparedStatementQuery { prepared_statement_handle: part };
    let info = service.get_flight_info(Request::new(described(&query))).await.unwrap();
    let info = info.into_inner();
    assert_eq!(info.endpoint.len(), 1);
    assert_eq!(handle_of(&info.endpoint[0]).part, Some(from_to(0, 2_000)));
}

#[tokio::test]
async fn parts_go_to_the_brokers_in_turn() {
    let server = divided(&["b:8889"]);
    let info = info_of(&server.service, "SELECT channel").await;
    let uris: Vec<Vec<&str>> = info
        .endpoint
        .iter()
        .map(|endpoint| endpoint.location.iter().map(|location| &*location.uri).collect())
        .collect();
    let other = vec!["grpc://b:8889", "arrow-flight-reuse-connection://?"];
    assert_eq!(uris, [vec![], other, vec![]]);
}

#[tokio::test]
async fn parts_share_id_moment_and_parameters_and_are_cancelled_once() {
    let server = divided(&[]);
    let value = Parameter { sql_type: "VARCHAR".to_owned(), value: json!("#en") };
    let handle = Handle::new("SELECT channel".to_owned(), Map::new());
    let handle = handle.with_parameters(vec![value.clone()]).write().unwrap();
    let query = CommandPreparedStatementQuery { prepared_statement_handle: handle };
    let info = server.info(&query).await;
    for endpoint in &info.endpoint {
        fetch(&server.service, endpoint.ticket.clone().unwrap()).await.unwrap();
    }
    assert_eq!(*server.fake.parts.lock(), division(&[]).parts);
    let id = {
        let ran = server.fake.ran.lock();
        for request in ran.iter() {
            assert_eq!(request.parameters, std::slice::from_ref(&value));
            assert_eq!(request.context, ran[0].context);
        }
        assert_eq!(ran[0].context["sqlCurrentTimestamp"], json!(1_700_000_000_000_i64));
        ran[0].context["sqlQueryId"].as_str().unwrap().to_owned()
    };
    server.act("CancelFlightInfo", CancelFlightInfoRequest::new(info).encode_to_vec()).await;
    assert_eq!(*server.fake.cancelled.lock(), [id]);
}
