//! What is served on demand answers as what is on the disk, fetches what is read, and takes its share of the
//! disk.

use henge_data_node::{
    DataNode, Instruction, NodeError, SegmentDescriptor, SegmentHost, SegmentQuery,
};
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore, PublishRequest};
use henge_platform::storage::{LocalDeepStorage, Payload};
use henge_query::Query;
use henge_segment::{ColumnData, SegmentWriter, WriteOptions};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, ShardSpec, Version,
};

use super::*;
use crate::hot::tests::{Setup, setup};
use crate::mend::tests::{answered, flip, sum_of};
use crate::{HistoricalOptions, ServedForm};

const ROWS: usize = 300_000;

/// A segment with three columns of numbers that nothing makes smaller.
fn large(id: &SegmentId) -> (Vec<u8>, SegmentSchema) {
    let column = |name: &str, role| ColumnSchema {
        name: name.into(),
        column_type: ColumnType::Long,
        role,
        multi_value: false,
        has_nulls: false,
    };
    let metrics = ["a", "b", "c"].map(|name| column(name, ColumnRole::Metric));
    let schema = SegmentSchema {
        columns: [column("__time", ColumnRole::Time)].into_iter().chain(metrics).collect(),
        metrics: Vec::new(),
        rollup: false,
        query_granularity: Granularity::None,
    };
    let options = WriteOptions::default();
    let mut writer =
        SegmentWriter::new(Vec::new(), id.clone(), schema.clone(), ROWS, options).unwrap();
    for (factor, column) in (0_i64..).zip(&schema.columns) {
        let noise = |row: i64| {
            let mixed = (row + (factor << 40)).wrapping_mul(0x1e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 29)).wrapping_mul(0x3f58_476d_1ce4_e5b9) >> 24
        };
        let value = |row: i64| if factor == 0 { row } else { noise(row) };
        let values: Vec<i64> = (0..ROWS as i64).map(value).collect();
        writer
            .write_column(&column.name, ColumnData::Long { values: &values, nulls: None })
            .unwrap();
    }
    (writer.finish_into().unwrap().1, schema)
}

/// So many segments in deep storage.
async fn far(count: u32) -> (Setup, Vec<PublishedSegment>) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalDeepStorage::open(dir.path().join("deep")).unwrap());
    let mut segments = Vec::new();
    for partition in 0..count {
        let id = SegmentId::new("wiki", Interval::new(0, 1 << 20).unwrap(), Version(3), partition);
        let (bytes, schema) = large(&id);
        let object_key = format!("wiki/{partition}");
        let pushed = storage.push(&object_key, Payload::Bytes(bytes.into())).await.unwrap();
        segments.push(PublishedSegment {
            id,
            shard_spec: ShardSpec::Numbered { partition, core_partitions: 0 },
            object_key,
            size_bytes: pushed.size_bytes,
            checksum: pushed.checksum,
            row_count: ROWS as u64,
            min_time_ms: 0,
            max_time_ms: ROWS as i64 - 1,
            schema_json: serde_json::to_string(&schema).unwrap(),
        });
    }
    let metadata = Arc::new(MemoryMetadataStore::new());
    let request = PublishRequest {
        transaction_id: "all".into(),
        segments: segments.clone(),
        ..PublishRequest::default()
    };
    metadata.publish(&request).await.unwrap();
    (Setup { dir, storage, metadata, segment: segments[0].clone() }, segments)
}

fn on_demand(setup: &Setup, block_cache_bytes: u64) -> HistoricalNode {
    let options = setup.options(ServedForm::OnDemand, 1 << 40);
    setup.node_with(HistoricalOptions { block_cache_bytes, ..options })
}

async fn load(node: &HistoricalNode, segments: &[PublishedSegment]) {
    for segment in segments {
        node.load(segment, Instruction::default()).await.unwrap();
    }
}

