//! Nodes of other processes, whose announcements the broker follows late: every row that was acknowledged
//! before a query came is in its answer, once.

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
    MemoryMetadataStore, MetadataStore, PendingSegment, PublishRequest, PublishedSegment,
};
use henge_platform::runtime::CpuPool;
use henge_platform::telemetry::Metrics;
use henge_types::{Interval, SegmentId};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::world::{options, search};
use crate::{Broker, BrokerError, ClusterLinks};

const HOUR_MS: i64 = 3_600_000;
/// Nodes that buffer; one more holds what is published.
const BUFFERING: usize = 2;
const HISTORICAL: usize = BUFFERING;

/// Answers a search for the numbers of the rows of its segments.
#[derive(Debug)]
struct Rows {
    server: ServerId,
    segments: Mutex<BTreeMap<SegmentId, Vec<u32>>>,
    is_away: AtomicBool,
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

/// A process with one node.
struct Process {
    rows: Arc<Rows>,
    registry: Arc<InProcessDiscovery>,
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
struct Cluster {
    broker: Arc<Broker>,
    /// As the nodes reach it: the broker is not told what they commit.
    metadata: MemoryMetadataStore,
    processes: Vec<Process>,
    /// Open sinks, by node, datasource and hour.
    sinks: BTreeMap<(usize, &'static str, i64), PendingSegment>,
    acknowledged: BTreeSet<u32>,
    published: u32,
}

impl Cluster {
    /// `older` nodes do not say how far their announcements are.
    async fn new(older: bool) -> Self {
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
            published: 0,
        };
        // All of them were seen once.
        sleep(Duration::from_millis(20)).await;
        cluster
    }

