//! Limits and defaults of queries.

use std::collections::BTreeMap;
use std::time::Duration;

use henge_platform::config::{CacheConfig, QueryConfig};

/// Druid's default of `maxSubqueryRows`.
const MAX_SUBQUERY_ROWS: u64 = 100_000;

/// Enough to prove the first hundred of millions of groups that are spread evenly over a few nodes; where a
/// few are far ahead of the others it takes as few.
const RANKED_GROUPS: usize = 256 << 10;

/// Limits and defaults of queries.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// Used when the query's context has no `timeout`.
    pub default_timeout_ms: u64,
    /// No query runs longer than this.
    pub max_timeout_ms: u64,
    /// Bytes that one query may take.
    pub memory_budget_bytes: usize,
    /// Bytes that all queries together may take.
    pub total_memory_bytes: usize,
    /// Bytes that one groupBy may put into temporary files.
    pub max_on_disk_storage_bytes: u64,
    /// Rows that the sub-queries of one query may answer together, unless its context says otherwise.
    pub max_subquery_rows: u64,
    /// Most time buckets of one query.
    pub max_buckets: usize,
    /// Queries at work at once.
    pub max_running_queries: usize,
    /// Queries that wait for a place; more are refused.
    pub max_waiting_queries: usize,
    /// The share of both that a lane may have, in percent.
    pub lane_percents: BTreeMap<String, u32>,
    /// Queries that take longer are logged.
    pub slow_query_ms: u64,
    /// Refuse queries for what is ignored with a warning otherwise.
    pub strict: bool,
    /// Bytes of whole answers that are kept.
    pub result_cache_bytes: usize,
    /// Larger answers are not kept.
    pub max_cached_result_bytes: usize,
    /// Of a hundred calls to data nodes so many may be made a second time, to replicas of nodes that are
    /// late; 0 for none.
    pub hedge_percent: u32,
    /// No call is late before this.
    pub hedge_floor: Duration,
    /// Groups that each node of another process sends at most when it is first asked for a ranking.
    pub ranked_groups: usize,
    /// How long a node is waited for that has to say how far its announcements are.
    pub inventory_patience: Duration,
    /// How long segments are asked for whose servers are there and cannot be reached.
    pub unreached_patience: Duration,
}

impl BrokerOptions {
    /// What the configuration asks for; its sections are taken apart by name, so that no setting is
    /// left out.
    #[must_use]
    pub fn new(query: &QueryConfig, cache: &CacheConfig) -> Self {
        let QueryConfig {
            threads: _,
            encode_calls: _,
            timeout_ms,
            max_timeout_ms,
            memory_budget_bytes,
            total_memory_bytes,
            max_on_disk_storage_bytes,
            dictionary_budget_bytes: _,
            max_concurrent,
            max_waiting,
            lanes,
            slow_ms,
            hedge_percent,
            hedge_after_ms,
            inventory_wait_ms,
            unreached_wait_ms,
            max_buckets,
            strict,
        } = query;
        let CacheConfig { segment_bytes: _, result_bytes, max_entry_bytes } = cache;
        let size = |setting: &u64| usize::try_from(*setting).unwrap_or(usize::MAX);
        Self {
            default_timeout_ms: *timeout_ms,
            max_timeout_ms: *max_timeout_ms,
            memory_budget_bytes: size(memory_budget_bytes),
            total_memory_bytes: size(total_memory_bytes),
            max_on_disk_storage_bytes: *max_on_disk_storage_bytes,
            max_subquery_rows: MAX_SUBQUERY_ROWS,
            max_buckets: size(max_buckets),
            max_running_queries: *max_concurrent as usize,
            max_waiting_queries: *max_waiting as usize,
            lane_percents: lanes.clone(),
            slow_query_ms: *slow_ms,
            strict: *strict,
            result_cache_bytes: size(result_bytes),
            max_cached_result_bytes: size(max_entry_bytes),
            hedge_percent: *hedge_percent,
            hedge_floor: Duration::from_millis(*hedge_after_ms),
            ranked_groups: RANKED_GROUPS,
            inventory_patience: Duration::from_millis(*inventory_wait_ms),
            unreached_patience: Duration::from_millis(*unreached_wait_ms),
        }
    }
}

impl Default for BrokerOptions {
    /// Budgets that follow from the machine's memory in a server are 1 GiB a query and 4 GiB in all.
    fn default() -> Self {
        let (memory_budget_bytes, total_memory_bytes) = (1 << 30, 4 << 30);
        let query =
            QueryConfig { memory_budget_bytes, total_memory_bytes, ..QueryConfig::default() };
        Self::new(&query, &CacheConfig::default())
    }
}
