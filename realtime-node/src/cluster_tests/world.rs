//! Nodes that start, die and lose their disks, over metadata and deep storage in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use henge_data_node::{QueryServices, RunningQueries};
use henge_platform::discovery::{Discovery, InProcessDiscovery};
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore};
use henge_platform::runtime::simulation::{self, Process};
use henge_platform::runtime::{CpuPool, ManualClock, MemoryAccount, files};
use henge_platform::storage::{DeepStorage, FaultPlan, ObjectDeepStorage, UnreliableStorage};
use henge_platform::wal::LogMarks;
use henge_query::ingest::DataSchema;
use henge_segment::{ColumnView, MappedSegment, SegmentView};
use henge_types::SegmentId;
use tempfile::TempDir;

use crate::error::{RealtimeError, Result};
use crate::lease::TTL_MS;
use crate::node::{Dependencies, RealtimeNode};
use crate::options::{RealtimeOptions, server_of};
use crate::peers::{MemoryPeers, Peers};
use crate::push::{KeyOwners, LogState, PushReply};

pub(super) const DATASOURCE: &str = "events";

pub(super) struct World {
    folder: TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) metadata: Arc<MemoryMetadataStore>,
    storage: Arc<UnreliableStorage>,
    discovery: Arc<InProcessDiscovery>,
    pub(super) peers: MemoryPeers,
    /// Brokers of other processes answer as well.
    pub(super) is_in_cluster: bool,
    live: BTreeMap<String, (Process, Arc<RealtimeNode>)>,
}

