//! How much each segment is read, and which are read together: what a balancer goes by. Decayed, bounded,
//! and counted of a part of a call's segments when there are many, so that it costs a query nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_platform::discovery::{Discovery, LoadReport, SegmentLoad, ServerId};
use henge_types::SegmentId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// What was counted is half as much after this long.
pub const HALF_LIFE: Duration = Duration::from_secs(600);
/// Segments that are counted of a call; each stands for as many as were left out.
const COUNTED_A_CALL: usize = 32;
/// Segments that are remembered, and pairs.
const SEGMENTS: usize = 1 << 16;
const PAIRS: usize = 1 << 16;
/// How often other processes are told.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// Segments that they are told of, and pairs.
const REPORTED: usize = 500;
/// A segment that so few queries read lately is not worth telling of.
const FEWEST_QUERIES: f64 = 0.1;

/// Counts what a node is asked.
#[derive(Debug)]
pub struct SegmentLoads {
    segments: Mutex<Decaying<SegmentId, SegmentLoad>>,
    together: Mutex<Decaying<(SegmentId, SegmentId), f64>>,
    calls: AtomicUsize,
}

impl Default for SegmentLoads {
    fn default() -> Self {
        Self {
            segments: Mutex::new(Decaying::of(SEGMENTS)),
            together: Mutex::new(Decaying::of(PAIRS)),
            calls: AtomicUsize::new(0),
        }
    }
}

impl SegmentLoads {
    /// Segments of a call that are to be counted, with their rows. Over many calls each is chosen as
    /// often.
    pub(crate) fn sample<T>(
        &self,
        of_call: &[T],
        read: impl Fn(&T) -> (SegmentId, usize),
    ) -> Sample {
        let stride = of_call.len().div_ceil(COUNTED_A_CALL).max(1);
        let offset = self.calls.fetch_add(1, Ordering::Relaxed) % stride;
        let chosen = of_call.iter().skip(offset).step_by(stride).map(read).collect();
        Sample { chosen, each: stride as f64 }
    }

    /// A call read segments with so many rows in all, and took so long on CPU threads.
    pub(crate) fn count(&self, sample: Sample, all_rows: usize, cpu_us: u64) {
        let now = Instant::now();
        let Sample { chosen, each } = sample;
        let a_row_us = cpu_us as f64 / all_rows.max(1) as f64;
        let mut segments = self.segments.lock();
        for (id, rows) in &chosen {
            let rows = *rows as f64;
            let load =
                SegmentLoad { queries: each, rows: each * rows, cpu_us: each * rows * a_row_us };
            segments.add(id.clone(), load, now);
        }
        drop(segments);
        let mut together = self.together.lock();
        for pair in chosen.windows(2) {
            if let [(left, _), (right, _)] = pair {
                let (least, greatest) = (left.min(right), left.max(right));
                together.add((least.clone(), greatest.clone()), 1.0, now);
            }
        }
    }

    /// The segments that took most time, and which of them are read together: what is worth telling others.
    #[must_use]
    pub fn report(&self) -> LoadReport {
        let now = Instant::now();
        let mut segments = self.segments.lock().sorted(now);
        segments.retain(|(_, load)| load.queries >= FEWEST_QUERIES);
        segments.truncate(REPORTED);
        let places: HashMap<&SegmentId, u32> = segments.iter().map(|(id, _)| id).zip(0..).collect();
        let together = self.together.lock().sorted(now).into_iter();
        let of_these = |((left, right), queries): ((SegmentId, SegmentId), f64)| {
            let is_worth = queries >= FEWEST_QUERIES;
            is_worth.then_some((*places.get(&left)?, *places.get(&right)?, queries))
        };
        let together = together.filter_map(of_these).take(REPORTED).collect();
        LoadReport { segments, together }
    }
}

/// Tells the registry now and then what of a server's segments is read, while somebody counts it. Nothing is
/// told again and again of a server that nobody asks.
pub async fn report_loads(
    loads: Weak<SegmentLoads>,
    discovery: Arc<dyn Discovery>,
    server: ServerId,
) {
    let mut told = LoadReport::default();
    loop {
        tokio::time::sleep(REPORT_EVERY).await;
        let Some(report) = loads.upgrade().map(|loads| loads.report()) else { return };
        if report == told {
            continue;
        }
        // Tried again next time when the registry is away.
        if discovery.report_loads(&server, report.clone()).is_ok() {
            told = report;
        }
    }
}

/// Some of the segments of a call, in its order, and their rows.
#[derive(Debug)]
pub(crate) struct Sample {
    chosen: Vec<(SegmentId, usize)>,
    /// How many each stands for.
    each: f64,
}

/// What is counted and forgotten.
trait Weight: Copy + Default {
    /// What is kept when not all can be.
    fn size(&self) -> f64;
    fn scaled_plus(self, factor: f64, other: Self) -> Self;
}

impl Weight for f64 {
    fn size(&self) -> f64 {
        *self
    }

    fn scaled_plus(self, factor: f64, other: Self) -> Self {
        self * factor + other
    }
}

impl Weight for SegmentLoad {
    fn size(&self) -> f64 {
        self.cpu_us
    }

    fn scaled_plus(self, factor: f64, other: Self) -> Self {
        Self {
            queries: self.queries * factor + other.queries,
            rows: self.rows * factor + other.rows,
            cpu_us: self.cpu_us * factor + other.cpu_us,
        }
    }
}

/// Weights by key, each as of the moment when it was last added to.
#[derive(Debug)]
struct Decaying<K, W> {
    weights: HashMap<K, (W, Instant)>,
    capacity: usize,
}

