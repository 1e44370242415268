//! The processes: started, killed and started again, each with what it would have on a machine of its own.

mod start;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use henge_coordinator::Coordinator;
use henge_platform::runtime::simulation::Process;
use henge_realtime_node::RealtimeNode;
use parking_lot::Mutex;
use tower::ServiceExt;

use crate::world::World;

pub(crate) const BROKER: &str = "broker-0";
pub(crate) const COORDINATORS: [&str; 2] = ["coordinator-0", "coordinator-1"];
/// Realtime nodes and their zones.
pub(crate) const REALTIMES: [(&str, &str); 3] =
    [("realtime-0", "north"), ("realtime-1", "south"), ("realtime-2", "south")];
/// Historical nodes and their zones.
pub(crate) const HISTORICALS: [(&str, &str); 3] =
    [("historical-0", "north"), ("historical-1", "south"), ("historical-2", "south")];
/// Hosts that are to have each segment.
pub(crate) const REPLICAS: usize = 2;

/// A client waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(40);
/// A process that did not start is started again after this.
const START_AGAIN: Duration = Duration::from_secs(1);

/// The name among realtime nodes of a process.
pub(crate) fn node_of(process: &str) -> &str {
    process.strip_prefix("realtime-").unwrap_or(process)
}

/// The process of a realtime node.
pub(crate) fn process_of(node: &str) -> String {
    format!("realtime-{node}")
}

/// All processes of a world.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    processes: Mutex<Vec<Running>>,
    /// How many processes were started.
    starts: AtomicU64,
    /// How often each started to the end.
    started: Mutex<BTreeMap<&'static str, u64>>,
}

#[derive(Debug, Clone)]
struct Running {
    process: Process,
    /// False while it starts.
    is_ready: bool,
    started: Started,
}

/// What a process that was started consists of.
#[derive(Debug, Clone, Default)]
struct Started {
    /// What it serves to clients, if it does.
    router: Option<Router>,
    realtime: Option<Arc<RealtimeNode>>,
    coordinator: Option<Arc<Coordinator>>,
}

/// An answer to a client.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// What a broker says beside it.
    pub(crate) context: String,
    pub(crate) body: Bytes,
}

impl Cluster {
    /// A world without processes.
    pub(crate) fn new(world: World) -> Self {
        let (processes, started) = (Mutex::default(), Mutex::default());
        Self { world, processes, starts: AtomicU64::new(0), started }
    }

