//! What the processes consist of.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Extension, Router};
use henge_broker::{Broker, BrokerOptions, ClusterLinks};
use henge_coordinator::{
    Coordinator, CoordinatorOptions, Dependencies as Needs, Leadership, LeaseOptions,
};
use henge_data_node::{Announcing, DataNode, QueryServices, RunningQueries};
use henge_historical_node::{HistoricalNode, HistoricalOptions, ServedForm};
use henge_platform::discovery::inventory::LocalInventory;
use henge_platform::http::BodyLimits;
use henge_platform::membership::{Member, Role};
use henge_platform::runtime::simulation::Process;
use henge_platform::runtime::{CpuPool, MemoryAccount, files};
use henge_platform::spill::MemorySpillStorage;
use henge_platform::telemetry::Metrics;
use henge_platform::wal::LogMarks;
use henge_realtime_node::{Dependencies, RealtimeNode, RealtimeOptions};
use tokio::sync::Notify;

use super::{BROKER, Cluster, HISTORICALS, REALTIMES, REPLICAS, Started, node_of};
use crate::company::{Company, Everything};

/// A process that starts.
struct Starting<'a> {
    name: &'static str,
    zone: &'static str,
    process: &'a Process,
    incarnation: u64,
    company: Arc<Company>,
    inventory: Arc<LocalInventory>,
}

impl Cluster {
    pub(super) async fn start_role(
        &self,
        name: &'static str,
        process: &Process,
        incarnation: u64,
    ) -> Result<Started> {
        let world = &self.world;
        let zone_in = |all: &[(&'static str, &'static str)]| {
            all.iter().find(|(of, _)| *of == name).map(|(_, zone)| *zone)
        };
        let company = Company::new(name, world.gossip.clone(), world.network.clone());
        let (historical, realtime) = (zone_in(&HISTORICALS), zone_in(&REALTIMES));
        let zone = historical.or(realtime).unwrap_or("north");
        let inventory = Arc::new(LocalInventory::of(company.discovery.clone()));
        let starting = Starting { name, zone, process, incarnation, company, inventory };
        world.audit.lives(name, &starting.company.discovery);
        let (role, started) = match (historical, realtime) {
            (Some(_), _) => (Role::Historical, self.start_historical(&starting)?),
            (_, Some(_)) => (Role::Realtime, self.start_realtime(&starting).await?),
            _ if name == BROKER => (Role::Broker, self.start_broker(&starting)),
            _ => (Role::Coordinator, self.start_coordinator(&starting)),
        };
        starting.join(self, role);
        Ok(started)
    }

    fn services(&self) -> QueryServices {
        QueryServices {
            cluster: self.world.cluster(),
            pool: CpuPool::of_this_runtime(),
            running: Arc::new(RunningQueries::new(1 << 28)),
            spill: Some(Arc::new(MemorySpillStorage::new(1 << 28))),
        }
    }

    fn start_historical(&self, starting: &Starting<'_>) -> Result<Started> {
        let options = HistoricalOptions {
            server_id: starting.name.into(),
            zone: starting.zone.into(),
            tier: "_default_tier".into(),
            priority: 0,
            cache_dir: self.world.disk(starting.name).join("segment-cache"),
            capacity_bytes: 1 << 30,
            form: ServedForm::Hot,
            open_segments: 10_000,
            block_cache_bytes: 0,
            pinned: false,
            read_ahead: true,
            disk_timeout_ms: 0,
            dictionary_budget_bytes: 1 << 24,
            scrub_bytes_per_second: 0,
        };
        let world = &self.world;
        let node = Arc::new(HistoricalNode::open(
            options,
            starting.company.discovery.clone(),
            world.storage.clone(),
            world.metadata_of(starting.name),
            self.services(),
            None,
        )?);
        world.network.serve_node(starting.process, starting.announcing(node.clone()));
        world.network.serve_host(starting.process, node);
        Ok(Started::default())
    }

