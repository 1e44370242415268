//! All roles on one thread: a runtime of this thread alone whose clock is paused, the pools as tasks of
//! it, blocking work in place, randomness from a seed, metadata and deep storage in memory. Then a run
//! is decided by its seed: the same seed gives the same events in the same order.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use axum::{Extension, Router};
use henge_broker::{Broker, BrokerOptions};
use henge_coordinator::{Coordinator, CoordinatorOptions, Dependencies as Needs};
use henge_data_node::wire::Loopback;
use henge_data_node::{DataNode, QueryServices, RunningQueries};
use henge_historical_node::{HistoricalNode, HistoricalOptions, ServedForm};
use henge_platform::discovery::{Discovery, InProcessDiscovery};
use henge_platform::http::BodyLimits;
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore};
use henge_platform::runtime::files::{FileFaults, FileWork};
use henge_platform::runtime::simulation;
use henge_platform::runtime::{CpuPool, ManualClock, MemoryAccount};
use henge_platform::spill::MemorySpillStorage;
use henge_platform::storage::ObjectDeepStorage;
use henge_platform::telemetry::Metrics;
use henge_platform::wal::LogMarks;
use henge_realtime_node::{Alone, Dependencies, RealtimeNode, RealtimeOptions};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{MakeWriter, format};

const CLUSTER: &str = "c1";

/// The roles, connected.
struct Cluster {
    router: Router,
    realtime: Arc<RealtimeNode>,
    historical: Arc<HistoricalNode>,
    discovery: Arc<InProcessDiscovery>,
    metadata: Arc<MemoryMetadataStore>,
    clock: Arc<ManualClock>,
    coordinator: tokio::task::JoinHandle<()>,
    changes: tokio::task::JoinHandle<()>,
}

impl Cluster {
    async fn start(folder: &Path, behind_a_wire: bool) -> Self {
        let discovery = Arc::new(InProcessDiscovery::new());
        let changes = tokio::spawn(log_changes(Arc::clone(&discovery)));
        let metadata = Arc::new(MemoryMetadataStore::new());
        let storage = Arc::new(ObjectDeepStorage::in_memory());
        let clock = Arc::new(ManualClock::new(1_600_000_000_000));
        let account = MemoryAccount::root("all", "memory.total_bytes", 1 << 30);
        let services = || QueryServices {
            cluster: CLUSTER.into(),
            pool: CpuPool::of_this_runtime(),
            running: Arc::new(RunningQueries::new(1 << 28)),
            spill: Some(Arc::new(MemorySpillStorage::new(1 << 28))),
        };
        let (queries, published) = (services(), Arc::new(Notify::new()));
        let of_nodes = if behind_a_wire { services() } else { queries.clone() };
        let historical = HistoricalNode::open(
            historical_options(folder),
            discovery.clone(),
            storage.clone(),
            metadata.clone(),
            of_nodes.clone(),
            None,
        );
        let historical = Arc::new(historical.unwrap());
        let dependencies = Dependencies {
            metadata: metadata.clone(),
            storage,
            discovery: discovery.clone(),
            clock: clock.clone(),
            ingest_pool: CpuPool::of_this_runtime(),
            queries: of_nodes,
            published: Arc::clone(&published),
            log_marks: LogMarks::default(),
            requests: account.clone(),
            indexes: account,
            peers: Arc::new(Alone),
        };
        let options = RealtimeOptions { max_rows_in_memory: 50, ..RealtimeOptions::under(folder) };
        let realtime = RealtimeNode::start(options, dependencies).await.unwrap();
        let needs = Needs::of_one_process(metadata.clone(), discovery.clone(), clock.clone());
        let coordinator = Arc::new(Coordinator::new(CoordinatorOptions::default(), needs));
        coordinator.connect(historical.clone());
        let coordinator = tokio::spawn(async move { coordinator.run_woken_by(&published).await });
        let metrics = Metrics::default();
        let options = BrokerOptions::default();
        let broker = Arc::new(Broker::new(
            options,
            discovery.clone(),
            metadata.clone(),
            queries.clone(),
            &metrics,
        ));
        for node in [Arc::clone(&historical) as Arc<dyn DataNode>, Arc::clone(&realtime) as _] {
            broker.connect(match behind_a_wire {
                true => Arc::new(Loopback::to(node, Arc::clone(&queries.running))),
                false => node,
            });
        }
        broker.follow();
        let router = Router::new()
            .merge(henge_broker::router(broker))
            .merge(henge_realtime_node::router(Arc::clone(&realtime)))
            .layer(Extension(Arc::new(BodyLimits::default())));
        Self { router, realtime, historical, discovery, metadata, clock, coordinator, changes }
    }

