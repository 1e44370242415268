//! The calls against what ADBC's driver sends and needs back.

mod endpoints;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandGetCatalogs, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, CommandPreparedStatementQuery, CommandStatementQuery,
    ProstMessageExt,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, FlightData, FlightDescriptor, FlightInfo, IpcMessage, Ticket,
};
use arrow_schema::Schema;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use henge_platform::rpc::RpcLimits;
use henge_platform::runtime::{ManualClock, MemoryAccount};
use prost::Message;
use serde_json::json;
use tokio::sync::watch;
use tonic::{Code, Request};

use super::handle::Handle;
use super::{bind, service::FlightSql};
use crate::api::drivers::AnswerSql;
use crate::api::drivers::fake::Fake;

struct Server {
    service: FlightSql,
    fake: Arc<Fake>,
}

fn server(fake: Fake) -> Server {
    let fake = Arc::new(fake);
    let service = service_over(Arc::clone(&fake) as _);
    Server { service, fake }
}

fn service_over(sql: Arc<dyn AnswerSql>) -> FlightSql {
    let limits = RpcLimits {
        max_request_bytes: 1 << 20,
        requests: MemoryAccount::unbounded(),
        answers: MemoryAccount::unbounded(),
        patience: Duration::from_secs(30),
        stopping: watch::Sender::new(false).subscribe(),
    };
    FlightSql::new(sql, limits, Arc::new(ManualClock::new(1_700_000_000_000)))
}

fn counted() -> Fake {
    let channels: ArrayRef = Arc::new(StringArray::from(vec![Some("#en"), None, Some("#de")]));
    let counts: ArrayRef = Arc::new(Int64Array::from(vec![3, 2, 1]));
    let columns = vec![("channel", "VARCHAR", channels), ("n", "BIGINT", counts)];
    Fake::default().on("SELECT channel", columns, &["VARCHAR"], 2)
}

