//! Which statements have parts, and what parts ask for.

use std::sync::{Arc, Mutex};

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::TryStreamExt;
use henge_types::{ColumnType, Interval};
use serde_json::{Value, json};

use super::DivisibleScan;
use crate::{
    Catalog, Column, NativeAnswer, NativeQuery, Parameter, Result, Source, SqlEngine, SqlOptions,
    SqlRequest, StatementPlan, Table, Unwatched, Watch,
};

/// Tables `t` and `u`, and the native queries that were asked.
#[derive(Debug, Default)]
struct World {
    asked: Mutex<Vec<Value>>,
}

impl Catalog for World {
    fn version(&self) -> u64 {
        1
    }

    fn table_names(&self) -> Vec<String> {
        vec!["t".to_owned(), "u".to_owned()]
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        let column = |name: &str, column_type| Column {
            name: name.to_owned(),
            column_type,
            multi_value: false,
        };
        let columns = vec![
            column("__time", ColumnType::Long),
            column("page", ColumnType::String),
            column("n", ColumnType::Long),
        ];
        let name = name.to_owned();
        matches!(name.as_str(), "t" | "u").then(|| Arc::new(Table { name, columns }))
    }

    fn lookup_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn lookup(&self, _: &str) -> Option<Arc<[(String, Option<String>)]>> {
        None
    }
}

#[async_trait]
impl Source for World {
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        self.asked.lock().unwrap().push(query.json);
        let n = Arc::new(Int64Array::from(vec![1])) as _;
        let batches = vec![RecordBatch::try_from_iter([("n", n)]).unwrap()];
        Ok(NativeAnswer { batches, ..NativeAnswer::default() })
    }

    async fn ask_over(
        &self,
        _: NativeQuery,
        _: SchemaRef,
        _: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        Ok(NativeAnswer::default())
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}

fn engine() -> (Arc<World>, SqlEngine) {
    let world = Arc::new(World::default());
    let engine = SqlEngine::new(world.clone(), world.clone(), SqlOptions::default());
    (world, engine)
}

fn plan(engine: &SqlEngine, request: &SqlRequest) -> StatementPlan {
    let watch: Arc<dyn Watch> = Arc::new(Unwatched);
    engine.plan(request, &watch).unwrap_or_else(|error| panic!("{}: {error}", request.text))
}

fn request(text: &str) -> SqlRequest {
    SqlRequest { text: text.to_owned(), ..SqlRequest::default() }
}

fn scan(text: &str) -> Option<DivisibleScan> {
    plan(&engine().1, &request(text)).divisible_scan()
}

fn interval(text: &str) -> Interval {
    Interval::parse(text).unwrap()
}

#[test]
fn scans_have_parts() {
    for text in [
        "SELECT n FROM t",
        "SELECT * FROM t WHERE page = 'a'",
        "SELECT n + 1 AS more FROM t AS x WHERE x.n > 3",
        "SELECT b.c FROM (SELECT n AS c FROM t) AS b",
    ] {
        let scan = scan(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((scan.table.as_str(), &scan.intervals[..]), ("t", &[Interval::ETERNITY][..]));
    }
    let day = scan(
        "SELECT n FROM t WHERE __time >= TIMESTAMP '2020-01-01' AND __time < TIMESTAMP '2020-01-02'",
    );
    assert_eq!(day.unwrap().intervals, [interval("2020-01-01/2020-01-02")]);
}

#[test]
fn what_is_of_all_rows_together_has_no_parts() {
    for text in [
        "SELECT n FROM t LIMIT 5",
        "SELECT n FROM t OFFSET 5",
        "SELECT n FROM t ORDER BY __time",
        "SELECT n FROM (SELECT n FROM t LIMIT 5) AS x",
        "SELECT page, COUNT(*) FROM t GROUP BY page",
        "SELECT DISTINCT page FROM t",
        "SELECT COUNT(*) FROM t",
        "SELECT a.n FROM t AS a JOIN u AS b ON a.page = b.page",
        "SELECT n FROM t UNION ALL SELECT n FROM u",
        "SELECT n FROM t UNION ALL SELECT n FROM t",
        "SELECT n FROM t WHERE n IN (SELECT n FROM u)",
        "SELECT n, ROW_NUMBER() OVER (ORDER BY n) FROM t",
        "SELECT server FROM sys.server_segments",
        "SELECT 1",
        "EXPLAIN PLAN FOR SELECT n FROM t",
    ] {
        assert_eq!(scan(text), None, "{text}");
    }
    let (_, engine) = engine();
    let mut limited = request("SELECT n FROM t");
    limited.context.insert("sqlOuterLimit".to_owned(), json!(10));
    let limited = plan(&engine, &limited);
    assert_eq!(limited.divisible_scan(), None);
    let refused = limited.within(Interval::ETERNITY).unwrap_err();
    assert!(refused.message.contains("ask for the whole statement"), "{refused}");
}

#[tokio::test]
async fn a_part_asks_for_its_share_of_the_intervals_and_nothing_else_differs() {
    let (world, engine) = engine();
    let mut request = request(
        "SELECT n FROM t WHERE n > ? AND (__time < TIMESTAMP '2020-01-02' OR __time >= TIMESTAMP '2020-02-01')",
    );
    request.parameters = vec![Parameter { sql_type: "BIGINT".to_owned(), value: json!(3) }];
    let whole = plan(&engine, &request);
    let cut = interval("2020-01-01/2020-03-01");
    let before = Interval { end_ms: cut.start_ms, ..Interval::ETERNITY };
    let after = Interval { start_ms: cut.end_ms, ..Interval::ETERNITY };
    let parts = [before, cut, after].map(|part| whole.within(part).unwrap());
    let nothing = whole.within(interval("2020-01-10/2020-01-20")).unwrap();
    for plan in [&whole, &parts[0], &parts[1], &parts[2], &nothing] {
        let watch: Arc<dyn Watch> = Arc::new(Unwatched);
        let answer = engine.start(plan, &request, watch).await.unwrap();
        answer.batches.try_collect::<Vec<_>>().await.unwrap();
    }
    let asked = world.asked.lock().unwrap();
    let told = |query: &Value| -> Vec<Interval> {
        let texts = query["intervals"].as_array().unwrap().iter();
        texts.map(|text| interval(text.as_str().unwrap())).collect()
    };
    assert_eq!(told(&asked[1]), [before]);
    assert_eq!(told(&asked[2]), ["2020-01-01/2020-01-02", "2020-02-01/2020-03-01"].map(interval));
    assert_eq!(told(&asked[3]), [after]);
    assert!(told(&asked[4]).is_empty());
    for part in &asked[1..] {
        let mut part = part.clone();
        part["intervals"] = asked[0]["intervals"].clone();
        assert_eq!(part, asked[0]);
    }
}
