//! A node behind a wire: answers, errors, partitions, cancelling and hanging up.

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use henge_exec::{BucketStarts, GroupedPartial};
use henge_platform::discovery::inventory::LocalInventory;
use henge_platform::discovery::{Discovery, InProcessDiscovery, ServerId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::*;
use crate::announcing::Announcing;
use crate::node::DataNode;
use crate::reply::{Partition, Partitions};
use crate::running::{RunningQueries, RunningQuery};

/// What the scripted node does when it is asked.
#[derive(Debug, Clone)]
enum Script {
    Reply,
    Fail(NodeError),
    Partitions { count: usize, error: Option<NodeError> },
    Wait,
}

#[derive(Debug)]
struct Scripted {
    server_id: ServerId,
    script: Script,
    running: Arc<RunningQueries>,
    /// The query that waits, while it does.
    waiting: Arc<Notify>,
    cancelled: Mutex<Vec<String>>,
}

#[async_trait]
impl DataNode for Scripted {
    fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        assert_eq!(request.key, super::request().key);
        let query = self.running.join(&request.key, request.budget.memory_bytes);
        match self.script.clone() {
            Script::Reply => Ok(reply()),
            Script::Fail(error) => Err(error),
            Script::Partitions { count, error } => Ok(SegmentReply {
                partitions: Some(partitions(query, count, error)),
                ..SegmentReply::default()
            }),
            Script::Wait => {
                self.waiting.notify_one();
                std::future::pending().await
            }
        }
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.cancelled.lock().push(query_id.to_owned());
        Ok(())
    }
}

fn partitions(query: RunningQuery, count: usize, error: Option<NodeError>) -> Partitions {
    let partition = move |_| {
        let groups = GroupedPartial {
            bucket_starts: BucketStarts::At(vec![5; 100]),
            data_range_ms: vec![Some((1, 2))],
            ..Default::default()
        };
        Ok(Partition { groups, lease: query.memory.lease() })
    };
    let first: Vec<_> = (0..count).map(partition).collect();
    Partitions::new(stream::iter(first.into_iter().chain(error.map(Err))).boxed())
}

/// A node, and the same one behind a wire.
fn nodes(script: Script) -> (Arc<Scripted>, WireNode) {
    let node = Arc::new(Scripted {
        server_id: "historical-0".into(),
        script,
        running: Arc::new(RunningQueries::new(1 << 20)),
        waiting: Arc::default(),
        cancelled: Mutex::default(),
    });
    let brokers = Arc::new(RunningQueries::new(1 << 20));
    (Arc::clone(&node), Loopback::to(node, brokers))
}

#[tokio::test]
async fn a_reply_comes_back_and_is_charged_to_the_broker() {
    let (_, node) = nodes(Script::Reply);
    assert_eq!(&**node.server_id(), "historical-0");
    let found = node.run(request()).await.unwrap();
    assert_eq!((found.missing, found.stats), (reply().missing, reply().stats));
    assert_eq!(format!("{:?}", found.partials), format!("{:?}", reply().partials));
}

#[tokio::test]
async fn a_node_of_another_process_says_how_far_its_announcements_were() {
    let (near, node) = nodes(Script::Reply);
    assert_eq!(near.inventory().await, Ok(None));
    assert_eq!(node.inventory().await, Ok(None));
    let discovery = Arc::new(InProcessDiscovery::new());
    let inventory = Arc::new(LocalInventory::of(Arc::clone(&discovery) as _));
    let brokers = Arc::new(RunningQueries::new(1 << 20));
    let announcing = Announcing::new(near, Arc::clone(&inventory));
    let node = Loopback::to(Arc::new(announcing), brokers);
    discovery.unannounce(&"historical-0".into(), Vec::new()).unwrap();
    assert_eq!(inventory.version().version, 1);
    assert_eq!(node.inventory().await, Ok(Some(inventory.version())));
    assert_eq!(node.run(request()).await.unwrap().inventory, Some(inventory.version()));
    assert_eq!(&**node.server_id(), "historical-0");
}

#[tokio::test]
async fn an_error_comes_back_as_it_was() {
    for error in errors() {
        let (_, node) = nodes(Script::Fail(error.clone()));
        assert_eq!(node.run(request()).await.unwrap_err(), error);
    }
}

#[tokio::test]
async fn partitions_follow_their_reply_until_the_last_one_or_an_error() {
    let (_, node) = nodes(Script::Partitions { count: 3, error: None });
    let mut partitions = node.run(request()).await.unwrap().partitions.unwrap();
    for _ in 0..3 {
        let partition = partitions.next().await.unwrap().unwrap();
        assert_eq!(partition.groups.data_range_ms, [Some((1, 2))]);
    }
    assert!(partitions.next().await.is_none());

    let error = errors().remove(0);
    let (_, node) = nodes(Script::Partitions { count: 1, error: Some(error.clone()) });
    let mut partitions = node.run(request()).await.unwrap().partitions.unwrap();
    partitions.next().await.unwrap().unwrap();
    assert_eq!(partitions.next().await.unwrap().unwrap_err(), error);
    assert!(partitions.next().await.is_none(), "nothing comes after an error");
}

#[tokio::test]
async fn f_61_hanging_up_stops_the_work_of_the_node() {
    let (scripted, node) = nodes(Script::Wait);
    let flag = scripted.running.join(&request().key, 1).cancel.clone();
    assert!(flag.is_set(), "nobody holds it any more");
    let call = tokio::spawn(async move { node.run(request()).await.map(drop) });
    scripted.waiting.notified().await;
    let flag = scripted.running.join(&request().key, 1).cancel.clone();
    assert!(!flag.is_set());
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(flag.is_set());
}

#[tokio::test]
async fn cancelling_reaches_the_node_by_the_id_of_the_query() {
    let (scripted, node) = nodes(Script::Reply);
    node.cancel("dashboard-1").await.unwrap();
    assert_eq!(*scripted.cancelled.lock(), ["dashboard-1"]);
}

#[tokio::test]
async fn f_63_what_a_node_sends_is_charged_to_the_query_that_asked() {
    let (_, node) = nodes(Script::Partitions { count: 1, error: None });
    let budget = QueryBudget { memory_bytes: 700, ..request().budget };
    let reply = node.run(SegmentQuery { budget, ..request() }).await.unwrap();
    let error = reply.partitions.unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::ResourceLimit, "{error}");
}
