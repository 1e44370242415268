//! [`Planning`]: where statements are planned. Planning computes without a wait, and cannot be stopped from outside:
//! it asks again and again whether it may go on. So it has threads of its own, and as many places: a planning that
//! nobody waits for any more keeps its place until it has noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use henge_platform::runtime::SideThreads;
use henge_sql::{Result, SqlError};
use henge_types::ErrorClass;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The places.
#[derive(Debug)]
pub(super) struct Planning {
    threads: SideThreads,
    places: Arc<Semaphore>,
    most: usize,
    given_up: Arc<AtomicUsize>,
}

impl Planning {
    /// So many places, one a thread.
    pub(super) fn new(threads: SideThreads, most: usize) -> Self {
        let most = most.max(1);
        Self { threads, places: Arc::new(Semaphore::new(most)), most, given_up: Arc::default() }
    }

    /// Plans as soon as there is a place. Dropping the future gives the work up.
    ///
    /// # Errors
    /// Those of the work; and when all places are taken by work that was given up.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.given_up.load(Ordering::Relaxed) >= self.most {
            return Err(SqlError::new(
                ErrorClass::Capacity,
                format!(
                    "{} statements whose time was up are still being planned: try again later, with a simpler \
                     statement if it was yours",
                    self.most
                ),
            ));
        }
        // It is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| lost())?;
        let waiter = Waiter(Arc::new(Wanted::new(&self.given_up)));
        let worker = Worker { wanted: Arc::clone(&waiter.0), _place: place };
        let (sender, outcome) = oneshot::channel();
        let _task = self.threads.spawn(async move {
            let outcome = work();
            // Before anybody knows of the outcome, lest it counts as given up meanwhile.
            drop(worker);
            let _ = sender.send(outcome);
        });
        outcome.await.map_err(|_| lost())?
    }

    /// Plannings that go on though nobody waits for them.
    #[cfg(test)]
    fn given_up(&self) -> usize {
        self.given_up.load(Ordering::Relaxed)
    }
}

fn lost() -> SqlError {
    let message = "planning the statement was given up; the log says why";
    SqlError::new(ErrorClass::Internal, message)
}

/// Whether somebody waits for a planning; the first of both ends decides whether it counts as given up.
#[derive(Debug)]
struct Wanted {
    one_is_gone: AtomicBool,
    given_up: Arc<AtomicUsize>,
}

impl Wanted {
    fn new(given_up: &Arc<AtomicUsize>) -> Self {
        Self { one_is_gone: AtomicBool::new(false), given_up: Arc::clone(given_up) }
    }

    /// The work ended.
    fn end(&self) {
        if self.one_is_gone.swap(true, Ordering::Relaxed) {
            self.given_up.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Nobody waits any more.
    fn leave(&self) {
        if !self.one_is_gone.swap(true, Ordering::Relaxed) {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The work, which ends here when it panics as well.
struct Worker {
    wanted: Arc<Wanted>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.wanted.end();
    }
}

/// Whoever waits for a planning.
struct Waiter(Arc<Wanted>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    fn planning() -> Planning {
        Planning::new(SideThreads::start("plan", 1).unwrap(), 1)
    }

    #[tokio::test]
    async fn f_61_work_that_was_given_up_keeps_its_place_until_it_ends() {
        let planning = planning();
        assert_eq!(planning.run(|| Ok(7)).await.unwrap(), 7);
        let (go_on, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let stuck = planning.run(move || {
            let _ = begun.send(());
            let _ = wait.recv();
            Ok(())
        });
        let mut stuck = Box::pin(stuck);
        assert!(stuck.as_mut().now_or_never().is_none());
        has_begun.await.unwrap();
        // Others wait for the place while somebody waits for its work, and are refused then.
        let mut other = Box::pin(planning.run(|| Ok(())));
        assert!(other.as_mut().now_or_never().is_none());
        drop((stuck, other));
        assert_eq!(planning.given_up(), 1);
        let refused = planning.run(|| Ok(())).await.unwrap_err();
        assert_eq!(refused.class, ErrorClass::Capacity);
        go_on.send(()).unwrap();
        while planning.given_up() > 0 {
            tokio::task::yield_now().await;
        }
        planning.run(|| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_fails_gives_its_place_back() {
        let planning = planning();
        for _ in 0..3 {
            let failed: Result<()> = planning.run(|| Err(SqlError::invalid("no"))).await;
            assert_eq!(failed.unwrap_err().message, "no");
        }
        assert_eq!(planning.given_up(), 0);
    }
}
