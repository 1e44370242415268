//! The processes: started, killed and started again, each with what it would have on a machine of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Extension, Router};
use bytes::Bytes;
use henge_broker::{Broker, BrokerOptions};
use henge_coordinator::{
    Coordinator, CoordinatorOptions, Dependencies as Needs, Leadership, LeaseOptions,
};
use henge_data_node::{QueryServices, RunningQueries};
use henge_historical_node::{HistoricalNode, HistoricalOptions, ServedForm};
use henge_platform::discovery::{Discovery, ServerAddress};
use henge_platform::http::BodyLimits;
use henge_platform::runtime::simulation::Process;
use henge_platform::runtime::{CpuPool, MemoryAccount};
use henge_platform::spill::MemorySpillStorage;
use henge_platform::telemetry::Metrics;
use henge_realtime_node::{Alone, Dependencies, RealtimeNode, RealtimeOptions};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::world::World;

pub(crate) const REALTIME: &str = "realtime-0";
pub(crate) const BROKER: &str = "broker-0";
pub(crate) const COORDINATORS: [&str; 2] = ["coordinator-0", "coordinator-1"];
/// Historical nodes and their zones.
pub(crate) const HISTORICALS: [(&str, &str); 3] =
    [("historical-0", "north"), ("historical-1", "south"), ("historical-2", "south")];
/// Hosts that are to have each segment.
pub(crate) const REPLICAS: usize = 2;

/// All processes of a world.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    processes: Mutex<Vec<Running>>,
    /// How many processes were started.
    starts: AtomicU64,
}

#[derive(Debug, Clone)]
struct Running {
    process: Process,
    /// What it serves to clients, if it does.
    router: Option<Router>,
    realtime: Option<Arc<RealtimeNode>>,
    coordinator: Option<Arc<Coordinator>>,
}

/// What a process that was started consists of.
#[derive(Default)]
struct Started {
    router: Option<Router>,
    realtime: Option<Arc<RealtimeNode>>,
    coordinator: Option<Arc<Coordinator>>,
}

impl Cluster {
    /// A world without processes.
    pub(crate) fn new(world: World) -> Self {
        Self { world, processes: Mutex::default(), starts: AtomicU64::new(0) }
    }

