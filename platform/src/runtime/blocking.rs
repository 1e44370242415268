//! Work that waits for a disk, or computes for a moment, beside the network's threads: the only door to
//! the runtime's own threads. On a simulated thread (see [`super::simulation`]) it runs in place, as a
//! task of the runtime.

use henge_types::ErrorClass;
use tokio::runtime::Handle;

use super::simulation;
use super::tasks::spawn_on;

/// Work that gave no result: it panicked, or the process is ending.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("work on a file was given up: {0}")]
pub struct WorkLost(String);

impl WorkLost {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Unavailable
    }
}

/// Does blocking work and waits for it. The work goes on when nobody waits any more.
///
/// # Errors
/// When it panics, or the runtime is shut down before it begins.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, WorkLost> {
    start(&Handle::current(), work).await.map_err(|error| WorkLost(error.to_string()))
}

/// The threads for blocking work of a runtime, for whoever starts such work from outside of it.
#[derive(Debug, Clone)]
pub struct BlockingThreads(Handle);

impl BlockingThreads {
    /// Those of the runtime that this is called in; `None` outside of any.
    #[must_use]
    pub fn current() -> Option<Self> {
        Handle::try_current().ok().map(Self)
    }

    /// Waits for what tasks of the runtime do. For threads that are not the runtime's own, such as those of a
    /// CPU pool, and for blocking work.
    pub fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.block_on(work)
    }

    /// Does blocking work; nobody waits for it.
    pub fn start(&self, work: impl FnOnce() + Send + 'static) {
        drop(start(&self.0, work));
    }
}

fn start<T: Send + 'static>(
    runtime: &Handle,
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    match simulation::is_entered() {
        true => spawn_on(runtime, async move { work() }),
        #[expect(clippy::disallowed_methods, reason = "the door to the runtime's threads")]
        false => runtime.spawn_blocking(work),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_runs_beside_the_thread_that_waits() {
        let here = std::thread::current().id();
        let there = blocking(|| std::thread::current().id()).await.unwrap();
        assert_ne!(here, there);
        assert!(blocking(|| panic!("no")).await.unwrap_err().to_string().contains("no"));
    }

    #[tokio::test]
    async fn blocking_work_may_wait_for_tasks() {
        let threads = BlockingThreads::current().unwrap();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let waits = super::super::spawn(blocking(move || threads.wait_for(receiver)));
        sender.send(7).unwrap();
        assert_eq!(waits.await.unwrap().unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn on_a_simulated_thread_it_runs_there() {
        let _simulated = simulation::enter(1);
        let here = std::thread::current().id();
        assert_eq!(blocking(|| std::thread::current().id()).await, Ok(here));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        BlockingThreads::current().unwrap().start(move || {
            let _ = sender.send(std::thread::current().id());
        });
        assert_eq!(receiver.await.unwrap(), here);
    }
}
