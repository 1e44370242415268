//! Threads for work that computes: one a core, apart from the network's threads, fed by a priority
//! queue, so that a heavy query never delays an accept, a heartbeat or a commit.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use henge_types::ErrorClass;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// Larger runs first; equal priorities run in the order they came. Druid's default is 0.
pub type Priority = i32;

/// Why a task gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The closure panicked; the pool itself is unharmed.
    #[error("a task panicked: {0}")]
    Panicked(String),
    /// The pool was dropped before the task ran.
    #[error("the cpu pool is shut down")]
    ShutDown,
}

impl PoolError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Panicked(_) => ErrorClass::Internal,
            Self::ShutDown => ErrorClass::Unavailable,
        }
    }
}

/// A pool of threads; clones share it. The threads end when the last clone is dropped.
#[derive(Clone)]
pub struct CpuPool {
    owner: Arc<Owner>,
}

impl CpuPool {
    /// A pool of `threads` threads; 0 means one a core.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new() });
        let owner = Arc::new(Owner { shared: Arc::clone(&shared), threads });
        for index in 0..threads {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name(format!("henge-cpu-{index}"))
                .spawn(move || shared.work())?;
        }
        Ok(Self { owner })
    }

    /// Number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.owner.threads
    }

    /// Number of tasks that wait for a thread.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.owner.shared.state.lock().queue.len()
    }

    /// Queues `work`. Dropping the returned future never blocks: work that has not begun is then
    /// skipped, work that has begun runs to its end (give it a cancel flag).
    pub fn spawn<T, F>(&self, priority: Priority, work: F) -> CpuTask<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let run = Box::new(move || {
            if sender.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(work))
                .map_err(|panic| PoolError::Panicked(panic_message(&*panic)));
            // The receiver may have gone meanwhile; then nobody wants the result.
            let _ = sender.send(result);
        });
        self.owner.shared.push(priority, run);
        CpuTask { receiver }
    }
}

impl std::fmt::Debug for CpuPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CpuPool").field("threads", &self.owner.threads).finish_non_exhaustive()
    }
}

/// The future of a task's result.
#[derive(Debug)]
#[must_use = "a task whose future is dropped before it begins does not run"]
pub struct CpuTask<T> {
    receiver: oneshot::Receiver<Result<T, PoolError>>,
}

impl<T> Future for CpuTask<T> {
    type Output = Result<T, PoolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|received| received.unwrap_or(Err(PoolError::ShutDown)))
    }
}

type Run = Box<dyn FnOnce() + Send>;

struct Job {
    priority: Priority,
    sequence: u64,
    run: Run,
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        self.priority.cmp(&other.priority).then_with(|| other.sequence.cmp(&self.sequence))
    }
}

#[derive(Default)]
struct State {
    queue: BinaryHeap<Job>,
    next_sequence: u64,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    fn push(&self, priority: Priority, run: Run) {
        let mut state = self.state.lock();
        let sequence = state.next_sequence;
        state.next_sequence += 1;
        state.queue.push(Job { priority, sequence, run });
        drop(state);
        self.wake.notify_one();
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            (job.run)();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.queue.pop() {
                return Some(job);
            }
            self.wake.wait(&mut state);
        }
    }
}

struct Owner {
    shared: Arc<Shared>,
    threads: usize,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        // Dropping the closures drops their senders, which tells the waiters.
        let abandoned = std::mem::take(&mut state.queue);
        drop(state);
        drop(abandoned);
        self.shared.wake.notify_all();
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    }
}

#[cfg(test)]
mod tests;
