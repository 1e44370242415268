//! Starting the role.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use henge_data_node::{QueryRunner, QueryServices};
use henge_platform::discovery::{Discovery, ServerId};
use henge_platform::metadata::{DATASOURCE, MetadataStore};
use henge_platform::runtime::{Clock, CpuPool, MemoryAccount, spawn};
use henge_platform::storage::DeepStorage;
use henge_platform::wal::{LogHandles, LogMarks};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::identity::Identity;
use super::left_buffered::LeftBuffered;
use super::{RealtimeNode, compare, log_marks, lost_logs, refresh, route, take_over};
use crate::copies::Copies;
use crate::error::Result;
use crate::index_memory::IndexMemory;
use crate::lease::{self, NodeLease};
use crate::merging::MergeRoom;
use crate::notes::Notes;
use crate::options::RealtimeOptions;
use crate::peers::Peers;
use crate::priority::PUSH_PRIORITY;
use crate::registration::Registration;
use crate::serving::Serving;
use crate::shared::Shared;
use crate::task::TaskQueue;
use crate::uptime::{self, Uptime};

/// What a realtime node is made of.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// Metadata.
    pub metadata: Arc<dyn MetadataStore>,
    /// Deep storage.
    pub storage: Arc<dyn DeepStorage>,
    /// Announcements.
    pub discovery: Arc<dyn Discovery>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// CPU threads of ingestion.
    pub ingest_pool: CpuPool,
    /// What queries are answered with.
    pub queries: QueryServices,
    /// Told after each publish.
    pub published: Arc<Notify>,
    /// How far the logs are durable, beside them.
    pub log_marks: LogMarks,
    /// What requests are charged to.
    pub requests: MemoryAccount,
    /// What write-optimised indexes are charged to.
    pub indexes: MemoryAccount,
    /// The other realtime nodes; [`Alone`](crate::Alone) when there are none.
    pub peers: Arc<dyn Peers>,
}

impl RealtimeNode {
    /// Starts the role: opens the logs, replays what was acknowledged but not published, and takes
    /// up tasks that a restart interrupted. What was queryable before is queryable when this returns.
    ///
    /// # Errors
    /// When a log is corrupt, or the metadata store or a local folder cannot be used.
    pub async fn start(options: RealtimeOptions, deps: Dependencies) -> Result<Arc<Self>> {
        deps.discovery.join(&options.server_id, &options.description())?;
        let prepared = options.clone();
        let prepare = move || {
            prepared.prepare_folders()?;
            Identity::of(&prepared.data_dir, &prepared.node)
        };
        let identity = deps.ingest_pool.spawn(PUSH_PRIORITY, prepare).await??;
        let holder = identity.holder();
        let shared = Arc::new(share(options, deps, holder.clone()));
        shared.lease.take().await?;
        spawn(lease::keep(Arc::downgrade(&shared.lease)));
        let lease = Arc::clone(&shared.lease);
        let started = Self::open(shared, holder).await;
        if started.is_err() {
            // Whoever has the copies of its logs need not wait for it.
            lease.give_back().await;
        }
        started
    }

    async fn open(shared: Arc<Shared>, holder: String) -> Result<Arc<Self>> {
        lost_logs::await_takeover(&shared).await?;
        shared.registration.begin().await?;
        let node = Arc::new(Self {
            tasks: TaskQueue::new(Arc::clone(&shared)),
            shared,
            datasources: RwLock::default(),
            creating: tokio::sync::Mutex::default(),
            taking_over: tokio::sync::Mutex::default(),
            holder,
            is_draining: AtomicBool::new(false),
        });
        // What was buffered is placed anew, and tasks begin again.
        let server = node.shared.serving.server_id();
        node.shared.metadata.forget_pending(server).await?;
        let mut left = LeftBuffered::of(&node.shared).await?;
        let noted = node.shared.metadata.log_marks().await?;
        for record in node.shared.metadata.list_documents(DATASOURCE).await? {
            let name = record.name.clone();
            left.check_log(&name).await?;
            node.open_datasource(record, &noted).await?;
            node.resume_taken(&name).await?;
            node.shared.notes.note_missing().await?;
            left.replayed(&name).await?;
        }
        left.forget_rest().await?;
        node.note_log_marks().await;
        spawn(log_marks::keep_noted(Arc::downgrade(&node)));
        spawn(refresh::keep_fresh(Arc::downgrade(&node)));
        spawn(route::keep_balanced(Arc::downgrade(&node)));
        spawn(take_over::keep_watch(Arc::downgrade(&node)));
        spawn(count_uptime(Arc::downgrade(&node.shared)));
        node.tasks.resume().await?;
        spawn(compare::keep_compared(Arc::downgrade(&node)));
        Ok(node)
    }
}

fn share(options: RealtimeOptions, deps: Dependencies, holder: String) -> Shared {
    let server: ServerId = Arc::clone(&options.server_id);
    let log_handles = LogHandles::default();
    let world = || (Arc::clone(&deps.metadata), Arc::clone(&deps.clock));
    let (metadata, clock) = world();
    let lease = Arc::new(NodeLease::new(metadata, clock, &options.node, holder));
    let registration = Registration::new(
        Arc::clone(&deps.metadata),
        Arc::clone(&server),
        Arc::clone(&lease),
        options.is_in_cluster,
    );
    let (metadata, clock) = world();
    let files = (log_handles.clone(), deps.log_marks.clone());
    let copies = Copies::new(&options, metadata, clock, files);
    let (metadata, clock) = world();
    let doubt = Arc::<Notify>::default();
    let announced = Arc::clone(&deps.discovery);
    let notes =
        Notes::new(Arc::clone(&server), Arc::clone(&metadata), announced, Arc::clone(&doubt));
    Shared {
        lease,
        registration,
        copies,
        notes,
        doubt,
        peers: deps.peers,
        uptime: Uptime::new(metadata, clock, Arc::clone(&server)),
        serving: Serving::new(server, Arc::clone(&deps.discovery), deps.ingest_pool.clone()),
        merge_room: MergeRoom::new(options.max_merge_bytes),
        options,
        metadata: deps.metadata,
        storage: deps.storage,
        discovery: deps.discovery,
        clock: deps.clock,
        ingest_pool: deps.ingest_pool,
        queries: QueryRunner::new(deps.queries),
        published: deps.published,
        requests: deps.requests,
        index_memory: IndexMemory::new(deps.indexes),
        log_handles,
        letters_kept: Mutex::default(),
        log_marks: deps.log_marks,
    }
}

/// Counts the time for as long as the node lives.
async fn count_uptime(shared: Weak<Shared>) {
    if let Some(shared) = shared.upgrade() {
        shared.uptime.lead().await;
    }
    loop {
        tokio::time::sleep(uptime::PERIOD).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.uptime.lead().await;
        shared.uptime.prune_keys(shared.options.idempotency_retention_ms).await;
    }
}
