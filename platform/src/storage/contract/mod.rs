//! What every deep storage must do.

mod objects;
mod s3;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use henge_types::ErrorClass;

use super::*;

fn payload(text: &'static str) -> Payload {
    Payload::Bytes(Bytes::from_static(text.as_bytes()))
}

fn file_count(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

async fn round_trip(storage: &dyn DeepStorage) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, vec![7; 600_000]).unwrap();
    let pushed = storage.push("a/file", Payload::File(source.clone())).await.unwrap();
    assert_eq!(pushed, checksum_file(&source).unwrap());
    assert_eq!(pushed, checksum_bytes(&vec![7; 600_000]));
    let destination = directory.path().join("new/folder/pulled");
    storage.pull("a/file", pushed, &destination).await.unwrap();
    assert_eq!(std::fs::read(&destination).unwrap(), vec![7; 600_000]);
    assert_eq!(file_count(destination.parent().unwrap()), 1);
    assert_eq!(storage.read("a/file").await.unwrap(), vec![7; 600_000]);
    let error = storage.read("a/nothing").await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound(_)), "{error}");
    let empty = storage.push("a/empty", payload("")).await.unwrap();
    storage.pull("a/empty", empty, &directory.path().join("empty")).await.unwrap();
}

async fn parts_are_read(storage: &dyn DeepStorage) {
    let content: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    storage.push("parts", Payload::Bytes(content.clone().into())).await.unwrap();
    for range in [0..1, 0..300_000, 100_000..250_000, 299_999..300_000] {
        let expected = &content[range.start as usize..range.end as usize];
        assert_eq!(storage.read_range("parts", 300_000, range).await.unwrap(), expected);
    }
    let other = storage.read_range("parts", 300_001, 0..1).await.unwrap_err();
    assert!(matches!(other, StorageError::Corrupt { .. }), "{other}");
    let gone = storage.read_range("parts-none", 1, 0..1).await.unwrap_err();
    assert!(matches!(gone, StorageError::NotFound(_)), "{gone}");
}

async fn metadata_and_deletion(storage: &dyn DeepStorage) {
    storage.push("list/b/2", payload("22")).await.unwrap();
    storage.push("list/a/1", payload("1")).await.unwrap();
    storage.push("listing", payload("x")).await.unwrap();
    let listed = storage.list("list").await.unwrap();
    let sizes: Vec<_> =
        listed.iter().map(|o: &ObjectInfo| (o.key.as_str(), o.size_bytes)).collect();
    assert_eq!(sizes, [("list/a/1", 1), ("list/b/2", 2)]);
    assert!(listed.iter().all(|object| object.modified_ms > 1_700_000_000_000));
    let head = storage.head("list/b/2").await.unwrap().unwrap();
    // Some stores count in seconds here.
    assert!((head.modified_ms - listed[1].modified_ms).abs() <= 1_000, "{head:?} {listed:?}");
    assert!(storage.list("nothing").await.unwrap().is_empty());
    assert_eq!(storage.head("list/b/2").await.unwrap().unwrap().size_bytes, 2);
    assert!(storage.exists("listing").await.unwrap());
    assert!(!storage.exists("list").await.unwrap());
    storage.delete("list/a/1").await.unwrap();
    storage.delete("list/a/1").await.unwrap();
    assert!(!storage.exists("list/a/1").await.unwrap());
}

/// F-07 and F-37: a key keeps its first content; the same content again is no error.
async fn a_key_is_written_once(storage: &dyn DeepStorage) {
    let first = storage.push("once", payload("first")).await.unwrap();
    assert_eq!(storage.push("once", payload("first")).await.unwrap(), first);
    let error = storage.push("once", payload("other")).await.unwrap_err();
    assert!(matches!(error, StorageError::Conflict(_)), "{error}");
    let directory = tempfile::tempdir().unwrap();
    storage.pull("once", first, &directory.path().join("once")).await.unwrap();
    assert_eq!(storage.list("").await.unwrap_err().class(), ErrorClass::InvalidInput);
}

