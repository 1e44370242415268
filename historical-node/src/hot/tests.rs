//! The hot form is served after the stored one, survives a restart, and is never trusted unread.

use std::time::Duration;

use henge_data_node::{Instruction, QueryServices, RunningQueries, SegmentHost};
use henge_platform::discovery::InProcessDiscovery;
use henge_platform::runtime::CpuPool;
use henge_platform::storage::{DeepStorage, LocalDeepStorage, Payload};
use henge_segment::{ColumnData, ColumnView, SegmentView, SegmentWriter};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, SegmentId, SegmentSchema,
    ShardSpec, Version,
};

use henge_platform::metadata::{
    MemoryMetadataStore, MetadataStore, PublishRequest, PublishedSegment,
};

use super::*;
use crate::{HistoricalOptions, ServedForm};

pub(crate) const ROWS: usize = 20_000;
pub(crate) const CLUSTER: &str = "cluster-0";
pub(crate) const KEY: &str = "wiki/segment";

pub(crate) fn segment_file(id: &SegmentId, factor: i64) -> Vec<u8> {
    segment_file_of(id, factor, WriteOptions::default())
}

pub(crate) fn segment_file_of(id: &SegmentId, factor: i64, options: WriteOptions) -> Vec<u8> {
    segment_of_rows(ROWS, id, factor, options)
}

/// A segment of so many rows.
pub(crate) fn segment_of_rows(
    rows: usize,
    id: &SegmentId,
    factor: i64,
    options: WriteOptions,
) -> Vec<u8> {
    let column = |name: &str, column_type, role| ColumnSchema {
        name: name.into(),
        column_type,
        role,
        multi_value: false,
        has_nulls: false,
    };
    let schema = SegmentSchema {
        columns: vec![
            column("__time", ColumnType::Long, ColumnRole::Time),
            column("added", ColumnType::Long, ColumnRole::Metric),
        ],
        metrics: Vec::new(),
        rollup: false,
        query_granularity: Granularity::None,
    };
    let mut writer = SegmentWriter::new(Vec::new(), id.clone(), schema, rows, options).unwrap();
    let times: Vec<i64> = (0..rows as i64).collect();
    let added: Vec<i64> = (0..rows as i64).map(|row| row % 7 * 100 * factor + row % 13).collect();
    for (name, values) in [("__time", &times), ("added", &added)] {
        writer.write_column(name, ColumnData::Long { values, nulls: None }).unwrap();
    }
    writer.finish_into().unwrap().1
}

pub(crate) struct Setup {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) storage: Arc<LocalDeepStorage>,
    pub(crate) metadata: Arc<MemoryMetadataStore>,
    pub(crate) segment: PublishedSegment,
}

pub(crate) async fn setup() -> Setup {
    setup_with(WriteOptions::default()).await
}

/// With an object that was written under these options.
pub(crate) async fn setup_with(options: WriteOptions) -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let id = SegmentId::new("wiki", Interval::new(0, 1 << 20).unwrap(), Version(3), 0);
    let storage = Arc::new(LocalDeepStorage::open(dir.path().join("deep")).unwrap());
    let pushed =
        storage.push(KEY, Payload::Bytes(segment_file_of(&id, 1, options).into())).await.unwrap();
    let segment = PublishedSegment {
        id,
        shard_spec: ShardSpec::Numbered { partition: 0, core_partitions: 0 },
        object_key: KEY.into(),
        size_bytes: pushed.size_bytes,
        checksum: pushed.checksum,
        row_count: ROWS as u64,
        min_time_ms: 0,
        max_time_ms: ROWS as i64 - 1,
        schema_json: String::new(),
    };
    let metadata = Arc::new(MemoryMetadataStore::new());
    let request = PublishRequest {
        transaction_id: "t".into(),
        segments: vec![segment.clone()],
        ..PublishRequest::default()
    };
    metadata.publish(&request).await.unwrap();
    Setup { dir, storage, metadata, segment }
}

impl Setup {
    pub(crate) fn node(&self, form: ServedForm, capacity_bytes: u64) -> HistoricalNode {
        self.node_with(self.options(form, capacity_bytes))
    }

    pub(crate) fn options(&self, form: ServedForm, capacity_bytes: u64) -> HistoricalOptions {
        HistoricalOptions {
            server_id: "historical-0".into(),
            zone: Arc::default(),
            tier: "hot".into(),
            priority: 0,
            cache_dir: self.dir.path().join("cache"),
            capacity_bytes,
            block_cache_bytes: 1 << 30,
            form,
            pinned: false,
            read_ahead: true,
            open_segments: 1_000,
            dictionary_budget_bytes: 1 << 20,
            scrub_bytes_per_second: 0,
            disk_timeout_ms: 0,
        }
    }

    pub(crate) fn node_with(&self, options: HistoricalOptions) -> HistoricalNode {
        self.node_in(options, Arc::new(InProcessDiscovery::new()))
    }

