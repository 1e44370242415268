//! The pool orders by priority, survives panics and never blocks a dropped future.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

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

/// Long work in turns, each of which burns until it is to yield.
fn burn(pool: &CpuPool, priority: Priority, turns: usize) -> (Arc<AtomicUsize>, CpuTask<()>) {
    let done = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&done);
    let task = pool.spawn_steps(priority, move |turn| {
        let started = std::time::Instant::now();
        while !turn.should_yield() && started.elapsed() < Duration::from_millis(10) {
            std::hint::spin_loop();
        }
        if counter.fetch_add(1, Ordering::SeqCst) + 1 < turns {
            Step::Again
        } else {
            Step::Done(())
        }
    });
    (done, task)
}

#[tokio::test]
async fn h_63_short_work_overtakes_long_work_of_its_own_priority() {
    let pool = CpuPool::new(1).unwrap();
    let (turns, long) = burn(&pool, 0, 20);
    while turns.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = turns.load(Ordering::SeqCst);
    for _ in 0..3 {
        pool.spawn(0, || ()).await.unwrap();
    }
    assert!(turns.load(Ordering::SeqCst) <= before + 6, "a turn or two for each short one");
    long.await.unwrap();
    assert_eq!(turns.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn a_higher_priority_ends_the_turn_and_a_lower_one_does_not() {
    let pool = CpuPool::new(1).unwrap();
    let (started_sender, started) = mpsc::channel();
    let mut first = true;
    let long = pool.spawn_steps(0, move |turn| {
        if !std::mem::take(&mut first) {
            return Step::Done("yielded");
        }
        started_sender.send(()).unwrap();
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if turn.should_yield() {
                return Step::Again;
            }
        }
        Step::Done("kept the thread")
    });
    started.recv().unwrap();
    let low = pool.spawn(-1, || ());
    let high = pool.spawn(1, || ());
    high.await.unwrap();
    assert_eq!(long.await, Ok("yielded"));
    low.await.unwrap();
}

#[tokio::test]
async fn h_63_low_priorities_never_take_the_last_thread() {
    let pool = CpuPool::new(2).unwrap();
    let (release, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let running = Arc::new(AtomicUsize::new(0));
    let low: Vec<_> = (0..4)
        .map(|_| {
            let (gate, running) = (Arc::clone(&gate), Arc::clone(&running));
            pool.spawn(-1, move || {
                running.fetch_add(1, Ordering::SeqCst);
                let _ = gate.lock().recv();
            })
        })
        .collect();
    for _ in 0..10 {
        pool.spawn(0, || ()).await.unwrap();
    }
    assert_eq!(running.load(Ordering::SeqCst), 1);
    drop(release);
    for task in low {
        task.await.unwrap();
    }
    assert_eq!(running.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_panic_in_a_later_turn_is_an_error() {
    let pool = CpuPool::new(1).unwrap();
    let mut turns = 0;
    let failed = pool.spawn_steps(0, move |_| -> Step<()> {
        turns += 1;
        assert!(turns < 3, "boom");
        Step::Again
    });
    assert_eq!(failed.await, Err(PoolError::Panicked("boom".into())));
    assert_eq!(pool.spawn(0, || 1).await, Ok(1));
}

/// Gives the thread that it ran on.
fn here_or_not(pool: &CpuPool, priority: Priority) -> CpuTask<std::thread::ThreadId> {
    pool.spawn_steps_here(priority, |_| Step::Done(std::thread::current().id()))
}

#[tokio::test]
async fn short_work_stays_on_its_thread_while_nothing_waits() {
    let (pool, here) = (CpuPool::new(1).unwrap(), std::thread::current().id());
    assert_eq!(here_or_not(&pool, 0).await, Ok(here));
    // Low priorities are the queue's.
    assert_ne!(here_or_not(&pool, -1).await, Ok(here));
    // A busy thread holds nothing up, work that waits does.
    let (release, gate) = block(&pool);
    assert_eq!(here_or_not(&pool, 0).await, Ok(here));
    let (waiting, late) = (pool.spawn(0, || ()), here_or_not(&pool, 0));
    drop(release);
    gate.await.unwrap();
    waiting.await.unwrap();
    assert_ne!(late.await, Ok(here));
    let failed = pool.spawn_steps_here(0, |_| -> Step<u32> { panic!("boom") }).await;
    assert_eq!(failed, Err(PoolError::Panicked("boom".into())));
    assert_eq!(here_or_not(&pool, 0).await, Ok(here));
}

#[tokio::test]
async fn h_63_one_thread_at_a_time_and_for_a_millisecond() {
    let (pool, here) = (CpuPool::new(1).unwrap(), std::thread::current().id());
    let (release, gate) = block(&pool);
    let inner = pool.clone();
    let mut turns = 0;
    let long = pool.spawn_steps_here(0, move |turn| {
        turns += 1;
        if turns > 1 {
            return Step::Done(std::thread::current().id());
        }
        while !turn.should_yield() {
            std::hint::spin_loop();
        }
        // Whoever asks meanwhile is sent to the queue.
        drop(here_or_not(&inner, 0));
        assert_eq!((inner.queue_depth(), std::thread::current().id()), (1, here));
        Step::Again
    });
    drop(release);
    gate.await.unwrap();
    assert_ne!(long.await.unwrap(), here);
}

#[tokio::test(flavor = "current_thread")]
async fn a_pool_without_threads_lets_other_tasks_run_after_every_turn() {
    let pool = CpuPool::of_this_runtime();
    let (order, here) = (Arc::new(Mutex::new(Vec::new())), std::thread::current().id());
    let long = {
        let (order, mut left) = (Arc::clone(&order), 3);
        pool.spawn_steps(0, move |turn| {
            assert!(turn.should_yield() && std::thread::current().id() == here);
            order.lock().push("turn");
            left -= 1;
            if left == 0 { Step::Done(()) } else { Step::Again }
        })
    };
    let low = {
        let order = Arc::clone(&order);
        pool.spawn(-1, move || order.lock().push("low"))
    };
    let other = {
        let order = Arc::clone(&order);
        tokio::spawn(async move {
            for _ in 0..3 {
                order.lock().push("task");
                tokio::task::yield_now().await;
            }
        })
    };
    long.await.unwrap();
    low.await.unwrap();
    other.await.unwrap();
    let order = order.lock().clone();
    let place = |name: &str| order.iter().position(|known| *known == name).unwrap();
    let last_turn = order.iter().rposition(|known| *known == "turn").unwrap();
    assert!(place("turn") < place("task") && place("task") < last_turn, "{order:?}");
    assert!(last_turn < place("low"), "{order:?}");
    let failed = pool.spawn(0, || -> u32 { panic!("boom") }).await;
    assert_eq!(failed, Err(PoolError::Panicked("boom".into())));
    drop(pool.spawn(0, || panic!("nobody wants it")));
    assert_eq!(pool.spawn(0, || 1).await, Ok(1));
}
