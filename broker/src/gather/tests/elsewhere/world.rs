//! A broker, and nodes of other processes that follow no script: they buffer, hand off, and answer with the
//! rows that they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use henge_answer::Form;
use henge_data_node::{
    Announcing, DataNode, DialNodes, NodeError, QueryServices, RunningQueries, SegmentQuery,
    SegmentReply,
};
use henge_exec::Partial;
use henge_exec::partial_rows::{SearchHit, SearchPartial};
use henge_platform::discovery::inventory::{Inventory, InventoryVersion, LocalInventory, Mirror};
use henge_platform::discovery::{
    AnnouncedSchema, AnnouncedSegment, Discovery, InProcessDiscovery, ServerAddress,
    ServerDescription, ServerId, ServerKind,
};
use henge_platform::metadata::{
    BUFFERING_SERVER, Buffering, BufferingBody, MemoryMetadataStore, MetadataStore, PendingSegment,
    PublishRequest, PublishedSegment,
};
use henge_platform::runtime::CpuPool;
use henge_platform::telemetry::Metrics;
use henge_types::{Interval, SegmentId};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::world::{options, search};
use crate::{Broker, BrokerError, ClusterLinks};

const HOUR_MS: i64 = 3_600_000;
/// Nodes that buffer; one more holds what is published.
pub(super) const BUFFERING: usize = 2;
pub(super) const HISTORICAL: usize = BUFFERING;

/// Answers a search for the numbers of the rows of its segments.
#[derive(Debug)]
pub(super) struct Rows {
    server: ServerId,
    segments: Mutex<BTreeMap<SegmentId, Vec<u32>>>,
    pub(super) is_away: AtomicBool,
    /// Queries, and how often it was asked how far it is.
    asked: (AtomicUsize, AtomicUsize),
}

