//! Automatic compaction against a memory store and a runner that only notes what it is given.

use henge_compaction::{CompactTask, CompactionConfig, Skip, TASK_TYPE, Verdict};
use henge_platform::metadata::{TaskProgress, TaskRecord, TaskStatus, TaskUpdate};
use henge_platform::runtime::Clock as _;
use parking_lot::Mutex as SyncMutex;

use super::*;
use crate::Leadership;
use crate::testing::Setup;

const HOUR_MS: i64 = 3_600_000;
const MONTH: &str = r#"{"dataSource": "d", "skipOffsetFromLatest": "P2D",
    "granularitySpec": {"segmentGranularity": "month"}}"#;

/// Keeps tasks as a realtime node does, and runs none.
#[derive(Debug)]
struct Node {
    setup: Setup,
    submitted: SyncMutex<Vec<CompactTask>>,
}

impl Node {
    fn new() -> Self {
        Self { setup: Setup::new(), submitted: SyncMutex::default() }
    }

    async fn put(&self, id: &str, task_type: &str, payload_json: String) {
        let record = TaskRecord {
            id: id.to_owned(),
            task_type: task_type.to_owned(),
            datasource: "d".into(),
            owner: "0".into(),
            created_ms: self.setup.clock.now_ms(),
            status: TaskStatus::Running,
            error: None,
            duration_ms: None,
            payload_json,
            progress: TaskProgress::default(),
        };
        self.setup.metadata.put_task(&record).await.unwrap();
    }

    async fn end(&self, id: &str, error: Option<&str>) {
        let status = if error.is_some() { TaskStatus::Failed } else { TaskStatus::Success };
        let update = TaskUpdate {
            status,
            error: error.map(str::to_owned),
            duration_ms: Some(0),
            progress: TaskProgress::default(),
        };
        self.setup.metadata.update_task(id, &update).await.unwrap();
    }
}

#[async_trait::async_trait]
impl TaskRunner for Node {
    async fn submit(&self, task_json: String) -> Result<String, String> {
        let task = CompactTask::parse(task_json.as_bytes()).map_err(|error| error.to_string())?;
        let id = format!("c{}", self.submitted.lock().len());
        self.submitted.lock().push(task);
        self.put(&id, TASK_TYPE, task_json).await;
        Ok(id)
    }

    fn nodes(&self) -> usize {
        1
    }
}

async fn configure(coordinator: &Coordinator, config: Option<&str>) {
    let config = config.map(|json| CompactionConfig::parse(json.as_bytes()).unwrap().to_value());
    let (author, comment) = ("someone".to_owned(), String::new());
    let time_ms = coordinator.shared.clock.now_ms();
    let change = CompactionChange { config, author, comment, time_ms };
    coordinator.compaction.store.set("d", &change, None).await.unwrap();
}

async fn verdicts(coordinator: &Coordinator) -> Vec<Verdict> {
    let configured = coordinator.compaction.store.all().await.unwrap();
    let judged = coordinator.judge(configured).await.unwrap();
    judged.into_iter().flat_map(|d| d.parts).map(|part| part.verdict).collect()
}

