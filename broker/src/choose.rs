//! Which replica answers for a segment. A pure function of what is known: priority as announced, then the
//! broker's own zone, then load, and among those that are about as busy the same one as ever, whose
//! caches have seen the segment.

use std::cmp::Reverse;

use henge_platform::discovery::ServerId;
use henge_types::SegmentId;
use xxhash_rust::xxh3::Xxh3Default;

/// Levels of load within which nodes count as equally busy. A level is a factor of two.
const ALIKE_LEVELS: u32 = 1;

/// What is known of a node, as far as it matters to whom is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// It failed lately: asked only when nobody else has the segment.
    pub(crate) is_suspect: bool,
    /// It is in the broker's own zone.
    pub(crate) is_near: bool,
    /// How long it may take, as a power of two.
    pub(crate) load_level: u32,
}

/// A server that could answer for a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'v> {
    /// The server.
    pub(crate) server: &'v ServerId,
    /// As announced; larger is preferred.
    pub(crate) priority: i32,
    /// Its rows are buffered there, and not in a mapped file.
    pub(crate) is_growing: bool,
    /// What is known of the node.
    pub(crate) standing: Standing,
}

impl Candidate<'_> {
    /// Smaller is better, whatever the load.
    fn class(&self) -> impl Ord + Copy + use<> {
        let Standing { is_suspect, is_near, .. } = self.standing;
        (is_suspect, Reverse(self.priority), self.is_growing, !is_near)
    }

    /// Larger is better; differs from segment to segment, so that each node is the best for its share.
    fn affinity(&self, segment: &SegmentId) -> u64 {
        let mut hasher = Xxh3Default::new();
        hasher.update(segment.datasource.as_bytes());
        for number in [
            segment.interval.start_ms,
            segment.interval.end_ms,
            segment.version.0.cast_signed(),
            i64::from(segment.partition),
        ] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(self.server.as_bytes());
        hasher.digest()
    }
}

/// The server that is to answer for `segment`; `None` without candidates.
#[must_use]
pub(crate) fn choose<'v>(
    candidates: &[Candidate<'v>],
    segment: &SegmentId,
) -> Option<&'v ServerId> {
    if let [only] = candidates {
        return Some(only.server);
    }
    let best = candidates.iter().map(Candidate::class).min()?;
    let of_class = || candidates.iter().filter(|candidate| candidate.class() == best);
    let least = of_class().map(|candidate| candidate.standing.load_level).min()?;
    let alike = of_class()
        .filter(|candidate| candidate.standing.load_level <= least.saturating_add(ALIKE_LEVELS));
    // Names break ties, so that the order of announcements decides nothing.
    alike.max_by_key(|c| (c.affinity(segment), c.server)).map(|candidate| candidate.server)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use henge_types::{Interval, Version};

    use super::*;

    fn segment(partition: u32) -> SegmentId {
        SegmentId::new("t", Interval { start_ms: 0, end_ms: 10 }, Version(1), partition)
    }

    fn names(count: usize) -> Vec<ServerId> {
        (0..count).map(|number| format!("historical-{number}").into()).collect()
    }

    fn all(names: &[ServerId]) -> Vec<Candidate<'_>> {
        let candidate = |server| Candidate {
            server,
            priority: 0,
            is_growing: false,
            standing: Standing::default(),
        };
        names.iter().map(candidate).collect()
    }

    fn shares(candidates: &[Candidate<'_>]) -> BTreeMap<ServerId, usize> {
        let mut shares = BTreeMap::new();
        for partition in 0..3_000 {
            let chosen = choose(candidates, &segment(partition)).unwrap();
            *shares.entry(chosen.clone()).or_default() += 1;
        }
        shares
    }

    #[test]
    fn priority_comes_before_zone_and_zone_before_load() {
        let names = names(3);
        let mut candidates = all(&names);
        candidates[0].standing.is_near = true;
        candidates[0].standing.load_level = 20;
        candidates[2].priority = 5;
        assert_eq!(choose(&candidates, &segment(1)), Some(&names[2]));
        candidates[2].priority = 0;
        assert_eq!(choose(&candidates, &segment(1)), Some(&names[0]));
        candidates[0].standing.is_near = false;
        let shares = shares(&candidates);
        assert!(!shares.contains_key(&names[0]), "{shares:?}");
        assert_eq!(shares.len(), 2);
        // A file is better than what grows.
        candidates[1].is_growing = true;
        candidates[2].is_growing = true;
        assert_eq!(choose(&candidates, &segment(1)), Some(&names[0]));
        assert_eq!(choose(&[], &segment(1)), None);
    }

    #[test]
    fn f_65_who_failed_lately_is_asked_only_when_nobody_else_has_it() {
        let names = names(2);
        let mut candidates = all(&names);
        candidates[1].priority = 9;
        candidates[1].standing = Standing { is_suspect: true, is_near: true, load_level: 0 };
        assert_eq!(choose(&candidates, &segment(1)), Some(&names[0]));
        assert_eq!(choose(&candidates[1..], &segment(1)), Some(&names[1]));
        candidates[0].standing.is_suspect = true;
        assert_eq!(choose(&candidates, &segment(1)), Some(&names[1]));
    }

    #[test]
    fn a_segment_stays_where_it_is_warm_while_nodes_are_about_as_busy() {
        let names = names(3);
        let mut candidates = all(&names);
        let before: Vec<_> = (0..100).map(|p| choose(&candidates, &segment(p)).unwrap()).collect();
        candidates[1].standing.load_level = ALIKE_LEVELS;
        candidates.reverse();
        let after: Vec<_> = (0..100).map(|p| choose(&candidates, &segment(p)).unwrap()).collect();
        assert_eq!(before, after);
        // Each has about its share.
        assert!(shares(&candidates).values().all(|share| (850..1_150).contains(share)));
    }

    #[test]
    fn without_a_node_only_its_own_segments_move() {
        let names = names(3);
        let candidates = all(&names);
        for partition in 0..300 {
            let chosen = choose(&candidates, &segment(partition)).unwrap();
            let without = choose(&candidates[..2], &segment(partition)).unwrap();
            assert!(*chosen == names[2] || chosen == without);
        }
    }
}