/// A node that has all of them on its disk.
async fn whole(setup: &Setup, segments: &[PublishedSegment]) -> HistoricalNode {
    let options = setup.options(ServedForm::AsStored, 1 << 40);
    let cache_dir = setup.dir.path().join("whole");
    let node = setup.node_with(HistoricalOptions { cache_dir, ..options });
    load(&node, segments).await;
    node
}

/// A question for the sum of a column.
fn sum(setup: &Setup, segments: &[PublishedSegment], column: &str) -> SegmentQuery {
    let query = format!(
        r#"{{"queryType":"timeseries","dataSource":"wiki","intervals":"1970/1971",
        "granularity":"all","aggregations":[{{"type":"longSum","name":"s","fieldName":"{column}"}}],
        "context":{{"useBlockStatistics":false}}}}"#
    );
    let descriptor = |segment: &PublishedSegment| SegmentDescriptor {
        id: segment.id.clone(),
        visible: segment.id.interval,
    };
    let segments = segments.iter().map(descriptor).collect();
    let query = Arc::new(Query::parse(query.as_bytes()).unwrap());
    SegmentQuery { query, segments, ..sum_of(setup) }
}

async fn answer(node: &HistoricalNode, query: SegmentQuery) -> Result<String, NodeError> {
    let reply = node.run(query).await?;
    assert!(answered(&reply), "{:?}", reply.missing);
    Ok(format!("{:?}", reply.partials))
}

/// Bytes on the disk.
fn taken(setup: &Setup) -> u64 {
    let folder = setup.dir.path().join("cache").join("wiki");
    let path = |name: &String| files::allocated_bytes(&folder.join(name)).unwrap();
    setup.files().iter().map(path).sum()
}

#[tokio::test]
async fn what_is_read_is_fetched_once_and_hardly_more() {
    let (setup, segments) = far(1).await;
    let node = on_demand(&setup, 1 << 30);
    load(&node, &segments).await;
    let fetched = || node.serving.blocks.fetched_bytes.get();
    assert_eq!((fetched(), taken(&setup), node.segment_count()), (0, 0, 1));
    let announced = node.discovery.snapshot().servers["historical-0"].segments.clone();
    assert_eq!(announced[&segments[0].id].schema.columns().len(), 4);

    let got = answer(&node, sum(&setup, &segments, "a")).await.unwrap();
    let whole = whole(&setup, &segments).await;
    assert_eq!(got, answer(&whole, sum(&setup, &segments, "a")).await.unwrap());
    let report = {
        let loaded = whole.serving.loaded.read();
        whole.serving.open(&loaded[&segments[0].id]).unwrap().inspect().unwrap()
    };
    drop(whole);
    let needed = report.columns.iter().find(|column| column.name == "a").unwrap().data_bytes;
    let footer = 8 << 10;
    assert!(needed > 1 << 20 && fetched() <= needed * 6 / 5 + footer, "{} of {needed}", fetched());
    println!(
        "{} bytes fetched for {needed} bytes of blocks, {} requests, of {}",
        fetched(),
        node.serving.blocks.requests.get(),
        segments[0].size_bytes
    );

    // What was fetched is on the disk, for this question and after a restart.
    let before = fetched();
    assert_eq!(got, answer(&node, sum(&setup, &segments, "a")).await.unwrap());
    assert_eq!(fetched(), before);
    drop(node);
    let node = on_demand(&setup, 1 << 30);
    assert_eq!(node.restore().await.unwrap(), 1);
    assert_eq!(got, answer(&node, sum(&setup, &segments, "a")).await.unwrap());
    assert_eq!(node.serving.blocks.fetched_bytes.get(), 0);

    node.unload(&segments[0].id, Instruction::default()).await.unwrap();
    assert!(setup.files().is_empty());
    node.serving.cache.reserve(1 << 30).unwrap();
}

