//! Chunks of any size under buffered rows (ADR 7): schemas change their granularity, tasks replace,
//! append and drop in other sizes, generations are handed off and the server restarts, in any order,
//! while somebody looks without pause. Acknowledged rows are there once, but for what a replace took:
//! the published rows of its scope, in the same instant in which its own rows come.

#![allow(clippy::print_stdout, reason = "a failure is lived through again by its seed")]

mod model;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use henge_tests::TestServer;
use serde_json::{Value, json};

use crate::tasks::run;
use model::{Kind, Model, Rng, judge};

const HOUR_MS: i64 = 3_600_000;
/// 2024-01-01.
const START_MS: i64 = 1_704_067_200_000;
const HOURS: u64 = 72;
const SIZES: [&str; 6] = ["hour", "six_hour", "day", "week", "month", "all"];

fn schema(size: &str) -> Value {
    json!({
        "timestampSpec": { "column": "t", "format": "millis" },
        "dimensionsSpec": { "dimensions": [{ "type": "long", "name": "id" }] },
        "metricsSpec": [],
        "granularitySpec": { "segmentGranularity": size, "rollup": false },
    })
}

fn put(server: &TestServer, size: &str) {
    let body = schema(size).to_string();
    let (status, answer) = server.call("PUT", "/v1/datasources/d", &[], body.as_bytes());
    assert_eq!(status, 200, "{answer}");
}

