//! Puts the roles together: metadata in SQLite or PostgreSQL, deep storage in a folder or a bucket, discovery and
//! calls within the process.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::{Extension, Router};
use henge_broker::{Broker, show_cache};
use henge_coordinator::Coordinator;
use henge_data_node::{MemoryPartialCache, PartialCache, QueryServices, RunningQueries};
use henge_historical_node::HistoricalNode;
use henge_platform::config::ServerConfig;
use henge_platform::discovery::{Discovery, InProcessDiscovery};
use henge_platform::http::{assign_request_id, charge_answers, refuse_strangers, with_fallbacks};
use henge_platform::runtime::{
    Clock, CpuPool, SystemClock, allocator::keep_trimmed, raise_handle_limit, spawn,
};
use henge_platform::spill::LocalSpillStorage;
use henge_platform::telemetry::Metrics;
use henge_realtime_node::HandoffFailure;
use henge_realtime_node::{Dependencies, RealtimeNode};
use henge_types::ErrorClass;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::data_folder::{DataFolder, DataFolderLock};
use crate::deep_storage::open_deep_storage;
use crate::grpc::{self, Admin};
use crate::integrity::{open_marks, open_metadata, refuse_damaged_logs};
use crate::memory;
use crate::options::Options;
use crate::reach::Reach;
use crate::status;

/// A server at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the port it really got.
    pub url: String,
    /// Where it listens for gRPC, if it does.
    pub grpc: Option<SocketAddr>,
    /// How long it took from the start until it was ready.
    pub startup: Duration,
    /// Segments served at the start.
    pub segments: usize,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    realtime: Arc<RealtimeNode>,
    lock: DataFolderLock,
}

impl Running {
    /// Stops taking requests, finishes those at work, and waits for it. What is buffered stays in the
    /// log. The data folder is free for others once the lock is dropped.
    pub async fn stop(self) -> DataFolderLock {
        self.stop.send_replace(true);
        let _ = self.served.await;
        self.realtime.note_log_marks().await;
        self.lock
    }

    /// Hands off everything that is buffered.
    pub async fn flush(&self) {
        self.realtime.flush().await;
    }
}

/// The roles of one process.
struct Roles {
    broker: Arc<Broker>,
    realtime: Arc<RealtimeNode>,
    historical: Arc<HistoricalNode>,
    discovery: Arc<dyn Discovery>,
    cluster: Arc<str>,
    metrics: Metrics,
}

/// Starts all roles and the servers of HTTP and gRPC; returns when everything that was stored is queryable.
///
/// # Errors
/// When the data directory cannot be used or belongs to another server, stored state is damaged or
/// a port is taken.
pub async fn start(config: &ServerConfig) -> Result<Running> {
    let started = Instant::now();
    let folder = DataFolder::of(config)?;
    let lock = folder.own()?;
    let options = Options::new(&memory::fitted(config), &folder, raise_handle_limit());
    let listener = listen(&options.bind, "port").await?;
    let address = listener.local_addr().context("read the port")?;
    let rpc_listener = match &options.grpc_bind {
        Some(bind) => Some(listen(bind, "grpc.listen").await?),
        None => None,
    };
    let grpc = rpc_listener.as_ref().map(TcpListener::local_addr);
    let grpc = grpc.transpose().context("read the port of gRPC")?;
    let roles = start_roles(&options, &folder).await?;
    let (stop, stopped) = watch::channel(false);
    let over_grpc = serve_grpc(rpc_listener, &options, &roles, stopped.clone());
    let serve = options.serve;
    let router = router(options, &roles);
    let over_http = henge_platform::http::serve(listener, router, serve, is_set(stopped));
    let served = spawn(async move {
        tokio::join!(over_http, over_grpc);
    });
    Ok(Running {
        url: format!("http://{address}"),
        grpc,
        startup: started.elapsed(),
        segments: roles.historical.segment_count(),
        stop,
        served,
        realtime: roles.realtime,
        lock,
    })
}

async fn listen((host, port): &(String, u16), setting: &str) -> Result<TcpListener> {
    let bound = TcpListener::bind((host.as_str(), *port)).await;
    bound.with_context(|| {
        format!("listen on {host}:{port} ({setting}): is another server running there?")
    })
}

/// Completes when the server stops.
async fn is_set(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|is_stopping| *is_stopping).await;
}

