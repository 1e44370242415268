//! How data nodes do, as far as this broker knows: what they work on for it, how long they took lately,
//! and who failed. Choice and hedging go by it; nothing that an answer holds does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::ServerId;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::late::{Budget, Usual};

/// What a node took is half forgotten after this long, so that one that was slow is tried again.
const HALF_LIFE: Duration = Duration::from_secs(10);
/// The weight of a new observation.
const NEW_WEIGHT: f64 = 0.25;
/// What a segment of a node takes of which nothing is known.
const UNKNOWN_US: f64 = 100.0;
/// Below this nodes are equally busy.
const LEVEL_US: f64 = 1_000.0;
/// How long a node is avoided after its first failure; twice as long after each further one.
const SUSPECT_FOR: Duration = Duration::from_secs(1);
const SUSPECT_AT_MOST: Duration = Duration::from_secs(30);

/// What is known of all nodes.
#[derive(Debug)]
pub(crate) struct NodeLoads {
    nodes: Mutex<HashMap<ServerId, Node>>,
    /// How long calls of each type of query took.
    usual: Vec<Mutex<Usual>>,
    /// How many calls may be made a second time.
    pub(crate) budget: Budget,
}

#[derive(Debug, Default)]
struct Node {
    calls: usize,
    segments: usize,
    /// What a segment took, on average, and when that was observed.
    segment_us: Option<(f64, Instant)>,
    failures: u32,
    suspect_until: Option<Instant>,
}

impl Node {
    fn segment_us(&self, now: Instant) -> f64 {
        let Some((average, at)) = self.segment_us else { return 0.0 };
        let age = now.saturating_duration_since(at).as_secs_f64();
        average * 0.5_f64.powf(age / HALF_LIFE.as_secs_f64())
    }

    fn observe(&mut self, segment_us: f64, now: Instant) {
        let average = match self.segment_us {
            None => segment_us,
            Some(_) => self.segment_us(now) * (1.0 - NEW_WEIGHT) + segment_us * NEW_WEIGHT,
        };
        self.segment_us = Some((average, now));
    }

    fn fail(&mut self, now: Instant) {
        let times = 1_u32 << self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        self.suspect_until = Some(now + (SUSPECT_FOR * times).min(SUSPECT_AT_MOST));
    }

    fn is_idle(&self) -> bool {
        self.calls == 0
    }
}

impl NodeLoads {
    /// Nothing known yet, of so many types of queries. Of a hundred calls `hedge_percent` may be made a
    /// second time.
    #[must_use]
    pub(crate) fn new(query_types: usize, hedge_percent: u32) -> Self {
        let usual = (0..query_types).map(|_| Mutex::default()).collect();
        Self { nodes: Mutex::default(), usual, budget: Budget::new(hedge_percent) }
    }

    /// Whether a node failed lately, and how long it may take, as a power of two.
    #[must_use]
    pub(crate) fn of(&self, server: &ServerId, now: Instant) -> (bool, u32) {
        let nodes = self.nodes.lock();
        let Some(node) = nodes.get(server) else { return (false, 0) };
        let is_suspect = node.suspect_until.is_some_and(|until| until > now);
        let waiting = 1.0 + node.segments as f64;
        let expected_us = node.segment_us(now).max(UNKNOWN_US) * waiting;
        let level = (expected_us / LEVEL_US).max(1.0).log2() as u32;
        (is_suspect, level)
    }

    /// Notes a call that begins now.
    #[must_use]
    pub(crate) fn begin(self: &Arc<Self>, server: &ServerId, segments: usize) -> Ticket {
        let mut nodes = self.nodes.lock();
        let node = nodes.entry(server.clone()).or_default();
        node.calls += 1;
        node.segments += segments;
        let (loads, server) = (Arc::clone(self), server.clone());
        Ticket { loads, server, segments, began: Instant::now(), is_told: false }
    }

    /// A node failed a call that was for no segments.
    pub(crate) fn failed(&self, server: &ServerId) {
        self.nodes.lock().entry(server.clone()).or_default().fail(Instant::now());
    }

    /// How long nearly all calls of a type of query took lately, when enough are known.
    #[must_use]
    pub(crate) fn usual(&self, query_type: usize) -> Option<Duration> {
        self.usual.get(query_type)?.lock().nearly_all()
    }