    /// One beside others.
    pub(crate) fn node_in(
        &self,
        options: HistoricalOptions,
        discovery: Arc<InProcessDiscovery>,
    ) -> HistoricalNode {
        let queries = QueryServices {
            cluster: CLUSTER.into(),
            pool: CpuPool::new(1).unwrap(),
            running: Arc::new(RunningQueries::new(usize::MAX)),
            spill: None,
        };
        let (storage, metadata) = (self.storage.clone(), self.metadata.clone());
        HistoricalNode::open(options, discovery, storage, metadata, queries, None).unwrap()
    }

    /// Names of the files in the datasource's folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let folder = self.dir.path().join("cache").join("wiki");
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// True when the one segment is served with its values packed.
fn is_hot(node: &HistoricalNode) -> bool {
    is_written(node, "hot")
}

/// Its rows are right, and its file is of this form.
fn is_written(node: &HistoricalNode, ending: &str) -> bool {
    let loaded = node.serving.loaded.read();
    let mapped = node.serving.open(loaded.values().next().unwrap()).unwrap();
    let Some(ColumnView::Long(added)) = mapped.column("added").unwrap() else { return false };
    let mut scratch = Vec::new();
    let block = added.block(0, &mut scratch).unwrap();
    assert!((0..ROWS as i64).all(|r| block.values.get(r as usize) == r % 7 * 100 + r % 13));
    loaded.values().next().unwrap().file.path.extension().is_some_and(|name| name == ending)
}

pub(crate) async fn wait_until_hot(node: &HistoricalNode) {
    wait_until_written(node, "hot").await;
}

async fn wait_until_written(node: &HistoricalNode, ending: &str) {
    for _ in 0..6_000 {
        if is_written(node, ending) && Arc::strong_count(&node.transcoding) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the segment stays in its stored form");
}

#[tokio::test]
async fn the_hot_form_takes_the_place_of_the_stored() {
    let setup = setup().await;
    let node = setup.node(ServedForm::Hot, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    wait_until_hot(&node).await;
    assert_eq!(setup.files().len(), 1);
    let loaded = Arc::clone(node.serving.loaded.read().values().next().unwrap());
    node.serving.open(&loaded).unwrap().verify().unwrap();
    assert_eq!(loaded.room.size_bytes(), std::fs::metadata(&loaded.file.path).unwrap().len());
    drop(loaded);

    // After a restart it is served at once, without deep storage.
    let object = setup.storage.head(KEY).await.unwrap();
    assert!(object.is_some());
    setup.storage.delete(KEY).await.unwrap();
    let restarted = setup.node(ServedForm::Hot, 1 << 30);
    restarted.load(&setup.segment, Instruction::default()).await.unwrap();
    assert!(is_hot(&restarted));
    restarted.unload(&setup.segment.id, Instruction::default()).await.unwrap();
    assert!(setup.files().is_empty());
    restarted.serving.cache.reserve(1 << 30).unwrap();
}

/// The compact form stays in deep storage; the tier has what its codec says, also after that was changed.
#[tokio::test]
async fn each_tier_has_its_codec() {
    let setup = setup().await;
    let forms = [(ServedForm::Lz4, "lz4"), (ServedForm::Zstd, "zstd"), (ServedForm::Hot, "hot")];
    for (form, ending) in forms {
        let node = setup.node(form, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        wait_until_written(&node, ending).await;
        assert_eq!(setup.files().len(), 1, "{:?}", setup.files());
        let loaded = Arc::clone(node.serving.loaded.read().values().next().unwrap());
        node.serving.open(&loaded).unwrap().verify().unwrap();
        drop((node, loaded));
        // It is served at once after a restart.
        let restarted = setup.node(form, 1 << 30);
        assert_eq!(restarted.restore().await.unwrap(), 1);
        assert!(is_written(&restarted, ending));
    }
    let object = setup.storage.head(KEY).await.unwrap().unwrap();
    assert_eq!(object.size_bytes, setup.segment.size_bytes);
}

#[tokio::test]
async fn a_damaged_hot_file_is_made_again() {
    let setup = setup().await;
    let node = setup.node(ServedForm::Hot, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    wait_until_hot(&node).await;
    let path = node.serving.loaded.read().values().next().unwrap().file.path.clone();
    drop(node);
    for damaged in [Vec::new(), vec![7; 5_000]] {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, damaged).unwrap();
        let restarted = setup.node(ServedForm::Hot, 1 << 30);
        restarted.load(&setup.segment, Instruction::default()).await.unwrap();
        wait_until_hot(&restarted).await;
    }
    // A file of another stored object is not taken for this one's.
    let other = PublishedSegment { checksum: setup.segment.checksum ^ 1, ..setup.segment.clone() };
    let restarted = setup.node(ServedForm::Hot, 1 << 30);
    restarted.load(&other, Instruction::default()).await.unwrap_err();
    assert_eq!(restarted.segment_count(), 0);
}

#[tokio::test]
async fn without_room_or_wish_the_stored_form_stays() {
    let setup = setup().await;
    let node = setup.node(ServedForm::Hot, setup.segment.size_bytes + 1_000);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    for _ in 0..1_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if Arc::strong_count(&node.transcoding) == 1 {
            break;
        }
    }
    assert!(!is_hot(&node));
    assert_eq!(setup.files().len(), 1);
    drop(node);
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    assert!(!is_hot(&node));
    assert_eq!(Arc::strong_count(&node.transcoding), 1);
}
