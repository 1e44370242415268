//! A restart serves what is on the disk and used, however much it is, and opens what is read.

use std::time::Instant;

use henge_data_node::{DataNode, Instruction, SegmentDescriptor, SegmentHost, SegmentQuery};
use henge_exec::{ExecContext, merge};
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore, PublishRequest};
use henge_platform::storage::{DeepStorage, LocalDeepStorage};
use henge_segment::{MappedSegment, SegmentView, WriteOptions, rewrite_identity};
use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::*;
use crate::hot::tests::{KEY, Setup, segment_of_rows, setup, wait_until_hot};
use crate::mend::tests::{answered, cut_short, flip, served_file, sum_of};

/// Segments of the test of many: a few thousand, or as many as the environment says.
fn many() -> usize {
    let count = std::env::var("HENGE_SMALL_SEGMENTS").ok();
    count.and_then(|count| count.parse().ok()).unwrap_or(3_000)
}

/// A node's folder as a run leaves it that served so many segments of the same rows, all of which are used.
async fn folder_of(count: usize) -> (Setup, Vec<PublishedSegment>) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalDeepStorage::open(dir.path().join("deep")).unwrap());
    let hour_ms = 3_600_000;
    let first = SegmentId::new("wiki", Interval { start_ms: 0, end_ms: hour_ms }, Version(3), 0);
    let rows = segment_of_rows(10, &first, 1, WriteOptions::default());
    let schema = MappedSegment::open(Arc::new(rows.clone())).unwrap().schema().clone();
    let schema_json = serde_json::to_string(&schema).unwrap();
    let cache = dir.path().join("cache").join("wiki");
    std::fs::create_dir_all(&cache).unwrap();
    let segments: Vec<_> = (0..count as u32)
        .map(|partition| {
            let id = SegmentId { partition, ..first.clone() };
            let mut file = Vec::new();
            let written = rewrite_identity(&rows, &id, &mut file).unwrap();
            let name =
                format!("0_{hour_ms}_{}_{partition}.{:016x}.segment", id.version, written.checksum);
            std::fs::write(cache.join(name), file).unwrap();
            let (min_time_ms, max_time_ms) = written.time_range.unwrap();
            PublishedSegment {
                id,
                shard_spec: ShardSpec::Numbered { partition, core_partitions: 0 },
                object_key: format!("wiki/{partition}"),
                size_bytes: written.size_bytes,
                checksum: written.checksum,
                row_count: written.row_count as u64,
                min_time_ms,
                max_time_ms,
                schema_json: schema_json.clone(),
            }
        })
        .collect();
    let metadata = Arc::new(MemoryMetadataStore::new());
    let request = PublishRequest {
        transaction_id: "all".into(),
        segments: segments.clone(),
        ..PublishRequest::default()
    };
    metadata.publish(&request).await.unwrap();
    (Setup { dir, storage, metadata, segment: segments[0].clone() }, segments)
}

/// A question to these segments.
fn sum_over(setup: &Setup, segments: &[PublishedSegment]) -> SegmentQuery {
    let descriptor = |segment: &PublishedSegment| SegmentDescriptor {
        id: segment.id.clone(),
        visible: segment.id.interval,
    };
    let mut query = sum_of(setup);
    query.budget.memory_bytes = 1 << 30;
    SegmentQuery { segments: segments.iter().map(descriptor).collect(), ..query }
}

/// Mappings of a node's files.
fn mappings_of(setup: &Setup) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let folder = setup.dir.path().to_str().unwrap();
    maps.lines().filter(|line| line.contains(folder)).count()
}

/// What the process has in memory, in MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

#[tokio::test]
async fn f_52_many_small_segments_are_served_after_a_restart_and_few_are_open() {
    let (setup, segments) = folder_of(many()).await;
    let before_mib = resident_mib();
    let mut options = setup.options(ServedForm::AsStored, 1 << 40);
    options.open_segments = 1_000;
    let started = Instant::now();
    let node = setup.node_with(options);
    let opened = started.elapsed();
    assert_eq!(node.restore().await.unwrap(), segments.len());
    let restored = started.elapsed();
    assert_eq!((node.segment_count(), node.serving.open.kept_count()), (segments.len(), 0));
    let announced = node.discovery.snapshot();
    let schemas = announced.servers["historical-0"].segments.values();
    assert!(schemas.clone().all(|announced| announced.schema.columns().len() == 2));
    assert_eq!(schemas.count(), segments.len());
    let restored_mib = resident_mib();

    let query = sum_over(&setup, &segments);
    let one = node.run(sum_over(&setup, &segments[..1])).await.unwrap();
    let started = Instant::now();
    let reply = node.run(query.clone()).await.unwrap();
    let answered = started.elapsed();
    assert_eq!((reply.missing.len(), reply.answered_segments), (0, Some(segments.len() as u64)));
    assert_eq!(reply.stats.segments_scanned, segments.len() as u64);
    let together = |partials| merge(&query.query, partials, &ExecContext::default()).unwrap();
    let expected = together(vec![one.partials[0].clone(); segments.len()]);
    assert_eq!(format!("{:?}", together(reply.partials)), format!("{expected:?}"));
    let mappings = mappings_of(&setup);
    assert!(mappings <= 250, "{mappings} files stay mapped");
    println!(
        "{} segments: folder read in {opened:?}, served after {restored:?}, all read in {answered:?}; \
         memory {before_mib} MiB before, {restored_mib} MiB serving, {} MiB after the query; \
         {mappings} files mapped",
        segments.len(),
        resident_mib()
    );
}

