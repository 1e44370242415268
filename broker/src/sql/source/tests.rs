//! What native queries of statements carry, and what their answers become.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::{Field, Schema};
use henge_data_node::{QueryServices, RunningQueries};
use henge_exec::QueryMemory;
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::metadata::MemoryMetadataStore;
use henge_platform::runtime::{CpuPool, ManualClock};
use henge_platform::telemetry::Metrics;
use henge_sql::SqlRequest;
use serde_json::json;

use super::*;
use crate::BrokerOptions;
use crate::sql::cluster::Process;

#[derive(Debug)]
struct Alone;

impl ClusterFacts for Alone {
    fn processes(&self) -> Vec<Process> {
        let roles = vec!["broker".to_owned(), "coordinator".to_owned()];
        let http = "h:8888".to_owned();
        let is_leader = Some(true);
        vec![Process {
            node: "n".to_owned(),
            roles,
            http,
            is_self: true,
            is_leader,
            ..Process::default()
        }]
    }

    fn properties(&self) -> Vec<(String, String)> {
        vec![("query.strict".to_owned(), "false".to_owned())]
    }
}

/// A broker without nodes and datasources.
fn source() -> BrokerSource {
    let services = QueryServices {
        cluster: "c".into(),
        pool: CpuPool::new(1).unwrap(),
        running: Arc::new(RunningQueries::new(1 << 30)),
        spill: None,
    };
    let discovery = Arc::new(InProcessDiscovery::new());
    let metadata = Arc::new(MemoryMetadataStore::default());
    let options = BrokerOptions::default();
    let broker = Broker::new(options, discovery, metadata, services, &Metrics::default());
    let clock = Arc::new(ManualClock::new(5_000));
    BrokerSource { broker: Arc::new(broker), cluster: Arc::new(Alone), clock }
}

#[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
fn group_by(context: Value) -> NativeQuery {
    let json = json!({"queryType": "groupBy", "dataSource": "rows", "granularity": "all",
        "intervals": ["1960/2000"], "dimensions": ["s"], "context": context,
        "aggregations": [{"type": "longSum", "name": "n", "fieldName": "n"}]});
    NativeQuery { json }
}

fn rows() -> (SchemaRef, Vec<RecordBatch>) {
    let columns: [(&str, ArrayRef); 2] = [
        ("s", Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 4]))),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    (Arc::clone(&schema), vec![RecordBatch::try_new(schema, arrays).unwrap()])
}

#[tokio::test]
async fn queries_over_rows_at_hand_are_answered_and_held_by_their_statement() {
    let source = source();
    let (schema, batches) = rows();
    let request = SqlRequest { text: "SELECT".to_owned(), ..SqlRequest::default() };
    let statements = &source.broker.statements;
    let statement =
        statements.begin("q".into(), &request, &QueryMemory::default(), 60_000, 9).unwrap();
    let context = json!({"queryId": statement.statement.key, "sqlQueryId": "q"});
    let answer = source.ask_over(group_by(context), schema, batches).await.unwrap();
    let [batch] = &answer.batches[..] else { panic!("{answer:?}") };
    let (names, sums) = (batch.column(0).as_string::<i32>(), batch.column(1));
    assert_eq!(names.iter().collect::<Vec<_>>(), [None, Some("a")]);
    assert_eq!(sums.as_primitive::<Int64Type>().values()[..], [2, 5]);
    // What the rows take is given back with the statement.
    let pool = Arc::clone(source.broker.services.running.pool());
    assert!(pool.used_bytes() > 0);
    drop(statement);
    assert_eq!(pool.used_bytes(), 0);
}

#[tokio::test]
async fn a_query_is_bounded_by_its_statement_and_errors_keep_their_class() {
    let source = source();
    let request = SqlRequest::default();
    let statement = source
        .broker
        .statements
        .begin("q".into(), &request, &QueryMemory::default(), 700, 9)
        .unwrap();
    let key = &statement.statement.key;
    for (timeout, most) in
        [(json!(null), 700), (json!(0), 700), (json!(90_000), 700), (json!(5), 5)]
    {
        let context = json!({"queryId": key, "timeout": timeout});
        let (query, found) = source.read(group_by(context)).await.unwrap();
        assert!(found.is_some());
        let left = query.base().context.timeout_ms.unwrap();
        assert!(left > 0 && left <= most, "{timeout}: {left}");
    }
    let (_, stranger) = source.read(group_by(json!({"queryId": "q"}))).await.unwrap();
    assert!(stranger.is_none());
    let wrong = NativeQuery { json: json!({"queryType": "select"}) };
    let error = source.ask(wrong).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unsupported, "{error}");
}

#[tokio::test]
async fn system_tables_have_rows_and_columns_without_any_segment() {
    let source = source();
    let request =
        SqlRequest { text: "SELECT 1".to_owned(), now_ms: 2_000, ..SqlRequest::default() };
    let _statement = source
        .broker
        .statements
        .begin("q".into(), &request, &QueryMemory::default(), 60_000, 9)
        .unwrap();
    for (table, rows, columns) in [
        ("segments", 0, 19),
        ("servers", 2, 15),
        ("server_segments", 0, 2),
        ("server_properties", 1, 6),
        ("tasks", 0, 14),
        ("supervisors", 0, 9),
        ("queries", 1, 10),
    ] {
        let batches = source.system_rows(table).await.unwrap();
        let [batch] = &batches[..] else { panic!("{table}") };
        assert_eq!((batch.num_rows(), batch.num_columns()), (rows, columns), "{table}");
    }
    let queries = source.system_rows("queries").await.unwrap();
    let running = queries[0].column_by_name("running_ms").unwrap();
    assert_eq!(running.as_primitive::<Int64Type>().value(0), 3_000);
    let error = source.system_rows("nothing").await.unwrap_err();
    assert!(error.message.contains("sys.nothing"), "{error}");
}

#[test]
fn only_queries_of_many_values_are_large() {
    let query = json!({"a": [1, 2, {"b": "c"}], "d": null});
    // The object, the array, its three items, the text and the null.
    for (left, more) in [(6, true), (7, false), (8, false)] {
        assert_eq!(has_more_values(&query, &mut { left }), more, "{left}");
    }
}