fn lines(rows: &[(u64, u64)]) -> String {
    let line = |&(id, hour): &(u64, u64)| {
        json!({ "t": START_MS + hour as i64 * HOUR_MS + 60_000, "id": id }).to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How often each row is there.
fn look(server: &TestServer) -> Vec<u64> {
    let query = json!({ "queryType": "scan", "dataSource": "d", "intervals": ["1000/3000"],
        "columns": ["id"], "resultFormat": "compactedList" });
    let (status, _, text) = server.query(&query, &[]);
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let batches = answer.as_array().into_iter().flatten();
    let rows = batches.flat_map(|batch| batch["events"].as_array().into_iter().flatten());
    rows.filter_map(|row| row[0].as_u64()).collect()
}

fn hour_text(hour: u64) -> String {
    format!("2024-01-{:02}T{:02}:00:00Z", hour / 24 + 1, hour % 24)
}

/// A task of these rows; `drop` names hours to be replaced whether or not rows come for them.
fn task(rows: &[(u64, u64)], size: &str, append: bool, drop: Option<(u64, u64)>) -> Value {
    let mut data_schema = schema(size);
    data_schema["dataSource"] = json!("d");
    if let Some((first, end)) = drop {
        let interval = format!("{}/{}", hour_text(first), hour_text(end));
        data_schema["granularitySpec"]["intervals"] = json!([interval]);
    }
    json!({ "type": "index_parallel", "spec": {
        "dataSchema": data_schema,
        "ioConfig": { "type": "index_parallel", "appendToExisting": append,
            "dropExisting": drop.is_some(), "inputFormat": { "type": "json" },
            "inputSource": { "type": "inline", "data": lines(rows) } },
    }})
}

fn covers(size: &str, hour: u64, other: u64) -> bool {
    match size {
        "hour" => hour == other,
        "six_hour" => hour / 6 == other / 6,
        "day" => hour / 24 == other / 24,
        // The hours lie in one week and month.
        _ => true,
    }
}

struct World {
    server: Arc<RwLock<TestServer>>,
    model: Model,
    rng: Rng,
    ids: u64,
}

impl World {
    fn with<T>(&self, work: impl FnOnce(&TestServer) -> T) -> T {
        work(&self.server.read().unwrap())
    }

    /// Rows with ids of their own.
    fn rows(&mut self, hours: std::ops::Range<u64>) -> Vec<(u64, u64)> {
        let count = 1 + self.rng.below(6);
        let first = self.ids;
        self.ids += count;
        let span = hours.end - hours.start;
        (first..self.ids).map(|id| (id, hours.start + self.rng.below(span))).collect()
    }

    fn step(&mut self) -> String {
        let size = SIZES[self.rng.below(SIZES.len() as u64) as usize];
        match self.rng.below(13) {
            0..=5 => self.push(),
            6 | 7 => {
                self.with(|server| put(server, size));
                format!("schema {size}")
            }
            8 => {
                self.with(TestServer::flush);
                self.model.flushed();
                "flush".into()
            }
            9 => {
                let rows = self.rows(0..HOURS);
                self.model.begin(&rows, Kind::Append, |_| false);
                self.run(&task(&rows, size, true, None));
                format!("append {rows:?} by {size}")
            }
            10 => {
                let rows = self.rows(0..HOURS);
                let scope = |hour| rows.iter().any(|(_, other)| covers(size, hour, *other));
                self.model.begin(&rows, Kind::Replace, scope);
                self.run(&task(&rows, size, false, None));
                format!("replace {rows:?} by {size}")
            }
            11 => self.drop_hours(size),
            _ => {
                self.server.write().unwrap().restart();
                "restart".into()
            }
        }
    }

    fn push(&mut self) -> String {
        let rows = self.rows(0..HOURS);
        self.model.begin(&rows, Kind::Push, |_| false);
        let (status, reply) = self.with(|server| server.push("d", lines(&rows).as_bytes()));
        assert_eq!((status, reply["accepted"].as_u64()), (200, Some(rows.len() as u64)), "{reply}");
        self.model.settle(&self.with(look));
        format!("push {rows:?}")
    }

    fn drop_hours(&mut self, size: &str) -> String {
        let first = self.rng.below(HOURS);
        let end = first + 1 + self.rng.below(HOURS - first);
        let mut rows = self.rows(first..end);
        rows.truncate(2);
        let scope = |hour| {
            (first..end).contains(&hour) || rows.iter().any(|(_, other)| covers(size, hour, *other))
        };
        self.model.begin(&rows, Kind::Replace, scope);
        self.run(&task(&rows, size, false, Some((first, end))));
        format!("drop {first}..{end} with {rows:?} by {size}")
    }

    fn run(&self, spec: &Value) {
        let status = self.with(|server| run(server, spec));
        assert_eq!(status["statusCode"], "SUCCESS", "{status}");
        self.model.settle(&self.with(look));
    }
}

/// Looks until told to stop; gives the number of looks, or what was wrong.
fn look_on(server: &RwLock<TestServer>, model: &Model, done: &AtomicBool) -> Result<u64, String> {
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        let before = model.states();
        let seen = look(&server.read().unwrap());
        judge(&before, &seen, &model.states())?;
        looks += 1;
    }
    Ok(looks)
}

#[expect(clippy::print_stdout, reason = "a random test names its seed first")]
fn live(seed: u64, steps: usize) {
    println!("seed {seed}, {steps} steps");
    let server = TestServer::start_with(|config| {
        config.ingestion.handoff_rows = 25;
        config.ingestion.max_rows_in_memory = 7;
    });
    put(&server, "hour");
    let (server, model) = (Arc::new(RwLock::new(server)), Model::default());
    let mut world =
        World { server: Arc::clone(&server), model: model.clone(), rng: Rng(seed), ids: 0 };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| look_on(&server, &model, &done));
        let mut history = Vec::new();
        let mut wrong = Ok(());
        while history.len() < steps && wrong.is_ok() && !watcher.is_finished() {
            history.push(world.step());
            let states = model.states();
            wrong = judge(&states, &world.with(look), &states);
        }
        done.store(true, Ordering::Relaxed);
        let looks = watcher.join().unwrap();
        let text = history.join("\n");
        assert!(wrong.is_ok() && looks.is_ok(), "seed {seed}: {wrong:?} {looks:?} after\n{text}");
        println!("{} looks", looks.unwrap_or(0));
    });
}

/// F-31, I-01, I-02, I-04, I-05, A-1, A-2, A-3, A-20. `HENGE_SEED` and `HENGE_STEPS` choose another life.
#[test]
fn f_31_i_02_chunks_of_any_size_neither_hide_nor_double_nor_lose_a_row() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let steps = number("HENGE_STEPS").unwrap_or(40);
    match number("HENGE_SEED") {
        Some(seed) => live(seed, steps as usize),
        None => (1..=4).for_each(|seed| live(seed, steps as usize)),
    }
}
