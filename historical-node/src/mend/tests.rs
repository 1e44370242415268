//! Damage of every kind, found by a query, by loading or by scrubbing, is mended from a good copy.

use std::path::PathBuf;
use std::time::Duration;

use henge_data_node::{
    DataNode, Instruction, QueryBudget, QueryKey, SegmentDescriptor, SegmentHost, SegmentQuery,
    SegmentReply,
};
use henge_platform::metadata::PublishedSegment;
use henge_platform::storage::{DeepStorage, Payload};
use henge_query::Query;

use super::*;
use crate::ServedForm;
use crate::hot::tests::{CLUSTER, KEY, Setup, segment_file, setup, wait_until_hot};

/// Fast enough not to wait.
pub(crate) const UNLIMITED: u64 = u64::MAX;

pub(crate) fn sum_of(setup: &Setup) -> SegmentQuery {
    let query = br#"{"queryType":"timeseries","dataSource":"wiki","intervals":"1970/1971",
        "granularity":"all","aggregations":[{"type":"longSum","name":"s","fieldName":"added"}],
        "context":{"useBlockStatistics":false}}"#;
    let id = setup.segment.id.clone();
    let visible = id.interval;
    SegmentQuery {
        query: Arc::new(Query::parse(query).unwrap()),
        segments: vec![SegmentDescriptor { id, visible }],
        cluster: CLUSTER.into(),
        key: QueryKey { id: "sum".into(), number: 1 },
        timeout: Duration::from_secs(600),
        priority: 0,
        lane: None,
        budget: QueryBudget { memory_bytes: 1 << 20, disk_bytes: 0, buckets: 1 },
        extent: henge_exec::Extent::Whole,
        rank: None,
    }
}

pub(crate) fn served_file(node: &HistoricalNode) -> PathBuf {
    node.serving.loaded.read().values().next().unwrap().file.path.clone()
}

/// Changes bytes of both columns' values, in place.
pub(crate) fn flip(path: &std::path::Path) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    for at in (1..20).map(|part| length * part / 20) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
}

pub(crate) fn cut_short(path: &std::path::Path) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap();
}

pub(crate) fn answered(reply: &SegmentReply) -> bool {
    reply.missing.is_empty() && reply.partials.len() == 1
}

#[tokio::test]
async fn f_46_f_47_i_12_a_query_that_meets_damage_gets_a_fresh_copy() {
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        for damage in [flip, cut_short] {
            let setup = setup().await;
            let node = setup.node(form, 1 << 30);
            node.load(&setup.segment, Instruction::default()).await.unwrap();
            if form == ServedForm::Hot {
                wait_until_hot(&node).await;
            }
            // What was read before is verified already, and stays so: take a node that read nothing.
            drop(node);
            let node = setup.node(form, 1 << 30);
            node.load(&setup.segment, Instruction::default()).await.unwrap();
            damage(&served_file(&node));
            let reply = node.run(sum_of(&setup)).await.unwrap();
            assert_eq!(reply.missing.len(), 1, "the query is to start over");
            assert_eq!((node.care.found.get(), node.care.repaired.get()), (1, 1));
            assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
        }
    }
}

#[tokio::test]
async fn f_46_f_47_a_file_that_is_cut_after_it_was_read_and_verified_is_noticed_by_the_next_query()
{
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        let setup = setup().await;
        let node = setup.node(form, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        if form == ServedForm::Hot {
            wait_until_hot(&node).await;
        }
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
        // Within its first page, where no signal tells of it.
        let file = std::fs::File::options().write(true).open(served_file(&node)).unwrap();
        file.set_len(100).unwrap();
        assert_eq!(node.run(sum_of(&setup)).await.unwrap().missing.len(), 1);
        assert_eq!((node.care.found.get(), node.care.repaired.get()), (1, 1));
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
    }
}

#[tokio::test]
async fn f_46_without_a_good_copy_the_segment_is_withdrawn_and_the_reason_named() {
    let setup = setup().await;
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    flip(&served_file(&node));
    setup.storage.delete(KEY).await.unwrap();
    assert_eq!(node.run(sum_of(&setup)).await.unwrap().missing.len(), 1);
    assert_eq!(node.segment_count(), 0);
    let trouble = node.discovery.trouble(&setup.segment.id).unwrap();
    for part in [".segment: ", "column '", "block ", "fetching it again failed"] {
        assert!(trouble.contains(part), "{part} in {trouble}");
    }
    assert!(node.discovery.snapshot().servers["historical-0"].segments.is_empty());
}

#[tokio::test]
async fn f_46_the_scrubber_finds_damage_that_no_query_reads() {
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        for damage in
            [flip, cut_short, |path: &std::path::Path| std::fs::remove_file(path).unwrap()]
        {
            let setup = setup().await;
            let node = setup.node(form, 1 << 30);
            node.load(&setup.segment, Instruction::default()).await.unwrap();
            if form == ServedForm::Hot {
                wait_until_hot(&node).await;
            }
            node.scrub_once(UNLIMITED).await;
            assert_eq!(node.care.found.get(), 0);
            damage(&served_file(&node));
            node.scrub_once(UNLIMITED).await;
            assert_eq!((node.care.found.get(), node.care.repaired.get()), (1, 1));
            assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
        }
    }
}

