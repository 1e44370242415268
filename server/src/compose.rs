//! Puts the roles together: SQLite metadata, a local directory as deep storage, discovery and calls
//! within the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::{Extension, Router};
use henge_broker::profile::show_cache;
use henge_broker::{Broker, BrokerOptions};
use henge_coordinator::Coordinator;
use henge_historical_node::{HistoricalNode, HistoricalOptions, ServedForm};
use henge_platform::cache::{MemoryPartialCache, PartialCache};
use henge_platform::compression::InflateLimits;
use henge_platform::config::{ServerConfig, TierCodec};
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::http::{
    BodyLimits, ReadPace, ServeOptions, assign_request_id, charge_answers, with_fallbacks,
};
use henge_platform::metadata::manifest::ManifestedStore;
use henge_platform::metadata::{MetadataStore, SqliteMetadataStore, SqliteOptions};
use henge_platform::runtime::{
    Clock, CpuPool, HandleLimit, PoolOptions, SystemClock, raise_handle_limit,
};
use henge_platform::spill::LocalSpillStorage;
use henge_platform::storage::{DeepStorage, LocalDeepStorage};
use henge_platform::telemetry::Metrics;
use henge_realtime_node::{Dependencies, RealtimeNode, RealtimeOptions};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

use crate::data_folder::{DataFolder, DataFolderLock};
use crate::memory::{self, Accounts};
use crate::status;

/// A server at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the port it really got.
    pub url: String,
    /// How long it took from the start until it was ready.
    pub startup: Duration,
    /// Segments served at the start.
    pub segments: usize,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
    realtime: Arc<RealtimeNode>,
    lock: DataFolderLock,
}

impl Running {
    /// Stops taking requests, finishes those at work, and waits for it. What is buffered stays in the
    /// log. The data folder is free for others once the lock is dropped.
    pub async fn stop(self) -> DataFolderLock {
        let _ = self.stop.send(());
        let _ = self.served.await;
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
    metrics: Metrics,
    accounts: Accounts,
}

/// File handles that are kept from connections for files: databases, logs, segments on their way, spills.
const HANDLES_FOR_FILES: u64 = 512;

/// Starts all roles and the HTTP server; returns when everything that was stored is queryable.
///
/// # Errors
/// When the data directory cannot be used or belongs to another server, stored state is damaged or
/// the port is taken.
pub async fn start(config: &ServerConfig) -> Result<Running> {
    let started = Instant::now();
    let folder = DataFolder::new(&config.data_dir);
    let lock = folder.own()?;
    let config = &memory::fitted(config);
    let handles = raise_handle_limit();
    let listener =
        TcpListener::bind((config.host.as_str(), config.port)).await.with_context(|| {
            format!("listen on {}:{}: is another server running there?", config.host, config.port)
        })?;
    let address = listener.local_addr().context("read the port")?;
    let roles = start_roles(config, &folder).await?;
    let router = router(config, &roles);
    let options = serve_options(config, handles);
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let served = tokio::spawn(henge_platform::http::serve(listener, router, options, shutdown));
    Ok(Running {
        url: format!("http://{address}"),
        startup: started.elapsed(),
        segments: roles.historical.segment_count(),
        stop,
        served,
        realtime: roles.realtime,
        lock,
    })
}

fn serve_options(config: &ServerConfig, handles: HandleLimit) -> ServeOptions {
    let limits = &config.limits;
    let left = handles.now.saturating_sub(HANDLES_FOR_FILES).max(handles.now / 2);
    let max_connections = u64::from(limits.connections).min(left);
    if max_connections < u64::from(limits.connections) {
        tracing::warn!(
            handles = handles.now,
            connections = max_connections,
            "the operating system allows few file handles: limits.connections is lowered to fit; \
             raise the hard limit (ulimit -Hn)"
        );
    }
    let defaults = ServeOptions::default();
    ServeOptions {
        max_connections: usize::try_from(max_connections).unwrap_or(usize::MAX),
        header_timeout: Duration::from_millis(limits.header_timeout_ms),
        read_pace: ReadPace {
            grace: Duration::from_millis(limits.answer_idle_timeout_ms),
            ..defaults.read_pace
        },
        ..defaults
    }
}

async fn start_roles(config: &ServerConfig, folder: &DataFolder) -> Result<Roles> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Metrics::default();
    let accounts = Accounts::new(config);
    accounts.show(&metrics);
    let pool = CpuPool::new(config.query.threads as usize).context("start the CPU pool")?;
    let ingest_pool = ingest_pool(config)?;
    show_pools(&metrics, &pool, &ingest_pool);
    let partials = partial_cache(config, &metrics);
    let storage =
        Arc::new(LocalDeepStorage::open(folder.deep_storage()).context("open deep storage")?);
    let metadata = open_metadata(folder, storage.clone()).await?;
    let discovery = Arc::new(InProcessDiscovery::new());
    let historical = Arc::new(
        HistoricalNode::open(
            historical_options(config, folder),
            discovery.clone(),
            storage.clone(),
            pool.clone(),
            partials,
        )
        .context("open the segment cache")?,
    );
    let coordinator =
        Arc::new(Coordinator::new(metadata.clone(), discovery.clone(), Arc::clone(&clock)));
    coordinator.connect(historical.clone());
    coordinator.run_once().await.context("load segments")?;
    let published = Arc::new(Notify::new());
    let dependencies = Dependencies {
        metadata: metadata.clone(),
        storage,
        discovery: discovery.clone(),
        clock: Arc::clone(&clock),
        ingest_pool,
        pool: pool.clone(),
        published: Arc::clone(&published),
        requests: accounts.requests.clone(),
    };
    tokio::spawn(async move { coordinator.run_woken_by(&published).await });
    let realtime = RealtimeNode::start(realtime_options(config), dependencies)
        .await
        .context("start ingestion")?;
    let spill = LocalSpillStorage::open(&folder.spill()).context("open the spill folder")?;
    let broker = Arc::new(Broker::new(
        broker_options(config),
        discovery,
        metadata,
        pool,
        Some(Arc::new(spill)),
        &metrics,
    ));
    broker.connect(historical.clone());
    broker.connect(realtime.clone());
    report_unavailable(&broker).await?;
    broker.follow();
    Ok(Roles { broker, realtime, historical, metrics, accounts })
}