    /// A row comes to a node, in a new sink if there is none for its hour, and is acknowledged.
    async fn push(&mut self, node: usize, datasource: &'static str, hour: i64) {
        let process = &self.processes[node];
        let server = &process.rows.server;
        let sink = match self.sinks.get(&(node, datasource, hour)) {
            Some(sink) => sink.clone(),
            None => {
                let chunk = Interval { start_ms: hour * HOUR_MS, end_ms: (hour + 1) * HOUR_MS };
                let noted = self.metadata.buffer_segment(server, datasource, chunk).await.unwrap();
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

    /// A sink is published, and held by the historical node.
    async fn hand_off(&mut self, which: usize) {
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
    fn release(&self, node: usize) {
        let Process { rows, registry, .. } = &self.processes[node];
        let held = self.processes[HISTORICAL].rows.segments.lock();
        let mut segments = rows.segments.lock();
        let gone: Vec<_> = segments.keys().filter(|id| held.contains_key(id)).cloned().collect();
        segments.retain(|id, _| !held.contains_key(id));
        registry.unannounce(&rows.server, gone).unwrap();
    }

    fn stall(&self, node: usize, ms: u64) {
        *self.processes[node].stalled_until.lock() = Instant::now() + Duration::from_millis(ms);
    }

    fn asked(&self, node: usize) -> (usize, usize) {
        let (queries, inventory) = &self.processes[node].rows.asked;
        (queries.swap(0, Ordering::SeqCst), inventory.swap(0, Ordering::SeqCst))
    }

    /// The rows of an answer.
    async fn ask(&self, context: Value) -> Result<BTreeSet<u32>, BrokerError> {
        let answer = self.broker.execute(search(context), Form::Json, "q", None).await?;
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
    tokio::spawn(follow(inventory, mirror, Arc::clone(&stalled_until)));
    Process { rows, registry, stalled_until }
}

async fn follow(
    inventory: Arc<LocalInventory>,
    mut mirror: Mirror,
    stalled_until: Arc<Mutex<Instant>>,
) {
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

#[tokio::test(start_paused = true)]
async fn i_09_what_another_broker_acknowledged_is_in_the_answer_at_once() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    cluster.push(0, "t", 2).await;
    cluster.stall(0, 3_000);
    let began = Instant::now();
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    // It is waited for, and for nothing else.
    assert!(began.elapsed() <= Duration::from_millis(3_020), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn i_09_an_answer_that_is_known_already_is_not_given_while_rows_are_missing_in_it() {
    let mut cluster = Cluster::new(false).await;
    let known = json!({ "useResultLevelCache": true, "populateResultLevelCache": true });
    cluster.push(0, "t", 1).await;
    cluster.hand_off(0).await;
    cluster.release(0);
    sleep(Duration::from_millis(20)).await;
    for _ in 0..3 {
        assert_eq!(cluster.ask(known.clone()).await.unwrap(), cluster.acknowledged);
    }
    assert_eq!(cluster.asked(HISTORICAL).0, 1, "the answer was known twice");
    cluster.push(1, "t", 1).await;
    cluster.stall(1, 500);
    assert_eq!(cluster.ask(known).await.unwrap(), cluster.acknowledged);
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_for_segments_is_not_asked_how_far_it_is_as_well() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    sleep(Duration::from_millis(20)).await;
    cluster.ask(json!({})).await.unwrap();
    let _ = [0, 1, HISTORICAL].map(|node| cluster.asked(node));
    let began = Instant::now();
    cluster.ask(json!({})).await.unwrap();
    assert_eq!([0, 1, HISTORICAL].map(|node| cluster.asked(node)), [(1, 0), (0, 1), (0, 0)]);
    assert_eq!(began.elapsed(), Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn other_datasources_do_not_make_a_query_start_over() {
    let mut cluster = Cluster::new(false).await;
    cluster.push(0, "t", 1).await;
    sleep(Duration::from_millis(20)).await;
    cluster.ask(json!({})).await.unwrap();
    let _ = [0, 1, HISTORICAL].map(|node| cluster.asked(node));
    cluster.stall(0, 10_000);
    cluster.stall(1, 10_000);
    for hour in 0..5 {
        cluster.push(0, "u", hour).await;
        cluster.push(1, "u", hour).await;
        assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    }
    assert_eq!((cluster.asked(0), cluster.asked(1)), ((5, 0), (0, 5)));
}

#[tokio::test(start_paused = true)]
async fn i_09_a_node_that_does_not_say_how_far_it_is_is_not_taken_for_current() {
    let mut cluster = Cluster::new(true).await;
    cluster.push(0, "t", 1).await;
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    cluster.push(1, "t", 1).await;
    cluster.stall(1, 1_000);
    assert_eq!(cluster.ask(json!({})).await.unwrap(), cluster.acknowledged);
    // One that is away, too.
    cluster.processes[1].rows.is_away.store(true, Ordering::SeqCst);
    cluster.push(1, "t", 2).await;
    let error = cluster.ask(json!({})).await.unwrap_err().to_string();
    assert!(error.contains("unavailable"), "{error}");
}

/// One step of a cluster's life.
#[derive(Debug, Clone)]
enum Step {
    Push { node: usize, datasource: &'static str, hour: i64 },
    HandOff { which: usize },
    Release { node: usize },
    Stall { node: usize, ms: u64 },
    Away { node: usize },
    Back { node: usize },
    Pass { ms: u64 },
    Ask { known: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..BUFFERING;
    let datasource = prop_oneof![3 => Just("t"), 1 => Just("u")];
    prop_oneof![
        6 => (node.clone(), datasource, 0..4_i64)
            .prop_map(|(node, datasource, hour)| Step::Push { node, datasource, hour }),
        2 => any::<usize>().prop_map(|which| Step::HandOff { which }),
        1 => node.clone().prop_map(|node| Step::Release { node }),
        2 => (0..=HISTORICAL, 0..3_000_u64).prop_map(|(node, ms)| Step::Stall { node, ms }),
        1 => node.clone().prop_map(|node| Step::Away { node }),
        2 => node.prop_map(|node| Step::Back { node }),
        1 => (0..50_u64).prop_map(|ms| Step::Pass { ms }),
        8 => any::<bool>().prop_map(|known| Step::Ask { known }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is late: an answer has each row that was acknowledged before the query came, once, or
    /// there is an error, which there is only while a node is away.
    #[test]
    fn i_09_an_answer_has_every_row_that_was_acknowledged_before(
        steps in prop::collection::vec(step(), 1..40),
        older in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut cluster = Cluster::new(older).await;
            for step in steps {
                cluster.take(step).await;
            }
        });
    }
}

impl Cluster {
    async fn take(&mut self, step: Step) {
        let is_away = |node: usize| &self.processes[node].rows.is_away;
        match step {
            Step::Push { node, datasource, hour } => self.push(node, datasource, hour).await,
            Step::HandOff { which } => self.hand_off(which).await,
            Step::Release { node } => self.release(node),
            Step::Stall { node, ms } => self.stall(node, ms),
            Step::Away { node } => is_away(node).store(true, Ordering::SeqCst),
            Step::Back { node } => is_away(node).store(false, Ordering::SeqCst),
            Step::Pass { ms } => sleep(Duration::from_millis(ms)).await,
            Step::Ask { known } => {
                let context =
                    json!({ "useResultLevelCache": known, "populateResultLevelCache": known });
                let somebody_is_away =
                    (0..BUFFERING).any(|node| is_away(node).load(Ordering::SeqCst));
                match self.ask(context).await {
                    Ok(found) => assert_eq!(found, self.acknowledged),
                    Err(error) => assert!(somebody_is_away, "{error}"),
                }
            }
        }
    }
}