/// Serves gRPC, where it is on, until the server stops.
fn serve_grpc(
    listener: Option<TcpListener>,
    options: &Options,
    roles: &Roles,
    stopped: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + use<> {
    let admin = Admin {
        cluster: Arc::clone(&roles.cluster),
        broker: Arc::clone(&roles.broker),
        discovery: Arc::clone(&roles.discovery),
    };
    let limits = options.rpc_limits(stopped.clone());
    let services = grpc::services(&roles.broker, &roles.realtime, admin, &limits);
    let rpc = options.rpc();
    async move {
        let Some(listener) = listener else { return };
        let served = henge_platform::rpc::serve(listener, services, rpc, is_set(stopped)).await;
        if let Err(error) = served {
            tracing::error!(%error, "gRPC is served no more");
        }
    }
}

/// What queries may hold, together with their answers that clients have not read yet.
fn running_queries(options: &Options) -> RunningQueries {
    let answers = options.accounts.answers.clone();
    RunningQueries::beside(options.broker.total_memory_bytes, move || answers.used_bytes())
}

async fn start_roles(options: &Options, folder: &DataFolder) -> Result<Roles> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Metrics::default();
    options.accounts.show(&metrics);
    spawn(keep_trimmed(options.broker.total_memory_bytes));
    let pool = CpuPool::new(options.query_threads).context("start the CPU pool")?;
    // Threads of its own, which the operating system prefers less than those of queries.
    let ingest_pool = CpuPool::with_options(options.ingest_pool);
    let ingest_pool = ingest_pool.context("start the threads of ingestion")?;
    show_pools(&metrics, &pool, &ingest_pool);
    let partials = partial_cache(options.partial_cache_bytes, &metrics);
    let storage = open_deep_storage(&options.storage, folder).await?;
    let marks = open_marks(folder)?;
    let metadata = open_metadata(folder, storage.clone(), &marks).await?;
    let discovery = Arc::new(InProcessDiscovery::new());
    let spill = LocalSpillStorage::open(&folder.query_spill())
        .context("empty the folder of temporary files")?;
    let queries = QueryServices {
        cluster: metadata.cluster_uuid().await.context("read the cluster's identity")?.into(),
        pool,
        running: Arc::new(running_queries(options)),
        spill: Some(Arc::new(spill)),
    };
    let reach = Reach::from(queries.clone(), options.encode_calls);
    let of_nodes = reach.services_of_nodes();
    let historical = Arc::new(
        HistoricalNode::open(
            options.historical.clone(),
            discovery.clone(),
            storage.clone(),
            metadata.clone(),
            of_nodes.clone(),
            partials,
        )
        .context("open the segment cache")?,
    );
    let coordinator =
        Arc::new(Coordinator::new(metadata.clone(), discovery.clone(), Arc::clone(&clock)));
    coordinator.connect(historical.clone());
    coordinator.run_once().await.context("load segments")?;
    historical.show(&metrics);
    historical.scrub();
    let published = Arc::new(Notify::new());
    let dependencies = Dependencies {
        metadata: metadata.clone(),
        storage,
        discovery: discovery.clone(),
        clock: Arc::clone(&clock),
        ingest_pool,
        queries: of_nodes,
        published: Arc::clone(&published),
        log_marks: marks,
        requests: options.accounts.requests.clone(),
        indexes: options.accounts.indexes.clone(),
    };
    spawn(async move { coordinator.run_woken_by(&published).await });
    let realtime = match RealtimeNode::start(options.realtime.clone(), dependencies).await {
        Err(error) if error.class() == ErrorClass::Corrupt => {
            refuse_damaged_logs(folder, &*metadata).await?;
            return Err(error).context("start ingestion");
        }
        started => started.context("start ingestion")?,
    };
    show_log_damage(&metrics, &realtime);
    show_backlog(&metrics, &realtime);
    let broker = Arc::new(Broker::new(
        options.broker.clone(),
        discovery.clone(),
        metadata,
        queries.clone(),
        &metrics,
    ));
    broker.connect(reach.reach(historical.clone()));
    broker.connect(reach.reach(realtime.clone()));
    report_unavailable(&broker).await?;
    broker.follow();
    Ok(Roles { broker, realtime, historical, discovery, cluster: queries.cluster, metrics })
}

/// Names at the start what is used and could not be loaded: queries over it fail until it can.
async fn report_unavailable(broker: &Broker) -> Result<()> {
    let available = broker.availability().await.context("read what is published")?;
    for (datasource, unavailable) in &available.unavailable {
        tracing::error!(datasource, "starts although {unavailable}");
    }
    Ok(())
}

