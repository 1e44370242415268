//! Deep storage over an object store whose requests fail: the same contract, for every seed.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, PutPayload};

use super::*;

/// All that a store may do which its client has to get over. No late puts: one that is carried out
/// after a deletion brings an object back, which nobody can tell from any other.
const EVERYTHING: FaultPlan = FaultPlan {
    refuse: 0.15,
    lose_answer: 0.15,
    late: 0.0,
    flip_bit: 0.0,
    truncate: 0.1,
    conflict: 0.2,
    break_off: 0.15,
    latency_ms: 2_000,
    slow_list_ms: 20_000,
};

/// Parts of 100 kB, and so many attempts that chance cannot use them up.
const PATIENT: TransferOptions = TransferOptions {
    retry: RetryPolicy {
        attempts: 40,
        total: std::time::Duration::from_secs(3_600),
        first_wait: std::time::Duration::from_millis(200),
        longest_wait: std::time::Duration::from_secs(10),
        request_timeout: std::time::Duration::from_secs(30),
    },
    part_bytes: 100_000,
    parts_at_once: 3,
};

fn unreliable(plan: FaultPlan, seed: u64) -> (UnreliableObjects, ObjectDeepStorage) {
    let objects = UnreliableObjects::new(Arc::new(InMemory::new()), plan, seed);
    (objects.clone(), ObjectDeepStorage::new(Arc::new(objects), PATIENT))
}

/// The time that a test spends waiting is not real, so ten minutes of slowness cost nothing.
#[tokio::test(start_paused = true)]
async fn f_37_f_38_f_39_f_41_the_contract_holds_over_a_store_that_fails() {
    let mut injected = InjectedFaults::new();
    for seed in 0..20 {
        println!("seed {seed}");
        let (objects, storage) = unreliable(EVERYTHING, seed);
        contract(&storage).await;
        assert_eq!(objects.unfinished_uploads(), 0);
        for (fault, count) in objects.injected() {
            *injected.entry(fault).or_default() += count;
        }
    }
    println!("{injected:?}");
    for fault in [
        "5xx",
        "answer lost",
        "409",
        "end cut off",
        "fetch broken off",
        "listing broken off",
        "delay",
    ] {
        assert!(injected.get(fault).is_some_and(|count| *count > 0), "{fault}: {injected:?}");
    }
}

/// One seed decides everything, so a failure can be repeated.
#[tokio::test(start_paused = true)]
async fn one_seed_gives_one_run() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let _simulated = crate::runtime::simulation::enter(11);
        let (objects, storage) = unreliable(EVERYTHING, 11);
        let started = tokio::time::Instant::now();
        for number in 0..20_u8 {
            let key = format!("k/{number}");
            storage.push(&key, Payload::Bytes(vec![number; 250_000].into())).await.unwrap();
            storage.check(&key, checksum_bytes(&vec![number; 250_000])).await.unwrap();
        }
        storage.list("k").await.unwrap();
        runs.push((objects.injected(), started.elapsed()));
    }
    assert_eq!(runs[0], runs[1]);
}

/// What was pushed once is there once, though every second answer is lost.
#[tokio::test(start_paused = true)]
async fn f_37_a_put_whose_answer_was_lost_is_looked_up() {
    let plan = FaultPlan { lose_answer: 1.0, ..FaultPlan::default() };
    let (objects, storage) = unreliable(plan, 1);
    let pushed = storage.push("small", payload("content")).await.unwrap();
    assert_eq!(pushed, checksum_bytes(b"content"));
    assert_eq!(objects.injected()["answer lost"], 1, "it was not sent twice");
    let error = storage.push("small", payload("another")).await.unwrap_err();
    assert!(matches!(error, StorageError::Conflict(_)), "{error}");
    let mended = storage.overwrite("small", payload("mended")).await.unwrap();
    storage.check("small", mended).await.unwrap();
}

/// A put that was given up may be carried out while the next one is under way, or after it.
#[tokio::test(start_paused = true)]
async fn f_37_a_put_that_appears_later_is_the_same_object() {
    let plan = FaultPlan { late: 0.4, conflict: 0.1, ..FaultPlan::default() };
    let (objects, storage) = unreliable(plan, 6);
    let directory = tempfile::tempdir().unwrap();
    let mut pushed = Vec::new();
    for number in 0..30_u8 {
        let small = Payload::Bytes(vec![number; 100].into());
        pushed.push((format!("late/s/{number}"), small));
        pushed
            .push((format!("late/l/{number}"), file_of(directory.path(), &vec![number; 250_000])));
    }
    let mut stored = Vec::new();
    for (key, content) in pushed {
        match storage.push(&key, content).await {
            Ok(object) => stored.push((key, object)),
            // Its parts are gone and it is not there yet: pushed under another key in earnest.
            Err(error) => assert_eq!(error.class(), ErrorClass::Unavailable, "{error}"),
        }
    }
    objects.set_plan(FaultPlan::default());
    objects.settle().await;
    assert!(objects.injected()["late put carried out"] > 5 && stored.len() > 40);
    assert_eq!(storage.list("late").await.unwrap().len(), 60);
    for (key, object) in stored {
        storage.check(&key, object).await.unwrap();
    }
}

