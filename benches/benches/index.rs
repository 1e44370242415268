//! The write-optimised index: rows a second on one core, and how long a snapshot takes.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::time::Duration;

use criterion::{BatchSize, Throughput};
use henge_benches::cpu_time;
use henge_benches::harness::{self, Runner};
use henge_benches::page_views::{
    DATA_SOURCE, PageViews, Rows, TEXT_FIELDS, TextField, Texts, segment_schema,
};
use henge_index::{AddOutcome, DimensionSchema, IndexLimits, IndexSchema, RowBatch, WriteIndex};
use henge_segment::SegmentView;
use henge_types::{Granularity, Interval, SegmentId, ValueRef, Version};

/// Rows that are added, and that an index holds when its snapshots are timed.
const ROWS: usize = 200_000;
/// Snapshots taken of one index before it is made anew.
const SNAPSHOTS: usize = 100;
/// Most rows added between two snapshots.
const BATCH_ROWS: usize = 1_000;

fn main() {
    harness::run_benchmarks(|runner| {
        let texts = Texts::new();
        let rows = Rows::new(PageViews::standard().take(ROWS + SNAPSHOTS * BATCH_ROWS), &texts);
        drop(texts);
        add(runner, &rows);
        snapshot(runner, &rows);
    });
}

/// What is left out of the index that rolls up: rows that differ by page or visitor never meet.
fn is_left_out(field: TextField) -> bool {
    matches!(field, TextField::Uri | TextField::VisitorId)
}

fn index(rollup: bool) -> WriteIndex {
    let dimensions = TEXT_FIELDS.iter().filter(|field| !(rollup && is_left_out(**field)));
    let granularity = if rollup { "hour" } else { "none" };
    let schema = IndexSchema {
        dimensions: dimensions.map(|field| DimensionSchema::string(field.name())).collect(),
        metrics: segment_schema().metrics,
        before_time: Vec::new(),
        query_granularity: Granularity::parse_name(granularity).unwrap(),
        rollup,
    };
    WriteIndex::new(schema, IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX }).unwrap()
}

fn id() -> SegmentId {
    SegmentId::new(DATA_SOURCE, Interval::ETERNITY, Version(1), 0)
}

/// Adds the first rows; a snapshot is taken every so many of them, and held until the next.
fn fill(index: &mut WriteIndex, rows: &Rows, snapshot_every: usize) {
    let mut held = None;
    for (row, (time_ms, values)) in rows.iter().take(ROWS).enumerate() {
        assert_ne!(index.add(time_ms, &values).unwrap(), AddOutcome::Full);
        if (row + 1) % snapshot_every == 0 {
            held = Some(index.snapshot(id()));
        }
    }
    drop(held);
}

/// As [`fill`], for the index that rolls up.
fn fill_rolled_up(index: &mut WriteIndex, rows: &Rows) {
    for (time_ms, values) in rows.iter().take(ROWS) {
        let [site, _, referrer, country, browser, device, _, event_type, ..] = values;
        let [.., duration_ms, bytes, revenue] = values;
        let kept: [ValueRef<'_>; 9] =
            [site, referrer, country, browser, device, event_type, duration_ms, bytes, revenue];
        assert_ne!(index.add(time_ms, &kept).unwrap(), AddOutcome::Full);
    }
}

/// As [`fill`], by column, from batches that are made before.
fn fill_by_batch(index: &mut WriteIndex, batches: &[RowBatch]) {
    for batch in batches {
        let view = batch.view();
        let all: Vec<u32> = (0..batch.row_count() as u32).collect();
        let mut left = all.as_slice();
        while !left.is_empty() {
            let taken = index.add_rows(&view, left, &mut |_, error| panic!("{error}")).unwrap();
            left = &left[taken..];
        }
    }
}

fn batches(rows: &Rows) -> Vec<RowBatch> {
    let metrics = segment_schema().metrics.len();
    let mut batches = Vec::new();
    for (row, (time_ms, values)) in rows.iter().take(ROWS).enumerate() {
        if row % BATCH_ROWS == 0 {
            batches.push(RowBatch::new(metrics));
        }
        batches.last_mut().unwrap().push(time_ms, &values);
    }
    batches
}

fn add(runner: &mut Runner, rows: &Rows) {
    let mut group = runner.benchmark_group("index/add");
    let bytes = rows.value_bytes() * ROWS / rows.len();
    group.throughput(Throughput::ElementsAndBytes { elements: ROWS as u64, bytes: bytes as u64 });
    let mut measure = |name: &str, rollup: bool, fill: &dyn Fn(&mut WriteIndex)| {
        let mut checked = index(rollup);
        fill(&mut checked);
        assert_eq!(checked.event_count(), ROWS as u64);
        assert_eq!(checked.row_count() < ROWS, rollup);
        assert_eq!(checked.snapshot(id()).row_count(), checked.row_count());
        let bytes_a_row = checked.memory_bytes() / checked.row_count();
        harness::note(&format!(
            "index/add/{name}: {} rows, {bytes_a_row} bytes a row",
            checked.row_count()
        ));
        drop(checked);
        group.bench_function(name, |bencher| {
            let add = |mut index: WriteIndex| {
                fill(&mut index);
                index
            };
            bencher.iter_batched(|| index(rollup), add, BatchSize::PerIteration);
        });
    };
    measure("12_fields", false, &|index| fill(index, rows, usize::MAX));
    let batches = batches(rows);
    measure("12_fields_by_batch", false, &|index| fill_by_batch(index, &batches));
    measure("12_fields_snapshot_every_1000", false, &|index| fill(index, rows, BATCH_ROWS));
    measure("10_fields_rolled_up_by_hour", true, &|index| fill_rolled_up(index, rows));
    group.finish();
}

/// The time of one snapshot, by how many rows were added since the last, which is still held.
fn snapshot(runner: &mut Runner, rows: &Rows) {
    let mut group = runner.benchmark_group("index/snapshot_of_200_thousand_rows");
    for added in [1, BATCH_ROWS] {
        group.bench_function(format!("after_{added}_more"), |bencher| {
            // As many as one index bears, whatever is asked for: more would outgrow it.
            bencher.iter_custom(|iterations| {
                snapshots(rows, added).mul_f64(iterations as f64 / SNAPSHOTS as f64)
            });
        });
    }
    group.finish();
}

/// The time of [`SNAPSHOTS`] snapshots.
fn snapshots(rows: &Rows, added: usize) -> Duration {
    let mut index = index(false);
    fill(&mut index, rows, usize::MAX);
    let mut held = index.snapshot(id());
    let mut more = rows.iter().skip(ROWS);
    let mut spent = Duration::ZERO;
    for _ in 0..SNAPSHOTS {
        for (time_ms, values) in more.by_ref().take(added) {
            index.add(time_ms, &values).unwrap();
        }
        let started = cpu_time::now();
        let snapshot = index.snapshot(id());
        spent += cpu_time::now().saturating_sub(started);
        held = snapshot;
    }
    assert_eq!(held.row_count(), ROWS + SNAPSHOTS * added);
    spent
}