/// Names at the start what is used and could not be loaded: queries over it fail until it can.
async fn report_unavailable(broker: &Broker) -> Result<()> {
    let available = broker.availability().await.context("read what is published")?;
    for (datasource, unavailable) in &available.unavailable {
        tracing::error!(datasource, "starts although {unavailable}");
    }
    Ok(())
}

/// Ingestion has threads of its own, which the operating system prefers less than those of queries.
fn ingest_pool(config: &ServerConfig) -> Result<CpuPool> {
    let ingestion = &config.ingestion;
    let options = PoolOptions {
        threads: ingestion.threads as usize,
        name: "henge-ingest",
        nice: i32::try_from(ingestion.nice).unwrap_or(19),
    };
    CpuPool::with_options(options).context("start the threads of ingestion")
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

fn partial_cache(config: &ServerConfig, metrics: &Metrics) -> Option<Arc<dyn PartialCache>> {
    let (bytes, entry) =
        (config.cache.segment_bytes as usize, config.cache.max_entry_bytes as usize);
    let cache = (bytes > 0).then(|| Arc::new(MemoryPartialCache::new(bytes, entry)))?;
    let shown = Arc::clone(&cache);
    show_cache(metrics, "segment", move || shown.stats());
    Some(cache)
}

/// A store without a manifest, new or from an earlier version, first says all it knows.
async fn open_metadata(
    folder: &DataFolder,
    storage: Arc<dyn DeepStorage>,
) -> Result<Arc<dyn MetadataStore>> {
    let path = folder.metadata();
    let store = SqliteMetadataStore::open(SqliteOptions::new(&path))
        .await
        .with_context(|| format!("open the metadata store {}", path.display()))?;
    if store.manifest_state().await?.complete == 0 {
        store.make_complete_manifest().await?;
    }
    let store = ManifestedStore::new(Arc::new(store), storage);
    store.write_manifests().await.context("write what the metadata say to deep storage")?;
    Ok(Arc::new(store))
}

fn router(config: &ServerConfig, roles: &Roles) -> Router {
    let limits = &config.limits;
    let body_limits = BodyLimits {
        max_body_bytes: limits.request_body_bytes as usize,
        inflate: InflateLimits {
            max_inflated_bytes: limits.inflated_body_bytes as usize,
            max_ratio: limits.inflate_ratio as usize,
            ..InflateLimits::default()
        },
        idle_timeout: Duration::from_millis(limits.body_idle_timeout_ms),
        account: roles.accounts.requests.clone(),
        ..BodyLimits::default()
    };
    let router = Router::new()
        .merge(henge_broker::api::router(Arc::clone(&roles.broker)))
        .merge(henge_realtime_node::api::router(Arc::clone(&roles.realtime)))
        .merge(status::router(roles.metrics.clone(), Arc::clone(&roles.broker)));
    let answers = roles.accounts.answers.clone();
    with_fallbacks(router)
        .layer(axum::middleware::from_fn_with_state(answers, charge_answers))
        .layer(Extension(Arc::new(body_limits)))
        .layer(axum::middleware::from_fn(assign_request_id))
}

fn historical_options(config: &ServerConfig, folder: &DataFolder) -> HistoricalOptions {
    HistoricalOptions {
        server_id: "historical-0".into(),
        tier: "_default_tier".into(),
        priority: 0,
        cache_dir: folder.segment_cache(),
        capacity_bytes: u64::MAX,
        form: match config.historical.codec {
            TierCodec::None => ServedForm::Hot,
            TierCodec::AsStored => ServedForm::AsStored,
        },
        dictionary_budget_bytes: config.query.dictionary_budget_bytes as usize,
    }
}

fn realtime_options(config: &ServerConfig) -> RealtimeOptions {
    let ingestion = &config.ingestion;
    RealtimeOptions {
        max_rows_in_memory: ingestion.max_rows_in_memory as usize,
        max_bytes_in_memory: ingestion.max_bytes_in_memory as usize,
        handoff_rows: ingestion.handoff_rows as usize,
        handoff_period_ms: ingestion.handoff_age_ms,
        max_open_chunks: ingestion.open_chunks_per_datasource as usize,
        dead_letters_kept: config.limits.dead_letters_per_datasource,
        idempotency_retention_ms: ingestion.idempotency_window_ms as i64,
        ..RealtimeOptions::under(&config.data_dir)
    }
}

fn broker_options(config: &ServerConfig) -> BrokerOptions {
    let query = &config.query;
    BrokerOptions {
        default_timeout_ms: query.timeout_ms,
        max_timeout_ms: query.max_timeout_ms,
        memory_budget_bytes: query.memory_budget_bytes as usize,
        max_buckets: query.max_buckets as usize,
        max_running_queries: query.max_concurrent as usize,
        max_waiting_queries: query.max_waiting as usize,
        total_memory_bytes: query.total_memory_bytes as usize,
        max_on_disk_storage_bytes: query.max_on_disk_storage_bytes,
        lane_percents: query.lanes.clone(),
        slow_query_ms: query.slow_ms,
        result_cache_bytes: config.cache.result_bytes as usize,
        max_cached_result_bytes: config.cache.max_entry_bytes as usize,
    }
}
