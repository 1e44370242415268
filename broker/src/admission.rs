//! Admission: how many queries run and how many may wait. The rest is refused early, so that a
//! flood costs its sender, not everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{BrokerError, Result};

/// A bounded number of places and a bounded queue for them.
#[derive(Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
}

impl Admission {
    /// `running` places and a queue of `waiting`.
    #[must_use]
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(running.max(1))),
            waiting: AtomicUsize::new(0),
            max_waiting: waiting,
        }
    }

    /// Waits for a place; it is held until the permit is dropped.
    ///
    /// # Errors
    /// `TooManyQueries` when the queue is full.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= self.max_waiting {
            return Err(BrokerError::TooManyQueries { waiting: waiting.before });
        }
        Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| BrokerError::TooManyQueries { waiting: waiting.before })
    }
}

/// Counts one waiter for as long as it lives, also when its future is dropped.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn h_63_a_flood_is_refused_once_the_queue_is_full() {
        let admission = Arc::new(Admission::new(1, 1));
        let held = admission.enter().await.unwrap();
        let queued = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter().await.map(drop) }
        });
        while admission.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let refused = admission.enter().await;
        assert!(matches!(refused, Err(BrokerError::TooManyQueries { waiting: 1 })));
        drop(held);
        queued.await.unwrap().unwrap();
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }
}