    /// The names of all processes.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let data_nodes = HISTORICALS.into_iter().chain(REALTIMES).map(|(name, _)| name);
        data_nodes.chain(COORDINATORS).chain([BROKER])
    }

    /// Starts a process.
    pub(crate) async fn start(self: &Arc<Self>, name: &'static str) -> Result<()> {
        let process = Process::new(name);
        let incarnation = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        let (cluster, of) = (Arc::clone(self), process.clone());
        let starting =
            process.spawn(async move { cluster.start_role(name, &of, incarnation).await });
        // Killed while it starts, it is dead as any other.
        let starts =
            Running { process: process.clone(), is_ready: false, started: Started::default() };
        self.processes.lock().push(starts);
        let started = match starting.await {
            Ok(started) => started.with_context(|| format!("start {name}"))?,
            Err(_) => return Ok(()),
        };
        if let Some(node) = started.realtime.clone() {
            self.start_again_when_lost(name, &process, node);
        }
        let mut processes = self.processes.lock();
        let is_it =
            |running: &&mut Running| running.process.name() == name && !running.process.is_dead();
        if let Some(running) = processes.iter_mut().find(is_it) {
            (running.started, running.is_ready) = (started, true);
            *self.started.lock().entry(name).or_default() += 1;
        }
        Ok(())
    }

    /// As a supervisor does: another node went on with its logs, so it starts anew.
    fn start_again_when_lost(
        self: &Arc<Self>,
        name: &'static str,
        process: &Process,
        node: Arc<RealtimeNode>,
    ) {
        let (cluster, process) = (Arc::clone(self), process.clone());
        henge_platform::runtime::spawn(async move {
            while tokio::time::timeout(START_AGAIN, node.lost()).await.is_err() {
                if process.is_dead() {
                    return;
                }
            }
            if !process.is_dead() {
                tracing::warn!(name, "a node that was taken for dead starts again");
                cluster.kill(name);
                cluster.revive(name, START_AGAIN);
            }
        });
    }

    /// Starts a process after a while, if nobody did until then, and again until it does: a full disk or
    /// metadata that are away may keep it from starting.
    pub(crate) fn revive(self: &Arc<Self>, name: &'static str, after: Duration) {
        let cluster = Arc::clone(self);
        henge_platform::runtime::spawn(async move {
            tokio::time::sleep(after).await;
            while !cluster.is_running(name) {
                if let Err(error) = cluster.start(name).await {
                    let error = format!("{error:#}");
                    tracing::info!(error, name, "a process did not start");
                    cluster.kill(name);
                    tokio::time::sleep(START_AGAIN).await;
                }
            }
        });
    }

    /// Kills a process. Others notice when they hear of it no more.
    pub(crate) fn kill(&self, name: &str) {
        let mut processes = self.processes.lock();
        if let Some(at) = processes.iter().position(|running| running.process.name() == name) {
            let killed = processes.remove(at);
            drop(processes);
            killed.process.kill();
            self.world.network.forget(name);
            self.world.gossip.forget(name);
            self.world.audit.died(name);
        }
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
            let coordinator = &running.started.coordinator;
            coordinator.as_ref().is_some_and(|coordinator| coordinator.leader().is_leading)
        };
        processes.iter().filter(leads).map(|running| running.process.name().to_owned()).collect()
    }

    /// Whether a process runs, or is about to.
    pub(crate) fn is_running(&self, name: &str) -> bool {
        self.processes.lock().iter().any(|running| running.process.name() == name)
    }

    /// How often a process has started to the end.
    pub(crate) fn times_started(&self, name: &str) -> u64 {
        self.started.lock().get(name).copied().unwrap_or(0)
    }

    /// Whether it has started, and does not stand still.
    pub(crate) fn is_well(&self, name: &str) -> bool {
        let is_it = |running: &Running| running.process.name() == name && running.is_ready;
        self.processes.lock().iter().any(|running| is_it(running) && !running.process.is_paused())
    }

    /// A realtime node with its process, while it runs.
    pub(crate) fn realtime(&self, name: &str) -> Option<(Process, Arc<RealtimeNode>)> {
        let processes = self.processes.lock();
        let running = processes.iter().find(|running| running.process.name() == name)?;
        Some((running.process.clone(), running.started.realtime.clone()?))
    }

    /// A client's request to a process: `None` when no answer came.
    pub(crate) async fn request(
        &self,
        client: &str,
        to: &str,
        request: Request<Body>,
    ) -> Option<Answer> {
        tokio::time::timeout(PATIENCE, self.request_patiently(client, to, request)).await.ok()?
    }

    async fn request_patiently(
        &self,
        client: &str,
        to: &str,
        request: Request<Body>,
    ) -> Option<Answer> {
        if !self.world.network.carry(client, to).await {
            return None;
        }
        let running = self.processes.lock().iter().find(|r| r.process.name() == to).cloned()?;
        let router = running.started.router?;
        let answered = running.process.spawn(async move {
            let response = router.oneshot(request).await.ok()?;
            let status = response.status();
            let context = response.headers().get("X-Druid-Response-Context");
            let context = context.and_then(|context| context.to_str().ok()).unwrap_or_default();
            let context = context.to_owned();
            let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.ok()?;
            Some(Answer { status, context, body })
        });
        let answer = answered.await.ok()??;
        self.world.network.carry(to, client).await.then_some(answer)
    }
}
