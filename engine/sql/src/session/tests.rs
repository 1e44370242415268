//! Settings of a session: what the context and `SET` say, and what is refused.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use henge_types::ErrorClass;
use serde_json::{Map, Value, json};

use super::{Parameter, SqlAnswer, SqlEngine, SqlOptions};
use crate::error::{Result, SqlError};
use crate::source::NativeQuery;
use crate::support::{Answers, Tables, long, request, table, text};
use crate::watch::{Unwatched, Watch};

/// An engine over one datasource, `visits`, whose two rows are the answer to whatever is asked.
pub(super) fn engine(plan_cache_bytes: usize) -> (Arc<Tables>, SqlEngine) {
    let tables = Arc::new(Tables::of([table("visits", [text("page"), long("n")])]));
    let one = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let segments = RecordBatch::try_from_iter([("segment_id", one("s1")), ("server", one("h:1"))]);
    let source = Answers::by(two_rows).and_system(segments.unwrap());
    let options = SqlOptions { plan_cache_bytes, ..SqlOptions::default() };
    let engine = SqlEngine::new(Arc::clone(&tables) as _, Arc::new(source), options);
    (tables, engine)
}

fn two_rows(query: &NativeQuery) -> Result<Vec<RecordBatch>> {
    if query.json["context"]["fails"] == true {
        return Err(SqlError::new(ErrorClass::Timeout, "too late"));
    }
    let rows = RecordBatch::try_from_iter([
        ("page", Arc::new(StringArray::from(vec!["a", "b"])) as _),
        ("n", Arc::new(Int64Array::from(vec![1, 2])) as _),
    ]);
    Ok(vec![rows.unwrap()])
}

pub(super) fn unwatched() -> Arc<dyn Watch> {
    Arc::new(Unwatched)
}

async fn rows(answer: SqlAnswer) -> Vec<RecordBatch> {
    answer.batches.try_collect().await.unwrap()
}

async fn class_of(text: &str) -> ErrorClass {
    let (_, engine) = engine(0);
    engine.run(request(text)).await.err().unwrap().class
}

#[tokio::test]
async fn settings_of_the_statement_come_back() {
    let (_, engine) = engine(0);
    let answer = engine.run(request("SET sqlQueryId = 'q'; SELECT 3;;")).await.unwrap();
    assert_eq!(answer.context, Map::from_iter([("sqlQueryId".to_owned(), json!("q"))]));
    assert_eq!(answer.columns[0].name, "EXPR$0");
    let batches = rows(answer).await;
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 3);
}

#[tokio::test]
async fn the_outer_limit_cuts_rows() {
    let (_, engine) = engine(0);
    let mut limited = request("SELECT * FROM (VALUES (1), (2), (3))");
    limited.context.insert("sqlOuterLimit".to_owned(), json!(2));
    let batches = rows(engine.run(limited).await.unwrap()).await;
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
}

#[tokio::test]
async fn a_wrong_setting_is_told() {
    let (_, engine) = engine(0);
    for (name, value) in
        [("sqlTimeZone", json!("Nowhere/At_All")), ("sqlOuterLimit", json!("many"))]
    {
        let mut wrong = request("SELECT 1");
        wrong.context.insert(name.to_owned(), value);
        let error = engine.run(wrong).await.err().unwrap();
        assert_eq!(error.class, ErrorClass::InvalidInput);
        assert!(error.message.contains(name), "{}", error.message);
    }
}

#[tokio::test]
async fn h_92_as_many_values_as_parameters() {
    let (_, engine) = engine(0);
    let mut one = request("SELECT ? + ?");
    one.parameters = vec![Parameter { sql_type: "BIGINT".to_owned(), value: json!(1) }];
    assert_eq!(engine.run(one.clone()).await.err().unwrap().class, ErrorClass::InvalidInput);
    let (columns, parameters) = engine.prepare(&request("SELECT ? + 1"), &unwatched()).unwrap();
    assert_eq!((columns.len(), parameters.len()), (1, 1));
}

#[tokio::test]
async fn errors_of_the_source_keep_their_class() {
    let (_, engine) = engine(0);
    let mut late = request("SELECT page FROM visits");
    late.context.insert("fails".to_owned(), Value::Bool(true));
    assert_eq!(engine.run(late).await.err().unwrap().class, ErrorClass::Timeout);
}

#[tokio::test]
async fn explain_gives_druids_row() {
    let (_, engine) = engine(0);
    let answer = engine.run(request("EXPLAIN PLAN FOR SELECT page FROM visits")).await.unwrap();
    let names: Vec<&str> = answer.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["PLAN", "RESOURCES", "ATTRIBUTES"]);
    let batches = rows(answer).await;
    let text = |column: usize| -> Value {
        serde_json::from_str(batches[0].column(column).as_string::<i32>().value(0)).unwrap()
    };
    assert_eq!(text(0)[0]["query"]["dataSource"], json!("visits"));
    assert_eq!(text(0)[0]["signature"], json!([{"name": "page", "type": "STRING"}]));
    assert_eq!(
        text(0)[0]["columnMappings"],
        json!([{"queryColumn": "page", "outputColumn": "page"}])
    );
    assert_eq!(text(1), json!([{"name": "visits", "type": "DATASOURCE"}]));
    assert_eq!(text(2), json!({"statementType": "SELECT"}));
}