impl<K: Hash + Eq + Ord + Clone, W: Weight> Decaying<K, W> {
    fn of(capacity: usize) -> Self {
        Self { weights: HashMap::new(), capacity }
    }

    fn add(&mut self, key: K, weight: W, now: Instant) {
        if self.weights.len() >= self.capacity && !self.weights.contains_key(&key) {
            self.forget_half(now);
        }
        let (known, at) = self.weights.entry(key).or_insert((W::default(), now));
        *known = known.scaled_plus(factor(*at, now), weight);
        *at = now;
    }

    /// Keeps those that weigh most.
    fn forget_half(&mut self, now: Instant) {
        let kept = self.sorted(now).into_iter().take(self.capacity / 2);
        self.weights = kept.map(|(key, weight)| (key, (weight, now))).collect();
    }

    fn sorted(&self, now: Instant) -> Vec<(K, W)> {
        let weight = |(key, (weight, at)): (&K, &(W, Instant))| {
            (key.clone(), weight.scaled_plus(factor(*at, now), W::default()))
        };
        let mut all: Vec<(K, W)> = self.weights.iter().map(weight).collect();
        all.sort_unstable_by(|(a, left), (b, right)| {
            right.size().total_cmp(&left.size()).then_with(|| a.cmp(b))
        });
        all
    }
}

/// What is left of a weight.
fn factor(at: Instant, now: Instant) -> f64 {
    let age = now.saturating_duration_since(at).as_secs_f64();
    0.5_f64.powf(age / HALF_LIFE.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use henge_platform::discovery::InProcessDiscovery;
    use henge_types::{Interval, Version};

    use super::*;

    fn id(partition: u32) -> SegmentId {
        SegmentId::new("t", Interval { start_ms: 0, end_ms: 10 }, Version(1), partition)
    }

    fn read(loads: &SegmentLoads, segments: &[(SegmentId, usize)], cpu_us: u64) {
        let all_rows = segments.iter().map(|(_, rows)| rows).sum();
        loads.count(loads.sample(segments, Clone::clone), all_rows, cpu_us);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_is_counted_by_its_rows_and_forgotten_by_and_by() {
        let loads = SegmentLoads::default();
        read(&loads, &[(id(1), 100), (id(2), 300)], 80);
        read(&loads, &[(id(2), 300)], 20);
        let of = |queries, rows, cpu_us| SegmentLoad { queries, rows, cpu_us };
        let expected = [(id(2), of(2.0, 600.0, 80.0)), (id(1), of(1.0, 100.0, 20.0))];
        let seen = loads.report();
        assert_eq!(seen.segments, expected);
        assert_eq!(seen.together, [(1, 0, 1.0)]);
        tokio::time::advance(HALF_LIFE).await;
        assert_eq!(loads.report().segments[0].1, of(1.0, 300.0, 40.0));
        read(&loads, &[(id(2), 300)], 20);
        assert_eq!(loads.report().segments[0].1, of(2.0, 600.0, 60.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_is_of_a_few_segments_and_told_while_something_changes() {
        let loads = Arc::new(SegmentLoads::default());
        let many: Vec<_> =
            (0..5_000).map(|partition| (id(partition), 1 + partition as usize)).collect();
        for part in many.chunks(COUNTED_A_CALL) {
            read(&loads, part, 1_000);
        }
        let report = loads.report();
        assert_eq!(report.segments.len(), REPORTED);
        assert!((1..=REPORTED).contains(&report.together.len()));
        let discovery = Arc::new(InProcessDiscovery::new());
        let server: ServerId = "h".into();
        discovery.announce(&server, Vec::new()).unwrap();
        let told = || discovery.snapshot().servers["h"].loads.segments.len();
        let reporting = report_loads(Arc::downgrade(&loads), discovery.clone(), server.clone());
        let reporting = tokio::spawn(reporting);
        let pass = |time| async move {
            tokio::time::sleep(time).await;
            tokio::task::yield_now().await;
        };
        pass(REPORT_EVERY + Duration::from_secs(1)).await;
        assert_eq!(told(), REPORTED);
        pass(20 * HALF_LIFE).await;
        assert_eq!(told(), 0, "what was read long ago is forgotten");
        let version = discovery.snapshot().version;
        pass(20 * HALF_LIFE).await;
        assert_eq!(discovery.snapshot().version, version, "nothing new is told");
        drop(loads);
        reporting.await.unwrap();
    }

    #[test]
    fn of_many_segments_each_is_counted_as_often() {
        let loads = SegmentLoads::default();
        let many: Vec<_> = (0..1_000).map(|partition| (id(partition), 10)).collect();
        for _ in 0..1_000_usize.div_ceil(COUNTED_A_CALL) {
            read(&loads, &many, 1_000);
        }
        let seen = loads.segments.lock().sorted(Instant::now());
        assert_eq!(seen.len(), 1_000);
        let queries: Vec<f64> = seen.iter().map(|(_, load)| load.queries).collect();
        assert!(queries.iter().all(|queries| (31.0..33.0).contains(queries)), "{queries:?}");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_heaviest_stays() {
        let now = Instant::now();
        let mut weights: Decaying<u32, f64> = Decaying::of(100);
        for key in 0..10_000 {
            weights.add(7, 5.0, now);
            weights.add(key, 1.0, now);
        }
        assert!(weights.weights.len() <= 100);
        assert_eq!(weights.sorted(now)[0].0, 7);
    }
}
