//! Runs the SQL cases of a conformance folder in one process, without a server:
//!
//! ```text
//! cargo run -p henge-sql --example sql_conformance -- FOLDER [--features fn:SUM,clause] [--ids part] [--verbose]
//!     [--set name=value] [--core] [--limit N]
//! cargo run -p henge-sql --example sql_conformance -- FOLDER --sql "SELECT COUNT(*) FROM foo"
//! ```
//!
//! The first form prints passes per feature and what failed; `--core` leaves out the cases of stored JSON, stored
//! arrays and lookups. The second prints the plan of one statement, the native queries that it asked, and its rows.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people to run")]
#![allow(clippy::disallowed_methods, reason = "it measures itself")]

mod compare;
mod datasets;
mod rows;
#[path = "../../tests/support/mod.rs"]
mod support;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures::{FutureExt, TryStreamExt};
use henge_sql::{Parameter, SqlEngine, SqlOptions, SqlRequest};
use serde_json::{Map, Value};
use world::World;

/// What the arguments ask for.
#[derive(Default)]
struct Wanted {
    folder: PathBuf,
    features: Vec<String>,
    ids: Option<String>,
    sql: Option<String>,
    settings: Map<String, Value>,
    limit: Option<usize>,
    verbose: bool,
    core: bool,
}

fn main() {
    let wanted = arguments();
    let world = Arc::new(World::new(&wanted.folder));
    let options = SqlOptions { memory_bytes: 1 << 30, ..SqlOptions::default() };
    let engine = SqlEngine::new(Arc::clone(&world) as _, Arc::clone(&world) as _, options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match &wanted.sql {
        Some(text) => runtime.block_on(one(&engine, &world, text, &wanted.settings)),
        None => runtime.block_on(all(&engine, &wanted)),
    }
}

fn arguments() -> Wanted {
    let mut wanted = Wanted::default();
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().unwrap_or_default();
        match argument.as_str() {
            "--features" => wanted.features = value().split(',').map(str::to_owned).collect(),
            "--ids" => wanted.ids = Some(value()),
            "--sql" => wanted.sql = Some(value()),
            "--limit" => wanted.limit = value().parse().ok(),
            "--set" => {
                let (name, value) =
                    value().split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
                let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
                wanted.settings.insert(name, value);
            }
            "--verbose" => wanted.verbose = true,
            "--core" => wanted.core = true,
            folder => wanted.folder = folder.into(),
        }
    }
    wanted
}

/// Prints how one statement is planned and what it gives.
async fn one(engine: &SqlEngine, world: &World, text: &str, context: &Map<String, Value>) {
    let explained = format!("EXPLAIN PLAN FOR {text}");
    match run(engine, &explained, context, &[]).await {
        Ok(rows) => {
            let plan = rows[0][0].as_str().unwrap_or_default();
            let plan: Value = serde_json::from_str(plan).unwrap_or_default();
            println!("{plan:#}");
        }
        Err(error) => println!("not planned: {error}"),
    }
    world.take_asked();
    let answer = run(engine, text, context, &[]).await;
    for query in world.take_asked() {
        println!("asked {query}");
    }
    match answer {
        Ok(rows) => rows.iter().for_each(|row| println!("{}", Value::from(row.clone()))),
        Err(error) => println!("error: {error}"),
    }
}

/// Prints how many cases pass.
async fn all(engine: &SqlEngine, wanted: &Wanted) {
    let started = Instant::now();
    let mut by_feature: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut passed, mut count) = (0, 0);
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases(&wanted.folder).into_iter().filter(|case| wants(wanted, case)) {
        if wanted.limit.is_some_and(|limit| count >= limit) {
            break;
        }
        count += 1;
        let outcome = outcome(engine, &case, &wanted.settings).await;
        passed += usize::from(outcome.is_ok());
        for feature in texts(&case["features"]) {
            let counts = by_feature.entry(feature).or_default();
            if outcome.is_ok() { counts.0 += 1 } else { counts.1 += 1 }
        }
        if let Err(message) = outcome {
            let short: String = message.chars().take(60).collect();
            *causes.entry(short).or_default() += 1;
            let id = case["id"].as_str().unwrap_or_default();
            let message: String = message.chars().take(700).collect();
            println!("FAIL {id}: {message}");
            if wanted.verbose {
                println!("     {}", case["sql"].as_str().unwrap_or_default());
            }
        }
    }
    println!("{:44} {:>6} {:>6}", "feature", "pass", "fail");
    for (feature, (pass, fail)) in by_feature {
        println!("{feature:44} {pass:6} {fail:6}");
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    for (cause, times) in causes.iter().take(25) {
        println!("{times:6}  {cause}");
    }
    println!("TOTAL {passed}/{count} passed in {:.1}s", started.elapsed().as_secs_f64());
}

fn cases(folder: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("sql")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        cases
    };
    files.into_iter().flat_map(read).collect()
}

fn wants(wanted: &Wanted, case: &Value) -> bool {
    let features = texts(&case["features"]);
    let has = |part: &String| features.iter().any(|feature| feature.contains(part.as_str()));
    let id = case["id"].as_str().unwrap_or_default();
    wanted.features.iter().all(has)
        && wanted.ids.as_ref().is_none_or(|part| id.contains(part.as_str()))
        && !(wanted.core && datasets::needs_more(case))
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Whether a case passes; what is wrong when it does not.
async fn outcome(
    engine: &SqlEngine,
    case: &Value,
    settings: &Map<String, Value>,
) -> Result<(), String> {
    let mut context = case["context"].as_object().cloned().unwrap_or_default();
    context.extend(settings.clone());
    let parameters: Vec<Parameter> = case["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| Parameter {
            sql_type: parameter["type"].as_str().unwrap_or_default().to_owned(),
            value: parameter["value"].clone(),
        })
        .collect();
    let text = case["sql"].as_str().unwrap_or_default();
    let asked = run(engine, text, &context, &parameters);
    let rows = match std::panic::AssertUnwindSafe(asked).catch_unwind().await {
        Ok(rows) => rows?,
        Err(_) => return Err("panicked".to_owned()),
    };
    compare::rows(case, &rows)
}

async fn run(
    engine: &SqlEngine,
    text: &str,
    context: &Map<String, Value>,
    parameters: &[Parameter],
) -> Result<Vec<Vec<Value>>, String> {
    let request = SqlRequest {
        text: text.to_owned(),
        context: context.clone(),
        parameters: parameters.to_vec(),
        now_ms: 1_764_500_000_000,
    };
    let answer = engine.run(request).await.map_err(|error| error.to_string())?;
    let batches: Vec<_> = answer.batches.try_collect().await.map_err(|error| error.to_string())?;
    Ok(batches.iter().flat_map(rows::of).collect())
}
