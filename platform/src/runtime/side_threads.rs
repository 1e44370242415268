//! Threads for tasks that compute for long between their waits: on the network's threads they would keep
//! everything else from its work, heartbeats among it.

use std::fmt;
use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::tasks::spawn_on;

/// Plans of many operators are deep, and each is a call within another; what is not used takes no memory.
const STACK_BYTES: usize = 16 << 20;

/// Threads beside those of the network.
pub struct SideThreads {
    /// `None` where tasks run among all others.
    runtime: Option<Runtime>,
}

impl SideThreads {
    /// So many threads under a name.
    ///
    /// # Errors
    /// When the operating system gives none.
    pub fn start(name: &str, threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name(name)
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// No threads of their own: tasks run in the runtime of whoever starts them, as tests that share a thread
    /// want it.
    #[must_use]
    pub fn none() -> Self {
        Self { runtime: None }
    }

    /// Starts a task, which ends when what is returned is dropped.
    pub fn spawn<F>(&self, task: F) -> SideTask
    where
        F: Future<Output = ()> + Send + 'static,
    {
        SideTask(match &self.runtime {
            Some(runtime) => spawn_on(runtime.handle(), task),
            None => spawn_on(&Handle::current(), task),
        })
    }
}

impl fmt::Debug for SideThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideThreads").field("has_threads", &self.runtime.is_some()).finish()
    }
}

impl Drop for SideThreads {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, which a task must not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A task beside the network's threads. Dropped, it stops at its next wait.
#[derive(Debug)]
pub struct SideTask(JoinHandle<()>);

impl Drop for SideTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn tasks_run_beside_and_end_when_they_are_dropped() {
        for threads in [SideThreads::start("side", 1).unwrap(), SideThreads::none()] {
            let (sender, receiver) = oneshot::channel();
            let own = std::thread::current().id();
            let task = threads.spawn(async move {
                let _ = sender.send(std::thread::current().id() == own);
            });
            let is_here = receiver.await.unwrap();
            assert_eq!(is_here, threads.runtime.is_none());
            drop(task);
            let held = Arc::new(());
            let inside = Arc::clone(&held);
            let waiting = threads.spawn(async move {
                std::future::pending::<()>().await;
                drop(inside);
            });
            drop(waiting);
            while Arc::strong_count(&held) > 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}