#[tokio::test]
async fn the_newest_part_that_is_old_enough_is_compacted_one_at_a_time() {
    let node = Node::new();
    let coordinator = node.setup.coordinator(1, Leadership::alone());
    // 59 days: January, February, and one of March, which is young.
    node.setup.publish(0..60).await;
    node.setup.clock.set(60 * 24 * HOUR_MS);
    assert!(!coordinator.compact_once(&node).await.unwrap(), "nobody wants it");
    configure(&coordinator, Some(MONTH)).await;
    node.put("load", "index_parallel", "{}".into()).await;
    assert!(coordinator.compact_once(&node).await.unwrap());
    assert!(node.submitted.lock().is_empty(), "what people wait for comes first");
    node.end("load", None).await;
    assert!(coordinator.compact_once(&node).await.unwrap());
    assert!(coordinator.compact_once(&node).await.unwrap());
    let submitted = node.submitted.lock().clone();
    assert_eq!(submitted.len(), 1, "one at a time");
    assert_eq!(
        submitted[0].interval.to_string(),
        "1970-01-01T00:00:00.000Z/1970-02-01T00:00:00.000Z"
    );
    assert_eq!(submitted[0].context["priority"], 25);
    let running = |verdict: &Verdict| matches!(verdict, Verdict::Skipped(Skip::Running { task }) if task == "c0");
    assert_eq!(verdicts(&coordinator).await.iter().filter(|v| running(v)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_task_begins_when_one_ends() {
    let node = Node::new();
    let coordinator = node.setup.coordinator(1, Leadership::alone());
    node.setup.publish(0..31).await;
    node.setup.clock.set(60 * 24 * HOUR_MS);
    configure(&coordinator, Some(&MONTH.replace("P2D", "PT0S"))).await;
    let submitted = async |count: usize| {
        while node.submitted.lock().len() < count {
            tokio::time::sleep(STEP / 5).await;
        }
    };
    let ends = async {
        submitted(1).await;
        tokio::time::sleep(STEP).await;
        node.end("c0", None).await;
        let ended = Instant::now();
        submitted(2).await;
        assert!(ended.elapsed() < BUSY / 2, "{:?}", ended.elapsed());
    };
    tokio::select! {
        () = coordinator.compact_with(&node) => {}
        () = ends => {}
    }
}

#[tokio::test]
async fn what_failed_rests_longer_each_time_unless_somebody_changes_what_is_wanted() {
    let node = Node::new();
    let coordinator = node.setup.coordinator(1, Leadership::alone());
    node.setup.publish(0..31).await;
    node.setup.clock.set(60 * 24 * HOUR_MS);
    configure(&coordinator, Some(&MONTH.replace("P2D", "PT0S"))).await;
    let submitted = || node.submitted.lock().len();
    let now = |minutes: i64| node.setup.clock.advance(minutes * 60_000);
    coordinator.compact_once(&node).await.unwrap();
    assert_eq!(submitted(), 1);
    node.end("c0", Some("no disk")).await;
    coordinator.compact_once(&node).await.unwrap();
    assert_eq!(submitted(), 1);
    let why = verdicts(&coordinator).await[0].why();
    assert!(why[0].contains("no disk"), "{why:?}");
    now(11);
    coordinator.compact_once(&node).await.unwrap();
    assert_eq!(submitted(), 2);
    node.end("c1", Some("no disk")).await;
    now(11);
    coordinator.compact_once(&node).await.unwrap();
    assert_eq!(submitted(), 2, "twice as long");
    // Another coordinator knows as much.
    let other = node.setup.coordinator(1, Leadership::alone());
    other.compact_once(&node).await.unwrap();
    assert_eq!(submitted(), 2);
    let otherwise = MONTH.replace("P2D\"", "PT0S\", \"taskPriority\": 30");
    configure(&coordinator, Some(&otherwise)).await;
    coordinator.compact_once(&node).await.unwrap();
    assert_eq!(submitted(), 3);
    configure(&coordinator, None).await;
    assert!(!coordinator.compact_once(&node).await.unwrap());
    let history = coordinator.compaction.store.history("d").await.unwrap();
    assert_eq!(history.len(), 3);
    assert!(history[0].config.is_none() && history[2].config.is_some());
}

#[tokio::test]
async fn f_68_who_does_not_lead_asks_for_nothing() {
    let node = Node::new();
    let coordinator = node.setup.coordinator(1, node.setup.by_lease("a/1"));
    node.setup.publish(0..31).await;
    configure(&coordinator, Some(MONTH)).await;
    assert!(!coordinator.compact_once(&node).await.unwrap());
    assert!(node.submitted.lock().is_empty());
}