    async fn call(&self, method: Method, path: &str, body: String) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    async fn push(&self, rows: std::ops::Range<i64>) {
        let rows: Vec<String> = rows
            .map(|n| {
                let day = 1 + n % 3;
                json!({"t": format!("2020-01-0{day}"), "city": n % 7, "n": n}).to_string()
            })
            .collect();
        self.call(Method::POST, "/v1/datasources/t/events", rows.join("\n")).await;
    }

    async fn create(&self) {
        let schema = json!({
            "timestampSpec": {"column": "t"}, "dimensionsSpec": {"useSchemaDiscovery": true},
            "granularitySpec": {"segmentGranularity": "day"},
        });
        self.call(Method::PUT, "/v1/datasources/t", schema.to_string()).await;
    }

    async fn ask(&self, more: Value) -> Value {
        let mut query = json!({
            "queryType": "groupBy", "dataSource": "t", "intervals": ["2020/2021"],
            "granularity": "day", "dimensions": ["city"],
            "aggregations": [
                {"type": "count", "name": "rows"},
                {"type": "longSum", "name": "sum", "fieldName": "n"},
            ],
        });
        if let (Value::Object(query), Value::Object(more)) = (&mut query, more) {
            query.extend(more);
        }
        self.call(Method::POST, "/druid/v2", query.to_string()).await
    }

    /// Waits until the historical node serves so many segments and the realtime node none.
    async fn handed_over(&self, segments: usize) {
        let mut versions = self.discovery.watch();
        loop {
            let of_realtime = self.discovery.snapshot().servers["realtime-0"].segments.len();
            if self.historical.segment_count() == segments && of_realtime == 0 {
                return;
            }
            versions.changed().await.unwrap();
        }
    }
}

fn historical_options(folder: &Path) -> HistoricalOptions {
    HistoricalOptions {
        server_id: "historical-0".into(),
        zone: Arc::default(),
        tier: "_default_tier".into(),
        priority: 0,
        cache_dir: folder.join("segment-cache"),
        capacity_bytes: 1 << 30,
        form: ServedForm::Hot,
        open_segments: 10_000,
        block_cache_bytes: 0,
        pinned: false,
        read_ahead: true,
        disk_timeout_ms: 0,
        dictionary_budget_bytes: 1 << 24,
        scrub_bytes_per_second: 0,
    }
}

/// Every change of what is announced, in the log.
async fn log_changes(discovery: Arc<InProcessDiscovery>) {
    let (mut versions, mut seen) = (discovery.watch(), 0);
    loop {
        for change in discovery.changes_since(seen).unwrap() {
            seen = change.version;
            tracing::info!(?change, "announced");
        }
        versions.changed().await.unwrap();
    }
}

/// Pushes, queries, hand-off and queries again, all of it at once where it may be.
async fn scenario(folder: &Path, behind_a_wire: bool) -> Vec<Value> {
    let cluster = Cluster::start(folder, behind_a_wire).await;
    cluster.create().await;
    cluster.push(0..100).await;
    let (first, _, _, buffered) = tokio::join!(
        cluster.ask(json!({})),
        cluster.push(100..200),
        cluster.push(200..300),
        cluster.ask(json!({"granularity": "all", "dimensions": []})),
    );
    cluster.realtime.flush().await;
    cluster.handed_over(3).await;
    // Loaded segments are made hot meanwhile.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (stored, all) = tokio::join!(
        cluster.ask(json!({})),
        cluster.ask(json!({"granularity": "all", "dimensions": []})),
    );
    let used = cluster.metadata.used_segments().await.unwrap();
    tracing::info!(?used, "published");
    cluster.coordinator.abort();
    cluster.changes.abort();
    vec![first, buffered, stored, all]
}

/// What was logged.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<u8>>>);

impl Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Trace {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Logs what happens on this thread. A test without it would have events of both left out, since
/// whether anybody wants an event is looked up once a process.
fn log_to(trace: &Trace, runtime: &Runtime) -> DefaultGuard {
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(trace.clone())
        .with_timer(Simulated { start: runtime.block_on(async { Instant::now() }) });
    tracing::subscriber::set_default(log.finish())
}

/// A run: its answers, and all that was logged on its way.
fn run(seed: u64, behind_a_wire: bool) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let trace = Trace::default();
    let _logged = log_to(&trace, &runtime);
    let _simulated = simulation::enter(seed);
    let answers = runtime.block_on(scenario(folder.path(), behind_a_wire));
    let text = String::from_utf8(trace.0.lock().unwrap().clone()).unwrap();
    (answers, text.replace(folder.path().to_str().unwrap(), "<folder>"))
}

