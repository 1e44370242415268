//! Tasks of the process: the only door to the runtime's tasks. On a simulated thread a task belongs to
//! the process that started it, and dies with it (see [`super::simulation::Process`]).

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::simulation;

/// Starts a task, which goes on when nobody waits for it.
pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_on(&Handle::current(), task)
}

/// As [`spawn`], for whoever starts a task from outside of the runtime.
pub(super) fn spawn_on<F>(runtime: &Handle, task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match simulation::process() {
        Some(process) => process.spawn_on(runtime, task),
        #[expect(clippy::disallowed_methods, reason = "the door to the runtime's tasks")]
        None => runtime.spawn(task),
    }
}
