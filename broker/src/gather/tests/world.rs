//! A broker over nodes that do as they are told: each answers a search for the numbers of the segments
//! that it was asked for, so that an answer says which segments count and how often.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use henge_answer::Form;
use henge_data_node::{
    DataNode, DialNodes, NodeError, Partitions, QueryServices, RunningQueries, SegmentQuery,
    SegmentReply,
};
use henge_exec::Partial;
use henge_exec::partial_rows::{SearchHit, SearchPartial};
use henge_platform::discovery::{
    AnnouncedSchema, AnnouncedSegment, Discovery, InProcessDiscovery, ServerId,
};
use henge_platform::metadata::{
    MemoryMetadataStore, MetadataStore, PublishRequest, PublishedSegment,
};
use henge_platform::runtime::CpuPool;
use henge_platform::telemetry::Metrics;
use henge_query::Query;
use henge_types::{ErrorClass, Interval, SegmentId, ShardSpec, Version};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{Broker, BrokerError, BrokerOptions, ClusterLinks};

/// What a node does about a call.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Answers after some milliseconds, and lacks the segments whose bits are set.
    Answer { after_ms: u64, lacks: u64 },
    /// Fails after some milliseconds.
    Fail { after_ms: u64, class: ErrorClass },
    /// Claims to have answered for more than it says.
    Lie,
    /// Goes away before what it has on disk was read.
    Break,
    /// Says nothing.
    Silent,
}

/// What a node does at once, having everything.
pub(super) const PLAIN: Act = Act::Answer { after_ms: 0, lacks: 0 };

/// A node that does as it is told.
#[derive(Debug)]
pub(super) struct Scripted {
    server: ServerId,
    script: Mutex<VecDeque<Act>>,
    /// What it does when nothing else is told.
    pub(super) habit: Mutex<Act>,
    /// Time left and segments of each call.
    pub(super) asked: Mutex<Vec<(Duration, Vec<u32>)>>,
    /// Calls at work.
    pub(super) at_work: AtomicUsize,
    pub(super) was_asked: Notify,
    pub(super) cancelled: Mutex<Vec<String>>,
}

struct AtWork<'n>(&'n AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scripted {
    pub(super) fn named(server: &str) -> Arc<Self> {
        Arc::new(Self {
            server: server.into(),
            script: Mutex::default(),
            habit: Mutex::new(PLAIN),
            asked: Mutex::default(),
            at_work: AtomicUsize::new(0),
            was_asked: Notify::new(),
            cancelled: Mutex::default(),
        })
    }

    /// Does these, one a call, and then what it always does.
    pub(super) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.script.lock().extend(acts);
    }

    /// Does what it always does.
    pub(super) fn forget(&self) {
        self.script.lock().clear();
    }

    pub(super) fn calls(&self) -> usize {
        self.asked.lock().len()
    }

    fn reply(&self, request: &SegmentQuery, lacks: u64) -> SegmentReply {
        let is_there = |partition: u32| lacks >> partition & 1 == 0;
        let (there, missing): (Vec<_>, Vec<_>) =
            request.segments.iter().cloned().partition(|s| is_there(s.id.partition));
        let hit = |partition: u32| SearchHit {
            bucket_start_ms: 0,
            dimension: "d".into(),
            value: Some(format!("{partition:02}")),
            count: 1,
        };
        let hits = there.iter().map(|segment| hit(segment.id.partition)).collect();
        let partial = Partial::Search(SearchPartial { hits, data_start_ms: Some(0) });
        SegmentReply {
            partials: vec![partial],
            missing,
            answered_segments: Some(there.len() as u64),
            ..SegmentReply::default()
        }
    }
}

#[async_trait]
impl DataNode for Scripted {
    fn server_id(&self) -> &ServerId {
        &self.server
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let partitions = request.segments.iter().map(|segment| segment.id.partition).collect();
        self.asked.lock().push((request.timeout, partitions));
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let _at_work = AtWork(&self.at_work);
        self.was_asked.notify_one();
        let act = self.script.lock().pop_front();
        match act.unwrap_or_else(|| self.habit.lock().clone()) {
            Act::Answer { after_ms, lacks } => {
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                Ok(self.reply(&request, lacks))
            }
            Act::Fail { after_ms, class } => {
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                let (server, reason) = (self.server.to_string(), "told to fail".to_owned());
                Err(match class {
                    ErrorClass::Unavailable => NodeError::Unavailable { server, reason },
                    class => NodeError::failed(class, reason),
                })
            }
            Act::Lie => {
                let reply = self.reply(&request, 0);
                Ok(SegmentReply { partials: Vec::new(), answered_segments: Some(0), ..reply })
            }
            Act::Break => {
                let (server, reason) = (self.server.to_string(), "told to go".to_owned());
                let gone = stream::iter([Err(NodeError::Unavailable { server, reason })]).boxed();
                let partitions = Some(Partitions::new(gone));
                Ok(SegmentReply { partials: Vec::new(), partitions, ..self.reply(&request, 0) })
            }
            Act::Silent => std::future::pending().await,
        }
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.cancelled.lock().push(query_id.to_owned());
        Ok(())
    }
}

/// Reaches nodes by address; those that are not there are away.
#[derive(Debug, Default)]
pub(super) struct Dials {
    pub(super) there: Mutex<BTreeMap<String, Arc<Scripted>>>,
    pub(super) dialed: Mutex<Vec<String>>,
}

