//! How long segments take to be read, and what of it was waiting for a disk, by datasource: what an operator
//! who sets how much is kept in memory goes by.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use henge_platform::runtime::PageReads;
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

/// Percentiles are of what was read in the last two of these.
const SPAN: Duration = Duration::from_secs(60);
/// Sizes of times that are told apart, of each power of two.
const STEPS: u64 = 8;
/// Powers of two of microseconds that are told apart: an hour is less.
const POWERS: u64 = 32;

/// Reads of segments, by datasource. A read is a segment, or a part of a large one, by one thread.
#[derive(Debug, Default)]
pub struct SegmentReads {
    by_datasource: RwLock<HashMap<Arc<str>, Arc<DatasourceReads>>>,
}

/// What is known of a datasource's reads since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReadFigures {
    /// Pages that were not in memory when they were needed.
    pub page_faults: u64,
    /// Bytes that were read from disks.
    pub read_bytes: u64,
    /// Reads that found everything in memory.
    pub cache_hits: u64,
    /// Reads that did not.
    pub cache_misses: u64,
    /// Half of the reads of the last minutes took no longer; 0 without reads.
    pub p50_ms: f64,
    /// All but a hundredth of them.
    pub p99_ms: f64,
}

impl SegmentReads {
    /// Those of a datasource.
    pub(crate) fn of(&self, datasource: &Arc<str>) -> Arc<DatasourceReads> {
        if let Some(known) = self.by_datasource.read().get(datasource) {
            return Arc::clone(known);
        }
        Arc::clone(self.by_datasource.write().entry(Arc::clone(datasource)).or_default())
    }

    /// What is known of each, and of all together; of others than these is forgotten what there was.
    #[must_use]
    pub fn figures(
        &self,
        is_kept: impl Fn(&str) -> bool,
    ) -> (HashMap<Arc<str>, ReadFigures>, ReadFigures) {
        let mut by_datasource = self.by_datasource.write();
        by_datasource.retain(|datasource, _| is_kept(datasource));
        let mut all = Counted::default();
        let mut figures = HashMap::new();
        for (datasource, reads) in by_datasource.iter() {
            let counted = reads.counted();
            figures.insert(Arc::clone(datasource), counted.figures());
            all.add(&counted);
        }
        (figures, all.figures())
    }
}

/// The reads of a datasource.
#[derive(Debug, Default)]
pub(crate) struct DatasourceReads {
    page_faults: AtomicU64,
    read_bytes: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    times: Mutex<Times>,
}

impl DatasourceReads {
    /// A read took so long, and the thread had this from disks meanwhile.
    pub(crate) fn note(&self, took: Duration, from_disk: PageReads) {
        let PageReads { faults, read_bytes } = from_disk;
        let is_hit = faults == 0 && read_bytes == 0;
        let outcome = if is_hit { &self.hits } else { &self.misses };
        outcome.fetch_add(1, Ordering::Relaxed);
        if !is_hit {
            self.page_faults.fetch_add(faults, Ordering::Relaxed);
            self.read_bytes.fetch_add(read_bytes, Ordering::Relaxed);
        }
        self.times.lock().add(took, Instant::now());
    }

    fn counted(&self) -> Counted {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let figures = ReadFigures {
            page_faults: get(&self.page_faults),
            read_bytes: get(&self.read_bytes),
            cache_hits: get(&self.hits),
            cache_misses: get(&self.misses),
            ..ReadFigures::default()
        };
        Counted { figures, times: self.times.lock().lately(Instant::now()) }
    }
}

/// Numbers that can be added up.
#[derive(Debug, Default)]
struct Counted {
    figures: ReadFigures,
    times: Vec<u64>,
}

impl Counted {
    fn add(&mut self, other: &Self) {
        let (all, of) = (&mut self.figures, &other.figures);
        all.page_faults += of.page_faults;
        all.read_bytes += of.read_bytes;
        all.cache_hits += of.cache_hits;
        all.cache_misses += of.cache_misses;
        self.times.resize(self.times.len().max(other.times.len()), 0);
        self.times.iter_mut().zip(&other.times).for_each(|(all, of)| *all += of);
    }