/// An object that somebody else stored, without a checksum beside it, is read back.
#[tokio::test]
async fn f_37_without_a_kept_checksum_the_object_is_read_back() {
    let store = Arc::new(InMemory::new());
    let foreign = PutPayload::from_static(b"content");
    store.put(&ObjectPath::from("k"), foreign).await.unwrap();
    let storage = ObjectDeepStorage::new(store, PATIENT);
    storage.push("k", payload("content")).await.unwrap();
    let error = storage.push("k", payload("contenT")).await.unwrap_err();
    assert!(matches!(error, StorageError::Conflict(_)), "{error}");
}

/// F-38: when the store fails for good amidst the parts, nothing is visible and no part stays.
#[tokio::test(start_paused = true)]
async fn f_38_an_upload_that_fails_at_a_part_is_not_visible_and_its_parts_are_freed() {
    let directory = tempfile::tempdir().unwrap();
    let mut aborted = 0;
    for seed in 0..40 {
        let plan = FaultPlan { refuse: 0.3, ..FaultPlan::default() };
        let objects = UnreliableObjects::new(Arc::new(InMemory::new()), plan, seed);
        let retry = RetryPolicy { attempts: 3, ..PATIENT.retry };
        let options = TransferOptions { retry, ..PATIENT };
        let storage = ObjectDeepStorage::new(Arc::new(objects.clone()), options);
        let large = file_of(directory.path(), &vec![3; 1_000_000]);
        let pushed = storage.push("large", large).await;
        objects.set_plan(FaultPlan::default());
        let found = storage.head("large").await.unwrap();
        match pushed {
            Ok(pushed) => {
                assert_eq!(found.map(|object| object.size_bytes), Some(pushed.size_bytes));
            }
            Err(error) => {
                assert_eq!(error.class(), ErrorClass::Unavailable, "{error}");
                assert_eq!(found, None);
                // An abort that failed three times too is left to the bucket's rule.
                aborted += usize::from(objects.unfinished_uploads() == 0);
            }
        }
    }
    assert!(aborted > 10, "{aborted}");
}

/// F-41: a store that is away for good is given up after a bounded time, and the error names it.
#[tokio::test(start_paused = true)]
async fn f_41_a_store_that_stays_away_is_named() {
    let plan = FaultPlan { refuse: 1.0, ..FaultPlan::default() };
    let objects = UnreliableObjects::new(Arc::new(InMemory::new()), plan, 1);
    let storage = ObjectDeepStorage::new(Arc::new(objects.clone()), TransferOptions::default());
    let started = tokio::time::Instant::now();
    let error = storage.push("k", payload("x")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable);
    let told = error.to_string();
    assert!(told.contains("object store memory: PUT of 'k'") && told.contains("503"), "{told}");
    assert!(started.elapsed() < RetryPolicy::default().total);
    assert!(objects.injected()["5xx"] <= 2 * u64::from(RetryPolicy::default().attempts));
    for error in [
        storage.read("k").await.unwrap_err(),
        storage.head("k").await.unwrap_err(),
        storage.list("k").await.unwrap_err(),
        storage.delete("k").await.unwrap_err(),
        storage.reach().await.unwrap_err(),
    ] {
        assert_eq!(error.class(), ErrorClass::Unavailable, "unknown is not empty: {error}");
    }
}

/// F-39: bytes that were damaged on their way are noticed, whoever damaged them.
#[tokio::test(start_paused = true)]
async fn f_39_a_flipped_bit_on_the_way_is_noticed() {
    let plan = FaultPlan { flip_bit: 1.0, break_off: 0.3, ..FaultPlan::default() };
    let (objects, storage) = unreliable(plan, 4);
    let bytes = Bytes::from(vec![9; 300_000]);
    let pushed = storage.push("k", Payload::Bytes(bytes)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let destination = directory.path().join("pulled");
    for _ in 0..10 {
        let error = storage.pull("k", pushed, &destination).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Corrupt, "{error}");
        assert_eq!(file_count(directory.path()), 0);
    }
    objects.set_plan(FaultPlan::default());
    storage.pull("k", pushed, &destination).await.unwrap();
}

/// A listing that breaks off goes on behind what it brought, and nothing is listed twice.
#[tokio::test(start_paused = true)]
async fn a_listing_goes_on_where_it_broke_off() {
    let (objects, storage) = unreliable(FaultPlan::default(), 2);
    for number in 0..3_000 {
        storage.push(&format!("many/{number:04}"), payload("x")).await.unwrap();
    }
    objects.set_plan(FaultPlan { break_off: 0.2, slow_list_ms: 20_000, ..FaultPlan::default() });
    let listed = storage.list("many").await.unwrap();
    let keys: Vec<String> = listed.into_iter().map(|object| object.key).collect();
    let expected: Vec<String> = (0..3_000).map(|number| format!("many/{number:04}")).collect();
    assert_eq!(keys, expected);
    assert!(objects.injected()["listing broken off"] > 50);
}
