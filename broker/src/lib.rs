//! The broker: builds its timeline from the metadata and announcements, scatters a query to the data nodes, gathers
//! and merges the partial results, and finalises once.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod admission;
mod api;
mod at_work;
mod choose;
mod compose;
mod error;
mod execute;
mod finish;
mod gather;
mod holdings;
mod known_columns;
mod late;
mod links;
mod load;
mod lookups;
mod made;
mod nodes;
mod options;
mod plan;
mod profile;
mod ranking;
mod readiness;
mod results;
mod route;
mod running;
mod sql;
mod uncovered;
mod view;

use std::sync::Arc;

use futures::future::join_all;
use henge_data_node::{DataNode, QueryServices};
use henge_expr::Lookups;
use henge_platform::discovery::Discovery;
use henge_platform::membership::MissingInventory;
use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::spawn;
use henge_platform::telemetry::Metrics;
use tokio::time::Instant;

pub use api::{
    FLIGHT_SQL_SERVICE_NAME, FlightSql, FlightSqlRoute, QueryRoute, QueryService, avatica_router,
    flight_sql_service, query_service, router, sql_router,
};
pub use error::{BrokerError, Result};
pub use execute::QueryResponse;
pub use holdings::Holding;
pub use links::ClusterLinks;
pub use options::BrokerOptions;
pub use profile::show_cache;
pub use sql::{Answered, ClusterFacts, Process, Sql, SqlDependencies, SqlFailure};
pub use view::{Availability, Unavailable};

use crate::admission::Admission;
use crate::at_work::AtWork;
use crate::load::NodeLoads;
use crate::lookups::KnownLookups;
use crate::nodes::Nodes;
use crate::profile::{QUERY_TYPES, QueryMetrics};
use crate::readiness::Readiness;
use crate::results::ResultCache;
use crate::sql::Statements;
use crate::view::ClusterViews;

/// The broker role.
#[derive(Debug)]
pub struct Broker {
    pub(crate) options: BrokerOptions,
    pub(crate) services: QueryServices,
    pub(crate) views: Arc<ClusterViews>,
    pub(crate) readiness: Readiness,
    pub(crate) nodes: Nodes,
    pub(crate) loads: Arc<NodeLoads>,
    pub(crate) at_work: Arc<AtWork>,
    /// The broker's own zone; empty when it has none.
    pub(crate) zone: Arc<str>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) results: Arc<ResultCache>,
    /// The statements of SQL that are at work.
    pub(crate) statements: Arc<Statements>,
    pub(crate) lookups: KnownLookups,
    pub(crate) metrics: QueryMetrics,
}

impl Broker {
    /// A broker over the segments that `metadata` call used and the announcements of `discovery`, whose
    /// data nodes are all in this process.
    #[must_use]
    pub fn new(
        options: BrokerOptions,
        discovery: Arc<dyn Discovery>,
        metadata: Arc<dyn MetadataStore>,
        services: QueryServices,
        metrics: &Metrics,
    ) -> Self {
        Self::in_cluster(options, discovery, metadata, services, metrics, ClusterLinks::default())
    }

    /// As [`Broker::new`], over data nodes of this process and of others.
    #[must_use]
    pub fn in_cluster(
        options: BrokerOptions,
        discovery: Arc<dyn Discovery>,
        metadata: Arc<dyn MetadataStore>,
        services: QueryServices,
        metrics: &Metrics,
        ClusterLinks { dial, awaited, zone }: ClusterLinks,
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
            loads: Arc::new(NodeLoads::new(QUERY_TYPES.len(), options.hedge_percent)),
            lookups: KnownLookups::new(Arc::clone(&metadata)),
            options,
            services,
            views: Arc::new(ClusterViews::new(discovery, metadata)),
            readiness: Readiness::of(awaited),
            nodes: Nodes::dialed_by(dial),
            at_work: Arc::default(),
            statements: Arc::default(),
            zone,
            metrics: QueryMetrics::new(metrics),
        };
        broker.show(metrics);
        broker
    }

    /// Keeps the view current beside the queries until the broker is dropped, and lets go of nodes that
    /// left.
    pub fn follow(self: &Arc<Self>) {
        let broker = Arc::downgrade(self);
        spawn(async move {
            while let Some(views) = broker.upgrade().map(|broker| Arc::clone(&broker.views)) {
                // A failure is in the log and in the view.
                if let Ok(view) = views.as_of(Instant::now()).await
                    && let Some(broker) = broker.upgrade()
                {
                    broker.nodes.keep(&view);
                    broker.loads.retain(|server| view.servers.contains_key(server));
                    // Noted also while nobody asks.
                    let _ = broker.readiness.check();
                }
                views.wake().await;
            }
        });
        self.views.keep_pulse();
    }

    /// What has to be seen of the cluster before the first query is answered; nothing from then on.
    #[must_use]
    pub fn awaited(&self) -> Vec<MissingInventory> {
        self.readiness.awaited()
    }

    /// The lookups that queries may name, as they are now: what [`henge_query::Query::from_value_with`]
    /// takes.
    ///
    /// # Errors
    /// When the metadata were never read.
    pub async fn lookups(&self) -> Result<Arc<dyn Lookups>> {
        self.lookups.all().await
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

    /// Makes a data node of this process reachable under its name.
    pub fn connect(&self, node: Arc<dyn DataNode>) {
        self.nodes.connect(node);
    }

    /// Cancels the running queries with this id, here and on the nodes that work on them, and the
    /// statements of SQL that have it, which clients ask for as well; unknown ids are ignored.
    pub async fn cancel(&self, query_id: &str) {
        let _ = self.statements.cancel(query_id);
        if !self.services.running.cancel(query_id) {
            return;
        }
        let nodes = self.at_work.cancel(query_id);
        let calls = nodes.iter().map(|node| node.cancel(query_id));
        for outcome in join_all(calls).await {
            if let Err(error) = outcome {
                // It stops because the broker has hung up.
                tracing::warn!(%error, query_id, "a data node was not told of a cancelled query");
            }
        }
    }
}
