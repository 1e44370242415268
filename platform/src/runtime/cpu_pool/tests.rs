//! The pool orders by priority, survives panics and never blocks a dropped future.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use parking_lot::Mutex;

use super::*;

#[tokio::test]
async fn runs_and_returns() {
    let pool = CpuPool::new(2).unwrap();
    assert_eq!(pool.spawn(0, || 6 * 7).await, Ok(42));
    assert_eq!(pool.threads(), 2);
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_thread_lives_on() {
    let pool = CpuPool::new(1).unwrap();
    let failed = pool.spawn(0, || -> u32 { panic!("boom {}", 1) }).await;
    assert_eq!(failed, Err(PoolError::Panicked("boom 1".into())));
    assert_eq!(pool.spawn(0, || 1).await, Ok(1));
}

/// Keeps the only thread of a pool busy until the returned sender is dropped.
fn block(pool: &CpuPool) -> (mpsc::Sender<()>, CpuTask<()>) {
    let (started_sender, started) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let task = pool.spawn(i32::MAX, move || {
        started_sender.send(()).unwrap();
        let _ = gate.recv();
    });
    started.recv().unwrap();
    (release, task)
}

#[tokio::test]
async fn higher_priority_runs_first_and_equal_ones_in_order() {
    let pool = CpuPool::new(1).unwrap();
    let (release, gate) = block(&pool);
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = [(0, "a"), (5, "b"), (0, "c"), (-1, "d"), (5, "e")]
        .into_iter()
        .map(|(priority, name)| {
            let order = Arc::clone(&order);
            pool.spawn(priority, move || order.lock().push(name))
        })
        .collect();
    assert_eq!(pool.queue_depth(), 5);
    drop(release);
    gate.await.unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock(), ["b", "e", "a", "c", "d"]);
}

#[tokio::test]
async fn dropping_the_future_skips_work_that_has_not_begun() {
    let pool = CpuPool::new(1).unwrap();
    let (release, gate) = block(&pool);
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    drop(pool.spawn(0, move || counter.fetch_add(1, Ordering::SeqCst)));
    drop(release);
    gate.await.unwrap();
    pool.spawn(-5, || ()).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn dropping_the_pool_tells_the_waiters() {
    let pool = CpuPool::new(1).unwrap();
    let (release, gate) = block(&pool);
    let waiting = pool.spawn(0, || 1);
    drop(pool);
    assert_eq!(waiting.await, Err(PoolError::ShutDown));
    drop(release);
    gate.await.unwrap();
}
