//! What a query took, for its profile, the log of slow queries and the numbers of operators.

mod nodes;

use std::cmp::Reverse;
use std::time::Duration;

use henge_data_node::ReplyStats;
use henge_platform::cache::CacheStats;
use henge_platform::telemetry::{Counter, Histogram, Metrics};
use henge_query::Query;
use serde::Serialize;

pub(crate) use self::nodes::{CallOutcome, NodePart};

/// Calls to nodes that a profile names, those that were waited for longest; it goes into a header.
const MOST_NODES: usize = 16;

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

/// What a query waited for longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wait {
    /// `admission`, `plan`, `node` or `finish`.
    what: &'static str,
    /// Which node.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// For how long.
    micros: u64,
}

/// What one query took.
#[derive(Debug, Clone, Default, Serialize)]
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
    /// Time until it was known who has what, and somebody had all of it.
    pub(crate) plan_micros: u64,
    /// Time until all nodes had answered.
    pub(crate) gather_micros: u64,
    /// Time until what they answered was one answer.
    pub(crate) finish_micros: u64,
    /// From the parsed query to the finished answer.
    pub(crate) total_micros: u64,
    /// What it waited for longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waited_for: Option<Wait>,
    /// Calls to nodes, those that took longest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nodes: Vec<NodePart>,
    /// Calls that are not named.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) more_nodes: usize,
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

    /// Takes over what calls to nodes were.
    pub(crate) fn add_nodes(&mut self, parts: Vec<NodePart>) {
        self.nodes.extend(parts);
        self.nodes.sort_by_key(|part| Reverse(part.wait_micros));
        self.more_nodes += self.nodes.len().saturating_sub(MOST_NODES);
        self.nodes.truncate(MOST_NODES);
    }

    /// Says what was waited for longest, once all is known.
    pub(crate) fn conclude(&mut self, total_micros: u64, has_failed: bool) {
        self.total_micros = total_micros;
        // What was given up was not waited for, unless everything was.
        let counts = |part: &&NodePart| has_failed || part.outcome == CallOutcome::Answered;
        let slowest = self.nodes.iter().find(counts);
        let waits = [
            ("admission", None, self.admission_micros),
            ("plan", None, self.plan_micros),
            ("finish", None, self.finish_micros),
            (
                "node",
                slowest.map(|part| part.node.clone()),
                slowest.map_or(0, |part| part.wait_micros),
            ),
        ];
        let longest = waits.into_iter().max_by_key(|(_, _, micros)| *micros);
        let longest = longest.filter(|(_, _, micros)| *micros > 0);
        self.waited_for = longest.map(|(what, node, micros)| Wait { what, node, micros });
    }

    /// As compact JSON.
    #[must_use]
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failed,
    Refused,
}

/// The types of queries and their names.
pub(crate) const QUERY_TYPES: [&str; 8] = [
    "timeseries",
    "topN",
    "groupBy",
    "scan",
    "search",
    "timeBoundary",
    "segmentMetadata",
    "dataSourceMetadata",
];

/// How a query that was read ends, as labels.
const OUTCOMES: [&str; 3] = ["success", "failed", "refused"];

/// The name of a query's type.
pub(crate) fn type_name(query: &Query) -> &'static str {
    QUERY_TYPES[type_index(query)]
}

/// The place of a query's type among all of them.
pub(crate) fn type_index(query: &Query) -> usize {
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
    /// By type, then as [`OUTCOMES`].
    outcomes: Vec<[Counter; 3]>,
    /// What was sent as a query and is none, whatever it says its type is.
    pub(crate) invalid: Counter,
    scanned: Counter,
    cached: Counter,
    pruned: Counter,
    rows: Counter,
    spilled_bytes: Counter,
    calls: [(CallOutcome, Counter); 3],
    hedges: Counter,
    /// Calls that ask how far announcements are.
    pub(crate) inventory_calls: Counter,
    /// Queries that a node's announcements were ahead of.
    pub(crate) behind: Counter,
}

impl QueryMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let time = |name: &&str| {
            let labels = [("type", *name)];
            metrics.histogram("henge_query_seconds", "Time of answered queries.", &labels)
        };
        let queries = |name: &str, outcome: &str| {
            let labels = [("type", name), ("outcome", outcome)];
            metrics.counter("henge_queries_total", "Queries.", &labels)
        };
        let segments = |how| {
            metrics.counter("henge_query_segments_total", "Segments of queries.", &[("how", how)])
        };
        let calls = |outcome, label| {
            let labels = [("outcome", label)];
            (outcome, metrics.counter("henge_node_calls_total", "Calls to data nodes.", &labels))
        };
        Self {
            times: QUERY_TYPES.iter().map(time).collect(),
            outcomes: QUERY_TYPES
                .into_iter()
                .map(|name| OUTCOMES.map(|outcome| queries(name, outcome)))
                .collect(),
            invalid: queries("unknown", "invalid"),
            scanned: segments("scanned"),
            cached: segments("cached"),
            pruned: segments("pruned"),
            rows: metrics.counter("henge_query_rows_total", "Rows of the segments read.", &[]),
            spilled_bytes: metrics.counter(
                "henge_query_spilled_bytes_total",
                "Bytes that queries wrote to temporary files.",
                &[],
            ),
            calls: [
                calls(CallOutcome::Answered, "answered"),
                calls(CallOutcome::Failed, "failed"),
                calls(CallOutcome::GivenUp, "givenUp"),
            ],
            hedges: metrics.counter(
                "henge_node_hedges_total",
                "Calls for segments that another data node was late with.",
                &[],
            ),
            inventory_calls: metrics.counter(
                "henge_node_inventory_calls_total",
                "Calls that ask a data node of another process how far its announcements are.",
                &[],
            ),
            behind: metrics.counter(
                "henge_queries_behind_total",
                "Queries that asked the metadata because announcements were not followed far enough.",
                &[],
            ),
        }
    }

    /// Calls that a query made.
    pub(crate) fn count_calls(&self, parts: &[NodePart]) {
        for part in parts {
            let of_outcome = self.calls.iter().find(|(outcome, _)| *outcome == part.outcome);
            of_outcome.into_iter().for_each(|(_, counter)| counter.add(1));
            self.hedges.add(u64::from(part.is_hedge));
        }
    }

    pub(crate) fn count(&self, query: &Query, profile: &Profile, outcome: Outcome) {
        let index = type_index(query);
        let [success, failed, refused] = &self.outcomes[index];
        match outcome {
            Outcome::Success => {
                success.add(1);
                self.times[index].observe(Duration::from_micros(profile.total_micros));
            }
            Outcome::Failed => failed.add(1),
            Outcome::Refused => refused.add(1),
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