fn file_of(directory: &Path, bytes: &[u8]) -> Payload {
    let path = directory.join(format!("{:016x}", checksum_bytes(bytes).checksum));
    std::fs::write(&path, bytes).unwrap();
    Payload::File(path)
}

/// F-07 and F-38: the same of a file that is large enough to be sent in parts.
async fn a_large_object_is_like_a_small_one(storage: &dyn DeepStorage) {
    let directory = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
    let mut other = content.clone();
    other[999_999] ^= 1;
    let pushed = storage.push("large", file_of(directory.path(), &content)).await.unwrap();
    assert_eq!(pushed, checksum_bytes(&content));
    for same in [file_of(directory.path(), &content), Payload::Bytes(content.clone().into())] {
        assert_eq!(storage.push("large", same).await.unwrap(), pushed);
    }
    for late in [&other, &other[..700_000], &other[..10]] {
        let late = file_of(directory.path(), late);
        let error = storage.push("large", late).await.unwrap_err();
        assert!(matches!(error, StorageError::Conflict(_)), "{error}");
    }
    storage.check("large", pushed).await.unwrap();
    let mended = storage.overwrite("large", file_of(directory.path(), &other)).await.unwrap();
    assert_eq!(mended, checksum_bytes(&other));
    let destination = directory.path().join("pulled");
    storage.pull("large", mended, &destination).await.unwrap();
    assert_eq!(std::fs::read(&destination).unwrap(), other);
    let missing = Payload::File(directory.path().join("missing"));
    let error = storage.push("large/missing", missing).await.unwrap_err();
    assert!(matches!(error, StorageError::Io { .. }), "{error}");
}

/// H-34: whatever a name is encoded to, its key finds it again.
async fn keys_are_kept_as_they_are(storage: &dyn DeepStorage) {
    let keys = ["odd/%2e%2e%2f", "odd/a b", "odd/a+b&c=d?e#f", "odd/e\u{301}", "odd/\u{e9}"];
    for (key, text) in keys.into_iter().zip(["0", "1", "2", "3", "4"]) {
        storage.push(key, payload(text)).await.unwrap();
    }
    let listed = storage.list("odd").await.unwrap();
    let mut names: Vec<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    names.sort_unstable();
    let mut expected = keys;
    expected.sort_unstable();
    assert_eq!(names, expected);
    for (key, text) in keys.into_iter().zip(["0", "1", "2", "3", "4"]) {
        assert_eq!(storage.read(key).await.unwrap(), text, "{key}");
        storage.delete(key).await.unwrap();
    }
    assert!(storage.list("odd").await.unwrap().is_empty());
}

/// F-40: what mends a damaged object takes its place, also when it is gone.
async fn an_object_is_mended(storage: &dyn DeepStorage) {
    storage.push("mended", payload("damaged")).await.unwrap();
    for _ in 0..2 {
        let mended = storage.overwrite("mended", payload("right")).await.unwrap();
        assert_eq!(mended, checksum_bytes(b"right"));
        storage.check("mended", mended).await.unwrap();
        assert_eq!(storage.list("mended").await.unwrap().len(), 0);
        storage.delete("mended").await.unwrap();
    }
}

/// F-39: what is pulled is what was recorded, or nothing is there.
async fn pulls_are_verified(storage: &dyn DeepStorage) {
    let directory = tempfile::tempdir().unwrap();
    let destination = directory.path().join("pulled");
    let pushed = storage.push("verified", payload("content")).await.unwrap();
    let wrong = [
        PushedObject { checksum: pushed.checksum ^ 1, ..pushed },
        PushedObject { size_bytes: pushed.size_bytes + 1, ..pushed },
        PushedObject { size_bytes: pushed.size_bytes - 1, ..pushed },
    ];
    for expected in wrong {
        let error = storage.pull("verified", expected, &destination).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Corrupt);
        assert_eq!(file_count(directory.path()), 0);
    }
    let error = storage.pull("no/such", pushed, &destination).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::NotFound);
    assert_eq!(file_count(directory.path()), 0);
}

