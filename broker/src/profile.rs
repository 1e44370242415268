//! What a query took, for its profile, the log of slow queries and the numbers of operators.

use std::time::Duration;

use henge_data_node::ReplyStats;
use henge_platform::cache::CacheStats;
use henge_platform::telemetry::{Counter, Histogram, Metrics};
use henge_query::Query;
use serde::Serialize;

/// What the whole-result cache had to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ResultCacheUse {
    /// It was not asked: switched off, or the data still grows.
    #[default]
    Off,
    /// The answer came from it.
    Hit,
    /// It was asked in vain.
    Miss,
    /// The client has the answer already.
    NotModified,
}

/// What one query took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    /// Segments that the query's intervals meet.
    pub(crate) segments: u64,
    /// Of these, read.
    pub(crate) segments_scanned: u64,
    /// Of these, contributions that the segment cache knew.
    pub(crate) segments_cached: u64,
    /// Of these, left out because no row is in the intervals.
    pub(crate) segments_pruned: u64,
    /// Rows of the segments read.
    pub(crate) rows_scanned: u64,
    /// The whole-result cache.
    pub(crate) result_cache: ResultCacheUse,
    /// Bytes written to temporary files.
    pub(crate) spilled_bytes: u64,
    /// Bytes of the answer.
    pub(crate) result_bytes: u64,
    /// Time on CPU threads, of all of them together.
    pub(crate) cpu_micros: u64,
    /// Time that tasks waited for a CPU thread, of all of them together.
    pub(crate) queue_micros: u64,
    /// Time that the query waited to be admitted.
    pub(crate) admission_micros: u64,
    /// From the parsed query to the finished answer.
    pub(crate) total_micros: u64,
}

impl Profile {
    /// Takes over what data nodes told.
    pub(crate) fn add(&mut self, stats: ReplyStats) {
        self.segments_scanned += stats.segments_scanned;
        self.segments_cached += stats.segments_cached;
        self.segments_pruned += stats.segments_pruned;
        self.rows_scanned += stats.rows_scanned;
        self.spilled_bytes += stats.spilled_bytes;
        self.cpu_micros += stats.cpu_time_us;
        self.queue_micros += stats.queue_time_us;
    }

    /// As compact JSON.
    #[must_use]
    pub(crate) fn to_json(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failed,
    Refused,
}

/// The types of queries and their names.
const QUERY_TYPES: [&str; 8] = [
    "timeseries",
    "topN",
    "groupBy",
    "scan",
    "search",
    "timeBoundary",
    "segmentMetadata",
    "dataSourceMetadata",
];

/// The name of a query's type.
pub(crate) fn type_name(query: &Query) -> &'static str {
    QUERY_TYPES[type_index(query)]
}

fn type_index(query: &Query) -> usize {
    match query {
        Query::Timeseries(_) => 0,
        Query::TopN(_) => 1,
        Query::GroupBy(_) => 2,
        Query::Scan(_) => 3,
        Query::Search(_) => 4,
        Query::TimeBoundary(_) => 5,
        Query::SegmentMetadata(_) => 6,
        Query::DataSourceMetadata(_) => 7,
    }
}

/// The numbers of all queries.
#[derive(Debug)]
pub(crate) struct QueryMetrics {
    times: Vec<Histogram>,
    success: Counter,
    failed: Counter,
    refused: Counter,
    scanned: Counter,
    cached: Counter,
    pruned: Counter,
    rows: Counter,
    spilled_bytes: Counter,
}

impl QueryMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let time = |name: &&str| {
            let labels = [("type", *name)];
            metrics.histogram("henge_query_seconds", "Time of answered queries.", &labels)
        };
        let queries =
            |outcome| metrics.counter("henge_queries_total", "Queries.", &[("outcome", outcome)]);
        let segments = |how| {
            metrics.counter("henge_query_segments_total", "Segments of queries.", &[("how", how)])
        };
        Self {
            times: QUERY_TYPES.iter().map(time).collect(),
            success: queries("success"),
            failed: queries("failed"),
            refused: queries("refused"),
            scanned: segments("scanned"),
            cached: segments("cached"),
            pruned: segments("pruned"),
            rows: metrics.counter("henge_query_rows_total", "Rows of the segments read.", &[]),
            spilled_bytes: metrics.counter(
                "henge_query_spilled_bytes_total",
                "Bytes that queries wrote to temporary files.",
                &[],
            ),
        }
    }

    pub(crate) fn count(&self, query: &Query, profile: &Profile, outcome: Outcome) {
        match outcome {
            Outcome::Success => {
                self.success.add(1);
                let total = Duration::from_micros(profile.total_micros);
                self.times[type_index(query)].observe(total);
            }
            Outcome::Failed => self.failed.add(1),
            Outcome::Refused => self.refused.add(1),
        }
        self.scanned.add(profile.segments_scanned);
        self.cached.add(profile.segments_cached);
        self.pruned.add(profile.segments_pruned);
        self.rows.add(profile.rows_scanned);
        self.spilled_bytes.add(profile.spilled_bytes);
    }
}

/// Shows how a cache does under the label `cache`.
pub fn show_cache(
    metrics: &Metrics,
    cache: &'static str,
    stats: impl Fn() -> CacheStats + Clone + Send + Sync + 'static,
) {
    type Field = fn(&CacheStats) -> u64;
    let fields: [(&'static str, &'static str, Field); 2] = [
        ("henge_cache_hits_total", "Lookups that found something.", |stats| stats.hits),
        ("henge_cache_misses_total", "Lookups that found nothing.", |stats| stats.misses),
    ];
    for (name, help, field) in fields {
        let stats = stats.clone();
        metrics.counter_of(name, help, &[("cache", cache)], move || field(&stats()));
    }
    let fields: [(&'static str, &'static str, Field); 2] = [
        ("henge_cache_entries", "Entries now.", |stats| stats.entries),
        ("henge_cache_bytes", "Bytes now.", |stats| stats.bytes),
    ];
    for (name, help, field) in fields {
        let stats = stats.clone();
        metrics.gauge(name, help, &[("cache", cache)], move || field(&stats()));
    }
}
