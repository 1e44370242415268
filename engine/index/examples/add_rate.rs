//! Measures the append path: rows a second on one core, and how long snapshots take.
//!
//! `cargo run --release -p henge-index --example add_rate`

#![allow(clippy::print_stdout, reason = "a program for people to read")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use henge_index::{DimensionSchema, IndexError, IndexLimits, IndexSchema, WriteIndex};
use henge_types::{
    ColumnType, Granularity, Interval, MetricKind, MetricSpec, NumericOp, SegmentId, ValueRef,
    ValueType, Version,
};

const ROWS: usize = 500_000;
const BATCH_ROWS: usize = 1_000;
const TEXT_FIELDS: [(&str, usize); 7] = [
    ("page", 50_000),
    ("user", 200_000),
    ("city", 5_000),
    ("country", 200),
    ("channel", 50),
    ("browser", 20),
    ("device", 5),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events = Events::generate();
    for rollup in [false, true] {
        for snapshot_every in [usize::MAX, 10_000] {
            run(&events, rollup, snapshot_every)?;
        }
    }
    Ok(())
}

fn run(events: &Events, rollup: bool, snapshot_every: usize) -> Result<(), IndexError> {
    let mut index = WriteIndex::new(
        IndexSchema {
            dimensions: TEXT_FIELDS
                .iter()
                .map(|(name, _)| DimensionSchema::string(*name))
                .chain([DimensionSchema::new("status", ColumnType::Long)])
                .collect(),
            metrics: metrics(),
            before_time: Vec::new(),
            query_granularity: if rollup { minute() } else { Granularity::None },
            rollup,
        },
        IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX },
    )?;
    let resident_before = resident_bytes();
    let mut snapshots = Vec::new();
    let mut spent = (Duration::ZERO, Duration::ZERO);
    let mut held = None;
    for start in (0..ROWS).step_by(BATCH_ROWS) {
        // Texts one behind the other, as a parser leaves them.
        let texts = events.texts(start..start + BATCH_ROWS);
        let batch = events.batch(start, &texts);
        let started = (Instant::now(), cpu_time());
        for (time_ms, values) in &batch {
            index.add(*time_ms, values)?;
        }
        spent.0 += started.0.elapsed();
        spent.1 += cpu_time().zip(started.1).map_or(Duration::ZERO, |(now, then)| now - then);
        if (start + BATCH_ROWS).is_multiple_of(snapshot_every) {
            let started = Instant::now();
            held = Some(index.snapshot(id()));
            snapshots.push(started.elapsed());
        }
    }
    drop(held);
    let (elapsed, cpu) = spent;
    let grown = resident_bytes().saturating_sub(resident_before);
    println!(
        "rollup {rollup:5}: {:9.0} events/s of CPU time, {:9.0} of elapsed, {} rows, {} MB (process grew by {} MB)",
        ROWS as f64 / cpu.as_secs_f64(),
        ROWS as f64 / elapsed.as_secs_f64(),
        index.row_count(),
        index.memory_bytes() >> 20,
        grown >> 20
    );
    snapshots.sort();
    if let (Some(median), Some(worst)) = (snapshots.get(snapshots.len() / 2), snapshots.last()) {
        println!("    snapshot every {snapshot_every} events: median {median:?}, worst {worst:?}");
    }
    println!("    last snapshot: {:?}", last_snapshot(&mut index));
    Ok(())
}

fn last_snapshot(index: &mut WriteIndex) -> Duration {
    let mut id = id();
    id.partition = 1;
    let started = Instant::now();
    let snapshot = index.snapshot(id);
    let elapsed = started.elapsed();
    drop(snapshot);
    elapsed
}

/// The time this thread had a core, where the system tells: others may use the machine too.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Memory of the process, where the system tells.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn metrics() -> Vec<MetricSpec> {
    let sum = |name: &str, column_type| MetricSpec {
        name: name.into(),
        field: Some(name.into()),
        kind: MetricKind::Numeric { op: NumericOp::Sum, column_type },
    };
    vec![
        MetricSpec { name: "count".into(), field: None, kind: MetricKind::Count },
        sum("added", ValueType::Long),
        sum("deleted", ValueType::Long),
        sum("delta", ValueType::Double),
    ]
}

fn minute() -> Granularity {
    Granularity::parse_name("minute").unwrap_or(Granularity::None)
}

fn id() -> SegmentId {
    let (datasource, interval) = (Arc::from("bench"), Interval::ETERNITY);
    SegmentId { datasource, interval, version: Version(1), partition: 0 }
}

/// Events whose texts are drawn from pools, small indexes more often than large ones.
struct Events {
    pools: Vec<Vec<String>>,
    picks: Vec<[u32; TEXT_FIELDS.len()]>,
}

impl Events {
    fn generate() -> Self {
        let pools = TEXT_FIELDS
            .iter()
            .map(|(name, size)| (0..*size).map(|i| format!("{name} number {i}")).collect())
            .collect();
        let mut state = 42_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1 << 24) as f64
        };
        let picks = (0..ROWS)
            .map(|_| TEXT_FIELDS.map(|(_, size)| (random().powi(3) * size as f64) as u32))
            .collect();
        Self { pools, picks }
    }

    /// The texts of some rows, and where each ends.
    fn texts(&self, rows: std::ops::Range<usize>) -> (String, Vec<usize>) {
        let (mut text, mut ends) = (String::new(), vec![0]);
        for picks in &self.picks[rows] {
            for (pool, pick) in self.pools.iter().zip(picks) {
                text.push_str(&pool[*pick as usize]);
                ends.push(text.len());
            }
        }
        (text, ends)
    }

    fn batch<'a>(
        &self,
        start: usize,
        (text, ends): &'a (String, Vec<usize>),
    ) -> Vec<(i64, [ValueRef<'a>; TEXT_FIELDS.len() + 5])> {
        let event = |row: usize| {
            let mut values = [ValueRef::Null; TEXT_FIELDS.len() + 5];
            let first = (row - start) * TEXT_FIELDS.len();
            for (field, value) in values[..TEXT_FIELDS.len()].iter_mut().enumerate() {
                let position = first + field;
                *value = ValueRef::String(&text[ends[position]..ends[position + 1]]);
            }
            let number = row as i64;
            let numbers = [
                ValueRef::Long(200 + number % 7),
                ValueRef::Null,
                ValueRef::Long(number % 1_000),
                ValueRef::Long(number % 10),
                ValueRef::Double(number as f64 * 0.5),
            ];
            values[TEXT_FIELDS.len()..].copy_from_slice(&numbers);
            (1_442_016_000_000 + number / 10, values)
        };
        (start..start + BATCH_ROWS).map(event).collect()
    }
}