async fn h_32_bad_keys_are_refused(storage: &dyn DeepStorage) {
    for key in ["../x", "/etc/passwd", "a//b", "a/../../b", ""] {
        let error = storage.push(key, payload("x")).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{key}");
    }
}

async fn contract(storage: &dyn DeepStorage) {
    round_trip(storage).await;
    parts_are_read(storage).await;
    metadata_and_deletion(storage).await;
    a_key_is_written_once(storage).await;
    an_object_is_mended(storage).await;
    a_large_object_is_like_a_small_one(storage).await;
    keys_are_kept_as_they_are(storage).await;
    pulls_are_verified(storage).await;
    h_32_bad_keys_are_refused(storage).await;
}

#[tokio::test]
async fn local() {
    let directory = tempfile::tempdir().unwrap();
    contract(&LocalDeepStorage::open(directory.path().join("deep")).unwrap()).await;
}

#[tokio::test]
async fn object_store_in_memory() {
    contract(&ObjectDeepStorage::in_memory()).await;
}

#[tokio::test]
async fn object_store_in_memory_in_parts() {
    let store = Arc::new(object_store::memory::InMemory::new());
    let options =
        TransferOptions { part_bytes: 100_000, parts_at_once: 1, ..TransferOptions::default() };
    contract(&ObjectDeepStorage::new(store, options)).await;
}

#[tokio::test]
async fn unreliable_without_faults() {
    let inner = Arc::new(ObjectDeepStorage::in_memory());
    contract(&UnreliableStorage::new(inner, FaultPlan::default(), 1)).await;
}

#[tokio::test]
async fn f_39_damaged_transfers_are_refused_and_a_retry_succeeds() {
    let inner: Arc<dyn DeepStorage> = Arc::new(ObjectDeepStorage::in_memory());
    let pushed = inner.push("k", Payload::Bytes(vec![5; 10_000].into())).await.unwrap();
    for plan in [
        FaultPlan { flip_bit: 1.0, ..FaultPlan::default() },
        FaultPlan { truncate: 1.0, ..FaultPlan::default() },
    ] {
        let directory = tempfile::tempdir().unwrap();
        let storage = UnreliableStorage::new(Arc::clone(&inner), plan, 7);
        let destination = directory.path().join("pulled");
        for _ in 0..20 {
            let error = storage.pull("k", pushed, &destination).await.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Corrupt);
            assert_eq!(file_count(directory.path()), 0);
        }
        storage.set_plan(FaultPlan::default());
        storage.pull("k", pushed, &destination).await.unwrap();
    }
}

#[tokio::test]
async fn f_37_a_push_whose_answer_was_lost_is_repeated_without_a_second_object() {
    let inner: Arc<dyn DeepStorage> = Arc::new(ObjectDeepStorage::in_memory());
    let plan = FaultPlan { lose_answer: 0.5, refuse: 0.2, ..FaultPlan::default() };
    let storage = UnreliableStorage::new(Arc::clone(&inner), plan, 3);
    for number in 0..30 {
        let key = format!("o/{number}");
        let content = Bytes::from(vec![number; 100]);
        let mut attempts = 0;
        while storage.push(&key, Payload::Bytes(content.clone())).await.is_err() {
            attempts += 1;
            assert!(attempts < 100);
        }
    }
    assert_eq!(inner.list("o").await.unwrap().len(), 30);
}

