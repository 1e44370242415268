//! Nodes over gRPC: over real sockets and within the process. What they answer is in the
//! [`contract`](crate::contract) and in the tests of the [`wire`](crate::wire); here is what only a
//! transport can do wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream;
use henge_exec::{BucketStarts, GroupedPartial, MemoryPool, QueryMemory};
use henge_platform::discovery::ServerId;
use henge_platform::rpc::{RpcOptions, RpcServices, endpoint, serve};
use henge_types::ErrorClass;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::service::Routes;
use tonic::transport::{Channel, Server};

use super::*;
use crate::contract::request;
use crate::error::NodeError;
use crate::node::DataNode;
use crate::reply::{Partition, Partitions, SegmentReply};
use crate::request::{QueryBudget, SegmentQuery};
use crate::running::RunningQueries;
use crate::wire::WireNode;

/// Nothing is asked whether it is there: the time of some tests is paused.
fn options() -> RpcOptions {
    let never = Duration::from_secs(3_600);
    RpcOptions { keep_alive_interval: never, probe_interval: never, ..RpcOptions::default() }
}

fn place(node: &dyn DataNode, address: &str) -> Place {
    Place { server: Arc::clone(node.server_id()), address: address.into() }
}

/// `node`, served on a free port, as a process of `cluster` reaches it.
pub(crate) fn over_a_socket(
    node: Arc<dyn DataNode>,
    cluster: &str,
    brokers: Arc<RunningQueries>,
) -> WireNode {
    let mut place = place(&*node, "");
    let (address, _) = served(node);
    let channel = endpoint(&address, &options()).unwrap().connect_lazy();
    place.address = address.into();
    connect(place, channel, &cluster.into(), brokers).unwrap()
}

/// `node`, served on a free port, and what serves it.
fn served(node: Arc<dyn DataNode>) -> (String, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let services = RpcServices {
        routes: Routes::new(service(vec![node], "b3a2".into())),
        ..RpcServices::default()
    };
    let listener = TcpListener::from_std(listener).unwrap();
    (address, tokio::spawn(serve(listener, services, options(), std::future::pending())))
}

/// `node`, reached through gRPC without a socket.
pub(crate) fn within_the_process(
    node: Arc<dyn DataNode>,
    cluster: &str,
    brokers: Arc<RunningQueries>,
) -> WireNode {
    let (connected, connections) = tokio::sync::mpsc::unbounded_channel();
    let place = place(&*node, "here:1");
    let accepted = stream::unfold(connections, |mut connections| async move {
        let connection: DuplexStream = UnboundedReceiver::recv(&mut connections).await?;
        Some((Ok::<_, std::io::Error>(connection), connections))
    });
    let server = Server::builder().add_service(service(vec![node], "b3a2".into()));
    tokio::spawn(server.serve_with_incoming(accepted));
    let connector = tower::service_fn(move |_| {
        let (near, far) = tokio::io::duplex(64 << 10);
        let sent = connected.send(far).map_err(std::io::Error::other);
        async move { sent.map(|()| TokioIo::new(near)) }
    });
    let channel: Channel =
        endpoint("here:1", &options()).unwrap().connect_with_connector_lazy(connector);
    connect(place, channel, &cluster.into(), brokers).unwrap()
}

/// Gives `count` partitions of many groups, and counts those that were asked for.
#[derive(Debug)]
struct Giving {
    server_id: ServerId,
    count: usize,
    groups: usize,
    given: Arc<AtomicUsize>,
    /// Set once nobody holds the reply any more.
    held: Arc<()>,
}

impl Giving {
    fn new(count: usize, groups: usize) -> Arc<Self> {
        let server_id = "historical-0".into();
        Arc::new(Self { server_id, count, groups, given: Arc::default(), held: Arc::default() })
    }
}

#[async_trait]
impl DataNode for Giving {
    fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    async fn run(&self, _request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let (groups, given, held) = (self.groups, Arc::clone(&self.given), Arc::clone(&self.held));
        let memory = QueryMemory::new(Arc::new(MemoryPool::new(1 << 40)), 1 << 40);
        let partition = move |_| {
            given.fetch_add(1, Ordering::SeqCst);
            let _ = &held;
            let groups = GroupedPartial {
                bucket_starts: BucketStarts::At((0..groups as i64).collect()),
                data_range_ms: vec![Some((1, 2))],
                ..Default::default()
            };
            Ok(Partition { groups, lease: memory.lease() })
        };
        let partitions = stream::iter((0..self.count).map(partition));
        let partitions = Some(Partitions::new(futures::StreamExt::boxed(partitions)));
        Ok(SegmentReply { partitions, ..SegmentReply::default() })
    }

    async fn cancel(&self, _query_id: &str) -> Result<(), NodeError> {
        Ok(())
    }
}

fn brokers() -> Arc<RunningQueries> {
    Arc::new(RunningQueries::new(1 << 30))
}

