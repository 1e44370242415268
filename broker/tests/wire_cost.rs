//! What two data nodes behind gRPC over loopback cost beside the same nodes in the process: medians of a
//! small query and of one over all rows. Figures are for people, so it runs when asked for:
//! `cargo test -p henge-broker --test wire_cost -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use henge_answer::Form;
use henge_broker::{Broker, BrokerOptions};
use henge_data_node::grpc::{Place, connect, service};
use henge_data_node::{
    DataNode, NodeError, QueryRunner, QueryServices, RunningQueries, SegmentQuery, SegmentReply,
};
use henge_index::{DimensionSchema, IndexLimits, IndexSchema, WriteIndex};
use henge_platform::discovery::{
    AnnouncedSchema, AnnouncedSegment, Discovery, InProcessDiscovery, ServerId,
};
use henge_platform::metadata::{
    MemoryMetadataStore, MetadataStore, PublishRequest, PublishedSegment,
};
use henge_platform::rpc::{RpcOptions, RpcServices, endpoint, serve};
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

/// `node`, served on a free port, as `running` of a broker reaches it.
async fn over_a_socket(node: Arc<dyn DataNode>, running: Arc<RunningQueries>) -> Arc<dyn DataNode> {
    let server = Arc::clone(node.server_id());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let routes = Routes::new(service(vec![node], CLUSTER.into()));
    let options = RpcOptions::default();
    let services = RpcServices { routes, ..RpcServices::default() };
    tokio::spawn(serve(listener, services, options, std::future::pending()));
    let channel = endpoint(&address, &options).unwrap().connect_lazy();
    let place = Place { server, address: address.into() };
    Arc::new(connect(place, channel, &CLUSTER.into(), running).unwrap())
}

async fn broker(views: &[Arc<dyn SegmentView>], pool: &CpuPool, over_sockets: bool) -> Broker {
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
    let broker = Broker::new(options, found, metadata, of_broker.clone(), &metrics);
    for number in 0..2 {
        let of_node = if over_sockets { services(pool) } else { of_broker.clone() };
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
        discovery.announce(&server, views.iter().map(announced).collect()).unwrap();
        let node = Arc::new(Holding { server, queries: QueryRunner::new(of_node), views });
        broker.connect(match over_sockets {
            true => over_a_socket(node, Arc::clone(&running)).await,
            false => node,
        });
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
    let [near, far] = [false, true].map(|over_sockets| broker(&views, &pool, over_sockets));
    let (near, far) = (near.await, far.await);
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
        let (mut in_process, mut over_sockets) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            let ((near, a), (far, b)) = (ask(&near, &text).await, ask(&far, &text).await);
            assert_eq!(a, b, "{name}");
            in_process.push(near);
            over_sockets.push(far);
        }
        in_process.sort_unstable();
        over_sockets.sort_unstable();
        let at = |sorted: &[Duration], percent: usize| sorted[sorted.len() * percent / 100];
        println!(
            "{name}: p50 {:?} in the process, {:?} over gRPC; p95 {:?} and {:?}",
            at(&in_process, 50),
            at(&over_sockets, 50),
            at(&in_process, 95),
            at(&over_sockets, 95),
        );
    }
}