/// Runs a test on a seeded thread whose time passes only when nothing else is to be done.
pub(super) fn run<F: Future<Output = ()>>(seed: u64, test: impl FnOnce(World) -> F) {
    println!("seed {seed}");
    let simulated = simulation::enter(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.unwrap();
    runtime.block_on(async { test(World::new()).await });
    drop(runtime);
    drop(simulated);
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(1_600_000_000_000));
        Self {
            folder: tempfile::tempdir().unwrap(),
            metadata: Arc::new(MemoryMetadataStore::with_clock(clock.clone())),
            clock,
            storage: Arc::new(UnreliableStorage::new(
                Arc::new(ObjectDeepStorage::in_memory()),
                FaultPlan::default(),
                7,
            )),
            discovery: Arc::default(),
            peers: MemoryPeers::new("test"),
            is_in_cluster: false,
            live: BTreeMap::new(),
        }
    }

    pub(super) fn disk(&self, node: &str) -> PathBuf {
        self.folder.path().join(node)
    }

    /// Starts a node on the disk of its name.
    pub(super) async fn start(&mut self, name: &str, zone: &str) -> Arc<RealtimeNode> {
        self.try_start(name, zone).await.unwrap()
    }

    pub(super) async fn try_start(&mut self, name: &str, zone: &str) -> Result<Arc<RealtimeNode>> {
        let process = Process::new(name);
        let disk = self.disk(name);
        files::create_dir_all(&disk).unwrap();
        let options = RealtimeOptions::under(&disk).of_node(name);
        let is_in_cluster = self.is_in_cluster;
        let options = RealtimeOptions { zone: zone.into(), is_in_cluster, ..options };
        let dependencies = Dependencies {
            metadata: self.metadata.clone(),
            storage: self.storage.clone(),
            discovery: self.discovery.clone(),
            clock: self.clock.clone(),
            ingest_pool: CpuPool::of_this_runtime(),
            queries: QueryServices {
                cluster: self.metadata.cluster_uuid().await.unwrap().into(),
                pool: CpuPool::of_this_runtime(),
                running: Arc::new(RunningQueries::new(usize::MAX)),
                spill: None,
            },
            published: Arc::default(),
            log_marks: LogMarks::open(&disk.join("marks")).unwrap(),
            requests: MemoryAccount::unbounded(),
            indexes: MemoryAccount::unbounded(),
            peers: Arc::new(self.peers.seen_by(name)),
        };
        let started = process.spawn(RealtimeNode::start(options, dependencies)).await.unwrap();
        let node = started?;
        self.peers.join(name, zone, node.clone(), &process);
        self.live.insert(name.to_owned(), (process, Arc::clone(&node)));
        Ok(node)
    }

    pub(super) fn process(&self, name: &str) -> Process {
        self.live[name].0.clone()
    }

    /// What a node announces.
    pub(super) fn discovery_of(&self, name: &str) -> Vec<SegmentId> {
        let snapshot = self.discovery.snapshot();
        let server = snapshot.servers.get(&server_of(name));
        server.map_or_else(Vec::new, |server| server.segments.keys().cloned().collect())
    }

    /// Deep storage takes nothing, or does again.
    pub(super) fn refuse_objects(&self, refuse: bool) {
        let plan = match refuse {
            true => FaultPlan { refuse: 1.0, ..FaultPlan::default() },
            false => FaultPlan::default(),
        };
        self.storage.set_plan(plan);
    }

    pub(super) fn node(&self, name: &str) -> Arc<RealtimeNode> {
        Arc::clone(&self.live[name].1)
    }

    /// Ends a process; the others see it dead.
    pub(super) fn kill(&mut self, name: &str) {
        self.peers.leave(name);
        if let Some((process, _)) = self.live.remove(name) {
            process.kill();
        }
        self.discovery.leave(&server_of(name)).unwrap();
    }

    pub(super) fn lose_disk(&self, name: &str) {
        files::remove_dir_all(&self.disk(name)).unwrap();
    }

    /// Lets leases run out that nobody renews meanwhile.
    pub(super) fn outlive_leases(&self) {
        self.clock.pass(TTL_MS + 1);
    }

    /// Does something in the process of a node.
    pub(super) async fn at<T, F>(
        &self,
        name: &str,
        work: impl FnOnce(Arc<RealtimeNode>) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let dead = || RealtimeError::Unavailable("the process ended".into());
        let (process, node) = self.live.get(name).ok_or_else(dead)?;
        process.spawn(work(Arc::clone(node))).await.map_err(|_| dead())?
    }

    pub(super) async fn put_schema(&self, name: &str, ack: &str, more: &str) {
        let schema = format!(
            r#"{{"dataSource":"{DATASOURCE}","timestampSpec":{{"column":"t","format":"millis"}},
            "dimensionsSpec":{{"dimensions":[{{"name":"id","type":"long"}}{more}]}},"ack":"{ack}",
            "granularitySpec":{{"segmentGranularity":"hour","rollup":false}}}}"#
        );
        let schema = DataSchema::parse(schema.as_bytes()).unwrap();
        let put = |node: Arc<RealtimeNode>| async move { node.put_datasource(&schema).await };
        self.at(name, put).await.unwrap();
        if ack == "replicated" {
            self.followed(name).await;
        }
    }

    /// Waits until a second node has the log of a node.
    pub(super) async fn followed(&self, name: &str) {
        let wait = |node: Arc<RealtimeNode>| async move {
            node.datasource(DATASOURCE).await?.log_copy().unwrap().followed().await;
            Ok(())
        };
        self.at(name, wait).await.unwrap();
    }

    /// Pushes events with these ids.
    pub(super) async fn push(
        &self,
        name: &str,
        ids: std::ops::Range<i64>,
        key: Option<&str>,
    ) -> Result<PushReply> {
        let key = key.map(Arc::from);
        self.at(name, |node| async move { node.push(DATASOURCE, body(ids), key).await }).await
    }

    /// A key that a node owns.
    pub(super) async fn key_of(&self, node: &str) -> String {
        let live = self.peers.live().into_iter().map(|peer| peer.node);
        let (datasource, this) = (DATASOURCE.into(), node.into());
        let owners = KeyOwners::of(&*self.metadata, &datasource, &this, live);
        let owners = owners.await.unwrap();
        let mut keys = (0..).map(|number| format!("key-{number}"));
        keys.find(|key| **owners.owner(key) == *node).unwrap()
    }

    /// Publishes what is buffered at all nodes.
    pub(super) async fn flush(&self) {
        for name in self.live.keys() {
            let flush = |node: Arc<RealtimeNode>| async move {
                node.flush().await;
                Ok(())
            };
            self.at(name, flush).await.unwrap();
        }
    }

    /// Waits until nobody goes on with a log of a node any more.
    pub(super) async fn finished(&self, name: &str) {
        loop {
            let logs = LogState::all(&*self.metadata, name).await.unwrap();
            if logs.iter().all(|log| log.body.taken.is_empty()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// How often each id is in the segments that are used.
    pub(super) async fn counts(&self) -> BTreeMap<i64, usize> {
        let mut counts = BTreeMap::new();
        for segment in self.metadata.used_segments().await.unwrap().segments {
            let object = self.storage.read(&segment.object_key).await.unwrap();
            let view = MappedSegment::open(Arc::new(object)).unwrap();
            ids(&view).into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
        }
        counts
    }

    /// Publishes all, and expects each of these ids once and no other.
    pub(super) async fn assert_once(&self, expected: std::ops::Range<i64>) {
        self.flush().await;
        let expected: BTreeMap<i64, usize> = expected.map(|id| (id, 1)).collect();
        assert_eq!(self.counts().await, expected);
        assert_eq!(self.metadata.buffered_segments().await.unwrap(), []);
    }
}

/// Events of three hours.
pub(super) fn body(ids: std::ops::Range<i64>) -> Bytes {
    let event = |id: i64| format!("{{\"t\":{},\"id\":{id}}}\n", id % 3 * 3_600_000);
    ids.map(event).collect::<String>().into()
}

fn ids(view: &MappedSegment) -> Vec<i64> {
    let mut ids = Vec::new();
    if let Some(ColumnView::Long(column)) = view.column("id").unwrap() {
        let mut scratch = Vec::new();
        for block in 0..view.block_count() {
            let decoded = column.block(block, &mut scratch).unwrap();
            ids.extend((0..view.block_rows(block)).map(|row| decoded.values.get(row)));
        }
    }
    ids
}
