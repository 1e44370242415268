//! How much segments are read, as nodes told: remembered for days, so that a quiet night is no reason to move
//! anything, and what the next leader has to hear again.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::DiscoverySnapshot;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;
use parking_lot::Mutex;

/// What was told counts half after this long, unless as much is told again.
const HALF_LIFE_MS: u64 = 24 * 3_600_000;
/// Nodes tell no more often.
const LOOK_EVERY_MS: u64 = 60_000;
/// Less time of CPU threads, in microseconds, is forgotten.
const LEAST_US: f64 = 100.0;

/// The time that queries took on segments lately, in microseconds, the most that was told.
pub(crate) type Work = Arc<BTreeMap<SegmentId, f64>>;

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct ToldWork(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    work: Work,
    /// As of when, in running time.
    at_ms: Option<u64>,
}

impl ToldWork {
    /// Adds what nodes tell now of segments that are used.
    pub(crate) fn look(
        &self,
        view: &DiscoverySnapshot,
        used: &BTreeMap<SegmentId, Arc<PublishedSegment>>,
        now_ms: u64,
    ) -> Work {
        let mut remembered = self.0.lock();
        let passed_ms = remembered.at_ms.map(|at_ms| now_ms.saturating_sub(at_ms));
        if passed_ms.is_some_and(|passed_ms| passed_ms < LOOK_EVERY_MS) {
            return Arc::clone(&remembered.work);
        }
        let mut told: BTreeMap<&SegmentId, f64> = BTreeMap::new();
        for (id, load) in view.servers.values().flat_map(|server| &server.loads.segments) {
            *told.entry(id).or_default() += load.cpu_us;
        }
        let faded = (-(passed_ms.unwrap_or_default() as f64) / HALF_LIFE_MS as f64).exp2();
        let mut work: BTreeMap<SegmentId, f64> =
            remembered.work.iter().map(|(id, work)| (id.clone(), work * faded)).collect();
        for (id, now) in told {
            let most = work.entry(id.clone()).or_default();
            *most = most.max(now);
        }
        work.retain(|id, work| *work >= LEAST_US && used.contains_key(id));
        remembered.at_ms = Some(now_ms);
        remembered.work = Arc::new(work);
        Arc::clone(&remembered.work)
    }
}

#[cfg(test)]
mod tests {
    use henge_platform::discovery::{AnnouncedServer, LoadReport, SegmentLoad};

    use super::*;
    use crate::plan::tests::segment;

    fn view(server: &str, told: &[(&SegmentId, f64)]) -> DiscoverySnapshot {
        let load = |cpu_us| SegmentLoad { queries: 1.0, rows: 1.0, cpu_us };
        let segments = told.iter().map(|(id, cpu_us)| ((*id).clone(), load(*cpu_us))).collect();
        let loads = Arc::new(LoadReport { segments, together: Vec::new() });
        let server = (server.into(), AnnouncedServer { loads, ..AnnouncedServer::default() });
        DiscoverySnapshot { version: 1, servers: [server].into() }
    }

    #[test]
    fn the_most_that_was_told_is_remembered_and_forgotten_by_and_by() {
        let (one, two) = (segment(0, 1, 0, 0), segment(100, 1, 0, 0));
        let used = [&one, &two].map(|segment| (segment.id.clone(), Arc::clone(segment))).into();
        let told = ToldWork::default();
        let seen = told.look(&view("a", &[(&one.id, 1e6), (&two.id, 1e3)]), &used, 5);
        assert_eq!((seen[&one.id], seen[&two.id]), (1e6, 1e3));
        let quiet = DiscoverySnapshot::default();
        assert!(Arc::ptr_eq(&told.look(&quiet, &used, 6), &seen), "a moment later");
        let seen = told.look(&quiet, &used, 5 + HALF_LIFE_MS);
        assert_eq!((seen[&one.id], seen[&two.id]), (5e5, 5e2));
        let seen = told.look(&view("b", &[(&two.id, 1e6)]), &used, 5 + 2 * HALF_LIFE_MS);
        assert_eq!((seen[&one.id], seen[&two.id]), (2.5e5, 1e6));
        let used = [(two.id.clone(), Arc::clone(&two))].into();
        let seen = told.look(&quiet, &used, 5 + 3 * HALF_LIFE_MS);
        assert_eq!(seen.keys().collect::<Vec<_>>(), [&two.id]);
        assert!(told.look(&quiet, &used, 100 * HALF_LIFE_MS).is_empty());
    }
}
