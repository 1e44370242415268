//! What the roles of a process stand on: metadata, deep storage, discovery, threads and accounts.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use henge_data_node::grpc::Dialer;
use henge_data_node::{QueryServices, RunningQueries};
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::membership::MissingInventory;
use henge_platform::metadata::{MetadataError, MetadataStore};
use henge_platform::rpc::{ClusterKey, Introduce};
use henge_platform::runtime::{Clock, CpuPool, SystemClock, allocator::keep_trimmed, spawn};
use henge_platform::spill::LocalSpillStorage;
use henge_platform::storage::{DeepStorage, StorageError};
use henge_platform::telemetry::Metrics;
use henge_platform::wal::LogMarks;
use henge_realtime_node::NetworkPeers;
use henge_types::ErrorClass;
use tokio::sync::watch;

use crate::cluster::incarnation;
use crate::data_folder::DataFolder;
use crate::deep_storage::open_deep_storage;
use crate::gate::Gate;
use crate::integrity::{open_marks, open_metadata};
use crate::options::Options;
use crate::reach::Reach;
use crate::shown;

/// Wait before something that was away is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What roles share.
pub(crate) struct Ground {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) ingest_pool: CpuPool,
    pub(crate) storage: Arc<dyn DeepStorage>,
    pub(crate) marks: LogMarks,
    pub(crate) metadata: Arc<dyn MetadataStore>,
    pub(crate) discovery: Arc<InProcessDiscovery>,
    pub(crate) queries: QueryServices,
    /// From the broker of this process to its data nodes.
    pub(crate) reach: Reach,
    /// To the nodes of other processes.
    pub(crate) dialer: Arc<Dialer>,
    /// The number of this start of the node: it grows with each.
    pub(crate) incarnation: u64,
    /// What has still to be seen of the cluster.
    pub(crate) awaited: watch::Sender<Vec<MissingInventory>>,
    /// To their realtime nodes, from the one of this process.
    pub(crate) realtime_peers: Arc<NetworkPeers>,
}

impl Ground {
    /// Opens everything. In a cluster, what is away is waited for, and `gate` says so.
    ///
    /// # Errors
    /// When something cannot be used, or, alone, is away.
    pub(crate) async fn lay(options: &Options, folder: &DataFolder, gate: &Gate) -> Result<Self> {
        let metrics = Metrics::default();
        options.accounts.show(&metrics);
        spawn(keep_trimmed(options.broker.total_memory_bytes));
        let pool = CpuPool::new(options.query_threads).context("start the CPU pool")?;
        // Threads of its own, which the operating system prefers less than those of queries.
        let ingest_pool = CpuPool::with_options(options.ingest_pool);
        let ingest_pool = ingest_pool.context("start the threads of ingestion")?;
        shown::process(&metrics);
        shown::pools(&metrics, &pool, &ingest_pool);
        let marks = open_marks(folder)?;
        let waiting = Waiting { gate, is_patient: options.node.is_in_cluster };
        let storage =
            waiting.until("deep storage", || open_deep_storage(&options.storage, folder)).await?;
        let metadata = waiting
            .until("the metadata store", || open_metadata(folder, storage.clone(), &marks))
            .await?;
        let spill = LocalSpillStorage::open(&folder.query_spill())
            .context("empty the folder of temporary files")?;
        let queries = QueryServices {
            cluster: metadata.cluster_uuid().await.context("read the cluster's identity")?.into(),
            pool,
            running: Arc::new(running_queries(options)),
            spill: Some(Arc::new(spill)),
        };
        let key =
            ClusterKey { cluster: Arc::clone(&queries.cluster), token: options.node.token.clone() };
        let introduce = Introduce::of(&key).context("introduce this process to others")?;
        Ok(Self {
            clock: Arc::new(SystemClock),
            realtime_peers: Arc::new(NetworkPeers::new(introduce, options.rpc())),
            metrics,
            ingest_pool,
            storage,
            marks,
            metadata,
            discovery: Arc::new(InProcessDiscovery::new()),
            reach: Reach::from(queries.clone(), options.encode_calls),
            dialer: Arc::new(Dialer::new(key, options.rpc(), Arc::clone(&queries.running))),
            queries,
            incarnation: incarnation::next(folder, SystemClock.now_ms())?,
            awaited: watch::Sender::new(match options.node.is_in_cluster {
                true => vec![MissingInventory::Cluster],
                false => Vec::new(),
            }),
        })
    }

    /// What the processes of the cluster know each other by.
    pub(crate) fn key(&self) -> ClusterKey {
        self.dialer.key().clone()
    }
}

/// What queries may hold, together with their answers that clients have not read yet.
fn running_queries(options: &Options) -> RunningQueries {
    let answers = options.accounts.answers.clone();
    RunningQueries::beside(options.broker.total_memory_bytes, move || answers.used_bytes())
}

/// Patience with what a process needs, and words for those who wait for it.
struct Waiting<'g> {
    gate: &'g Gate,
    /// Others of the cluster may be started later; a process that is alone says at once what is wrong.
    is_patient: bool,
}

impl Waiting<'_> {
    async fn until<T, F>(&self, what: &str, open: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        loop {
            self.gate.waits_for(format!("it opens {what}"));
            match open().await {
                Err(error) if self.is_patient && is_away(&error) => {
                    tracing::warn!("waiting for {what}: {error:#}");
                    self.gate.waits_for(format!("it waits for {what}: {error:#}"));
                    tokio::time::sleep(RETRY).await;
                }
                opened => return opened,
            }
        }
    }
}

fn is_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_metadata = cause.downcast_ref::<MetadataError>().map(MetadataError::class);
        let of_storage = cause.downcast_ref::<StorageError>().map(StorageError::class);
        let class = of_metadata.or(of_storage);
        matches!(class, Some(ErrorClass::Unavailable | ErrorClass::Timeout))
    })
}
