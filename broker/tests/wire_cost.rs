//! What two data nodes behind gRPC over loopback cost beside the same nodes in the process, and beside
//! nodes in the process whose messages are encoded and decoded: medians of a small query and of some over
//! all rows. And what it costs to ask a third node, that has no segments, how far its announcements are.
//! Figures are for people, so it runs when asked for:
//! `cargo test -p henge-broker --test wire_cost -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use henge_answer::Form;
use henge_broker::{Broker, BrokerOptions, ClusterLinks};
use henge_data_node::grpc::{Dialer, service};
use henge_data_node::wire::Loopback;
use henge_data_node::{
    Announcing, DataNode, DialNodes, NodeError, QueryRunner, QueryServices, RunningQueries,
    SegmentQuery, SegmentReply,
};
use henge_index::{DimensionSchema, IndexLimits, IndexSchema, WriteIndex};
use henge_platform::discovery::inventory::LocalInventory;
use henge_platform::discovery::{
    AnnouncedSchema, AnnouncedSegment, Discovery, InProcessDiscovery, ServerAddress,
    ServerDescription, ServerId, ServerKind,
};
use henge_platform::metadata::{
    MemoryMetadataStore, MetadataStore, PublishRequest, PublishedSegment,
};
use henge_platform::rpc::{RpcOptions, RpcServices, serve};
use henge_platform::runtime::CpuPool;
use henge_platform::telemetry::Metrics;
use henge_query::Query;
use henge_segment::SegmentView;
use henge_types::{ColumnType, Granularity, Interval, SegmentId, ShardSpec, ValueRef, Version};
use tokio::net::TcpListener;
use tonic::service::Routes;

const CLUSTER: &str = "b3a2";
const SEGMENTS: u32 = 20;
const ROWS: i64 = 200_000;
const TIMES: usize = 300;

/// A node with the segments that it was given.
#[derive(Debug)]
struct Holding {
    server: ServerId,
    queries: QueryRunner,
    views: Vec<Arc<dyn SegmentView>>,
}

#[async_trait]
impl DataNode for Holding {
    fn server_id(&self) -> &ServerId {
        &self.server
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let call = self.queries.accept(&request)?;
        let view = |id: &SegmentId| self.views.iter().find(|view| view.id() == id).cloned();
        let views = request.segments.iter().map(|s| (s.clone(), view(&s.id).into_iter().collect()));
        self.queries.run(&call, &request, views.collect(), Vec::new()).await
    }

    async fn cancel(&self, _query_id: &str) -> Result<(), NodeError> {
        Ok(())
    }
}

fn segment(partition: u32) -> SegmentId {
    SegmentId::new("t", Interval { start_ms: 0, end_ms: 86_400_000 }, Version(1), partition)
}

fn view(partition: u32) -> Arc<dyn SegmentView> {
    let schema = IndexSchema {
        dimensions: vec![
            DimensionSchema::string("page"),
            DimensionSchema::new("bytes", ColumnType::Long),
        ],
        before_time: Vec::new(),
        metrics: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let limits = IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX };
    let mut index = WriteIndex::new(schema, limits).unwrap();
    for row in 0..ROWS {
        let page = format!("/page/{}", row * 7_919 % 1_000);
        index.add(row * 400, &[ValueRef::String(&page), ValueRef::Long(row % 5_000)]).unwrap();
    }
    index.snapshot(segment(partition))
}

fn services(pool: &CpuPool) -> QueryServices {
    let running = Arc::new(RunningQueries::new(1 << 30));
    QueryServices { cluster: CLUSTER.into(), pool: pool.clone(), running, spill: None }
}

/// How a broker reaches its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Near,
    Encoded,
    Grpc,
    /// As `Grpc`, beside a node that buffers, and has nothing that is asked for.
    GrpcAndBuffering,
}

/// Serves `node` on a free port; gives its address.
async fn served(node: Arc<dyn DataNode>) -> Arc<str> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let routes = Routes::new(service(vec![node], CLUSTER.into()));
    let services = RpcServices { routes, ..RpcServices::default() };
    tokio::spawn(serve(listener, services, RpcOptions::default(), std::future::pending()));
    address.into()
}

/// Lets a broker know of a node behind gRPC.
async fn join(discovery: &InProcessDiscovery, node: Arc<dyn DataNode>, kind: ServerKind) {
    let registry = Arc::new(InProcessDiscovery::new());
    let inventory = Arc::new(LocalInventory::of(registry));
    let server = Arc::clone(node.server_id());
    let node = Arc::new(Announcing::new(node, Arc::clone(&inventory)));
    let address = served(node).await;
    discovery.note_followed(&address, Some(inventory.version()));
    let address = ServerAddress::Network(address);
    let description = ServerDescription { address, kind, ..ServerDescription::default() };
    discovery.join(&server, &description).unwrap();
}