impl DialNodes for Dials {
    fn dial(&self, server: &ServerId, address: &Arc<str>) -> Result<Arc<dyn DataNode>, NodeError> {
        self.dialed.lock().push(address.to_string());
        let node = self.there.lock().get(&**address).cloned();
        let (server, reason) = (server.to_string(), format!("nobody is at {address}"));
        node.map(|node| node as _).ok_or(NodeError::Unavailable { server, reason })
    }
}

/// A broker and its nodes.
pub(super) struct World {
    pub(super) broker: Arc<Broker>,
    pub(super) discovery: Arc<InProcessDiscovery>,
    pub(super) nodes: BTreeMap<String, Arc<Scripted>>,
}

pub(super) fn segment(partition: u32) -> SegmentId {
    SegmentId::new("t", Interval { start_ms: 0, end_ms: 86_400_000 }, Version(1), partition)
}

fn published(partition: u32) -> PublishedSegment {
    PublishedSegment {
        id: segment(partition),
        shard_spec: ShardSpec::appended(partition),
        object_key: "k".into(),
        size_bytes: 1,
        checksum: 1,
        row_count: 1,
        min_time_ms: 0,
        max_time_ms: 0,
        schema_json: "{}".into(),
    }
}

pub(super) fn announced(partition: u32) -> AnnouncedSegment {
    AnnouncedSegment {
        id: segment(partition),
        shard_spec: ShardSpec::appended(partition),
        tier: "hot".into(),
        priority: 0,
        realtime: false,
        size_bytes: 1,
        schema: AnnouncedSchema::of([]).into(),
    }
}

/// Options of tests: as few limits as can be.
pub(super) fn options() -> BrokerOptions {
    BrokerOptions { hedge_percent: 100, ..BrokerOptions::default() }
}

impl World {
    /// So many segments; each of the nodes has those whose bits are set.
    pub(super) async fn new(segments: u32, nodes: &[(&str, u64)]) -> Self {
        Self::with(options(), ClusterLinks::default(), segments, nodes).await
    }

    pub(super) async fn with(
        options: BrokerOptions,
        links: ClusterLinks,
        segments: u32,
        nodes: &[(&str, u64)],
    ) -> Self {
        let discovery = Arc::new(InProcessDiscovery::new());
        let metadata = Arc::new(MemoryMetadataStore::new());
        let request = PublishRequest {
            transaction_id: "1".into(),
            segments: (0..segments).map(published).collect(),
            ..PublishRequest::default()
        };
        metadata.publish(&request).await.unwrap();
        let services = QueryServices {
            cluster: "c".into(),
            pool: CpuPool::of_this_runtime(),
            running: Arc::new(RunningQueries::new(1 << 28)),
            spill: None,
        };
        let metrics = Metrics::default();
        let (of_broker, store) = (Arc::clone(&discovery) as _, metadata as _);
        let broker = Broker::in_cluster(options, of_broker, store, services, &metrics, links);
        let mut world = Self { broker: Arc::new(broker), discovery, nodes: BTreeMap::new() };
        for (name, has) in nodes {
            let node = Scripted::named(name);
            world.broker.connect(Arc::clone(&node) as _);
            let has = (0..segments).filter(|partition| has >> partition & 1 == 1);
            world.discovery.announce(&(*name).into(), has.map(announced).collect()).unwrap();
            world.nodes.insert((*name).to_owned(), node);
        }
        world
    }

    pub(super) fn node(&self, name: &str) -> &Arc<Scripted> {
        &self.nodes[name]
    }

    /// The segments in the answer, the context and the profile.
    pub(super) async fn ask(&self, mut context: Value) -> Result<Found, BrokerError> {
        context["useResultLevelCache"] = false.into();
        let answer = self.broker.execute(search(&context), Form::Json, "q", None).await?;
        let rows: Value = serde_json::from_slice(&answer.body.unwrap()).unwrap();
        let hits = rows[0]["result"].as_array().cloned().unwrap_or_default();
        let number = |hit: &Value| -> u32 { hit["value"].as_str().unwrap().parse().unwrap() };
        for hit in &hits {
            assert_eq!(hit["count"], 1, "segment {} counts several times", number(hit));
        }
        Ok(Found {
            segments: hits.iter().map(number).collect(),
            etag: answer.etag,
            context: Value::Object(answer.response_context),
            profile: serde_json::from_str(&answer.profile.to_json()).unwrap(),
        })
    }

    /// Waits until no node works on anything.
    pub(super) async fn is_idle(&self) {
        while self.nodes.values().any(|node| node.at_work.load(Ordering::SeqCst) > 0) {
            tokio::task::yield_now().await;
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) segments: Vec<u32>,
    pub(super) etag: Option<String>,
    pub(super) context: Value,
    pub(super) profile: Value,
}

pub(super) fn search(context: &Value) -> Query {
    let query = serde_json::json!({
        "queryType": "search", "dataSource": "t", "intervals": "1970/1971", "granularity": "all",
        "searchDimensions": ["d"], "query": {"type": "insensitive_contains", "value": ""},
        "context": context,
    });
    Query::parse(query.to_string().as_bytes()).unwrap()
}
