//! Damage of every kind to an object in deep storage is mended from whatever form is cached.

use std::fs;
use std::path::{Path, PathBuf};

use henge_data_node::{DataNode, Instruction, SegmentHost};
use henge_platform::metadata::MetadataStore;
use henge_platform::storage::DeepStorage;
use henge_segment::{BlockCodec, WriteOptions};

use super::*;
use crate::ServedForm;
use crate::hot::tests::{KEY, Setup, segment_file, setup, setup_with, wait_until_hot};
use crate::mend::tests::{UNLIMITED, answered, cut_short, flip, served_file, sum_of};

/// A node that serves a form, with nothing under way.
async fn serving(setup: &Setup, form: ServedForm) -> HistoricalNode {
    let node = setup.node(form, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    if form == ServedForm::Hot {
        wait_until_hot(&node).await;
    }
    node
}

fn object(setup: &Setup, key: &str) -> PathBuf {
    setup.dir.path().join("deep").join(key)
}

/// One bit, in a place.
fn flip_at(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

type Damage = fn(&Setup, &Path);

const DAMAGES: [(&str, Damage); 7] = [
    ("deleted", |_, path| fs::remove_file(path).unwrap()),
    ("truncated", |_, path| cut_short(path)),
    ("a bit of the header", |_, path| flip_at(path, |_| 3)),
    ("a bit of the footer", |_, path| flip_at(path, |length| length - 40)),
    ("a bit of a block", |_, path| flip_at(path, |length| length / 3)),
    ("many bits", |_, path| flip(path)),
    ("another segment's object", |setup, path| {
        let mut other = setup.segment.id.clone();
        other.partition += 1;
        fs::write(path, segment_file(&other, 3)).unwrap();
    }),
];

#[tokio::test]
async fn f_40_i_06_an_object_is_mended_byte_for_byte_from_either_form() {
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        let setup = setup().await;
        let mut node = serving(&setup, form).await;
        let path = object(&setup, KEY);
        let good = fs::read(&path).unwrap();
        for (number, (name, damage)) in DAMAGES.into_iter().enumerate() {
            damage(&setup, &path);
            if number % 2 == 1 {
                // Found after a restart, by the first pass.
                node = setup.node(form, 1 << 30);
                node.load(&setup.segment, Instruction::default()).await.unwrap();
            }
            let before = (node.care.found.get(), node.care.repaired.get());
            node.scrub_once(UNLIMITED).await;
            assert!(fs::read(&path).unwrap() == good, "{form:?}, {name}");
            let after = (node.care.found.get(), node.care.repaired.get());
            assert_eq!(after, (before.0 + 1, before.1 + 1), "{form:?}, {name}");
        }
        assert!(node.endangered().is_empty());
        // The cache may be lost now.
        fs::remove_dir_all(setup.dir.path().join("cache")).unwrap();
        let node = setup.node(form, 1 << 30);
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
    }
}

/// What the encoder makes of the rows today are other bytes: a new object, which the metadata name from
/// then on. The damaged one stays.
#[tokio::test]
async fn f_40_i_06_rows_that_encode_otherwise_today_become_a_new_object() {
    let options = WriteOptions { codec: BlockCodec::Lz4, ..WriteOptions::default() };
    let setup = setup_with(options).await;
    let node = serving(&setup, ServedForm::Hot).await;
    let expected = format!("{:?}", node.run(sum_of(&setup)).await.unwrap().partials);
    flip(&object(&setup, KEY));
    let damaged = fs::read(object(&setup, KEY)).unwrap();
    node.scrub_once(UNLIMITED).await;
    assert_eq!((node.care.found.get(), node.care.repaired.get()), (1, 1));
    let used = setup.metadata.used_segments().await.unwrap().segments;
    let mended = &used[0];
    assert_ne!(mended.object_key, KEY);
    setup.storage.check(&mended.object_key, stored_object(mended)).await.unwrap();
    assert!(fs::read(object(&setup, KEY)).unwrap() == damaged);
    // The hot file is the new object's, and both are found good.
    assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
    assert_eq!(setup.files().len(), 1);
    node.scrub_once(UNLIMITED).await;
    assert_eq!(node.care.found.get(), 1);
    for is_lost in [false, true] {
        if is_lost {
            fs::remove_dir_all(setup.dir.path().join("cache")).unwrap();
        }
        let node = setup.node(ServedForm::Hot, 1 << 30);
        node.load(mended, Instruction::default()).await.unwrap();
        let partials = node.run(sum_of(&setup)).await.unwrap().partials;
        assert_eq!(format!("{partials:?}"), expected);
        assert_eq!(served_file(&node).extension().unwrap() == "hot", !is_lost);
    }
}

/// Dropped, or mended by another node meanwhile: nothing of ours is made the segment's.
#[tokio::test]
async fn f_40_who_is_late_changes_nothing_and_loads_again() {
    let options = WriteOptions { codec: BlockCodec::Lz4, ..WriteOptions::default() };
    let setup = setup_with(options).await;
    let node = serving(&setup, ServedForm::Hot).await;
    fs::remove_file(object(&setup, KEY)).unwrap();
    setup.metadata.mark_unused(std::slice::from_ref(&setup.segment.id), None).await.unwrap();
    node.scrub_once(UNLIMITED).await;
    assert_eq!((node.care.repaired.get(), node.segment_count()), (0, 0));
    assert!(setup.metadata.used_segments().await.unwrap().segments.is_empty());
}

/// A damaged copy never goes back, and what cannot be mended is named.
#[tokio::test]
async fn i_12_a_damaged_copy_mends_nothing() {
    for form in [ServedForm::AsStored, ServedForm::Hot] {
        let setup = setup().await;
        let node = serving(&setup, form).await;
        let path = object(&setup, KEY);
        fs::remove_file(&path).unwrap();
        flip(&served_file(&node));
        let loaded = Arc::clone(node.serving.loaded.read().values().next().unwrap());
        node.care_for_object(&loaded).await.unwrap_err();
        assert!(!path.exists());
        let trouble = node.endangered().remove(&setup.segment.id).unwrap();
        assert!(trouble.contains(KEY) && trouble.contains("mending it from"), "{trouble}");
        assert_eq!(setup.files().len(), 1, "no temporary file stays");
        // The scrubber finds the file first: then both are gone, and the reason says both.
        node.scrub_once(UNLIMITED).await;
        assert!(node.endangered().is_empty() && node.segment_count() == 0);
        let trouble = node.discovery.trouble(&setup.segment.id).unwrap();
        assert!(trouble.contains("column '") && trouble.contains(KEY), "{trouble}");
    }
}

/// The tier's codec changed, and the only good copy is one of the form that is wanted no longer.
#[tokio::test]
async fn f_40_a_hot_file_that_a_tier_wants_no_longer_is_kept_until_there_is_another() {
    let setup = setup().await;
    drop(serving(&setup, ServedForm::Hot).await);
    let path = object(&setup, KEY);
    let good = fs::read(&path).unwrap();
    cut_short(&path);
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
    node.scrub_once(UNLIMITED).await;
    assert!(fs::read(&path).unwrap() == good);
    let node = setup.node(ServedForm::AsStored, 1 << 30);
    node.load(&setup.segment, Instruction::default()).await.unwrap();
    assert_eq!(served_file(&node).extension().unwrap(), "segment");
    assert_eq!(setup.files().len(), 1);
}
