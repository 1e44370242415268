//! What runs outside of native queries ends soon after it may not go on, and takes no more memory than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use henge_types::ErrorClass;

use crate::error::{Result, SqlError};
use crate::session::{SqlEngine, SqlOptions};
use crate::support::{Answers, Tables, long, request, table, text};
use crate::watch::{Stage, Unwatched, Watch};

/// Rows of each datasource.
const ROWS: i64 = 20_000;

/// Two datasources, `a` and `b`, with the columns `n`, 0 and up, and `s`, the same as text.
fn engine(options: SqlOptions) -> SqlEngine {
    let numbers = |name| table(name, [long("n"), text("s")]);
    let tables = Tables::of([numbers("a"), numbers("b")]);
    let batch = |from: i64| {
        let numbers = from..(from + 1_000);
        let texts: StringArray = numbers.clone().map(|n| Some(n.to_string())).collect();
        let numbers = Int64Array::from_iter_values(numbers);
        let columns: [(&str, ArrayRef); 2] = [("n", Arc::new(numbers)), ("s", Arc::new(texts))];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let source = Answers::by(move |_| Ok((0..ROWS).step_by(1_000).map(batch).collect()));
    SqlEngine::new(Arc::new(tables), Arc::new(source), options)
}

/// Lets a statement go on until it has asked so often while it runs.
#[derive(Debug, Default)]
struct Patience {
    most: u64,
    asked: AtomicU64,
}

impl Watch for Patience {
    fn check(&self, stage: Stage) -> Result<()> {
        if stage != Stage::Run || self.asked.fetch_add(1, Ordering::Relaxed) < self.most {
            return Ok(());
        }
        Err(SqlError::new(ErrorClass::Timeout, "too late"))
    }

    fn grow(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn shrink(&self, _: usize) {}
}

async fn outcome(text: &str, options: SqlOptions, watch: &Arc<dyn Watch>) -> Result<usize> {
    let (engine, request) = (engine(options), request(text));
    let plan = engine.plan(&request, watch)?;
    let answer = engine.start(&plan, &request, Arc::clone(watch)).await?;
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
    Ok(batches.iter().map(RecordBatch::num_rows).sum())
}

#[tokio::test]
async fn f_61_h_84_work_outside_of_native_queries_ends_soon_after_it_may_not_go_on() {
    // None of them has ended after a hundred steps, and each asks at every step.
    for text in [
        "SELECT COUNT(*) FROM a, b",
        "SELECT COUNT(*) FROM a JOIN b ON a.n + b.n < -1",
        "SELECT COUNT(*) FROM a JOIN b ON a.s <> b.s",
        "SELECT COUNT(*) FROM a JOIN b ON MOD(a.n, 1) = MOD(b.n, 1) AND a.n + b.n < -1",
        "SELECT MAX(a.n + b.n) FROM a, b GROUP BY a.s ORDER BY 1",
    ] {
        let watch = Arc::new(Patience { most: 100, ..Patience::default() });
        let asked: Arc<dyn Watch> = watch.clone();
        let error = outcome(text, SqlOptions::default(), &asked).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Timeout, "{text}: {error}");
        let more = watch.asked.load(Ordering::Relaxed) - 100;
        assert!(more < 10, "{text}: it asked {more} times more");
    }
}

#[tokio::test]
async fn f_63_h_83_h_84_h_88_what_does_not_fit_into_memory_is_refused_by_the_setting() {
    let small = || SqlOptions { memory_bytes: 100 << 10, ..SqlOptions::default() };
    let watch: Arc<dyn Watch> = Arc::new(Unwatched);
    for text in [
        "SELECT COUNT(*) FROM a JOIN b ON a.n = b.n",
        "SELECT COUNT(*) FROM a, b WHERE a.s < b.s",
        "SELECT s, SUM(n) OVER (PARTITION BY MOD(n, 7)) AS w FROM a",
        "SELECT s, SUM(n) OVER (ORDER BY n ROWS BETWEEN 100000 PRECEDING AND CURRENT ROW) AS w FROM a",
        "SELECT a.s FROM a JOIN b ON a.n = b.n + 1 ORDER BY a.s",
    ] {
        let error = outcome(text, small(), &watch).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::ResourceLimit, "{text}: {error}");
        assert!(error.message.contains("sql.memory_bytes"), "{text}: {error}");
    }
    let rows = outcome(
        "SELECT a.s FROM a JOIN b ON a.n = b.n ORDER BY a.s",
        SqlOptions::default(),
        &watch,
    )
    .await;
    assert_eq!(rows.unwrap(), 20_000);
}

#[tokio::test]
async fn f_61_planning_ends_when_it_may_not_go_on() {
    /// Stops at a stage.
    #[derive(Debug)]
    struct At(Stage);

    impl Watch for At {
        fn check(&self, stage: Stage) -> Result<()> {
            match stage == self.0 {
                true => Err(SqlError::new(ErrorClass::Cancelled, "nobody wants it")),
                false => Ok(()),
            }
        }

        fn grow(&self, _: usize) -> Result<()> {
            Ok(())
        }

        fn shrink(&self, _: usize) {}
    }
    let stages = [
        Stage::Read,
        Stage::Rewrite,
        Stage::Resolve,
        Stage::Analyse,
        Stage::Optimise,
        Stage::Lower,
        Stage::Schedule,
        Stage::Run,
    ];
    for stage in stages {
        let watch: Arc<dyn Watch> = Arc::new(At(stage));
        let text = "SELECT COUNT(*) FROM a JOIN b ON a.n = b.n";
        let error = outcome(text, SqlOptions::default(), &watch).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Cancelled, "{stage:?}");
    }
}
