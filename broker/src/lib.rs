//! The broker: builds its timeline from the metadata and announcements, scatters a query to the data nodes, gathers
//! and merges the partial results, and finalises once.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod admission;
mod api;
mod error;
mod execute;
mod finish;
mod known_columns;
mod plan;
mod profile;
mod results;
mod route;
mod running;
mod scatter;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use henge_data_node::{DataNode, QueryServices};
use henge_platform::config::{CacheConfig, QueryConfig};
use henge_platform::discovery::{Discovery, ServerId};
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::spawn;
use henge_platform::telemetry::Metrics;
use parking_lot::RwLock;

pub use api::{QueryRoute, QueryService, query_service, router};
pub use error::{BrokerError, Result};
pub use execute::QueryResponse;
pub use profile::show_cache;
pub use view::{Availability, Unavailable};

use crate::admission::Admission;
use crate::profile::QueryMetrics;
use crate::results::ResultCache;
use crate::view::ClusterViews;

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
            max_buckets: size(max_buckets),
            max_running_queries: *max_concurrent as usize,
            max_waiting_queries: *max_waiting as usize,
            lane_percents: lanes.clone(),
            slow_query_ms: *slow_ms,
            strict: *strict,
            result_cache_bytes: size(result_bytes),
            max_cached_result_bytes: size(max_entry_bytes),
        }
    }
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self::new(&QueryConfig::default(), &CacheConfig::default())
    }
}

/// The broker role.
#[derive(Debug)]
pub struct Broker {
    pub(crate) options: BrokerOptions,
    pub(crate) services: QueryServices,
    pub(crate) views: Arc<ClusterViews>,
    pub(crate) nodes: RwLock<BTreeMap<ServerId, Arc<dyn DataNode>>>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) results: Arc<ResultCache>,
    pub(crate) metrics: QueryMetrics,
}

impl Broker {
    /// A broker over the segments that `metadata` call used and the announcements of `discovery`.
    #[must_use]
    pub fn new(
        options: BrokerOptions,
        discovery: Arc<dyn Discovery>,
        metadata: Arc<dyn MetadataStore>,
        services: QueryServices,
        metrics: &Metrics,
    ) -> Self {
        let broker = Self {
            admission: Arc::new(Admission::new(
                options.max_running_queries,
                options.max_waiting_queries,
                &options.lane_percents,
            )),
            results: Arc::new(ResultCache::new(
                options.result_cache_bytes,
                options.max_cached_result_bytes,
            )),
            options,
            services,
            views: Arc::new(ClusterViews::new(discovery, metadata)),
            nodes: RwLock::default(),
            metrics: QueryMetrics::new(metrics),
        };
        broker.show(metrics);
        broker
    }

    /// Keeps the view current beside the queries until the broker is dropped.
    pub fn follow(self: &Arc<Self>) {
        let broker = Arc::downgrade(self);
        spawn(async move {
            while let Some(views) = broker.upgrade().map(|broker| Arc::clone(&broker.views)) {
                // A failure is in the log and in the view.
                let _ = views.refreshed().await;
                views.wake().await;
            }
        });
    }

    /// What can be queried and what not, as of now.
    ///
    /// # Errors
    /// When the metadata were never read.
    pub async fn availability(&self) -> Result<Availability> {
        let view = self.views.current().await?;
        Ok(Availability::of(&view, |id| self.views.trouble(id)))
    }

    fn show(&self, metrics: &Metrics) {
        let views = Arc::clone(&self.views);
        let help = "Segments that queries want and no server has.";
        metrics.gauge_by("henge_segments_unavailable", help, ["datasource"], move || {
            let available = Availability::of(&views.latest(), |_| None);
            let counts = available.unavailable.into_iter();
            counts.map(|(name, unavailable)| ([name], unavailable.count as u64)).collect()
        });
        let views = Arc::clone(&self.views);
        let help = "1 while the metadata cannot be read and the last complete view is used.";
        metrics.gauge("henge_metadata_away", help, &[], move || {
            u64::from(views.latest().metadata.away.is_some())
        });
        let results = Arc::clone(&self.results);
        show_cache(metrics, "result", move || results.stats());
        let admission = Arc::clone(&self.admission);
        metrics.gauge("henge_queries_running", "Queries at work now.", &[], move || {
            admission.running_and_waiting().0 as u64
        });
        let admission = Arc::clone(&self.admission);
        metrics.gauge("henge_queries_waiting", "Queries that wait for a place.", &[], move || {
            admission.running_and_waiting().1 as u64
        });
        let memory = Arc::clone(self.services.running.pool());
        metrics.gauge("henge_query_memory_bytes", "Bytes that queries hold.", &[], move || {
            memory.used_bytes() as u64
        });
        // In the same view as the accounts of everything else.
        let labels = &[("account", "queries")];
        let memory = Arc::clone(self.services.running.pool());
        let limit = memory.capacity_bytes();
        let help = "Bytes that are charged to an account of memory.";
        metrics.gauge("henge_memory_bytes", help, labels, move || memory.used_bytes() as u64);
        let help = "The ceiling of an account.";
        metrics.gauge("henge_memory_limit_bytes", help, labels, move || limit as u64);
    }

    /// Makes a data node reachable under its name.
    pub fn connect(&self, node: Arc<dyn DataNode>) {
        self.nodes.write().insert(node.server_id().clone(), node);
    }

    /// Cancels the running queries with this id, here and on the nodes; unknown ids are ignored.
    pub async fn cancel(&self, query_id: &str) {
        if !self.services.running.cancel(query_id) {
            return;
        }
        let nodes: Vec<_> = self.nodes.read().values().cloned().collect();
        let calls = nodes.iter().map(|node| node.cancel(query_id));
        for outcome in join_all(calls).await {
            if let Err(error) = outcome {
                // It stops when the broker hangs up, or when its time is up.
                tracing::warn!(%error, query_id, "a data node was not told of a cancelled query");
            }
        }
    }
}
