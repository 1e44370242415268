//! Lives of a node that end at a moment's notice, over metadata and deep storage that stay.

use std::collections::BTreeMap;
use std::ops::Range;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use henge_data_node::{QueryServices, RunningQueries};
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore};
use henge_platform::runtime::{CpuPool, ManualClock, MemoryAccount};
use henge_platform::storage::{
    DeepStorage, ObjectDeepStorage, ObjectInfo, Payload, PushedObject, Result, StorageError,
};
use henge_platform::wal::LogMarks;
use henge_query::ingest::DataSchema;
use henge_realtime_node::{
    Alone, Dependencies, RealtimeError, RealtimeNode, RealtimeOptions, SourceReader,
};
use henge_segment::{ColumnView, MappedSegment, SegmentView};
use parking_lot::Mutex;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

use crate::stream::{Reader, Stream};

pub(crate) const DATASOURCE: &str = "events";
const HOUR_MS: i64 = 3_600_000;
/// Events lie in this many hours.
const HOURS: i64 = 3;
/// What a process at work may take to end.
const PATIENCE: Duration = Duration::from_secs(60);
const START_MS: i64 = 1_577_836_800_000;

/// Where a call waits until it is let through, which it never is in some lives.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    is_closed: Arc<watch::Sender<bool>>,
    waiting: Arc<watch::Sender<u64>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { is_closed: Arc::new(watch::Sender::new(false)), waiting: Arc::default() }
    }
}

impl Gate {
    pub(crate) fn close(&self, is_closed: bool) {
        self.is_closed.send_replace(is_closed);
    }

    /// Returns once the gate is open.
    pub(crate) async fn pass(&self) {
        let mut is_closed = self.is_closed.subscribe();
        if *is_closed.borrow_and_update() {
            self.waiting.send_modify(|count| *count += 1);
            let _ = is_closed.wait_for(|is_closed| !is_closed).await;
        }
    }

    /// Returns once somebody waits, or waited.
    pub(crate) async fn somebody_waits(&self) {
        let _ = self.waiting.subscribe().wait_for(|count| *count > 0).await;
    }
}

/// Deep storage whose segments wait at a gate, or are refused by the name of their hour.
#[derive(Debug)]
struct GatedStorage {
    inner: ObjectDeepStorage,
    gate: Gate,
    refused: Mutex<Option<String>>,
}

#[async_trait]
impl DeepStorage for GatedStorage {
    async fn push(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.gate.pass().await;
        if self.refused.lock().as_ref().is_some_and(|part| key.contains(part)) {
            return Err(StorageError::Unavailable(key.to_owned()));
        }
        self.inner.push(key, payload).await
    }

    async fn overwrite(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.inner.overwrite(key, payload).await
    }

    async fn pull(&self, key: &str, expected: PushedObject, destination: &Path) -> Result<()> {
        self.inner.pull(key, expected, destination).await
    }

    async fn check(&self, key: &str, expected: PushedObject) -> Result<()> {
        self.inner.check(key, expected).await
    }

    async fn read(&self, key: &str) -> Result<Bytes> {
        self.inner.read(key).await
    }

    async fn read_range(&self, key: &str, size_bytes: u64, range: Range<u64>) -> Result<Bytes> {
        self.inner.read_range(key, size_bytes, range).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        self.inner.head(key).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        self.inner.list(folder).await
    }
}

/// What outlives the processes.
pub(crate) struct World {
    pub(crate) stream: Arc<dyn Stream>,
    pub(crate) metadata: Arc<MemoryMetadataStore>,
    storage: Arc<GatedStorage>,
    discovery: Arc<InProcessDiscovery>,
    folders: tempfile::TempDir,
    next_id: i64,
}

/// A process that reads the stream.
pub(crate) struct Life {
    runtime: Runtime,
    node: Arc<RealtimeNode>,
    first: Reading,
}

/// A reader of the stream in a process.
pub(crate) struct Reading {
    runtime: Handle,
    pub(crate) source: Arc<SourceReader>,
    pub(crate) reader: Reader,
    stream: Arc<dyn Stream>,
}

/// An event in one of the hours.
fn event(id: i64) -> String {
    let time = START_MS + id % HOURS * HOUR_MS + id;
    format!("{{\"t\":{time},\"id\":{id}}}")
}

/// The name of an hour as it is in keys of objects.
pub(crate) fn hour(number: i64) -> String {
    format!("/2020-01-01T{number:02}")
}

impl World {
    pub(crate) fn new(stream: Arc<dyn Stream>) -> Self {
        let (inner, gate) = (ObjectDeepStorage::in_memory(), Gate::default());
        Self {
            stream,
            metadata: Arc::default(),
            storage: Arc::new(GatedStorage { inner, gate, refused: Mutex::default() }),
            discovery: Arc::default(),
            folders: tempfile::tempdir().unwrap(),
            next_id: 0,
        }
    }