async fn broker(views: &[Arc<dyn SegmentView>], pool: &CpuPool, way: Way) -> Broker {
    let discovery = Arc::new(InProcessDiscovery::new());
    let metadata = Arc::new(MemoryMetadataStore::new());
    let published = |partition| PublishedSegment {
        id: segment(partition),
        shard_spec: ShardSpec::appended(partition),
        object_key: "k".into(),
        size_bytes: 1,
        checksum: 1,
        row_count: 1,
        min_time_ms: 0,
        max_time_ms: 0,
        schema_json: "{}".into(),
    };
    let request = PublishRequest {
        transaction_id: "1".into(),
        segments: (0..SEGMENTS).map(published).collect(),
        ..PublishRequest::default()
    };
    metadata.publish(&request).await.unwrap();
    let of_broker = services(pool);
    let (running, metrics) = (Arc::clone(&of_broker.running), Metrics::default());
    let (found, options) = (Arc::clone(&discovery) as _, BrokerOptions::default());
    let dialer = Dialer::new(CLUSTER.into(), RpcOptions::default(), Arc::clone(&running));
    let dial: Arc<dyn DialNodes> = Arc::new(dialer);
    let links = ClusterLinks { dial: Some(dial), ..ClusterLinks::default() };
    let broker = Broker::in_cluster(options, found, metadata, of_broker.clone(), &metrics, links);
    for number in 0..2 {
        let of_node = if way == Way::Near { of_broker.clone() } else { services(pool) };
        let views: Vec<_> = views.iter().skip(number).step_by(2).cloned().collect();
        let server: ServerId = format!("node-{number}").into();
        let announced = |view: &Arc<dyn SegmentView>| AnnouncedSegment {
            id: view.id().clone(),
            shard_spec: ShardSpec::appended(view.id().partition),
            tier: "hot".into(),
            priority: 0,
            realtime: false,
            size_bytes: 1,
            schema: AnnouncedSchema::of([]).into(),
        };
        let all = views.iter().map(announced).collect();
        let queries = QueryRunner::new(of_node);
        let node = Arc::new(Holding { server: Arc::clone(&server), queries, views });
        match way {
            Way::Near => broker.connect(node),
            Way::Encoded => broker.connect(Arc::new(Loopback::to(node, Arc::clone(&running)))),
            Way::Grpc | Way::GrpcAndBuffering => {
                join(&discovery, node, ServerKind::Historical).await;
            }
        }
        discovery.announce(&server, all).unwrap();
    }
    if way == Way::GrpcAndBuffering {
        let (server, queries) = ("realtime-0".into(), QueryRunner::new(services(pool)));
        let node = Arc::new(Holding { server, queries, views: Vec::new() });
        join(&discovery, node, ServerKind::Realtime).await;
    }
    broker
}

async fn ask(broker: &Broker, text: &str) -> (Duration, usize) {
    let query = Query::parse(text.as_bytes()).unwrap();
    let began = Instant::now();
    let answer = broker.execute(query, Form::Json, "q", None).await.unwrap();
    (began.elapsed(), answer.body.unwrap().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and judges nothing"]
async fn what_grpc_over_loopback_costs() {
    let pool = CpuPool::new(0).unwrap();
    let views: Vec<_> = (0..SEGMENTS).map(view).collect();
    let ways = [Way::Near, Way::Encoded, Way::Grpc, Way::GrpcAndBuffering];
    let mut brokers = Vec::new();
    for way in ways {
        brokers.push((way, broker(&views, &pool, way).await));
    }
    let context = r#""context":{"useResultLevelCache":false,"useCache":false}"#;
    let queries = [
        (
            "count of a minute",
            format!(
                r#"{{"queryType":"timeseries","dataSource":"t","granularity":"all",
                "intervals":"1970-01-01T10:00/PT1M",
                "aggregations":[{{"type":"count","name":"n"}}],{context}}}"#
            ),
        ),
        (
            "topN of all rows",
            format!(
                r#"{{"queryType":"topN","dataSource":"t","granularity":"all","intervals":"1970/P1D",
                "dimension":"page","metric":"s","threshold":10,
                "aggregations":[{{"type":"longSum","name":"s","fieldName":"bytes"}}],{context}}}"#
            ),
        ),
        (
            "scan of 10,000 rows",
            format!(
                r#"{{"queryType":"scan","dataSource":"t","intervals":"1970/P1D","limit":10000,
                "resultFormat":"compactedList",{context}}}"#
            ),
        ),
    ];
    for (name, text) in queries {
        let mut took = vec![Vec::new(); brokers.len()];
        for _ in 0..TIMES {
            let mut bytes = None;
            for ((_, broker), took) in brokers.iter().zip(&mut took) {
                let (time, answer_bytes) = ask(broker, &text).await;
                assert_eq!(*bytes.get_or_insert(answer_bytes), answer_bytes, "{name}");
                took.push(time);
            }
        }
        for ((way, _), mut took) in brokers.iter().zip(took) {
            took.sort_unstable();
            let at = |percent: usize| took[took.len() * percent / 100];
            println!("{name}, {way:?}: p50 {:?}, p95 {:?}", at(50), at(95));
        }
    }
}