/// Metadata restored from a backup give ids out again: another object of the same id and size.
#[tokio::test]
async fn h_52_another_content_of_the_same_identity_and_size_is_not_taken_from_the_cache() {
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        let setup = setup().await;
        let node = setup.node(form, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        if form == ServedForm::Hot {
            wait_until_hot(&node).await;
        }
        let before = node.run(sum_of(&setup)).await.unwrap().partials;
        drop(node);
        let bytes = segment_file(&setup.segment.id, -1);
        let pushed = setup.storage.push("wiki/other", Payload::Bytes(bytes.into())).await.unwrap();
        let restored = PublishedSegment {
            object_key: "wiki/other".into(),
            size_bytes: pushed.size_bytes,
            checksum: pushed.checksum,
            ..setup.segment.clone()
        };
        let node = setup.node(form, 1 << 30);
        node.load(&restored, Instruction::default()).await.unwrap();
        let after = node.run(sum_of(&setup)).await.unwrap().partials;
        assert_ne!(format!("{before:?}"), format!("{after:?}"));
    }
}

/// Files of earlier versions, whose names carry less, are verified once and kept.
#[tokio::test]
async fn h_52_files_of_earlier_versions_are_verified_and_renamed() {
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        let setup = setup().await;
        let node = setup.node(form, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        if form == ServedForm::Hot {
            wait_until_hot(&node).await;
        }
        let path = served_file(&node);
        drop(node);
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let parts: Vec<&str> = name.split('.').collect();
        let old = match parts.as_slice() {
            [stem, _, "segment"] => format!("{stem}.segment"),
            [stem, stored, _, "hot"] => format!("{stem}.{stored}.hot"),
            _ => panic!("{name}"),
        };
        let old = path.with_file_name(old);
        std::fs::rename(&path, &old).unwrap();
        setup.storage.delete(KEY).await.unwrap();
        let node = setup.node(form, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        assert_eq!(served_file(&node), path);
        drop(node);
        std::fs::rename(&path, &old).unwrap();
        flip(&old);
        let node = setup.node(form, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap_err();
        assert_eq!(setup.files(), [""; 0]);
    }
}

#[tokio::test]
async fn h_51_files_that_are_no_segments_are_refused_and_replaced() {
    let setup = setup().await;
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    let path = served_file(&node);
    drop(node);
    let whole = std::fs::read(&path).unwrap();
    for content in [Vec::new(), vec![0], vec![0; whole.len()], whole[..whole.len() / 2].to_vec()] {
        std::fs::write(&path, content).unwrap();
        let node = setup.node(ServedForm::AsStored, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap_err();
}

/// A segment for which there is no room is refused by its sizes; what is loaded goes on, and once there
/// is room it loads.
#[tokio::test]
async fn f_50_without_room_a_load_is_refused_and_the_others_are_served() {
    let setup = setup().await;
    let mut second = setup.segment.clone();
    second.id.partition = 1;
    let bytes = segment_file(&second.id, 2);
    let pushed = setup.storage.push("wiki/second", Payload::Bytes(bytes.into())).await.unwrap();
    second.object_key = "wiki/second".into();
    (second.size_bytes, second.checksum) = (pushed.size_bytes, pushed.checksum);
    let room_bytes = setup.segment.size_bytes + second.size_bytes - 1;
    let node = setup.node(ServedForm::AsStored, room_bytes);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    for _ in 0..2 {
        let error = node.load(&second, Instruction::default()).await.unwrap_err();
        assert!(error.reason.contains(&second.size_bytes.to_string()), "{}", error.reason);
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
        assert_eq!(node.segment_count(), 1);
    }
    assert!(node.discovery.trouble(&second.id).is_some());
    node.unload(&setup.segment.id, Instruction::default()).await.unwrap();
    node.load(&second, Instruction::default()).await.unwrap();
    assert!(node.discovery.trouble(&second.id).is_none());
    assert!(!answered(&node.run(sum_of(&setup)).await.unwrap()), "it was unloaded");
}

/// A reader that began before the drop reads on to its end, from the file that is gone.
#[tokio::test]
async fn f_51_a_segment_that_is_dropped_stays_readable_for_those_who_read_it() {
    let setup = setup().await;
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    let path = served_file(&node);
    let reader = node.serving.open(node.serving.loaded.read().values().next().unwrap()).unwrap();
    node.unload(&setup.segment.id, Instruction::default()).await.unwrap();
    assert!(!path.exists());
    assert_eq!(node.run(sum_of(&setup)).await.unwrap().missing.len(), 1);
    reader.verify().unwrap();
    assert_eq!(node.care.found.get(), 0, "a drop is no damage");
    drop(reader);
    // The room is free again once the last reader is gone.
    node.serving.cache.reserve(1 << 30).unwrap();
}