    fn figures(&self) -> ReadFigures {
        let at = |part| percentile_ms(&self.times, part);
        ReadFigures { p50_ms: at(0.5), p99_ms: at(0.99), ..self.figures }
    }
}

/// Times by size, of this span and of the one before.
#[derive(Debug, Default)]
struct Times {
    spans: [Vec<u64>; 2],
    since: Option<Instant>,
}

impl Times {
    fn add(&mut self, took: Duration, now: Instant) {
        self.go_on(now);
        let [current, _] = &mut self.spans;
        current.resize(sizes(), 0);
        if let Some(count) = current.get_mut(size_of(took)) {
            *count += 1;
        }
    }

    /// Begins another span when it is time.
    fn go_on(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(*self.since.get_or_insert(now));
        if elapsed < SPAN {
            return;
        }
        let ended = std::mem::take(&mut self.spans[0]);
        self.spans[1] = if elapsed < 2 * SPAN { ended } else { Vec::new() };
        self.since = Some(now);
    }

    fn lately(&mut self, now: Instant) -> Vec<u64> {
        self.go_on(now);
        let [current, before] = &self.spans;
        let mut all = vec![0; sizes()];
        for span in [current, before] {
            all.iter_mut().zip(span).for_each(|(all, count)| *all += count);
        }
        all
    }
}

fn sizes() -> usize {
    (STEPS * POWERS) as usize
}

/// Sizes are a ninth apart or less, and single microseconds where these are few.
fn size_of(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if micros < STEPS {
        return micros as usize;
    }
    let power = u64::from(micros.ilog2()) - u64::from(STEPS.ilog2());
    let step = (micros >> power) - STEPS;
    (((power + 1) * STEPS + step) as usize).min(sizes() - 1)
}

/// The longest time of a size.
fn most_us(size: usize) -> u64 {
    let (power, step) = (size as u64 / STEPS, size as u64 % STEPS);
    match power {
        0 => step,
        power => ((STEPS + step + 1) << (power - 1)) - 1,
    }
}

fn percentile_ms(counts: &[u64], part: f64) -> f64 {
    let all: u64 = counts.iter().sum();
    let wanted = ((all as f64 * part).ceil() as u64).max(1);
    let mut below = 0;
    let size = counts.iter().position(|count| {
        below += count;
        below >= wanted
    });
    size.map_or(0.0, |size| most_us(size) as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_times_are_near_the_times() {
        for micros in [0, 1, 7, 8, 9, 100, 12_345, 1 << 30] {
            let most = most_us(size_of(Duration::from_micros(micros)));
            assert!(micros <= most && most <= micros + micros / 8, "{micros} {most}");
        }
        assert_eq!(size_of(Duration::MAX), sizes() - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn percentiles_are_of_the_last_minutes_and_the_rest_since_the_start() {
        let reads = SegmentReads::default();
        let (hit, miss) = (PageReads::default(), PageReads { faults: 3, read_bytes: 8_192 });
        let one: Arc<str> = "one".into();
        for _ in 0..98 {
            reads.of(&one).note(Duration::from_millis(1), hit);
        }
        reads.of(&one).note(Duration::from_millis(80), miss);
        reads.of(&one).note(Duration::from_millis(90), miss);
        reads.of(&"two".into()).note(Duration::from_millis(2), hit);
        let near = |found: f64, wanted: f64| wanted <= found && found <= wanted * 1.13;
        let (by_datasource, all) = reads.figures(|_| true);
        let seen = by_datasource["one"];
        assert_eq!((seen.cache_hits, seen.cache_misses), (98, 2));
        assert_eq!((seen.page_faults, seen.read_bytes), (6, 16_384));
        assert!(near(seen.p50_ms, 1.0) && near(seen.p99_ms, 80.0), "{seen:?}");
        assert_eq!((all.cache_hits, all.read_bytes), (99, 16_384));
        tokio::time::advance(2 * SPAN).await;
        let (by_datasource, all) = reads.figures(|datasource| datasource == "one");
        assert_eq!(by_datasource.len(), 1);
        assert_eq!((all.cache_misses, all.p50_ms, all.p99_ms), (2, 0.0, 0.0));
    }
}