/// A push that was reported as failed may be carried out at any later time: under its own key, beside
/// whatever was pushed since.
#[tokio::test]
async fn f_37_a_push_that_appears_later_harms_nothing() {
    let inner: Arc<dyn DeepStorage> = Arc::new(ObjectDeepStorage::in_memory());
    let plan = FaultPlan { late: 0.5, ..FaultPlan::default() };
    let storage = UnreliableStorage::new(Arc::clone(&inner), plan, 5);
    let content = |number: u32| Payload::Bytes(number.to_le_bytes().to_vec().into());
    for number in 0..30 {
        let mut attempts = 0;
        while storage.push(&format!("late/{number}"), content(number)).await.is_err() {
            attempts += 1;
            assert!(attempts < 100);
        }
    }
    storage.set_plan(FaultPlan { refuse: 0.5, ..FaultPlan::default() });
    for _ in 0..30 {
        let _ = storage.head("late/0").await;
    }
    let injected = storage.injected();
    assert!(injected["late push"] > 0 && injected["late push carried out"] > 0, "{injected:?}");
    assert_eq!(inner.list("late").await.unwrap().len(), 30);
    for number in 0..30_u32 {
        let expected = checksum_bytes(&number.to_le_bytes());
        inner.check(&format!("late/{number}"), expected).await.unwrap();
    }
}

#[tokio::test]
async fn f_46_a_flipped_bit_in_the_stored_file_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("deep");
    let storage = LocalDeepStorage::open(&root).unwrap();
    let pushed = storage.push("k", payload("some content")).await.unwrap();
    let mut bytes = std::fs::read(root.join("k")).unwrap();
    bytes[3] ^= 16;
    std::fs::write(root.join("k"), bytes).unwrap();
    let error = storage.pull("k", pushed, &directory.path().join("p")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt);
}

#[cfg(unix)]
#[tokio::test]
async fn h_36_links_and_directories_are_not_objects() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("deep");
    let storage = LocalDeepStorage::open(&root).unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, b"secret").unwrap();
    std::os::unix::fs::symlink(&secret, root.join("link")).unwrap();
    std::fs::create_dir(root.join("folder")).unwrap();
    let expected = checksum_bytes(b"secret");
    for key in ["link", "folder"] {
        assert!(storage.pull(key, expected, &directory.path().join("out")).await.is_err());
        assert!(!storage.exists(key).await.unwrap());
    }
}

/// A replaced node that comes late: what is committed stays what it is, and what both uploaded equally
/// is no conflict.
#[tokio::test]
async fn f_07_a_late_upload_leaves_the_committed_object_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let local = LocalDeepStorage::open(directory.path().join("deep")).unwrap();
    let stores: [Arc<dyn DeepStorage>; 2] =
        [Arc::new(local), Arc::new(ObjectDeepStorage::in_memory())];
    for storage in stores {
        let committed = storage.push("s/1", payload("committed")).await.unwrap();
        for late in ["late", "", "committed and more", "committex"] {
            let error = storage.push("s/1", payload(late)).await.unwrap_err();
            assert!(matches!(error, StorageError::Conflict(_)), "{late}: {error}");
        }
        assert_eq!(storage.push("s/1", payload("committed")).await.unwrap(), committed);
        storage.check("s/1", committed).await.unwrap();
        assert_eq!(storage.list("s").await.unwrap().len(), 1);
    }
}

/// The process's own memory is a regular file whose first byte cannot be read: an upload that breaks
/// off after it began.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn f_38_an_upload_that_breaks_off_is_never_visible_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("deep");
    let storage = LocalDeepStorage::open(&root).unwrap();
    storage.push("s/0", payload("before")).await.unwrap();
    for source in ["/proc/self/mem", "/no/such/file"] {
        let error = storage.push("s/1", Payload::File(source.into())).await.unwrap_err();
        assert!(matches!(error, StorageError::Io { .. }), "{error}");
        assert_eq!(storage.head("s/1").await.unwrap(), None);
        assert_eq!(storage.list("s").await.unwrap().len(), 1);
        assert_eq!(file_count(&root.join("s")), 1, "a temporary file is left");
    }
    storage.push("s/1", payload("again")).await.unwrap();
    assert_eq!(storage.read("s/1").await.unwrap(), "again");
}