#[tokio::test]
async fn h_74_f_34_a_process_of_another_cluster_is_refused_at_the_door() {
    let node = over_a_socket(Giving::new(1, 1), "c0de", brokers());
    for error in [node.run(request()).await.unwrap_err(), node.cancel("q").await.unwrap_err()] {
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{error}");
        for named in ["c0de", "b3a2", "historical-0", "127.0.0.1:"] {
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}

#[tokio::test]
async fn a_node_that_is_away_is_named_with_its_address() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let channel = endpoint(&address, &options()).unwrap().connect_lazy();
    let place = place(&*Giving::new(1, 1), &address);
    let node = connect(place, channel, &"b3a2".into(), brokers()).unwrap();
    let error = node.run(request()).await.unwrap_err();
    let NodeError::Unavailable { server, reason } = &error else { panic!("{error}") };
    assert_eq!(server, "historical-0");
    assert!(reason.contains(&address) && reason.contains("refused"), "{error}");
}

#[tokio::test]
async fn long_messages_come_in_pieces_and_are_charged_before_they_are_read() {
    const GROUPS: usize = 1_000_000;
    let node = over_a_socket(Giving::new(2, GROUPS), "b3a2", brokers());
    let budget = QueryBudget { memory_bytes: 64 << 20, ..request().budget };
    let reply = node.run(SegmentQuery { budget, ..request() }).await.unwrap();
    let mut partitions = reply.partitions.unwrap();
    for _ in 0..2 {
        let partition = partitions.next().await.unwrap().unwrap();
        assert_eq!(partition.groups.bucket_starts.len(), GROUPS);
    }
    assert!(partitions.next().await.is_none());

    let budget = QueryBudget { memory_bytes: 1 << 20, ..request().budget };
    let reply = node.run(SegmentQuery { budget, ..request() }).await.unwrap();
    let error = reply.partitions.unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::ResourceLimit, "{error}");
}

#[tokio::test]
async fn f_62_a_reader_that_does_not_keep_up_stops_the_node_and_one_that_leaves_ends_it() {
    let giving = Giving::new(10_000, 20_000);
    let node = over_a_socket(Arc::clone(&giving) as _, "b3a2", brokers());
    let mut partitions = node.run(request()).await.unwrap().partitions.unwrap();
    partitions.next().await.unwrap().unwrap();
    // What fits into windows and sockets is made; then nothing until somebody reads.
    let mut seen = 0;
    loop {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let given = giving.given.load(Ordering::SeqCst);
        if given == seen {
            break;
        }
        seen = given;
    }
    assert!(seen < 1_000, "{seen} of 10000 were made for a reader of one");
    drop(partitions);
    while Arc::strong_count(&giving.held) > 1 {
        tokio::task::yield_now().await;
    }
    assert!(giving.given.load(Ordering::SeqCst) < 1_000);
}

#[tokio::test]
async fn a_node_that_dies_in_the_middle_of_its_answer_is_unavailable() {
    let giving = Giving::new(10_000, 20_000);
    let (address, _serving) = served(Arc::clone(&giving) as _);
    // A proxy that can be cut.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = listener.local_addr().unwrap().to_string();
    let proxy = tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(address).await.unwrap();
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    });
    let channel = endpoint(&front, &options()).unwrap().connect_lazy();
    let node = connect(place(&*giving, &front), channel, &"b3a2".into(), brokers()).unwrap();
    let mut partitions = node.run(request()).await.unwrap().partitions.unwrap();
    partitions.next().await.unwrap().unwrap();
    proxy.abort();
    let error = loop {
        match partitions.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let NodeError::Unavailable { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains(&front), "{error}");
    while Arc::strong_count(&giving.held) > 1 {
        tokio::task::yield_now().await;
    }
}

/// The clock is paused: it moves on once nobody has anything left to do.
#[tokio::test(start_paused = true)]
async fn f_60_a_node_that_says_nothing_does_not_hold_a_query_beyond_its_time() {
    let (error, took) = ask_who_says_nothing(&options()).await;
    assert_eq!(error.class(), ErrorClass::Timeout, "{error}");
    assert!(error.to_string().contains("here:1"), "{error}");
    assert_eq!(took.as_secs(), 11);
}

#[tokio::test(start_paused = true)]
async fn f_60_a_node_that_is_cut_off_without_a_word_fails_its_calls_within_seconds() {
    let (error, took) = ask_who_says_nothing(&RpcOptions::default()).await;
    // Not one of time: replicas are asked then.
    assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
    assert!((2_500..=3_500).contains(&took.as_millis()), "{took:?}");
}

/// What becomes of a call to a node whose connection nobody reads, and how long that takes.
async fn ask_who_says_nothing(options: &RpcOptions) -> (NodeError, Duration) {
    let connector = tower::service_fn(|_| async {
        let (near, far) = tokio::io::duplex(64 << 10);
        // Nobody reads what is sent there, or hangs up.
        std::mem::forget(far);
        Ok::<_, std::io::Error>(TokioIo::new(near))
    });
    let channel = endpoint("here:1", options).unwrap().connect_with_connector_lazy(connector);
    let node =
        connect(place(&*Giving::new(1, 1), "here:1"), channel, &"b3a2".into(), brokers()).unwrap();
    let started = tokio::time::Instant::now();
    let error = node.run(request()).await.unwrap_err();
    (error, started.elapsed())
}