    async fn start_realtime(&self, starting: &Starting<'_>) -> Result<Started> {
        let world = &self.world;
        let account = MemoryAccount::root("all", "memory.total_bytes", 1 << 30);
        let disk = world.disk(starting.name);
        files::create_dir_all(&disk).context("make a disk")?;
        let dependencies = Dependencies {
            metadata: world.metadata_of(starting.name),
            storage: world.storage.clone(),
            discovery: starting.company.discovery.clone(),
            clock: world.clock.clone(),
            ingest_pool: CpuPool::of_this_runtime(),
            queries: self.services(),
            published: Arc::new(Notify::new()),
            log_marks: LogMarks::open(&disk.join("marks")).context("open the marks")?,
            requests: account.clone(),
            indexes: account,
            peers: starting.company.clone(),
        };
        let options = RealtimeOptions {
            zone: starting.zone.into(),
            is_in_cluster: true,
            max_rows_in_memory: 40,
            handoff_rows: 150,
            handoff_period_ms: 5_000,
            ..RealtimeOptions::under(&disk).of_node(node_of(starting.name))
        };
        let node = RealtimeNode::start(options, dependencies).await?;
        world.network.serve_node(starting.process, starting.announcing(node.clone()));
        world.network.serve_peer(starting.process, node.clone());
        let router = Some(with_limits(henge_realtime_node::router(node.clone())));
        Ok(Started { router, realtime: Some(node), ..Started::default() })
    }

    fn start_coordinator(&self, starting: &Starting<'_>) -> Started {
        let world = &self.world;
        let metadata = world.metadata_of(starting.name);
        let lease = LeaseOptions::of(format!("{}/{}", starting.name, starting.incarnation));
        let (awaited, is_shown) = (starting.company.awaited(), world.sight.subscribe());
        let needs = Needs {
            metadata: metadata.clone(),
            discovery: starting.company.discovery.clone(),
            clock: world.clock.clone(),
            leadership: Leadership::by_lease(lease, metadata, world.clock.clone()),
            sight: Arc::new(Everything { awaited, is_shown }),
            dial: Some(world.network.hosts_from(starting.name)),
        };
        let options = CoordinatorOptions {
            replicas: REPLICAS,
            grace_ms: 10_000,
            load_timeout_ms: 20_000,
            drop_timeout_ms: 5_000,
            ..CoordinatorOptions::default()
        };
        let coordinator = Arc::new(Coordinator::new(options, needs));
        let (running, never) = (Arc::clone(&coordinator), Notify::new());
        henge_platform::runtime::spawn(async move { running.run_woken_by(&never).await });
        Started { coordinator: Some(coordinator), ..Started::default() }
    }

    fn start_broker(&self, starting: &Starting<'_>) -> Started {
        let (world, services) = (&self.world, self.services());
        let links = ClusterLinks {
            dial: Some(world.network.nodes_from(starting.name, &services.running)),
            awaited: starting.company.awaited(),
            zone: starting.zone.into(),
        };
        let options = BrokerOptions { default_timeout_ms: 20_000, ..BrokerOptions::default() };
        let broker = Arc::new(Broker::in_cluster(
            options,
            starting.company.discovery.clone(),
            world.metadata_of(starting.name),
            services,
            &Metrics::default(),
            links,
        ));
        broker.follow();
        let router = Some(with_limits(henge_broker::router(broker)));
        Started { router, ..Started::default() }
    }
}

impl Starting<'_> {
    /// A data node whose replies say how far the announcements of the process were.
    fn announcing(&self, node: Arc<dyn DataNode>) -> Arc<dyn DataNode> {
        Arc::new(Announcing::new(node, Arc::clone(&self.inventory)))
    }

    /// The others hear that the process lives, and what it announces; it begins to hear of them.
    fn join(&self, cluster: &Cluster, role: Role) {
        let Self { name, zone, process, incarnation, company, inventory } = self;
        cluster.world.network.serve_inventory(process, inventory);
        let member = Member {
            node_id: (*name).into(),
            incarnation: *incarnation,
            roles: BTreeSet::from([role]),
            http_address: (*name).into(),
            grpc_address: (*name).into(),
            zone: (*zone).into(),
            tier: "".into(),
            inventory_version: 0,
        };
        cluster.world.gossip.join(process, member);
        henge_platform::runtime::spawn(Arc::clone(company).keep());
    }
}

fn with_limits(router: Router) -> Router {
    router.layer(Extension(Arc::new(BodyLimits::default())))
}
