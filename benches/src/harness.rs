//! What the benchmarks share: settings, a big segment, and queries over it.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use criterion::{BenchmarkGroup, Criterion};
use henge_exec::{
    DerivedKeys, ExecContext, Extent, Gathering, Partial, SharedItem, SharedRun, Worker, finalise,
    merge, run,
};
use henge_query::Query;
use henge_segment::{MappedSegment, SegmentView, WriteOptions};
use serde_json::{Value, json};

use crate::cpu_time::CpuTime;
use crate::page_views::{Columns, DATA_SOURCE, PageViews, Texts};
use crate::summary;

/// The runner of the benchmarks, which measures the thread's time.
pub type Runner = Criterion<CpuTime>;

/// Runs benchmarks, few samples of each and short ones, so that all of them take minutes; a table of
/// their figures follows.
pub fn run_benchmarks(benchmarks: impl FnOnce(&mut Runner)) {
    let (started, directory) = (SystemTime::now(), output_directory());
    let mut runner = Criterion::default()
        .with_measurement(CpuTime)
        .output_directory(&directory)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000))
        .configure_from_args();
    benchmarks(&mut runner);
    runner.final_summary();
    summary::print(&directory, started);
}

/// Where criterion keeps its figures: below the folder that cargo builds in.
fn output_directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let of_workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    target.unwrap_or_else(of_workspace).join("criterion")
}

/// The standard table as a segment for a hot tier, with its columns for checking answers.
#[derive(Debug)]
pub struct Table {
    /// Values of the STRING fields.
    pub texts: Texts,
    /// The rows.
    pub columns: Columns,
    /// The same rows, uncompressed, in encodings that scan fast.
    pub segment: Arc<MappedSegment>,
}

impl Table {
    /// The first rows of the standard table.
    #[must_use]
    pub fn of_rows(rows: usize) -> Self {
        let texts = Texts::new();
        let columns: Columns = PageViews::standard().take(rows).collect();
        let segment = columns.segment(&texts, WriteOptions::hot()).unwrap();
        Self { texts, columns, segment: Arc::new(segment) }
    }

    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.columns.row_count()
    }

    /// One data node's part of a query: no caches, and no answers from block statistics.
    #[must_use]
    pub fn run(&self, query: &Query) -> Partial {
        run(query, &*self.segment, &ExecContext::default()).unwrap()
    }

    /// The same as a worker does it that shares the segment with none, to the end of merging.
    #[must_use]
    pub fn gather(&self, query: &Query) -> Partial {
        let ctx = ExecContext::default();
        let query = Arc::new(query.clone());
        let view = || Arc::clone(&self.segment) as Arc<dyn SegmentView>;
        let derived = DerivedKeys::of(&query, &[&*self.segment]).unwrap();
        let grouped = derived.as_ref().map_or(&query, DerivedKeys::query);
        let item = SharedItem { query: Arc::clone(grouped), view: view(), whole: None };
        let shared = SharedRun::new(Arc::clone(grouped), vec![item], Extent::Whole);
        let mut worker = Worker::new(Arc::new(shared));
        while worker.step(&ctx, &|| false).unwrap() {}
        let gathering = Gathering::new(worker.into_merger(), Extent::Whole).unwrap();
        while gathering.step(&ctx).unwrap() {}
        let merged = gathering.finish().unwrap().0;
        derived.map_or(Ok(merged.clone()), |derived| derived.complete(merged, &ctx)).unwrap()
    }

    /// The whole answer to a query.
    #[must_use]
    pub fn answer(&self, query: &Query) -> Value {
        finish(query, self.run(query))
    }
}

/// The answer when a node's part is all there is.
#[must_use]
pub fn finish(query: &Query, partial: Partial) -> Value {
    let ctx = ExecContext::default();
    let merged = merge(query, vec![partial], &ctx).unwrap();
    let answer = finalise(query, merged, &ctx).unwrap();
    serde_json::from_slice(&henge_answer::to_json(query, &answer).unwrap()).unwrap()
}

/// A query over the whole table, from the fields that differ. Whole blocks are not answered from
/// their statistics: that is no scan.
#[must_use]
pub fn query(fields: &Value) -> Query {
    let mut query = json!({
        "dataSource": DATA_SOURCE,
        "intervals": "2026-01-01/2027-01-01",
        "granularity": "all",
        "context": {"useBlockStatistics": false},
    });
    for (name, value) in fields.as_object().unwrap() {
        query[name] = value.clone();
    }
    Query::parse(query.to_string().as_bytes()).unwrap()
}

/// Bytes of one block-encoded column of a segment as stored, without indexes.
#[must_use]
pub fn stored_bytes(segment: &MappedSegment, column: &str) -> u64 {
    let report = segment.inspect().unwrap();
    report.columns.iter().find(|report| report.name == column).unwrap().data_bytes
}

/// Times a routine, once it was checked. What the command line leaves out is not checked either.
pub fn bench_checked<T>(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    name: &str,
    check: impl FnOnce(),
    mut routine: impl FnMut() -> T,
) {
    let mut check = Some(check);
    group.bench_function(name, |bencher| {
        if let Some(check) = check.take() {
            check();
        }
        bencher.iter(&mut routine);
    });
}

/// Prints what a figure is to be read with: sizes, numbers of rows and groups.
#[allow(clippy::print_stdout, reason = "it stands among the figures, which are printed too")]
pub fn note(text: &str) {
    println!("note: {text}");
}