#[tokio::test]
async fn system_tables_are_matched_by_name() {
    let (_, engine) = engine(0);
    let text = "SELECT server, segment_id FROM sys.server_segments WHERE segment_id = 's1'";
    let batches = rows(engine.run(request(text)).await.unwrap()).await;
    assert_eq!(batches[0].column(0).as_string::<i32>().value(0), "h:1");
}

#[tokio::test]
async fn time_columns_are_found_by_their_jdbc_type() {
    let (_, engine) = engine(0);
    let text = "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'visits' AND JDBC_TYPE = 93";
    let batches = rows(engine.run(request(text)).await.unwrap()).await;
    assert_eq!(batches[0].column(0).as_string::<i32>().value(0), "__time");
    assert_eq!(batches[0].num_rows(), 1);
}

#[tokio::test]
async fn h_100_plans_are_remembered_by_all_that_they_depend_on() {
    let (tables, engine) = engine(16 << 20);
    let text = "SELECT page FROM visits WHERE __time > TIMESTAMP '2000-01-01 00:00:00'";
    let looked_up = || tables.looked_up();
    engine.run(request(text)).await.unwrap();
    let once = looked_up();
    engine.run(request(text)).await.unwrap();
    assert_eq!(looked_up(), once, "the second time it is remembered");
    let mut elsewhere = request(text);
    elsewhere.context.insert("sqlTimeZone".to_owned(), json!("America/New_York"));
    engine.run(elsewhere).await.unwrap();
    assert!(looked_up() > once, "another zone is another plan");
    let clock = "SELECT page FROM visits WHERE __time > CURRENT_TIMESTAMP - INTERVAL '1' DAY";
    for _ in 0..2 {
        let before = looked_up();
        engine.run(request(clock)).await.unwrap();
        assert!(looked_up() > before, "what reads the clock is planned each time");
    }
}

#[tokio::test]
async fn h_79_h_80_long_chains_and_lists_are_planned() {
    let (_, engine) = engine(0);
    let terms: Vec<String> = (0..5_000).map(|term| format!("n = {term}")).collect();
    let chain = format!("SELECT page FROM visits WHERE {}", terms.join(" OR "));
    engine.run(request(&chain)).await.unwrap();
    let values: Vec<String> = (0..10_000).map(|value| value.to_string()).collect();
    let list = format!("SELECT page FROM visits WHERE n NOT IN ({}, NULL)", values.join(", "));
    engine.run(request(&list)).await.unwrap();
}

/// On a stack as large as that of the threads that plan.
#[test]
fn h_79_conditions_that_the_planner_puts_together_are_not_too_deep() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = move || runtime.block_on(conditions_that_the_planner_puts_together());
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(run);
    thread.unwrap().join().unwrap();
}

async fn conditions_that_the_planner_puts_together() {
    let (_, engine) = engine(0);
    let terms: Vec<String> = (0..1_900).map(|term| format!("MOD(n, 2000) <> {term}")).collect();
    let chain = terms.join(" AND ");
    let ors = chain.replace("<>", "=").replace(" AND ", " OR ");
    for text in [
        format!("SELECT page FROM visits WHERE {chain}"),
        format!("SELECT page FROM visits WHERE NOT ({ors})"),
        format!("SELECT n FROM (VALUES (1), (2)) AS v(n) WHERE {chain}"),
        format!("SELECT page FROM visits GROUP BY page HAVING {}", chain.replace("n,", "SUM(n),")),
        format!(
            "SELECT segment_id FROM sys.server_segments WHERE {}",
            chain.replace("n,", "LENGTH(server),")
        ),
        format!(
            "SELECT COUNT(*) FROM visits a JOIN visits b ON {}",
            chain.replace("n,", "a.n + b.n,")
        ),
    ] {
        let answer = engine.run(request(&text)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{text:.80}: {error}"));
        answer.batches.try_collect::<Vec<_>>().await.unwrap();
    }
}

#[tokio::test]
async fn h_85_limits_that_are_none_cost_an_error() {
    assert_eq!(class_of("SELECT page FROM visits LIMIT -1").await, ErrorClass::InvalidInput);
    assert_eq!(class_of("SELECT page FROM visits LIMIT 'x'").await, ErrorClass::InvalidInput);
}

#[tokio::test]
async fn h_99_explain_of_a_bomb_costs_what_running_it_costs() {
    let bomb = format!("EXPLAIN PLAN FOR SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(class_of(&bomb).await, ErrorClass::ResourceLimit);
}
