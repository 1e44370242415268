//! Admission: how many queries run and how many may wait, of all and of each lane. The rest is
//! refused early, so that a flood costs its sender, not everybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use henge_data_node::LOW_LANE;
use henge_query::QueryContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{BrokerError, Result};

/// A bounded number of places and a bounded queue for them, and the same for each lane.
#[derive(Debug)]
pub(crate) struct Admission {
    all: Places,
    lanes: BTreeMap<String, Places>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _lane: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

impl Admission {
    /// `running` places and a queue of `waiting`; a lane has that percentage of both, but at least
    /// one place.
    #[must_use]
    pub(crate) fn new(
        running: usize,
        waiting: usize,
        lane_percents: &BTreeMap<String, u32>,
    ) -> Self {
        let share = |of: usize, percent: u32| of.saturating_mul(percent as usize) / 100;
        let lanes = lane_percents.iter().map(|(lane, &percent)| {
            (lane.clone(), Places::new(share(running, percent), share(waiting, percent)))
        });
        Self { all: Places::new(running, waiting), lanes: lanes.collect() }
    }

    /// The lane that a query runs in: the one it names, else the low one for negative priorities.
    /// A lane without a limit is as good as none.
    #[must_use]
    pub(crate) fn lane_of(context: &QueryContext) -> Option<&str> {
        match &context.lane {
            Some(lane) => Some(lane),
            None => (context.priority < 0).then_some(LOW_LANE),
        }
    }

    /// Waits for a place in the lane and among all; it is held until dropped.
    ///
    /// # Errors
    /// `TooManyQueries` when a queue is full.
    pub(crate) async fn enter(&self, lane: Option<&str>) -> Result<Place> {
        let limited = lane.and_then(|lane| self.lanes.get_key_value(lane));
        let in_lane = match limited {
            Some((lane, places)) => Some(places.enter(Some(lane)).await?),
            None => None,
        };
        Ok(Place { _lane: in_lane, _all: self.all.enter(None).await? })
    }

    /// Queries that run and queries that wait for a place among all.
    #[must_use]
    pub(crate) fn running_and_waiting(&self) -> (usize, usize) {
        let running = self.all.capacity - self.all.free.available_permits().min(self.all.capacity);
        let lanes = self.lanes.values().map(|lane| lane.waiting.load(Ordering::Relaxed));
        (running, self.all.waiting.load(Ordering::Relaxed) + lanes.sum::<usize>())
    }
}

#[derive(Debug)]
struct Places {
    free: Arc<Semaphore>,
    capacity: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
}

impl Places {
    fn new(capacity: usize, max_waiting: usize) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(capacity));
        Self { free, capacity, waiting: AtomicUsize::new(0), max_waiting }
    }

    async fn enter(&self, lane: Option<&str>) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(permit);
        }
        let refuse = || BrokerError::TooManyQueries {
            lane: lane.map(str::to_owned),
            capacity: self.capacity,
            waiting: self.max_waiting,
        };
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= self.max_waiting {
            return Err(refuse());
        }
        Arc::clone(&self.free).acquire_owned().await.map_err(|_| refuse())
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

    fn admission(running: usize, waiting: usize, low_percent: u32) -> Arc<Admission> {
        let lanes = BTreeMap::from([(LOW_LANE.to_owned(), low_percent)]);
        Arc::new(Admission::new(running, waiting, &lanes))
    }

    #[tokio::test]
    async fn h_63_a_flood_is_refused_once_the_queue_is_full() {
        let admission = admission(1, 1, 100);
        let held = admission.enter(None).await.unwrap();
        let queued = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter(None).await.map(drop) }
        });
        while admission.running_and_waiting() != (1, 1) {
            tokio::task::yield_now().await;
        }
        let refused = admission.enter(None).await.unwrap_err().to_string();
        assert!(refused.contains("query capacity of 1 exceeded"), "{refused}");
        drop(held);
        queued.await.unwrap().unwrap();
        assert_eq!(admission.running_and_waiting(), (0, 0));
    }

    #[tokio::test]
    async fn h_63_a_full_lane_leaves_room_for_the_others() {
        let admission = admission(4, 0, 25);
        let _low = admission.enter(Some(LOW_LANE)).await.unwrap();
        let refused = admission.enter(Some(LOW_LANE)).await.unwrap_err().to_string();
        assert!(refused.contains("lane 'low'"), "{refused}");
        for lane in [None, Some("interactive"), None] {
            std::mem::forget(admission.enter(lane).await.unwrap());
        }
        assert!(admission.enter(None).await.is_err());
    }

    #[test]
    fn negative_priorities_run_in_the_low_lane() {
        let of = |lane: Option<&str>, priority| {
            let context =
                QueryContext { lane: lane.map(str::to_owned), priority, ..QueryContext::default() };
            Admission::lane_of(&context).map(str::to_owned)
        };
        assert_eq!(of(None, 0), None);
        assert_eq!(of(None, -1).as_deref(), Some("low"));
        assert_eq!(of(Some("reporting"), -1).as_deref(), Some("reporting"));
    }
}
