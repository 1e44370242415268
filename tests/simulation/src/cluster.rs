//! The processes: started, killed and started again, each with what it would have on a machine of its own.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Extension, Router};
use bytes::Bytes;
use henge_broker::{Broker, BrokerOptions};
use henge_coordinator::Coordinator;
use henge_data_node::{QueryServices, RunningQueries};
use henge_historical_node::{HistoricalNode, HistoricalOptions, ServedForm};
use henge_platform::discovery::{Discovery, ServerAddress, ServerId};
use henge_platform::http::BodyLimits;
use henge_platform::runtime::simulation::Process;
use henge_platform::runtime::{CpuPool, MemoryAccount};
use henge_platform::spill::MemorySpillStorage;
use henge_platform::telemetry::Metrics;
use henge_realtime_node::{Dependencies, RealtimeNode, RealtimeOptions};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::world::World;

pub(crate) const REALTIME: &str = "realtime-0";
pub(crate) const BROKER: &str = "broker-0";
pub(crate) const COORDINATOR: &str = "coordinator-0";
pub(crate) const HISTORICALS: [&str; 2] = ["historical-0", "historical-1"];

/// All processes of a world.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    processes: Mutex<Vec<Running>>,
}

#[derive(Debug, Clone)]
struct Running {
    process: Process,
    /// What it serves to clients, if it does.
    router: Option<Router>,
    realtime: Option<Arc<RealtimeNode>>,
}

impl Cluster {
    /// A world without processes.
    pub(crate) fn new(world: World) -> Self {
        Self { world, processes: Mutex::default() }
    }

    /// The names of all processes.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        HISTORICALS.into_iter().chain([REALTIME, COORDINATOR, BROKER])
    }

    /// Starts a process; what an earlier one of its name announced is withdrawn before.
    pub(crate) async fn start(self: &Arc<Self>, name: &'static str) -> Result<()> {
        let process = Process::new(name);
        let (cluster, of) = (Arc::clone(self), process.clone());
        let starting = process.spawn(async move {
            match name {
                BROKER => Ok(cluster.start_broker()),
                COORDINATOR => Ok(cluster.start_coordinator()),
                REALTIME => cluster.start_realtime(&of).await,
                historical => cluster.start_historical(&of, historical),
            }
        });
        // Killed while it starts, it is dead as any other.
        let dead = Running { process: process.clone(), router: None, realtime: None };
        self.processes.lock().push(dead);
        let started = match starting.await {
            Ok(started) => started,
            Err(_) => return Ok(()),
        };
        let (router, realtime) = started.with_context(|| format!("start {name}"))?;
        let mut processes = self.processes.lock();
        if let Some(running) = processes.iter_mut().find(|running| running.process.name() == name) {
            (running.router, running.realtime) = (router, realtime);
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
        self.world.discovery.leave(&name.into()).context("withdraw a dead process")?;
        Ok(())
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

    fn start_historical(&self, process: &Process, name: &str) -> Result<Started> {
        let options = HistoricalOptions {
            server_id: name.into(),
            address: ServerAddress::InProcess,
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
            world.metadata.clone(),
            self.services(),
            None,
        )?);
        world.network.serve_node(process, node.clone());
        world.network.serve_host(process, node);
        Ok((None, None))
    }

    async fn start_realtime(&self, process: &Process) -> Result<Started> {
        let world = &self.world;
        let account = MemoryAccount::root("all", "memory.total_bytes", 1 << 30);
        let dependencies = Dependencies {
            metadata: world.metadata.clone(),
            storage: world.storage.clone(),
            discovery: world.discovery.clone(),
            clock: world.clock.clone(),
            ingest_pool: CpuPool::of_this_runtime(),
            queries: self.services(),
            published: Arc::new(Notify::new()),
            log_marks: world.log_marks.clone(),
            requests: account.clone(),
            indexes: account,
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
        Ok((Some(with_limits(router)), Some(node)))
    }

    fn start_coordinator(&self) -> Started {
        let world = &self.world;
        let coordinator =
            Coordinator::new(world.metadata.clone(), world.discovery.clone(), world.clock.clone());
        for host in HISTORICALS {
            coordinator.connect(world.network.host_from(COORDINATOR, &ServerId::from(host)));
        }
        let never = Notify::new();
        henge_platform::runtime::spawn(async move { coordinator.run_woken_by(&never).await });
        (None, None)
    }

    fn start_broker(&self) -> Started {
        let (world, services) = (&self.world, self.services());
        let running = Arc::clone(&services.running);
        let options = BrokerOptions { default_timeout_ms: 20_000, ..BrokerOptions::default() };
        let broker = Arc::new(Broker::new(
            options,
            world.discovery.clone(),
            world.metadata.clone(),
            services,
            &Metrics::default(),
        ));
        for node in HISTORICALS.into_iter().chain([REALTIME]) {
            broker.connect(world.network.node_from(BROKER, &node.into(), &running));
        }
        broker.follow();
        (Some(with_limits(henge_broker::router(broker))), None)
    }
}

type Started = (Option<Router>, Option<Arc<RealtimeNode>>);

fn with_limits(router: Router) -> Router {
    router.layer(Extension(Arc::new(BodyLimits::default())))
}
