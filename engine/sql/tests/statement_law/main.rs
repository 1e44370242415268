//! The law of statements: drawn from a seed, each answers the same whether parts of it are native queries or all of
//! it is DataFusion's over native scans, and a predicate parts the rows of a table into those for which it holds, does
//! not hold, or is unknown.
//!
//! `STATEMENTS=20000 SEED=7 cargo test -p henge-sql --test statement_law` draws more, from another seed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod draw;
mod grammar;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use henge_sql::{SqlEngine, SqlOptions, SqlRequest};
use serde_json::{Map, Value};

use draw::Draw;
use support::lines;
use world::World;

/// Statements of a run.
const STATEMENTS: u64 = 120;
/// Statements over the same rows.
const PER_WORLD: u64 = 40;

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(otherwise)
}

/// An engine over rows of its own.
struct Asked {
    engine: SqlEngine,
    runtime: tokio::runtime::Runtime,
}

impl Asked {
    fn over(seed: u64) -> Self {
        let world = Arc::new(World::drawn(seed));
        let options = SqlOptions { memory_bytes: 1 << 28, partitions: 2, ..SqlOptions::default() };
        let engine = SqlEngine::new(Arc::new(world::catalogue()), world, options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { engine, runtime }
    }

    /// The rows of an answer as lines, sorted unless they are `ordered`; an error as its only line.
    fn lines(&self, text: &str, lowers: bool, ordered: bool) -> Vec<String> {
        let context = Map::from_iter([
            ("henge.lower".to_owned(), Value::from(lowers)),
            ("useApproximateCountDistinct".to_owned(), false.into()),
            ("useApproximateTopN".to_owned(), false.into()),
        ]);
        let request =
            SqlRequest { text: text.to_owned(), context, parameters: Vec::new(), now_ms: 0 };
        let answered = self.runtime.block_on(async {
            let answer = self.engine.run(request).await?;
            answer.batches.try_collect::<Vec<RecordBatch>>().await
        });
        let mut lines = match answered {
            Ok(batches) => batches.iter().flat_map(|batch| lines(batch, " | ")).collect(),
            Err(error) => vec![format!("error: {error}")],
        };
        if !ordered {
            lines.sort();
        }
        lines
    }
}

/// Draws statements and tells those that break the law, each with what it takes to see it again.
fn broken(law: impl Fn(&Asked, &mut Draw) -> Option<String>) -> Vec<String> {
    let (count, seed) = (number("STATEMENTS", STATEMENTS), number("SEED", 1));
    let mut found = Vec::new();
    for first in (0..count).step_by(PER_WORLD as usize) {
        let asked = Asked::over(seed.wrapping_mul(1_000_003).wrapping_add(first));
        for place in first..count.min(first + PER_WORLD) {
            let mut draw = Draw::new(seed.wrapping_mul(7_919).wrapping_add(place));
            let broken = law(&asked, &mut draw);
            found.extend(broken.map(|what| format!("SEED={seed}, statement {place}: {what}")));
        }
    }
    found
}

#[test]
fn statements_answer_the_same_lowered_and_not() {
    let found = broken(|asked, draw| {
        let statement = grammar::statement(draw);
        let lines = |lowers| asked.lines(&statement.text, lowers, statement.is_ordered);
        let (lowered, plain) = (lines(true), lines(false));
        let refused = |lines: &[String]| matches!(lines, [only] if only.starts_with("error: "));
        let is_same = lowered == plain || refused(&lowered) && refused(&plain);
        (!is_same)
            .then(|| format!("{}\n  lowered: {lowered:?}\n  plain:   {plain:?}", statement.text))
    });
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}

/// What is wrong when the rows for which a predicate holds, does not hold and is unknown are not all rows, once each.
fn parted_wrongly(asked: &Asked, predicate: &str, outputs: &str, lowers: bool) -> Option<String> {
    let where_ = |condition: &str| {
        asked.lines(&format!("SELECT {outputs} FROM t{condition}"), lowers, false)
    };
    let mut parts = where_(&format!(" WHERE {predicate}"));
    parts.extend(where_(&format!(" WHERE NOT ({predicate})")));
    parts.extend(where_(&format!(" WHERE ({predicate}) IS NULL")));
    parts.sort();
    let all = where_("");
    (parts != all).then(|| {
        let (parts, all) = (parts.len(), all.len());
        format!("{predicate} (lowered: {lowers}): {parts} rows of {all}, or others, of {outputs}")
    })
}

#[test]
fn a_predicate_parts_the_rows_in_three() {
    let found = broken(|asked, draw| {
        let predicate = grammar::predicate(draw, 3);
        let outputs = grammar::outputs(draw);
        let lowers = draw.below(2) == 0;
        parted_wrongly(asked, &predicate, &outputs, lowers)
    });
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}

/// The drawer seldom puts lists of one expression side by side.
#[test]
fn lists_beside_lists_part_the_rows_in_three() {
    let asked = Asked::over(1);
    let lists = [
        "added IN (1, 2, 3, NULL)",
        "added NOT IN (1, 2, 3, NULL)",
        "added IN (2, 3, 4, 5)",
        "added NOT IN (6, 7, 8, 9)",
        "added NOT IN (1, 2)",
        "(added = 1 OR added = 9)",
        "COALESCE(price, 0.5) = price",
    ];
    let mut found = Vec::new();
    for (left, right) in lists.iter().flat_map(|left| lists.iter().map(move |right| (left, right)))
    {
        for predicate in [format!("{left} AND {right}"), format!("{left} OR {right}")] {
            for lowers in [true, false] {
                found.extend(parted_wrongly(&asked, &predicate, "__time, added", lowers));
            }
            let text = format!("SELECT __time, added FROM t WHERE {predicate}");
            if asked.lines(&text, true, false) != asked.lines(&text, false, false) {
                found.push(format!("{predicate}: lowered it gives other rows"));
            }
        }
    }
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}