impl Rows {
    fn reached(&self) -> Result<(), NodeError> {
        let (server, reason) = (self.server.to_string(), "told to be away".to_owned());
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(NodeError::Unavailable { server, reason }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl DataNode for Rows {
    fn server_id(&self) -> &ServerId {
        &self.server
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        self.asked.0.fetch_add(1, Ordering::SeqCst);
        self.reached()?;
        sleep(Duration::from_millis(1)).await;
        let segments = self.segments.lock();
        let (there, missing): (Vec<_>, Vec<_>) =
            request.segments.into_iter().partition(|wanted| segments.contains_key(&wanted.id));
        let hit = |row: &u32| SearchHit {
            bucket_start_ms: 0,
            dimension: "d".into(),
            value: Some(format!("{row:04}")),
            count: 1,
        };
        let hits = there.iter().flat_map(|wanted| &segments[&wanted.id]).map(hit).collect();
        let partial = Partial::Search(SearchPartial { hits, data_start_ms: Some(0) });
        Ok(SegmentReply {
            partials: vec![partial],
            missing,
            answered_segments: Some(there.len() as u64),
            ..SegmentReply::default()
        })
    }

    async fn cancel(&self, _query_id: &str) -> Result<(), NodeError> {
        Ok(())
    }
}

/// What a node of a build is that does not say how far its announcements are.
#[derive(Debug)]
struct Served {
    rows: Arc<Rows>,
    announcing: Option<Announcing>,
}

#[async_trait]
impl DataNode for Served {
    fn server_id(&self) -> &ServerId {
        &self.rows.server
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        match &self.announcing {
            Some(node) => node.run(request).await,
            None => self.rows.run(request).await,
        }
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.rows.cancel(query_id).await
    }

    async fn inventory(&self) -> Result<Option<InventoryVersion>, NodeError> {
        self.rows.asked.1.fetch_add(1, Ordering::SeqCst);
        self.rows.reached()?;
        match &self.announcing {
            Some(node) => node.inventory().await,
            None => Ok(None),
        }
    }
}

/// What the broker sees of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Its announcements, as they come.
    Followed,
    /// Those of before: the connection broke.
    Broken,
    /// Nothing: it is taken for dead.
    Gone,
}

/// A process with one node.
pub(super) struct Process {
    pub(super) rows: Arc<Rows>,
    registry: Arc<InProcessDiscovery>,
    sight: watch::Sender<Sight>,
    /// The broker hears nothing of its announcements until then.
    stalled_until: Arc<Mutex<Instant>>,
}

#[derive(Debug, Default)]
struct Dials(BTreeMap<String, Arc<Served>>);

impl DialNodes for Dials {
    fn dial(&self, server: &ServerId, address: &Arc<str>) -> Result<Arc<dyn DataNode>, NodeError> {
        let (server, reason) = (server.to_string(), format!("nobody is at {address}"));
        let node = self.0.get(&**address).cloned();
        node.map(|node| node as _).ok_or(NodeError::Unavailable { server, reason })
    }
}

/// A broker, nodes of other processes, and what was pushed to them.
pub(super) struct Cluster {
    broker: Arc<Broker>,
    /// As the nodes reach it: the broker is not told what they commit.
    metadata: MemoryMetadataStore,
    pub(super) processes: Vec<Process>,
    /// Open sinks, by node, datasource and hour.
    sinks: BTreeMap<(usize, &'static str, i64), PendingSegment>,
    pub(super) acknowledged: BTreeSet<u32>,
    /// Nodes reach the metadata when they open a sink.
    pub(super) sinks_are_noted: bool,
    published: u32,
}

impl Cluster {
    /// `older` nodes do not say how far their announcements are.
    pub(super) async fn new(older: bool) -> Self {
        let discovery = Arc::new(InProcessDiscovery::new());
        let mut dials = Dials::default();
        let mut processes = Vec::new();
        for number in 0..=HISTORICAL {
            let kind = match number {
                HISTORICAL => ServerKind::Historical,
                _ => ServerKind::Realtime,
            };
            let process = start(number, kind, older, &mut dials, &discovery);
            processes.push(process);
        }
        let metadata = MemoryMetadataStore::new();
        let services = QueryServices {
            cluster: "c".into(),
            pool: CpuPool::of_this_runtime(),
            running: Arc::new(RunningQueries::new(1 << 28)),
            spill: None,
        };
        let links = ClusterLinks { dial: Some(Arc::new(dials)), ..ClusterLinks::default() };
        let store = Arc::new(metadata.of_another_process());
        let metrics = Metrics::default();
        let broker = Broker::in_cluster(options(), discovery, store, services, &metrics, links);
        let cluster = Self {
            broker: Arc::new(broker),
            metadata,
            processes,
            sinks: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            sinks_are_noted: true,
            published: 0,
        };
        // All of them were seen once.
        sleep(Duration::from_millis(20)).await;
        cluster
    }

    /// A row comes to a node, in a new sink if there is none for its hour, and is acknowledged.
    pub(super) async fn push(&mut self, node: usize, datasource: &'static str, hour: i64) {
        let process = &self.processes[node];
        let server = &process.rows.server;
        let sink = match self.sinks.get(&(node, datasource, hour)) {
            Some(sink) => sink.clone(),
            None => {
                let chunk = Interval { start_ms: hour * HOUR_MS, end_ms: (hour + 1) * HOUR_MS };
                let noted = self.metadata.buffer_segment(server, datasource, chunk).await.unwrap();
                if !self.sinks_are_noted {
                    let id = std::slice::from_ref(&noted.id);
                    self.metadata.change_buffered(server, &[], id).await.unwrap();
                }
                process.registry.announce(server, vec![announced(&noted, true)]).unwrap();
                process.rows.segments.lock().insert(noted.id.clone(), Vec::new());
                self.sinks.insert((node, datasource, hour), noted.clone());
                noted
            }
        };
        if datasource == "t" {
            let row = self.acknowledged.len() as u32;
            process.rows.segments.lock().get_mut(&sink.id).unwrap().push(row);
            self.acknowledged.insert(row);
        }
    }

    /// A server that the broker does not see says that it may buffer rows.
    pub(super) async fn say_that_buffers(&self, server: &str) {
        let body = BufferingBody { buffering: Buffering::Begins }.to_json();
        self.metadata.put_document(BUFFERING_SERVER, server, &body).await.unwrap();
    }

    /// A server that the broker does not see notes a sink.
    pub(super) async fn note_at(&self, server: &str, datasource: &str, hour: i64) {
        let chunk = Interval { start_ms: hour * HOUR_MS, end_ms: (hour + 1) * HOUR_MS };
        self.metadata.buffer_segment(server, datasource, chunk).await.unwrap();
    }

    /// A sink is published, and held by the historical node.
    pub(super) async fn hand_off(&mut self, which: usize) {
        let Some((key, sink)) = self.sinks.iter().nth(which % self.sinks.len().max(1)) else {
            return;
        };
        let (key, sink) = (*key, sink.clone());
        self.sinks.remove(&key);
        self.published += 1;
        let request = PublishRequest {
            transaction_id: self.published.to_string(),
            segments: vec![published(&sink)],
            ..PublishRequest::default()
        };
        self.metadata.publish(&request).await.unwrap();
        let (from, to) = (&self.processes[key.0], &self.processes[HISTORICAL]);
        let rows = from.rows.segments.lock()[&sink.id].clone();
        from.registry.announce(&from.rows.server, vec![announced(&sink, false)]).unwrap();
        to.rows.segments.lock().insert(sink.id.clone(), rows);
        to.registry.announce(&to.rows.server, vec![announced(&sink, false)]).unwrap();
    }

    /// A node forgets what the historical node has.
    pub(super) fn release(&self, node: usize) {
        let Process { rows, registry, .. } = &self.processes[node];
        let held = self.processes[HISTORICAL].rows.segments.lock();
        let mut segments = rows.segments.lock();
        let gone: Vec<_> = segments.keys().filter(|id| held.contains_key(id)).cloned().collect();
        segments.retain(|id, _| !held.contains_key(id));
        registry.unannounce(&rows.server, gone).unwrap();
    }

    /// The broker sees so much of a process from now on, at once.
    pub(super) async fn see(&self, node: usize, sight: Sight) {
        self.stall(node, 0);
        self.processes[node].sight.send_replace(sight);
        sleep(Duration::from_millis(5)).await;
    }

    /// Whether the broker follows what all nodes announce.
    pub(super) fn sees_all(&self) -> bool {
        self.processes.iter().all(|process| *process.sight.borrow() == Sight::Followed)
    }

    pub(super) fn stall(&self, node: usize, ms: u64) {
        *self.processes[node].stalled_until.lock() = Instant::now() + Duration::from_millis(ms);
    }

    pub(super) fn asked(&self, node: usize) -> (usize, usize) {
        let (queries, inventory) = &self.processes[node].rows.asked;
        (queries.swap(0, Ordering::SeqCst), inventory.swap(0, Ordering::SeqCst))
    }

    /// The rows of an answer.
    pub(super) async fn ask(&self, context: Value) -> Result<BTreeSet<u32>, BrokerError> {
        let answer = self.broker.execute(search(&context), Form::Json, "q", None).await?;
        assert!(answer.response_context.is_empty(), "{:?}", answer.response_context);
        let rows: Value = serde_json::from_slice(&answer.body.unwrap()).unwrap();
        let hits = rows[0]["result"].as_array().cloned().unwrap_or_default();
        let number = |hit: &Value| -> u32 {
            assert_eq!(hit["count"], 1, "a row counts several times");
            hit["value"].as_str().unwrap().parse().unwrap()
        };
        Ok(hits.iter().map(number).collect())
    }
}

fn start(
    number: usize,
    kind: ServerKind,
    older: bool,
    dials: &mut Dials,
    discovery: &Arc<InProcessDiscovery>,
) -> Process {
    let (server, address): (ServerId, String) =
        (format!("n{number}").into(), format!("n{number}:1"));
    let registry = Arc::new(InProcessDiscovery::new());
    registry.join(&server, &ServerDescription { kind, ..ServerDescription::default() }).unwrap();
    let inventory = Arc::new(LocalInventory::of(Arc::clone(&registry) as _));
    let rows = Arc::new(Rows {
        server,
        segments: Mutex::default(),
        is_away: AtomicBool::new(false),
        asked: Default::default(),
    });
    let announcing =
        (!older).then(|| Announcing::new(Arc::clone(&rows) as _, Arc::clone(&inventory)));
    let served = Served { rows: Arc::clone(&rows), announcing };
    dials.0.insert(address.clone(), Arc::new(served));
    let stalled_until = Arc::new(Mutex::new(Instant::now()));
    let there = ServerAddress::Network(address.into());
    let mirror = Mirror::new(Arc::clone(discovery) as _, there);
    let sight = watch::Sender::new(Sight::Followed);
    tokio::spawn(see(inventory, mirror, sight.subscribe(), Arc::clone(&stalled_until)));
    Process { rows, registry, sight, stalled_until }
}

/// Follows a process as far as it is to be seen.
async fn see(
    inventory: Arc<LocalInventory>,
    mut mirror: Mirror,
    mut sight: watch::Receiver<Sight>,
    stalled_until: Arc<Mutex<Instant>>,
) {
    loop {
        let seen = *sight.borrow_and_update();
        if seen == Sight::Gone {
            mirror.forget().unwrap();
        }
        tokio::select! {
            biased;
            changed = sight.changed() => if changed.is_err() {
                return;
            },
            () = follow(&inventory, &mut mirror, &stalled_until), if seen == Sight::Followed => {}
        }
    }
}

/// More came meanwhile than is kept: everything is told.
async fn follow(inventory: &LocalInventory, mirror: &mut Mirror, stalled_until: &Mutex<Instant>) {
    let mut updates = inventory.follow(None);
    while let Some(update) = updates.next().await {
        loop {
            let until = *stalled_until.lock();
            if Instant::now() >= until {
                break;
            }
            sleep_until(until).await;
        }
        sleep(Duration::from_millis(1)).await;
        mirror.apply(update.unwrap()).unwrap();
    }
}

fn announced(
    PendingSegment { id, shard_spec }: &PendingSegment,
    realtime: bool,
) -> AnnouncedSegment {
    AnnouncedSegment {
        id: id.clone(),
        shard_spec: *shard_spec,
        tier: "t".into(),
        priority: 0,
        realtime,
        size_bytes: 1,
        schema: AnnouncedSchema::of([]).into(),
    }
}

fn published(PendingSegment { id, shard_spec }: &PendingSegment) -> PublishedSegment {
    PublishedSegment {
        id: id.clone(),
        shard_spec: *shard_spec,
        object_key: "k".into(),
        size_bytes: 1,
        checksum: 1,
        row_count: 1,
        min_time_ms: id.interval.start_ms,
        max_time_ms: id.interval.start_ms,
        schema_json: "{}".into(),
    }
}