#[tokio::test]
async fn blocks_take_their_share_of_the_disk_and_those_not_read_for_longest_give_way() {
    let (setup, segments) = far(6).await;
    // Room for a column of two or three segments.
    let column = segments[0].size_bytes / 3;
    let share = column * 3;
    let node = on_demand(&setup, share);
    load(&node, &segments).await;
    let whole = whole(&setup, &segments).await;
    let fetched = || node.serving.blocks.fetched_bytes.get();
    for round in 0..3 {
        for segment in segments.chunks(1) {
            let got = answer(&node, sum(&setup, segment, "b")).await.unwrap();
            assert_eq!(got, answer(&whole, sum(&setup, segment, "b")).await.unwrap(), "{round}");
            assert!(taken(&setup) <= share + (64 << 10), "{} of {share}", taken(&setup));
        }
    }
    let before = fetched();
    assert!(before > 6 * column, "some were fetched again: {before}");
    // The last is still there.
    answer(&node, sum(&setup, &segments[5..], "b")).await.unwrap();
    assert_eq!(fetched(), before);

    // A question that needs more at once than there is room for says what to do.
    let error = node.run(sum(&setup, &segments, "b")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Capacity, "{error}");
    assert!(error.to_string().contains("historical.block_cache_bytes"), "{error}");
    answer(&node, sum(&setup, &segments[..1], "b")).await.unwrap();
}

#[tokio::test]
async fn f_40_f_46_damage_in_deep_storage_is_not_served_and_not_kept() {
    let (setup, segments) = far(1).await;
    let node = on_demand(&setup, 1 << 30);
    load(&node, &segments).await;
    let good = answer(&node, sum(&setup, &segments, "a")).await.unwrap();
    let object = setup.dir.path().join("deep").join("wiki/0");
    let whole = std::fs::read(&object).unwrap();
    flip(&object);
    let error = node.run(sum(&setup, &segments, "c")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt, "{error}");
    // What is here is served, also while the object is gone.
    assert_eq!(answer(&node, sum(&setup, &segments, "a")).await.unwrap(), good);
    std::fs::remove_file(&object).unwrap();
    assert!(node.run(sum(&setup, &segments, "c")).await.is_err());
    assert_eq!(answer(&node, sum(&setup, &segments, "a")).await.unwrap(), good);
    std::fs::write(&object, whole).unwrap();
    answer(&node, sum(&setup, &segments, "c")).await.unwrap();
    assert_eq!(node.segment_count(), 1);
}

/// What rots on the node's disk is fetched again.
#[tokio::test]
async fn f_46_damage_on_the_disk_is_fetched_again() {
    let (setup, segments) = far(1).await;
    let node = on_demand(&setup, 1 << 30);
    load(&node, &segments).await;
    let good = answer(&node, sum(&setup, &segments, "a")).await.unwrap();
    drop(node);
    let file = setup.dir.path().join("cache").join("wiki").join(&setup.files()[0]);
    flip(&file);
    let node = on_demand(&setup, 1 << 30);
    assert_eq!(node.restore().await.unwrap(), 1);
    assert_eq!(answer(&node, sum(&setup, &segments, "a")).await.unwrap(), good);
    assert!(node.serving.blocks.fetched_bytes.get() > 0);
}

/// A node whose residency was changed serves what it has to, and keeps no file of the other kind.
#[tokio::test]
async fn a_change_of_residency_changes_the_files() {
    let setup = setup().await;
    let ends_with = |end: &str| {
        let files = setup.files();
        assert!(files.len() == 1 && files[0].ends_with(end), "{files:?}");
    };
    for (form, end) in [
        (ServedForm::AsStored, ".segment"),
        (ServedForm::OnDemand, ".blocks"),
        (ServedForm::AsStored, ".segment"),
    ] {
        let node = setup.node(form, 1 << 30);
        node.restore().await.unwrap();
        load(&node, std::slice::from_ref(&setup.segment)).await;
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
        ends_with(end);
    }
}
