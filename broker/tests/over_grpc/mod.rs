//! Data nodes that hold the segments they were given, behind gRPC over loopback, and a broker that asks them.
#![allow(dead_code, reason = "each test uses what it needs of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use henge_broker::{Broker, BrokerOptions, ClusterLinks};
use henge_data_node::grpc::{Dialer, service};
use henge_data_node::wire::Loopback;
use henge_data_node::{
    Announcing, DataNode, DialNodes, NodeError, QueryRunner, QueryServices, RunningQueries,
    SegmentQuery, SegmentReply,
};
use henge_exec::NodeDictionaries;
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
use henge_segment::SegmentView;
use henge_types::{SegmentId, ShardSpec};
use tokio::net::TcpListener;
use tonic::service::Routes;

const CLUSTER: &str = "b3a2";
const DICTIONARY_BYTES: usize = 64 << 20;

/// A node with the segments that it was given.
#[derive(Debug)]
struct Holding {
    server: ServerId,
    queries: QueryRunner,
    views: Vec<Arc<dyn SegmentView>>,
    /// Replies that lacked groups which were not wanted.
    left_out: Arc<AtomicUsize>,
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
        let reply = self.queries.run(&call, &request, views.collect(), Vec::new()).await?;
        self.left_out.fetch_add(usize::from(reply.left_out.is_some()), Ordering::Relaxed);
        Ok(reply)
    }

    async fn cancel(&self, _query_id: &str) -> Result<(), NodeError> {
        Ok(())
    }
}

fn services(pool: &CpuPool) -> QueryServices {
    let running = Arc::new(RunningQueries::new(1 << 30));
    QueryServices { cluster: CLUSTER.into(), pool: pool.clone(), running, spill: None }
}

/// How a broker reaches its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
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

/// A broker of two nodes that have every other segment each.
pub(crate) async fn broker(views: &[Arc<dyn SegmentView>], pool: &CpuPool, way: Way) -> Broker {
    broker_of(BrokerOptions::default(), views, pool, way).await.0
}

/// As [`broker`], with options; and how many replies lacked groups so far.
pub(crate) async fn broker_of(
    options: BrokerOptions,
    views: &[Arc<dyn SegmentView>],
    pool: &CpuPool,
    way: Way,
) -> (Broker, Arc<AtomicUsize>) {
    let left_out = Arc::new(AtomicUsize::new(0));
    let discovery = Arc::new(InProcessDiscovery::new());
    let metadata = Arc::new(MemoryMetadataStore::new());
    let published = |view: &Arc<dyn SegmentView>| {
        let start_ms = view.id().interval.start_ms;
        let (min_time_ms, max_time_ms) = view.time_range().unwrap_or((start_ms, start_ms));
        PublishedSegment {
            id: view.id().clone(),
            shard_spec: ShardSpec::appended(view.id().partition),
            object_key: "k".into(),
            size_bytes: 1,
            checksum: 1,
            row_count: 1,
            min_time_ms,
            max_time_ms,
            schema_json: "{}".into(),
        }
    };
    let request = PublishRequest {
        transaction_id: "1".into(),
        segments: views.iter().map(published).collect(),
        ..PublishRequest::default()
    };
    metadata.publish(&request).await.unwrap();
    let of_broker = services(pool);
    let (running, metrics) = (Arc::clone(&of_broker.running), Metrics::default());
    let found = Arc::clone(&discovery) as _;
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
        let dictionaries = Arc::new(NodeDictionaries::new(DICTIONARY_BYTES));
        let queries = QueryRunner::over_segments(of_node, dictionaries, None);
        let (server_id, left_out) = (Arc::clone(&server), Arc::clone(&left_out));
        let node = Arc::new(Holding { server: server_id, queries, views, left_out });
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
        let left_out = Arc::clone(&left_out);
        let node = Arc::new(Holding { server, queries, views: Vec::new(), left_out });
        join(&discovery, node, ServerKind::Realtime).await;
    }
    (broker, left_out)
}