    /// Forgets nodes that are gone.
    pub(crate) fn retain(&self, is_there: impl Fn(&ServerId) -> bool) {
        self.nodes.lock().retain(|server, node| !node.is_idle() || is_there(server));
    }
}

/// A call at work.
#[derive(Debug)]
pub(crate) struct Ticket {
    loads: Arc<NodeLoads>,
    server: ServerId,
    segments: usize,
    began: Instant,
    is_told: bool,
}

impl Ticket {
    /// When the call began.
    #[must_use]
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// The node answered a query of this type.
    pub(crate) fn answered(mut self, query_type: usize) {
        let took = self.began.elapsed();
        if let Some(usual) = self.loads.usual.get(query_type) {
            usual.lock().observe(took);
        }
        self.tell(|node, segment_us, now| {
            node.observe(segment_us, now);
            (node.failures, node.suspect_until) = (0, None);
        });
    }

    /// The node failed in a way that says something of the node.
    pub(crate) fn failed(mut self) {
        self.tell(|node, _, now| node.fail(now));
    }

    fn tell(&mut self, change: impl FnOnce(&mut Node, f64, Instant)) {
        self.is_told = true;
        let now = Instant::now();
        let took_us = now.saturating_duration_since(self.began).as_secs_f64() * 1e6;
        let mut nodes = self.loads.nodes.lock();
        if let Some(node) = nodes.get_mut(&self.server) {
            change(node, took_us / self.segments.max(1) as f64, now);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_told {
            // Nobody waits any more: it would have taken longer still.
            self.tell(|node, segment_us, now| {
                if segment_us > node.segment_us(now).max(UNKNOWN_US) {
                    node.observe(segment_us, now);
                }
            });
        }
        let mut nodes = self.loads.nodes.lock();
        if let Some(node) = nodes.get_mut(&self.server) {
            node.calls -= 1;
            node.segments -= self.segments;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn call(loads: &Arc<NodeLoads>, server: &ServerId, took_ms: u64) {
        let ticket = loads.begin(server, 1);
        tokio::time::advance(Duration::from_millis(took_ms)).await;
        ticket.answered(0);
    }

    #[tokio::test(start_paused = true)]
    async fn f_60_a_node_that_was_slow_is_busier_until_that_is_forgotten() {
        let loads = Arc::new(NodeLoads::new(1, 5));
        let (slow, quick): (ServerId, ServerId) = ("slow".into(), "quick".into());
        let level = |server: &ServerId| loads.of(server, Instant::now()).1;
        call(&loads, &quick, 2).await;
        call(&loads, &slow, 500).await;
        assert_eq!(level(&quick), 0);
        assert!(level(&slow) >= 8, "{}", level(&slow));
        tokio::time::advance(HALF_LIFE * 10).await;
        assert_eq!(level(&slow), 0);
        // A call that nobody waits for any more counts as what it took so far.
        let given_up = loads.begin(&quick, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(given_up);
        assert!(level(&quick) >= 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_node_works_on_is_its_load() {
        let loads = Arc::new(NodeLoads::new(1, 5));
        let server: ServerId = "h".into();
        assert_eq!(loads.of(&server, Instant::now()), (false, 0));
        let tickets = [loads.begin(&server, 100), loads.begin(&server, 59)];
        assert_eq!(loads.of(&server, Instant::now()).1, 4);
        loads.retain(|_| false);
        assert_eq!(loads.of(&server, Instant::now()).1, 4, "it is at work");
        drop(tickets);
        assert_eq!(loads.of(&server, Instant::now()).1, 0);
        loads.retain(|_| false);
        assert!(loads.nodes.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn f_65_a_node_that_fails_is_suspect_for_longer_each_time_and_not_for_ever() {
        let loads = Arc::new(NodeLoads::new(1, 5));
        let server: ServerId = "h".into();
        let is_suspect = || loads.of(&server, Instant::now()).0;
        for expected_secs in [1, 2, 4, 8, 16, 30, 30] {
            loads.begin(&server, 1).failed();
            tokio::time::advance(Duration::from_millis(expected_secs * 1_000 - 1)).await;
            assert!(is_suspect(), "{expected_secs}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(!is_suspect(), "{expected_secs}");
        }
        loads.begin(&server, 1).failed();
        call(&loads, &server, 1).await;
        assert!(!is_suspect());
        loads.begin(&server, 1).failed();
        tokio::time::advance(SUSPECT_FOR).await;
        assert!(!is_suspect(), "it starts over");
    }
}