#[tokio::test]
async fn f_52_queries_wait_for_their_turns_to_open_segments_and_all_are_right() {
    let (setup, segments) = folder_of(300).await;
    let mut options = setup.options(ServedForm::AsStored, 1 << 40);
    // 8 stay open, and 24 may be read at once, three by each part.
    options.open_segments = 32;
    let node = setup.node_with(options);
    node.restore().await.unwrap();
    let queries = (0..6).map(|_| node.run(sum_over(&setup, &segments)));
    for reply in futures::future::join_all(queries).await {
        assert_eq!(reply.unwrap().answered_segments, Some(300));
    }
    assert!(mappings_of(&setup) <= 8);
    // Those that are asked for again and again stay.
    let first = sum_over(&setup, &segments[..2]);
    node.run(first.clone()).await.unwrap();
    let loaded = Arc::clone(&node.serving.loaded.read()[&segments[0].id]);
    let instance = node.serving.open(&loaded).unwrap().instance();
    for other in segments[2..].chunks(4) {
        node.run(sum_over(&setup, other)).await.unwrap();
        node.run(first.clone()).await.unwrap();
    }
    assert_eq!(node.serving.open(&loaded).unwrap().instance(), instance);
}

#[tokio::test]
async fn f_52_the_latest_are_served_first() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("wiki");
    std::fs::create_dir_all(&folder).unwrap();
    for (start, end) in [(5, 6), (-9, -8), (7, 9), (0, 5)] {
        let name = format!("{start}_{end}_{}_0.{:016x}.segment", Version(3), 7);
        std::fs::write(folder.join(name), "x").unwrap();
    }
    let cache = crate::cache::SegmentCache::open(dir.path().to_owned(), 100).unwrap();
    let ends: Vec<i64> = cache.left_ids().iter().map(|id| id.interval.end_ms).collect();
    assert_eq!(ends, [9, 6, 5, -8]);
}

/// Segments that became unused while the node was down, and files that are of no segment's.
#[tokio::test]
async fn f_52_files_of_segments_that_are_not_used_any_more_are_removed() {
    let (setup, segments) = folder_of(5).await;
    let gone = [segments[1].id.clone(), segments[3].id.clone()];
    setup.metadata.mark_unused(&gone, None).await.unwrap();
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    assert_eq!(node.restore().await.unwrap(), 3);
    assert_eq!(setup.files().len(), 3);
    let all = node.run(sum_over(&setup, &segments)).await.unwrap();
    let missing: Vec<_> = all.missing.into_iter().map(|descriptor| descriptor.id).collect();
    assert_eq!(missing, gone);
    // The room of the others alone is taken.
    let taken: u64 = [0, 2, 4].map(|number: usize| segments[number].size_bytes).iter().sum();
    let _rest = node.serving.cache.reserve((1 << 30) - taken).unwrap();
}

/// Metadata restored from a backup give ids out again.
#[tokio::test]
async fn h_52_a_file_of_another_content_is_not_served_again() {
    let (setup, segments) = folder_of(2).await;
    let other = PublishedSegment { checksum: segments[1].checksum ^ 1, ..segments[1].clone() };
    let metadata = Arc::new(MemoryMetadataStore::new());
    let request = PublishRequest {
        transaction_id: "other".into(),
        segments: vec![segments[0].clone(), other],
        ..PublishRequest::default()
    };
    metadata.publish(&request).await.unwrap();
    let setup = Setup { metadata, ..setup };
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    assert_eq!(node.restore().await.unwrap(), 1);
    assert!(node.serving.loaded.read().contains_key(&segments[0].id));
    assert_eq!(setup.files().len(), 1);
}

/// Damage that the name does not tell of is found when the file is read, and mended.
#[tokio::test]
async fn f_46_what_was_damaged_while_the_node_was_down_is_mended_when_it_is_read() {
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        let damages: [fn(&std::path::Path); 3] =
            [flip, cut_short, |path| std::fs::remove_file(path).unwrap()];
        for damage in damages {
            let setup = setup().await;
            let node = setup.node(form, 1 << 30);
            node.load(&setup.segment, Instruction::default()).await.unwrap();
            if form == ServedForm::Hot {
                wait_until_hot(&node).await;
            }
            drop(node);
            let node = setup.node(form, 1 << 30);
            assert_eq!(node.restore().await.unwrap(), 1);
            // The test's metadata do not say which columns it has, so it was opened for that.
            let loaded = Arc::clone(node.serving.loaded.read().values().next().unwrap());
            let instance = node.serving.open(&loaded).unwrap().instance();
            node.serving.open.forget(instance);
            damage(&served_file(&node));
            drop(loaded);
            let reply = node.run(sum_of(&setup)).await.unwrap();
            assert_eq!(reply.missing.len(), 1, "the query is to start over");
            assert_eq!((node.care.found.get(), node.care.repaired.get()), (1, 1));
            assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
        }
    }
}

/// On a tier that wants another form the file is left for the coordinator's load, which may need it.
#[tokio::test]
async fn f_40_a_file_of_another_form_waits_for_its_load() {
    let setup = setup().await;
    let node = setup.node(ServedForm::Hot, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    wait_until_hot(&node).await;
    drop(node);
    setup.storage.delete(KEY).await.unwrap();
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    assert_eq!(node.restore().await.unwrap(), 0);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
}

/// A query that holds what was replaced or dropped meanwhile reads what there is.
#[tokio::test]
async fn f_51_a_segment_that_is_dropped_before_it_was_opened_is_missing() {
    let (setup, segments) = folder_of(1).await;
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.restore().await.unwrap();
    let path = served_file(&node);
    let loaded = Arc::clone(node.serving.loaded.read().values().next().unwrap());
    node.unload(&segments[0].id, Instruction::default()).await.unwrap();
    assert!(!path.exists() && node.serving.open_current(&loaded).is_err());
    assert_eq!(node.run(sum_over(&setup, &segments)).await.unwrap().missing.len(), 1);
}
