//! What every [`DataNode`] does, in the process of who asks, behind a wire and over gRPC.

mod views;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use henge_exec::{ExecContext, Extent, finalise, merge};
use henge_platform::runtime::CpuPool;
use henge_query::Query;
use henge_segment::SegmentError;
use henge_types::{ErrorClass, Interval, SegmentId, Version};
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::views::{OnBlock, Ones, ViewNode};
use crate::error::NodeError;
use crate::grpc::tests::{over_a_socket, within_the_process};
use crate::node::DataNode;
use crate::reply::SegmentReply;
use crate::request::{QueryBudget, SegmentDescriptor, SegmentQuery};
use crate::run::QueryServices;
use crate::running::{QueryKey, RunningQueries};
use crate::wire::Loopback;

const BLOCKS: usize = 4;
const ROWS: usize = BLOCKS << 16;
const CLUSTER: &str = "b3a2";

/// A node with one thread and one segment, and what of it is looked at.
struct Subject {
    node: Arc<dyn DataNode>,
    pool: CpuPool,
    running: Arc<RunningQueries>,
}

/// How a node is reached.
#[derive(Debug, Clone, Copy)]
enum Reached {
    InProcess,
    BehindAWire,
    ByGrpcWithinTheProcess,
    ByGrpcOverASocket,
}

/// Where nothing happens between two tasks but what they do: time may be paused.
const WAYS_WITHOUT_SOCKETS: [Reached; 3] =
    [Reached::InProcess, Reached::BehindAWire, Reached::ByGrpcWithinTheProcess];
const WAYS: [Reached; 4] = [
    Reached::InProcess,
    Reached::BehindAWire,
    Reached::ByGrpcWithinTheProcess,
    Reached::ByGrpcOverASocket,
];

impl Subject {
    fn new(reached: Reached, on_block: OnBlock) -> Self {
        let pool = CpuPool::new(1).unwrap();
        let running = Arc::new(RunningQueries::new(64 << 20));
        let services = QueryServices {
            cluster: CLUSTER.into(),
            pool: pool.clone(),
            running: Arc::clone(&running),
            spill: None,
        };
        let view = Ones::new(segment(0), BLOCKS, on_block);
        let node: Arc<dyn DataNode> = Arc::new(ViewNode::new(services, vec![Arc::new(view)]));
        let brokers = Arc::new(RunningQueries::new(64 << 20));
        let node: Arc<dyn DataNode> = match reached {
            Reached::InProcess => node,
            Reached::BehindAWire => Arc::new(Loopback::to(node, brokers)),
            Reached::ByGrpcWithinTheProcess => Arc::new(within_the_process(node, CLUSTER, brokers)),
            Reached::ByGrpcOverASocket => Arc::new(over_a_socket(node, CLUSTER, brokers)),
        };
        Self { node, pool, running }
    }

    /// Waits until the thread has nothing left to do.
    async fn is_idle(&self) {
        self.pool.spawn(i32::MIN, || ()).await.unwrap();
        assert!(!self.running.has("q"), "the query is still registered");
    }

    /// Waits until the node knows that nobody waits for the query any more.
    async fn has_let_go(&self) {
        while self.running.has("q") {
            tokio::task::yield_now().await;
        }
    }
}

fn segment(partition: u32) -> SegmentId {
    SegmentId::new("t", Interval { start_ms: 0, end_ms: 86_400_000 }, Version(1), partition)
}

fn descriptor(partition: u32) -> SegmentDescriptor {
    SegmentDescriptor { id: segment(partition), visible: segment(partition).interval }
}

pub(crate) fn request() -> SegmentQuery {
    let query = br#"{"queryType":"timeseries","dataSource":"t","intervals":["1970/1971"],
        "granularity":"all","aggregations":[{"type":"longSum","name":"sum","fieldName":"x"}]}"#;
    SegmentQuery {
        cluster: CLUSTER.into(),
        key: QueryKey { id: "q".into(), number: 1 },
        query: Arc::new(Query::parse(query).unwrap()),
        segments: vec![descriptor(0)],
        timeout: Duration::from_secs(10),
        priority: 0,
        lane: None,
        budget: QueryBudget { memory_bytes: 16 << 20, disk_bytes: 0, buckets: 1_000 },
        extent: Extent::Whole,
        rank: None,
    }
}

fn answer(reply: SegmentReply) -> String {
    let (query, context) = (request().query, ExecContext::default());
    let merged = merge(&query, reply.partials, &context).unwrap();
    let answer = finalise(&query, merged, &context).unwrap();
    String::from_utf8(henge_answer::to_json(&query, &answer).unwrap()).unwrap()
}

/// Stops a node in the middle of a block, and tells which blocks it read.
#[derive(Default)]
struct Gate {
    read: Mutex<Vec<usize>>,
    reached: Notify,
}

impl Gate {
    /// A gate at block 1, and what opens it.
    fn at_block_1() -> (Arc<Self>, OnBlock, mpsc::Sender<()>) {
        let (open, opened) = mpsc::channel();
        let gate = Arc::new(Self::default());
        let (of_node, opened) = (Arc::clone(&gate), Mutex::new(opened));
        let on_block: OnBlock = Arc::new(move |block| {
            // A block is read in several windows of rows.
            let is_first = of_node.read.lock().last() != Some(&block);
            if is_first {
                of_node.read.lock().push(block);
            }
            if is_first && block == 1 {
                of_node.reached.notify_one();
                opened.lock().recv().unwrap();
            }
            Ok(())
        });
        (gate, on_block, open)
    }
}

