//! How long statements are planned, stage by stage, in microseconds: the least of many rounds.
//!
//! `cargo run --release -p henge-sql --example sql_planning` over statements as dashboards send them;
//! `-- "SELECT …"` over others. The datasource is `t`, its columns `__time`, `d0` to `d19` (text) and `m0` to `m19`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that reports")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use henge_sql::{Column, Result, SqlEngine, SqlOptions, SqlRequest, Stage, Watch};

use support::{Tables, long, no_rows, request, table, text};

const ROUNDS: usize = 200;

const STATEMENTS: [&str; 8] = [
    "SELECT COUNT(*) FROM t WHERE __time >= TIMESTAMP '2026-01-01' AND __time < TIMESTAMP '2026-01-02'",
    "SELECT TIME_FLOOR(__time, 'PT1H') AS h, SUM(m0) AS s, COUNT(*) AS n FROM t WHERE d0 = 'a' GROUP BY 1 ORDER BY 1",
    "SELECT d1, SUM(m1) AS s FROM t WHERE d2 IN ('a', 'b', 'c') AND d3 <> 'x' GROUP BY d1 ORDER BY s DESC LIMIT 10",
    "SELECT d1, d2, SUM(m0) AS a, MIN(m1) AS b, MAX(m2) AS c, AVG(m3) AS d FROM t GROUP BY 1, 2 HAVING SUM(m0) > 10 ORDER BY a DESC LIMIT 100",
    "SELECT COUNT(*) FILTER (WHERE d0 = 'x') AS x, COUNT(DISTINCT d4) AS u, APPROX_QUANTILE_DS(m5, 0.95) AS q FROM t WHERE d5 LIKE 'a%'",
    "SELECT __time, d0, d1, d2, m0, m1 FROM t WHERE __time >= TIMESTAMP '2026-01-01' AND d7 = 'q' ORDER BY __time DESC LIMIT 100",
    "SELECT a.d1, a.s, b.n FROM (SELECT d1, SUM(m0) AS s FROM t GROUP BY d1) a JOIN (SELECT d1, COUNT(*) AS n FROM t GROUP BY d1) b ON a.d1 = b.d1",
    "SELECT d1, s, RANK() OVER (ORDER BY s DESC) AS r FROM (SELECT d1, SUM(m0) AS s FROM t GROUP BY d1)",
];

/// The datasource.
fn columns() -> Vec<Column> {
    let texts = (0..20).map(|number| text(&format!("d{number}")));
    texts.chain((0..20).map(|number| long(&format!("m{number}")))).collect()
}

/// When each stage began.
#[derive(Debug, Default)]
struct Stopwatch(Mutex<Vec<(Stage, Instant)>>);

impl Watch for Stopwatch {
    fn check(&self, stage: Stage) -> Result<()> {
        let mut begun = self.0.lock().unwrap();
        if begun.last().is_none_or(|(last, _)| *last != stage) {
            begun.push((stage, Instant::now()));
        }
        Ok(())
    }

    fn grow(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn shrink(&self, _: usize) {}
}

fn main() {
    let own: Vec<String> = std::env::args().skip(1).collect();
    let statements = match own.is_empty() {
        true => STATEMENTS.map(str::to_owned).to_vec(),
        false => own,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = SqlOptions { plan_cache_bytes: 64 << 20, ..SqlOptions::default() };
    let tables = Tables::of([table("t", columns())]);
    let engine = SqlEngine::new(Arc::new(tables), no_rows(), options);
    println!("   read rewrite resolve analyse optimise  lower | planned remembered  run");
    for text in statements {
        let request = request(&text);
        let mut least = [Duration::MAX; 9];
        for _ in 0..ROUNDS {
            for (least, took) in least.iter_mut().zip(runtime.block_on(round(&engine, &request))) {
                *least = took.min(*least);
            }
        }
        let shown: Vec<String> =
            least.iter().map(|took| format!("{:7.0}", took.as_secs_f64() * 1e6)).collect();
        println!("{} | {} | {text:.70}", shown[..6].join(" "), shown[6..].join(" "));
    }
}

/// The stages of planning, all of it, what a remembered plan takes, and what running over no rows takes.
async fn round(engine: &SqlEngine, request: &SqlRequest) -> [Duration; 9] {
    let stages = Arc::new(Stopwatch::default());
    let watch: Arc<dyn Watch> = stages.clone();
    let begun = Instant::now();
    let plan = engine.plan(request, &watch).unwrap();
    let ended = Instant::now();
    let asked = Instant::now();
    let remembered = engine.remembered(request).is_some();
    let found = asked.elapsed();
    assert!(remembered, "the plan is not remembered");
    let started = Instant::now();
    let answer = engine.start(&plan, request, Arc::clone(&watch)).await.unwrap();
    let _: Vec<RecordBatch> = answer.batches.try_collect().await.unwrap();
    let ran = started.elapsed();
    let marks = stages.0.lock().unwrap().clone();
    let mut times = [Duration::ZERO; 9];
    let order = [
        Stage::Read,
        Stage::Rewrite,
        Stage::Resolve,
        Stage::Analyse,
        Stage::Optimise,
        Stage::Lower,
    ];
    let marks: Vec<(Stage, Instant)> =
        marks.into_iter().filter(|(stage, _)| order.contains(stage)).collect();
    for (at, (stage, from)) in marks.iter().enumerate() {
        let to = marks.get(at + 1).map_or(ended, |(_, next)| *next);
        let place = order.iter().position(|known| known == stage).unwrap();
        times[place] += to.duration_since(*from);
    }
    times[6] = ended.duration_since(begun);
    times[7] = found;
    times[8] = ran;
    times
}
