//! Processes of a simulated cluster: what one of them started ends when it is killed, wherever it is.

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};

thread_local! {
    static CURRENT: RefCell<Option<Process>> = const { RefCell::new(None) };
}

/// A process of a simulated cluster. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Process {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_dead: bool,
    is_paused: bool,
    tasks: Vec<AbortHandle>,
    /// Tasks that would go on if it were not paused.
    held: Vec<Waker>,
}

/// The process whose task runs now, on a simulated thread.
pub(in crate::runtime) fn current() -> Option<Process> {
    CURRENT.with_borrow(Clone::clone)
}

impl Process {
    /// A process without tasks.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { shared: Arc::new(Shared { name: name.to_owned(), state: Mutex::default() }) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// True once it was killed.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.shared.state.lock().is_dead
    }

    /// Starts a task of the process; a dead one starts none.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(&Handle::current(), task)
    }

    pub(in crate::runtime) fn spawn_on<F>(&self, runtime: &Handle, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = Of { process: self.clone(), task: Box::pin(task) };
        #[expect(clippy::disallowed_methods, reason = "the door to the runtime's tasks")]
        let handle = runtime.spawn(task);
        let mut state = self.shared.state.lock();
        if state.is_dead {
            handle.abort();
        } else {
            state.tasks.retain(|task| !task.is_finished());
            state.tasks.push(handle.abort_handle());
        }
        handle
    }

    /// Stops all its tasks where they wait, until [`resume`](Self::resume); time goes on meanwhile.
    pub fn pause(&self) {
        self.shared.state.lock().is_paused = true;
    }

    /// Lets its tasks go on.
    pub fn resume(&self) {
        let mut state = self.shared.state.lock();
        state.is_paused = false;
        state.held.drain(..).for_each(Waker::wake);
    }

    /// True while it stands still.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.state.lock().is_paused
    }

    /// True while it is paused: the task is woken when it goes on.
    fn holds(&self, task: &Context<'_>) -> bool {
        let mut state = self.shared.state.lock();
        if state.is_paused {
            state.held.push(task.waker().clone());
        }
        state.is_paused
    }

    /// Ends all its tasks where they wait.
    pub fn kill(&self) {
        let mut state = self.shared.state.lock();
        state.is_dead = true;
        state.tasks.drain(..).for_each(|task| task.abort());
    }
}

/// A task while it is polled, or dropped, as its process.
struct Of<F> {
    process: Process,
    task: Pin<Box<F>>,
}

impl<F: Future> Future for Of<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.process.holds(context) {
            return Poll::Pending;
        }
        let outer = CURRENT.replace(Some(self.process.clone()));
        let polled = self.task.as_mut().poll(context);
        CURRENT.set(outer);
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::runtime::{blocking, simulation, spawn};

    #[tokio::test(start_paused = true)]
    async fn what_a_process_started_ends_with_it() {
        let _simulated = simulation::enter(1);
        let counted = Arc::new(AtomicUsize::new(0));
        let (dying, living) = (Process::new("dying"), Process::new("living"));
        for process in [&dying, &living] {
            let counted = Arc::clone(&counted);
            process.spawn(async move {
                // A task of a task is the process's too.
                spawn(async move {
                    loop {
                        let counted = Arc::clone(&counted);
                        let _ = blocking(move || counted.fetch_add(1, Ordering::Relaxed)).await;
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                });
            });
        }
        tokio::time::sleep(Duration::from_millis(9_500)).await;
        assert_eq!(counted.load(Ordering::Relaxed), 20);
        dying.kill();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(counted.load(Ordering::Relaxed), 30);
        assert!(dying.spawn(async {}).await.unwrap_err().is_cancelled());
        assert!(dying.is_dead() && !living.is_dead());
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_process_goes_on_where_it_was_and_finds_that_time_has_passed() {
        let _simulated = simulation::enter(1);
        let (process, counted) = (Process::new("paused"), Arc::new(AtomicUsize::new(0)));
        let counts = Arc::clone(&counted);
        process.spawn(async move {
            loop {
                counts.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        process.pause();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(counted.load(Ordering::Relaxed), 3);
        process.resume();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(counted.load(Ordering::Relaxed), 5);
        process.pause();
        process.kill();
        process.resume();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(counted.load(Ordering::Relaxed), 5);
    }
}