fn class_of(outcome: Result<SegmentReply, NodeError>) -> ErrorClass {
    outcome.map(answer).unwrap_err().class()
}

#[tokio::test]
async fn segments_are_answered_for_or_named_as_missing() {
    for reached in WAYS {
        let subject = Subject::new(reached, Arc::new(|_| Ok(())));
        let segments = vec![descriptor(0), descriptor(7)];
        let reply = subject.node.run(SegmentQuery { segments, ..request() }).await.unwrap();
        assert_eq!(reply.missing, [descriptor(7)], "{reached:?}");
        assert_eq!(reply.stats.rows_scanned, ROWS as u64, "{reached:?}");
        assert!(answer(reply).contains(&format!("\"sum\":{ROWS}")), "{reached:?}");
        subject.is_idle().await;
    }
}

#[tokio::test]
async fn h_74_f_34_a_query_of_another_cluster_is_refused_unread() {
    for reached in WAYS {
        let subject = Subject::new(reached, Arc::new(|_| panic!("nothing is read")));
        let foreign = SegmentQuery { cluster: "c0de".into(), ..request() };
        let error = subject.node.run(foreign).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{reached:?}");
        for named in ["c0de", CLUSTER] {
            assert!(error.to_string().contains(named), "{reached:?}: {error}");
        }
        subject.is_idle().await;
    }
}

#[tokio::test]
async fn f_60_a_query_whose_time_is_up_when_it_comes_is_refused_unread() {
    for reached in WAYS {
        let subject = Subject::new(reached, Arc::new(|_| panic!("nothing is read")));
        let late = SegmentQuery { timeout: Duration::ZERO, ..request() };
        assert_eq!(class_of(subject.node.run(late).await), ErrorClass::Timeout, "{reached:?}");
        subject.is_idle().await;
    }
}

/// The clock is paused: with the thread stopped at the gate nothing but the deadline can come next.
#[tokio::test(start_paused = true)]
async fn f_60_a_query_whose_time_is_up_stops_within_a_block() {
    for reached in WAYS_WITHOUT_SOCKETS {
        let (gate, on_block, open) = Gate::at_block_1();
        let subject = Subject::new(reached, on_block);
        let started = tokio::time::Instant::now();
        let outcome = subject.node.run(request()).await;
        assert_eq!(class_of(outcome), ErrorClass::Timeout, "{reached:?}");
        assert_eq!(started.elapsed().as_secs(), 10, "{reached:?}");
        open.send(()).unwrap();
        subject.is_idle().await;
        assert!(gate.read.lock().iter().all(|block| *block <= 1), "{reached:?}");
    }
}

/// The time of a socket cannot be paused.
#[tokio::test]
async fn f_60_a_query_over_a_socket_whose_time_is_up_stops_within_a_block() {
    let (gate, on_block, open) = Gate::at_block_1();
    let subject = Subject::new(Reached::ByGrpcOverASocket, on_block);
    let short = SegmentQuery { timeout: Duration::from_millis(100), ..request() };
    assert_eq!(class_of(subject.node.run(short).await), ErrorClass::Timeout);
    open.send(()).unwrap();
    subject.is_idle().await;
    assert!(gate.read.lock().iter().all(|block| *block <= 1));
}

#[tokio::test]
async fn f_61_a_query_that_nobody_waits_for_stops_within_a_block() {
    for reached in WAYS {
        let (gate, on_block, open) = Gate::at_block_1();
        let subject = Subject::new(reached, on_block);
        let node = Arc::clone(&subject.node);
        let call = tokio::spawn(async move { node.run(request()).await.map(drop) });
        gate.reached.notified().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled(), "{reached:?}");
        subject.has_let_go().await;
        open.send(()).unwrap();
        subject.is_idle().await;
        assert_eq!(*gate.read.lock(), [0, 1], "{reached:?}");
    }
}

#[tokio::test]
async fn h_97_a_query_is_cancelled_by_its_id_and_others_go_on() {
    for reached in WAYS {
        let (gate, on_block, open) = Gate::at_block_1();
        let subject = Subject::new(reached, on_block);
        let node = Arc::clone(&subject.node);
        let call = tokio::spawn(async move { node.run(request()).await });
        gate.reached.notified().await;
        subject.node.cancel("another").await.unwrap();
        assert!(!call.is_finished(), "{reached:?}");
        subject.node.cancel("q").await.unwrap();
        open.send(()).unwrap();
        assert_eq!(class_of(call.await.unwrap()), ErrorClass::Cancelled, "{reached:?}");
        subject.is_idle().await;
        assert_eq!(*gate.read.lock(), [0, 1], "{reached:?}");
    }
}

#[tokio::test]
async fn a_damaged_segment_is_named() {
    for reached in WAYS {
        let damaged = |block| match block {
            2 => Err(SegmentError::corrupt("rotten")),
            _ => Ok(()),
        };
        let subject = Subject::new(reached, Arc::new(damaged));
        let error = subject.node.run(request()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Corrupt, "{reached:?}");
        let place = error.place().unwrap();
        assert_eq!(place.segment, segment(0), "{reached:?}");
        subject.is_idle().await;
    }
}

#[tokio::test]
async fn f_63_a_query_beyond_its_budget_is_refused_by_the_node() {
    for reached in WAYS {
        let subject = Subject::new(reached, Arc::new(|_| Ok(())));
        let budget = QueryBudget { memory_bytes: 1, ..request().budget };
        let outcome = subject.node.run(SegmentQuery { budget, ..request() }).await;
        assert_eq!(class_of(outcome), ErrorClass::ResourceLimit, "{reached:?}");
        subject.is_idle().await;
    }
}