/// Simulated time on every line.
struct Simulated {
    start: Instant,
}

impl FormatTime for Simulated {
    fn format_time(&self, out: &mut format::Writer<'_>) -> std::fmt::Result {
        write!(out, "{:?}", self.start.elapsed())
    }
}

/// A disk that has no room in one folder.
#[derive(Debug, Default)]
struct FullDisk {
    folder: Cell<Option<&'static str>>,
    refused: Cell<usize>,
}

impl FileFaults for FullDisk {
    fn before(&self, work: FileWork, path: &Path) -> std::io::Result<()> {
        let in_folder = |name| path.components().any(|part| part.as_os_str() == name);
        let grows = matches!(work, FileWork::Create | FileWork::Write);
        if !grows || !self.folder.get().is_some_and(in_folder) {
            return Ok(());
        }
        self.refused.set(self.refused.get() + 1);
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

impl FullDisk {
    /// Fills a folder, or frees all of them; gives how much was refused since the last time.
    fn fill(&self, folder: Option<&'static str>) -> usize {
        self.folder.set(folder);
        self.refused.take()
    }
}

/// Rows are answered for while they cannot be written, and while nobody can load them.
async fn full_disks(folder: &Path, disk: &FullDisk) {
    let cluster = Cluster::start(folder, false).await;
    let all = async || {
        let answer = cluster.ask(json!({"granularity": "all", "dimensions": []})).await;
        answer[0]["event"]["rows"].clone()
    };
    cluster.create().await;
    disk.fill(Some("spill"));
    cluster.push(0..200).await;
    let minute = Duration::from_secs(60);
    assert!(tokio::time::timeout(minute, cluster.realtime.flush()).await.is_err());
    cluster.push(200..300).await;
    assert_eq!(all().await, 300);
    assert!(disk.fill(Some("segment-cache")) > 0);
    cluster.realtime.flush().await;
    tokio::time::sleep(minute).await;
    assert_eq!(cluster.historical.segment_count(), 0);
    assert_eq!(all().await, 300);
    assert!(disk.fill(None) > 0);
    // The coordinator tries again by the clock.
    cluster.clock.pass(60_000);
    cluster.handed_over(cluster.metadata.used_segments().await.unwrap().segments.len()).await;
    assert_eq!(all().await, 300);
    tokio::time::sleep(minute).await;
    let left = std::fs::read_dir(folder.join("spill")).unwrap().count();
    assert_eq!(left, 0, "no half segment is left");
    cluster.coordinator.abort();
    cluster.changes.abort();
}

#[test]
fn f_19_f_50_a_full_disk_loses_no_row_and_is_left_behind_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let _logged = log_to(&Trace::default(), &runtime);
    let simulated = simulation::enter(3);
    let disk = Rc::new(FullDisk::default());
    simulated.fail_files(Rc::clone(&disk) as _);
    let hour = Duration::from_secs(3_600);
    let run = async { tokio::time::timeout(hour, full_disks(folder.path(), &disk)).await };
    runtime.block_on(run).unwrap();
}

#[test]
fn a_seed_decides_all_that_happens_on_one_thread() {
    for behind_a_wire in [false, true] {
        let (answers, trace) = run(7, behind_a_wire);
        let all = json!([{"version": "v1", "timestamp": "2020-01-01T00:00:00.000Z",
            "event": {"rows": 300, "sum": (0..300).sum::<i64>()}}]);
        assert_eq!(answers[3][0]["event"], all[0]["event"]);
        assert_eq!(answers[2].as_array().unwrap().len(), 21);
        for seen in ["serves the hot form", "announced", "published"] {
            assert!(trace.contains(seen), "{seen} in {trace}");
        }
        for _ in 0..3 {
            let (again, same) = run(7, behind_a_wire);
            assert_eq!(again, answers);
            let differs = trace.lines().zip(same.lines()).find(|(one, other)| one != other);
            assert!(differs.is_none() && trace.len() == same.len(), "{differs:?}");
        }
        let (others, another) = run(8, behind_a_wire);
        assert_eq!(others, answers, "answers do not depend on the seed");
        assert_ne!(another, trace, "names do");
    }
}