fn described(command: &impl ProstMessageExt) -> FlightDescriptor {
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

impl Server {
    async fn info(&self, command: &impl ProstMessageExt) -> FlightInfo {
        let request = Request::new(described(command));
        self.service.get_flight_info(request).await.unwrap().into_inner()
    }

    async fn rows(&self, info: &FlightInfo) -> Vec<RecordBatch> {
        assert!(info.endpoint[0].location.is_empty());
        let ticket: Ticket = info.endpoint[0].ticket.clone().unwrap();
        let data = self.service.do_get(Request::new(ticket)).await.unwrap().into_inner();
        let mut batches =
            FlightRecordBatchStream::new_from_flight_data(data.map_err(FlightError::from));
        let mut all = Vec::new();
        while let Some(batch) = batches.try_next().await.unwrap() {
            all.push(batch);
        }
        // What was told is what came.
        let told = info.clone().try_decode_schema().unwrap();
        assert_eq!(**batches.schema().unwrap(), told);
        all
    }

    async fn act(&self, name: &str, body: Vec<u8>) -> Vec<Bytes> {
        let request = Request::new(Action::new(name, body));
        let results = self.service.do_action(request).await.unwrap().into_inner();
        results.map(|result| result.unwrap().body).collect().await
    }
}

#[tokio::test]
async fn a_statement_is_described_and_got() {
    let server = server(counted());
    let query = CommandStatementQuery { query: "SELECT channel".into(), transaction_id: None };
    let info = server.info(&query).await;
    let rows = server.rows(&info).await;
    let counts: Vec<i64> = rows
        .iter()
        .flat_map(|batch| {
            batch.column(1).as_primitive::<arrow_array::types::Int64Type>().values().to_vec()
        })
        .collect();
    assert_eq!(counts, [3, 2, 1]);
    assert!(rows[0].column(0).is_null(1));
    let schema = rows[0].schema();
    assert_eq!(schema.field(0).metadata()["ARROW:FLIGHT:SQL:TYPE_NAME"], "VARCHAR");
    let described = Request::new(described(&query));
    let alone = server.service.get_schema(described).await.unwrap().into_inner();
    assert_eq!(Schema::try_from(IpcMessage(alone.schema)).unwrap(), *schema);
}

#[tokio::test]
async fn a_statement_is_cancelled_by_its_description() {
    let server = server(counted());
    let query = CommandStatementQuery { query: "SELECT channel".into(), transaction_id: None };
    let info = server.info(&query).await;
    server.rows(&info).await;
    let id = server.fake.ran.lock()[0].context["sqlQueryId"].as_str().unwrap().to_owned();
    let cancel = CancelFlightInfoRequest::new(info).encode_to_vec();
    server.act("CancelFlightInfo", cancel).await;
    assert_eq!(*server.fake.cancelled.lock(), [id]);
}

#[tokio::test]
async fn a_prepared_statement_carries_its_parameters_in_its_handle() {
    let server = server(counted());
    let create = ActionCreatePreparedStatementRequest {
        query: "SELECT channel".into(),
        transaction_id: None,
    };
    let results = server.act("CreatePreparedStatement", create.as_any().encode_to_vec()).await;
    let any = Any::decode(&results[0][..]).unwrap();
    let created: ActionCreatePreparedStatementResult = any.unpack().unwrap().unwrap();
    let schema = |bytes: &Bytes| Schema::try_from(IpcMessage(bytes.clone())).unwrap();
    assert_eq!(schema(&created.dataset_schema).fields().len(), 2);
    assert_eq!(schema(&created.parameter_schema).fields().len(), 1);
    // What a client puts.
    let value: ArrayRef = Arc::new(StringArray::from(vec!["#en"]));
    let batch = RecordBatch::try_from_iter([("0", value)]).unwrap();
    let encoder = FlightDataEncoderBuilder::new().build(stream::iter([Ok(batch)]));
    let mut data: Vec<FlightData> = encoder.try_collect().await.unwrap();
    let first = data.remove(0);
    let given = bind::parameters(first, stream::iter(data).map(Ok).boxed()).await.unwrap();
    let handle = Handle::read(&created.prepared_statement_handle).unwrap().with_parameters(given);
    let query =
        CommandPreparedStatementQuery { prepared_statement_handle: handle.write().unwrap() };
    let info = server.info(&query).await;
    assert_eq!(server.rows(&info).await.len(), 2);
    let ran = server.fake.ran.lock();
    let given = &ran[0].parameters[0];
    assert_eq!((given.sql_type.as_str(), &given.value), ("VARCHAR", &json!("#en")));
}

#[tokio::test]
async fn what_the_server_says_of_itself() {
    let server = server(Fake::default());
    let info = server.info(&CommandGetSqlInfo { info: vec![0, 8] }).await;
    let rows = server.rows(&info).await;
    assert_eq!(rows[0].num_rows(), 2);
    let info = server.info(&CommandGetTableTypes {}).await;
    assert_eq!(server.rows(&info).await[0].num_rows(), 2);
    let info = server.info(&CommandGetCatalogs {}).await;
    assert_eq!(server.rows(&info).await[0].column(0).as_string::<i32>().value(0), "druid");
    let info = server.info(&CommandGetXdbcTypeInfo { data_type: None }).await;
    let rows = server.rows(&info).await;
    assert_eq!(rows[0].num_columns(), 19);
    let keys = CommandGetPrimaryKeys { catalog: None, db_schema: None, table: "t".into() };
    let info = server.info(&keys).await;
    assert_eq!(server.rows(&info).await.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}

#[tokio::test]
async fn tables_are_listed_with_their_columns() {
    let texts = |values: &[&str]| Arc::new(StringArray::from_iter_values(values)) as ArrayRef;
    let tables = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES \
                  ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME";
    let columns = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, ORDINAL_POSITION \
         FROM INFORMATION_SCHEMA.COLUMNS ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION";
    let positions: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let fake = Fake::default()
        .on(
            tables,
            vec![
                ("a", "VARCHAR", texts(&["druid", "sys"])),
                ("b", "VARCHAR", texts(&["wikipedia", "segments"])),
                ("c", "VARCHAR", texts(&["TABLE", "SYSTEM_TABLE"])),
            ],
            &[],
            10,
        )
        .on(
            columns,
            vec![
                ("a", "VARCHAR", texts(&["druid", "druid"])),
                ("b", "VARCHAR", texts(&["wikipedia", "wikipedia"])),
                ("c", "VARCHAR", texts(&["__time", "channel"])),
                ("d", "VARCHAR", texts(&["TIMESTAMP", "VARCHAR"])),
                ("e", "VARCHAR", texts(&["NO", "YES"])),
                ("f", "BIGINT", positions),
            ],
            &[],
            10,
        );
    let server = server(fake);
    let command = CommandGetTables {
        db_schema_filter_pattern: Some("druid".into()),
        table_name_filter_pattern: Some("wiki%".into()),
        include_schema: true,
        ..Default::default()
    };
    let info = server.info(&command).await;
    let rows = server.rows(&info).await;
    assert_eq!(rows[0].num_rows(), 1);
    let schema = rows[0].column(4).as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(IpcMessage(schema.into())).unwrap();
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["__time", "channel"]);
    assert!(!schema.field(0).is_nullable());
}

#[tokio::test]
async fn errors_keep_their_class_and_place() {
    let server = server(Fake::default());
    let query = CommandStatementQuery { query: "SELECT nope".into(), transaction_id: None };
    let refused = server.service.get_flight_info(Request::new(described(&query))).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("(line 1, column 8)"), "{refused}");
    let ticket = Ticket::new(&b"\xff\xff"[..]);
    assert!(server.service.do_get(Request::new(ticket)).await.is_err());
    let unknown = Request::new(Action::new("BeginTransaction", Bytes::new()));
    let refused = server.service.do_action(unknown).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unimplemented);
}