/// What a start cut off the logs may have been acknowledged: it is shown as long as it is kept.
fn show_log_damage(metrics: &Metrics, realtime: &Arc<RealtimeNode>) {
    let help = "Bytes of damaged or unfinished last writes that the start cut off the logs.";
    let node = Arc::clone(realtime);
    metrics.gauge("henge_wal_torn_bytes", help, &[], move || node.log_damage().0);
    let help = "Files kept in the quarantines of logs.";
    let node = Arc::clone(realtime);
    metrics.gauge("henge_wal_quarantined_files", help, &[], move || node.log_damage().1);
}

/// A hand-off that does not get on keeps its rows here, where they are counted and queryable.
fn show_backlog(metrics: &Metrics, realtime: &Arc<RealtimeNode>) {
    let help = "Closed parts of datasources that are not wholly handed off.";
    let node = Arc::clone(realtime);
    let waiting = move || node.backlogs().iter().map(|(_, backlog)| backlog.waiting as u64).sum();
    metrics.gauge("henge_handoff_waiting", help, &[], waiting);
    let help = "Datasources whose hand-off fails; GET /v1/datasources/{name} says why.";
    let node = Arc::clone(realtime);
    let failing = move || node.backlogs().iter().filter(|(_, b)| b.failing > 0).count() as u64;
    metrics.gauge("henge_handoff_failing_datasources", help, &[], failing);
    let help = "Failed attempts to hand off a time chunk; the reason is that of the last one.";
    let labels = ["datasource", "interval", "reason"];
    metrics.gauge_by("henge_handoff_failed_attempts", help, labels, {
        let node = Arc::clone(realtime);
        move || {
            failures(&node, |name, interval, failure| {
                ([name, interval, failure.reason], u64::from(failure.attempts))
            })
        }
    });
    let help = "When a time chunk whose hand-off fails is tried next, in milliseconds since 1970.";
    metrics.gauge_by("henge_handoff_next_attempt_ms", help, ["datasource", "interval"], {
        let node = Arc::clone(realtime);
        move || {
            failures(&node, |name, interval, failure| {
                ([name, interval], u64::try_from(failure.next_attempt_ms).unwrap_or(0))
            })
        }
    });
}

/// What is shown of each hand-off that fails, with the names of its datasource and its time chunk.
fn failures<T>(node: &RealtimeNode, show: impl Fn(String, String, HandoffFailure) -> T) -> Vec<T> {
    let mut shown = Vec::new();
    for (name, backlog) in node.backlogs() {
        for failure in backlog.failures {
            let interval = failure.interval.map(|i| i.to_string()).unwrap_or_default();
            shown.push(show(name.clone(), interval, failure));
        }
    }
    shown
}

fn show_pools(metrics: &Metrics, queries: &CpuPool, ingestion: &CpuPool) {
    for (name, pool) in [("query", queries), ("ingest", ingestion)] {
        let pool = pool.clone();
        let help = "Tasks that wait for a CPU thread.";
        metrics.gauge("henge_pool_waiting_tasks", help, &[("pool", name)], move || {
            pool.queue_depth() as u64
        });
    }
}

fn partial_cache(
    (bytes, entry): (usize, usize),
    metrics: &Metrics,
) -> Option<Arc<dyn PartialCache>> {
    let cache = (bytes > 0).then(|| Arc::new(MemoryPartialCache::new(bytes, entry)))?;
    let shown = Arc::clone(&cache);
    show_cache(metrics, "segment", move || shown.stats());
    Some(cache)
}

fn router(options: Options, roles: &Roles) -> Router {
    let router = Router::new()
        .merge(henge_broker::router(Arc::clone(&roles.broker)))
        .merge(henge_realtime_node::router(Arc::clone(&roles.realtime)))
        .merge(status::router(
            roles.metrics.clone(),
            Arc::clone(&roles.broker),
            Arc::clone(&roles.historical),
        ));
    let answers = options.accounts.answers;
    with_fallbacks(router)
        .layer(axum::middleware::from_fn_with_state(answers, charge_answers))
        .layer(Extension(Arc::new(options.body)))
        .layer(axum::middleware::from_fn_with_state(options.allowed_hosts, refuse_strangers))
        .layer(axum::middleware::from_fn(assign_request_id))
}
