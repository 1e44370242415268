//! Threads for work that computes: one a core, apart from the network's threads, so that a heavy
//! query never delays an accept, a heartbeat or a commit. What runs next is decided in `queue`; long
//! work is cut into turns, so that short work is not stuck behind it.

mod queue;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use henge_types::ErrorClass;
use tokio::sync::oneshot;

pub use queue::Turn;
use queue::{Next, Queue, Run};

/// Larger runs first. Among equals the order is that of arrival, but what has run for long stands
/// back behind what came since. Below 0, work never takes the last free thread. Druid's default is 0.
pub type Priority = i32;

/// What a turn of long work comes to.
#[derive(Debug)]
pub enum Step<T> {
    /// The result.
    Done(T),
    /// There is more to do: the work goes back into the queue.
    Again,
}

/// How a pool's threads are made.
#[derive(Debug, Clone, Copy)]
pub struct PoolOptions {
    /// Number of threads; 0 means one a core.
    pub threads: usize,
    /// The start of their names.
    pub name: &'static str,
    /// Added to the process's niceness, 0 to 19: the operating system prefers other threads.
    pub nice: i32,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { threads: 0, name: "henge-cpu", nice: 0 }
    }
}

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
        Self::with_options(PoolOptions { threads, ..PoolOptions::default() })
    }

    /// A pool as described.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn with_options(options: PoolOptions) -> std::io::Result<Self> {
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        let queue = Arc::new(Queue::of_threads(threads));
        let owner = Arc::new(Owner { queue: Arc::clone(&queue), threads });
        for index in 0..threads {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(format!("{}-{index}", options.name));
            #[expect(clippy::disallowed_methods, reason = "the pool is where threads are")]
            thread.spawn(move || {
                // On Linux this is the thread's own; elsewhere the work is merely less polite.
                if options.nice > 0 {
                    let _ = rustix::process::nice(options.nice);
                }
                queue.work();
            })?;
        }
        Ok(Self { owner })
    }

    /// A pool without threads: work runs as a task of the runtime that this is called in, a turn at a
    /// time, and other tasks in between. For [`simulation`](super::simulation).
    #[must_use]
    pub fn of_this_runtime() -> Self {
        let queue = Arc::new(Queue::of_runtime());
        super::spawn(Arc::clone(&queue).work_between_tasks());
        Self { owner: Arc::new(Owner { queue, threads: 1 }) }
    }

    /// Number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.owner.threads
    }

    /// Number of tasks that wait for a thread.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.owner.queue.depth()
    }

    /// Queues `work`. Dropping the returned future never blocks: work that has not begun is then
    /// skipped, work that has begun runs to its end (give it a cancel flag).
    pub fn spawn<T, F>(&self, priority: Priority, work: F) -> CpuTask<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let mut work = Some(work);
        self.spawn_steps(priority, move |_| match work.take() {
            Some(work) => Step::Done(work()),
            None => Step::Again,
        })
    }

    /// As [`CpuPool::spawn`], for work that may take long: `work` is called again and again until it
    /// is done, and is to give [`Step::Again`] when [`Turn::should_yield`] says so, once a block or
    /// every few milliseconds.
    pub fn spawn_steps<T, F>(&self, priority: Priority, work: F) -> CpuTask<T>
    where
        T: Send + 'static,
        F: FnMut(&Turn<'_>) -> Step<T> + Send + 'static,
    {
        let (run, task) = CpuTask::of(work);
        self.owner.queue.push(priority, run, Duration::ZERO);
        task
    }

    /// As [`CpuPool::spawn_steps`], for work that is over in less time than waking a thread takes:
    /// the first turn, of a millisecond, is taken before this returns, on the thread that calls,
    /// while nothing waits for the pool and no other thread does the same. So whatever the work
    /// turns out to be, at most one of the network's threads is held up by it.
    pub fn spawn_steps_here<T, F>(&self, priority: Priority, work: F) -> CpuTask<T>
    where
        T: Send + 'static,
        F: FnMut(&Turn<'_>) -> Step<T> + Send + 'static,
    {
        let (run, task) = CpuTask::of(work);
        self.owner.queue.take_turn_here(priority, run);
        task
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

impl<T: Send + 'static> CpuTask<T> {
    /// The work as the queue takes it, and the future of its result.
    fn of(mut work: impl FnMut(&Turn<'_>) -> Step<T> + Send + 'static) -> (Run, Self) {
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let run: Run = Box::new(move |turn| {
            if sender.as_ref().is_none_or(oneshot::Sender::is_closed) {
                return Next::Finished;
            }
            let result = match catch_unwind(AssertUnwindSafe(|| work(turn))) {
                Ok(Step::Again) => return Next::Again,
                Ok(Step::Done(value)) => Ok(value),
                Err(panic) => Err(PoolError::Panicked(panic_message(&*panic))),
            };
            // The receiver may have gone meanwhile; then nobody wants the result.
            let _ = sender.take().map(|sender| sender.send(result));
            Next::Finished
        });
        (run, Self { receiver })
    }
}

impl<T> Future for CpuTask<T> {
    type Output = Result<T, PoolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|received| received.unwrap_or(Err(PoolError::ShutDown)))
    }
}

struct Owner {
    queue: Arc<Queue>,
    threads: usize,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.queue.close();
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