    /// The names of all processes.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let historicals = HISTORICALS.into_iter().map(|(name, _)| name);
        historicals.chain(COORDINATORS).chain([REALTIME, BROKER])
    }

    /// Starts a process; what an earlier one of its name announced is withdrawn before.
    pub(crate) async fn start(self: &Arc<Self>, name: &'static str) -> Result<()> {
        let process = Process::new(name);
        let (cluster, of) = (Arc::clone(self), process.clone());
        let starting = process.spawn(async move {
            match name {
                BROKER => Ok(cluster.start_broker()),
                REALTIME => cluster.start_realtime(&of).await,
                name => match HISTORICALS.iter().find(|(historical, _)| *historical == name) {
                    Some((_, zone)) => cluster.start_historical(&of, name, zone),
                    None => Ok(cluster.start_coordinator(name)),
                },
            }
        });
        // Killed while it starts, it is dead as any other.
        let Started { router, realtime, coordinator } = Started::default();
        let dead = Running { process: process.clone(), router, realtime, coordinator };
        self.processes.lock().push(dead);
        let started = match starting.await {
            Ok(started) => started,
            Err(_) => return Ok(()),
        };
        let Started { router, realtime, coordinator } =
            started.with_context(|| format!("start {name}"))?;
        let mut processes = self.processes.lock();
        let is_it =
            |running: &&mut Running| running.process.name() == name && !running.process.is_dead();
        if let Some(running) = processes.iter_mut().find(is_it) {
            (running.router, running.realtime) = (router, realtime);
            running.coordinator = coordinator;
        }
        Ok(())
    }

    /// Kills a process. Its announcements stay until [`Cluster::notice_death`].
    pub(crate) fn kill(&self, name: &str) {
        let mut processes = self.processes.lock();
        if let Some(at) = processes.iter().position(|running| running.process.name() == name) {
            let killed = processes.remove(at);
            killed.process.kill();
            self.world.network.forget(name);
        }
    }

    /// What a failure detector does in the end.
    pub(crate) fn notice_death(&self, name: &str) -> Result<()> {
        self.world.audit.withdrawn();
        self.world.discovery.leave(&name.into()).context("withdraw a dead process")?;
        Ok(())
    }

    /// Stops a process where it is, or lets it go on.
    pub(crate) fn pause(&self, name: &str, pause: bool) {
        let processes = self.processes.lock();
        let Some(running) = processes.iter().find(|running| running.process.name() == name) else {
            return;
        };
        match pause {
            true => running.process.pause(),
            false => running.process.resume(),
        }
    }

    /// The coordinators that say that they lead.
    pub(crate) fn leaders(&self) -> Vec<String> {
        let processes = self.processes.lock();
        let leads = |running: &&Running| {
            running.coordinator.as_ref().is_some_and(|coordinator| coordinator.leader().is_leading)
        };
        processes.iter().filter(leads).map(|running| running.process.name().to_owned()).collect()
    }

    pub(crate) fn is_running(&self, name: &str) -> bool {
        self.processes.lock().iter().any(|running| running.process.name() == name)
    }

    /// The realtime node, while it runs.
    pub(crate) fn realtime(&self) -> Option<Arc<RealtimeNode>> {
        self.processes.lock().iter().find_map(|running| running.realtime.clone())
    }

    /// A client's request to a process: `None` when no answer came.
    pub(crate) async fn request(
        &self,
        client: &str,
        to: &str,
        request: Request<Body>,
    ) -> Option<(StatusCode, Bytes)> {
        if !self.world.network.carry(client, to).await {
            return None;
        }
        let running = self.processes.lock().iter().find(|r| r.process.name() == to).cloned()?;
        let router = running.router?;
        let answered = running.process.spawn(async move {
            let response = router.oneshot(request).await.ok()?;
            let status = response.status();
            let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.ok()?;
            Some((status, body))
        });
        let answer = answered.await.ok()??;
        self.world.network.carry(to, client).await.then_some(answer)
    }

    fn services(&self) -> QueryServices {
        QueryServices {
            cluster: self.world.cluster(),
            pool: CpuPool::of_this_runtime(),
            running: Arc::new(RunningQueries::new(1 << 28)),
            spill: Some(Arc::new(MemorySpillStorage::new(1 << 28))),
        }
    }

    fn start_historical(&self, process: &Process, name: &str, zone: &str) -> Result<Started> {
        let options = HistoricalOptions {
            server_id: name.into(),
            zone: zone.into(),
            tier: "_default_tier".into(),
            priority: 0,
            cache_dir: self.world.disk(name).join("segment-cache"),
            capacity_bytes: 1 << 30,
            form: ServedForm::Hot,
            dictionary_budget_bytes: 1 << 24,
            scrub_bytes_per_second: 0,
        };
        let world = &self.world;
        let node = Arc::new(HistoricalNode::open(
            options,
            world.discovery.clone(),
            world.storage.clone(),
            world.metadata_of(name),
            self.services(),
            None,
        )?);
        // Others see that it is in another process.
        if let Some(joined) = world.discovery.snapshot().servers.get(name) {
            let address = ServerAddress::Network(name.into());
            world.discovery.join(&name.into(), &joined.description.reached_at(&address))?;
        }
        world.network.serve_node(process, node.clone());
        world.network.serve_host(process, node);
        Ok(Started::default())
    }

    async fn start_realtime(&self, process: &Process) -> Result<Started> {
        let world = &self.world;
        let account = MemoryAccount::root("all", "memory.total_bytes", 1 << 30);
        let dependencies = Dependencies {
            metadata: world.metadata_of(REALTIME),
            storage: world.storage.clone(),
            discovery: world.discovery.clone(),
            clock: world.clock.clone(),
            ingest_pool: CpuPool::of_this_runtime(),
            queries: self.services(),
            published: Arc::new(Notify::new()),
            log_marks: world.log_marks.clone(),
            requests: account.clone(),
            indexes: account,
            peers: Arc::new(Alone),
        };
        let options = RealtimeOptions {
            server_id: REALTIME.into(),
            max_rows_in_memory: 40,
            handoff_rows: 150,
            handoff_period_ms: 5_000,
            ..RealtimeOptions::under(&world.disk(REALTIME))
        };
        let node = RealtimeNode::start(options, dependencies).await?;
        world.network.serve_node(process, node.clone());
        let router = henge_realtime_node::router(node.clone());
        let router = Some(with_limits(router));
        Ok(Started { router, realtime: Some(node), ..Started::default() })
    }

    fn start_coordinator(&self, name: &str) -> Started {
        let world = &self.world;
        let incarnation = self.starts.fetch_add(1, Ordering::Relaxed);
        let metadata = world.metadata_of(name);
        let lease = LeaseOptions::of(format!("{name}/{incarnation}"));
        let needs = Needs {
            metadata: metadata.clone(),
            discovery: world.discovery.clone(),
            clock: world.clock.clone(),
            leadership: Leadership::by_lease(lease, metadata, world.clock.clone()),
            sight: Arc::new(world.sight.subscribe()),
            dial: Some(world.network.hosts_from(name)),
        };
        let options = CoordinatorOptions {
            replicas: REPLICAS,
            grace_ms: 10_000,
            load_timeout_ms: 20_000,
            drop_timeout_ms: 5_000,
        };
        let coordinator = Arc::new(Coordinator::new(options, needs));
        let (running, never) = (Arc::clone(&coordinator), Notify::new());
        henge_platform::runtime::spawn(async move { running.run_woken_by(&never).await });
        Started { coordinator: Some(coordinator), ..Started::default() }
    }

    fn start_broker(&self) -> Started {
        let (world, services) = (&self.world, self.services());
        let running = Arc::clone(&services.running);
        let options = BrokerOptions { default_timeout_ms: 20_000, ..BrokerOptions::default() };
        let broker = Arc::new(Broker::new(
            options,
            world.discovery.clone(),
            world.metadata_of(BROKER),
            services,
            &Metrics::default(),
        ));
        for node in HISTORICALS.into_iter().map(|(name, _)| name).chain([REALTIME]) {
            broker.connect(world.network.node_from(BROKER, &node.into(), &running));
        }
        broker.follow();
        let router = Some(with_limits(henge_broker::router(broker)));
        Started { router, ..Started::default() }
    }
}

fn with_limits(router: Router) -> Router {
    router.layer(Extension(Arc::new(BodyLimits::default())))
}