    /// Appends so many events, each with an id of its own.
    pub(crate) fn append(&mut self, partition: &str, count: i64) {
        let ids = self.next_id..self.next_id + count;
        self.next_id = ids.end;
        self.stream.append(partition, &ids.map(event).collect::<Vec<_>>());
    }

    /// Where segments wait on their way to deep storage.
    pub(crate) fn storage_gate(&self) -> &Gate {
        &self.storage.gate
    }

    /// Refuses the segments of an hour, or none.
    pub(crate) fn refuse(&self, part_of_key: Option<String>) {
        *self.storage.refused.lock() = part_of_key;
    }

    /// Starts a node that reads the stream.
    pub(crate) fn start(&self) -> std::result::Result<Life, RealtimeError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let node = runtime.block_on(self.node());
        let first = self.read(&runtime, &node)?;
        Ok(Life { runtime, node, first })
    }

    /// Another reader of the stream in the same process.
    pub(crate) fn read_too(&self, life: &Life) -> Reading {
        self.read(&life.runtime, &life.node).unwrap()
    }

    fn read(
        &self,
        runtime: &Runtime,
        node: &RealtimeNode,
    ) -> std::result::Result<Reading, RealtimeError> {
        let (source, reader) = self.stream.open();
        let source = Arc::new(runtime.block_on(node.read_source(DATASOURCE, source))?);
        let (runtime, stream) = (runtime.handle().clone(), Arc::clone(&self.stream));
        Ok(Reading { runtime, source, reader, stream })
    }

    async fn node(&self) -> Arc<RealtimeNode> {
        let options = RealtimeOptions::under(self.folders.path());
        let queries = QueryServices {
            cluster: self.metadata.cluster_uuid().await.unwrap().into(),
            pool: CpuPool::new(1).unwrap(),
            running: Arc::new(RunningQueries::new(usize::MAX)),
            spill: None,
        };
        let dependencies = Dependencies {
            metadata: self.metadata.clone(),
            storage: self.storage.clone(),
            discovery: self.discovery.clone(),
            clock: Arc::new(ManualClock::new(START_MS)),
            ingest_pool: CpuPool::new(2).unwrap(),
            queries,
            published: Arc::default(),
            log_marks: LogMarks::default(),
            requests: MemoryAccount::unbounded(),
            indexes: MemoryAccount::unbounded(),
            peers: Arc::new(Alone),
        };
        let node = RealtimeNode::start(options, dependencies).await.unwrap();
        let schema = r#"{"dataSource":"events","timestampSpec":{"column":"t","format":"millis"},
            "dimensionsSpec":{"dimensions":[{"name":"id","type":"long"}]},
            "granularitySpec":{"segmentGranularity":"hour","rollup":false}}"#;
        node.put_datasource(&DataSchema::parse(schema.as_bytes()).unwrap()).await.unwrap();
        node
    }

    /// How often each id is in the segments that are used.
    fn counts(&self) -> BTreeMap<i64, usize> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut counts = BTreeMap::new();
            for segment in self.metadata.used_segments().await.unwrap().segments {
                let object = self.storage.read(&segment.object_key).await.unwrap();
                let view = MappedSegment::open(Arc::new(object)).unwrap();
                ids(&view).into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
            }
            counts
        })
    }

    /// Every event that was appended is published once, but for these.
    pub(crate) fn assert_counted_once(&self, but: &[i64]) {
        let expected = (0..self.next_id).filter(|id| !but.contains(id)).map(|id| (id, 1));
        assert_eq!(self.counts(), expected.collect());
    }
}

fn ids(view: &MappedSegment) -> Vec<i64> {
    let mut ids = Vec::new();
    if let Some(ColumnView::Long(column)) = view.column("id").unwrap() {
        let mut scratch = Vec::new();
        for block in 0..view.block_count() {
            let decoded = column.block(block, &mut scratch).unwrap();
            ids.extend((0..view.block_rows(block)).map(|row| decoded.values.get(row)));
        }
    }
    ids
}

impl Reading {
    /// Waits until all that was appended is buffered.
    pub(crate) fn read_all(&mut self) {
        let (idle, version) = (&mut self.reader.idle, self.stream.version());
        self.runtime.block_on(async {
            idle.wait_for(|seen| *seen >= version).await.unwrap();
        });
    }

    /// Publishes all that is buffered.
    pub(crate) fn flush(&self) {
        self.runtime.block_on(self.source.flush());
    }

    /// Publishes without waiting for it.
    pub(crate) fn begin_to_flush(&self) {
        let source = Arc::clone(&self.source);
        self.runtime.spawn(async move { source.flush().await });
    }

    pub(crate) fn wait<T>(&self, until: impl Future<Output = T>) -> T {
        self.runtime.block_on(until)
    }
}

impl Life {
    /// The process ends: nothing that it was doing goes on.
    pub(crate) fn kill(self) {
        self.runtime.shutdown_timeout(PATIENCE);
    }
}

impl Deref for Life {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.first
    }
}

impl DerefMut for Life {
    fn deref_mut(&mut self) -> &mut Reading {
        &mut self.first
    }
}
