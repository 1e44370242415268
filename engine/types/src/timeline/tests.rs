//! The timeline against a naive model that recomputes everything at every instant.

use proptest::prelude::*;

use super::*;

const HORIZON: i64 = 16;

fn id(start: i64, end: i64, version: u64, partition: u32) -> SegmentId {
    SegmentId::new("d", Interval::new(start, end).unwrap(), Version(version), partition)
}

fn add(timeline: &mut Timeline<u32>, id: SegmentId, core_partitions: u32) {
    let shard = ShardSpec::numbered(id.partition, core_partitions);
    timeline.add(id, shard, 0);
}

/// What is visible, as (start, end, version, partitions).
fn visible(timeline: &Timeline<u32>, interval: Interval) -> Vec<(i64, i64, u64, Vec<u32>)> {
    let holders = timeline.lookup(interval).into_iter();
    let describe = |holder: TimelineHolder<u32>| {
        let partitions = holder.chunks.iter().map(|chunk| chunk.id.partition).collect();
        (holder.interval.start_ms, holder.interval.end_ms, holder.version.0, partitions)
    };
    holders.map(describe).collect()
}

#[test]
fn a_newer_version_hides_the_part_it_covers() {
    let mut timeline = Timeline::new();
    add(&mut timeline, id(0, 10, 1, 0), 1);
    add(&mut timeline, id(3, 5, 2, 0), 1);
    let expected = vec![(0, 3, 1, vec![0]), (3, 5, 2, vec![0]), (5, 10, 1, vec![0])];
    assert_eq!(visible(&timeline, Interval::ETERNITY), expected);
    assert_eq!(
        visible(&timeline, Interval::new(4, 6).unwrap()),
        [(4, 5, 2, vec![0]), (5, 6, 1, vec![0])]
    );
    assert_eq!(timeline.overshadowed(), []);
    add(&mut timeline, id(0, 10, 3, 0), 1);
    assert_eq!(timeline.overshadowed(), [id(0, 10, 1, 0), id(3, 5, 2, 0)]);
    assert_eq!(timeline.remove(&id(0, 10, 3, 0)), Some(0));
    assert_eq!(visible(&timeline, Interval::ETERNITY), expected);
    timeline.remove(&id(3, 5, 2, 0));
    assert_eq!(visible(&timeline, Interval::ETERNITY), [(0, 10, 1, vec![0])]);
    assert_eq!(timeline.visible_span(), Some(Interval::new(0, 10).unwrap()));
}

#[test]
fn i_05_a_version_appears_when_its_core_set_is_whole() {
    let mut timeline = Timeline::new();
    add(&mut timeline, id(0, 10, 1, 0), 1);
    add(&mut timeline, id(0, 10, 2, 0), 3);
    add(&mut timeline, id(0, 10, 2, 2), 3);
    add(&mut timeline, id(0, 10, 2, 7), 3);
    assert_eq!(visible(&timeline, Interval::ETERNITY), [(0, 10, 1, vec![0])]);
    add(&mut timeline, id(0, 10, 2, 1), 3);
    assert_eq!(visible(&timeline, Interval::ETERNITY), [(0, 10, 2, vec![0, 1, 2, 7])]);
    assert!(timeline.is_overshadowed(&id(0, 10, 1, 0)));
    add(&mut timeline, id(0, 10, 2, 3), 3);
    assert_eq!(visible(&timeline, Interval::ETERNITY), [(0, 10, 2, vec![0, 1, 2, 3, 7])]);
    timeline.remove(&id(0, 10, 2, 2));
    assert_eq!(visible(&timeline, Interval::ETERNITY), [(0, 10, 1, vec![0])]);
}

#[test]
fn appended_partitions_are_visible_each_by_itself() {
    let mut timeline = Timeline::new();
    for partition in [5, 0] {
        timeline.add(id(0, 10, 1, partition), ShardSpec::appended(partition), partition);
    }
    assert_eq!(visible(&timeline, Interval::ETERNITY), [(0, 10, 1, vec![0, 5])]);
    assert_eq!(timeline.len(), 2);
}

#[test]
fn adding_again_replaces_the_payload() {
    let mut timeline = Timeline::new();
    assert_eq!(timeline.add(id(0, 10, 1, 0), ShardSpec::SINGLE, 4), None);
    assert_eq!(timeline.add(id(0, 10, 1, 0), ShardSpec::SINGLE, 5), Some(4));
    *timeline.payload_mut(&id(0, 10, 1, 0)).unwrap() += 1;
    assert_eq!(timeline.get(&id(0, 10, 1, 0)).unwrap().payload, 6);
    assert_eq!(timeline.lookup(Interval::ETERNITY)[0].chunks[0].payload, 6);
    assert_eq!(timeline.remove(&id(0, 10, 1, 1)), None);
    assert_eq!(timeline.remove(&id(0, 10, 1, 0)), Some(6));
    assert!(timeline.is_empty() && timeline.lookup(Interval::ETERNITY).is_empty());
}

#[test]
fn h_31_eternity_and_nothing_are_chunks_like_others() {
    let mut timeline = Timeline::new();
    let eternity = SegmentId::new("d", Interval::ETERNITY, Version(1), 0);
    timeline.add(eternity.clone(), ShardSpec::SINGLE, 0);
    add(&mut timeline, id(5, 5, 9, 0), 1);
    add(&mut timeline, id(5, 6, 2, 0), 1);
    let versions: Vec<u64> = visible(&timeline, Interval::ETERNITY).iter().map(|v| v.2).collect();
    assert_eq!(versions, [1, 2, 1]);
    timeline.remove(&id(5, 6, 2, 0));
    timeline.remove(&eternity);
    assert_eq!(timeline.lookup(Interval::ETERNITY), vec![]);
    assert!(!timeline.is_overshadowed(&id(5, 5, 9, 0)));
}

/// Keeps every segment in a list and answers by looking at all of them.
#[derive(Debug, Default)]
struct Model {
    segments: Vec<(SegmentId, u32)>,
}

impl Model {
    fn add(&mut self, id: &SegmentId, core_partitions: u32) {
        self.segments.retain(|(present, _)| present != id);
        self.segments.push((id.clone(), core_partitions));
    }

    fn remove(&mut self, id: &SegmentId) {
        self.segments.retain(|(present, _)| present != id);
    }

    fn siblings<'a>(&'a self, id: &'a SegmentId) -> impl Iterator<Item = &'a (SegmentId, u32)> {
        self.segments
            .iter()
            .filter(move |(other, _)| other.interval == id.interval && other.version == id.version)
    }

    fn is_complete(&self, id: &SegmentId) -> bool {
        let core = self.siblings(id).map(|(_, core)| *core).max().unwrap_or(0);
        (0..core).all(|partition| self.siblings(id).any(|(other, _)| other.partition == partition))
    }

    fn rank(id: &SegmentId) -> (u64, i64, i64) {
        (id.version.0, id.interval.start_ms, -id.interval.end_ms)
    }

    /// The ids visible at an instant, by partition.
    fn visible_at(&self, ms: i64) -> Vec<SegmentId> {
        let candidates = self.segments.iter().map(|(id, _)| id);
        let winner = candidates
            .filter(|id| id.interval.contains(ms) && self.is_complete(id))
            .max_by_key(|id| Self::rank(id));
        let mut ids: Vec<SegmentId> = match winner {
            Some(winner) => self.siblings(winner).map(|(id, _)| id.clone()).collect(),
            None => vec![],
        };
        ids.sort_unstable();
        ids
    }

    fn overshadowed(&self) -> Vec<SegmentId> {
        let hidden = |id: &SegmentId| {
            (id.interval.start_ms..id.interval.end_ms).all(|ms| {
                self.visible_at(ms).first().is_some_and(|top| Self::rank(top) > Self::rank(id))
            })
        };
        let ids = self.segments.iter().map(|(id, _)| id.clone());
        let mut ids: Vec<SegmentId> = ids.filter(hidden).collect();
        ids.sort_unstable();
        ids
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add {
        id: SegmentId,
        core_partitions: u32,
    },
    /// Removes the n-th of the segments present.
    Remove(usize),
}

/// Segments of one interval and version agree about their core set, as the metadata store sees to.
fn any_add() -> impl Strategy<Value = Step> {
    (0..HORIZON - 6, 1_i64..7, 1_u64..7, 0_u32..4).prop_map(
        |(start, length, version, partition)| {
            let core_partitions = ((start + length) as u64 * 7 + version * 3) % 4;
            let id = id(start, start + length, version, partition);
            Step::Add { id, core_partitions: core_partitions as u32 }
        },
    )
}

fn check(timeline: &Timeline<u32>, model: &Model) -> Result<(), TestCaseError> {
    let holders = timeline.lookup(Interval::ETERNITY);
    for pair in holders.windows(2) {
        prop_assert!(pair[0].interval.end_ms <= pair[1].interval.start_ms);
        let same = pair[0].chunks[0].id == pair[1].chunks[0].id;
        prop_assert!(!(same && pair[0].interval.abuts(&pair[1].interval)), "slices to be joined");
    }
    for ms in 0..HORIZON {
        let expected = model.visible_at(ms);
        let at = timeline.lookup(Interval::new(ms, ms + 1).unwrap());
        let found: Vec<SegmentId> = at
            .iter()
            .flat_map(|holder| holder.chunks.iter().map(|chunk| chunk.id.clone()))
            .collect();
        prop_assert_eq!(&found, &expected, "at {}", ms);
        let covering = holders.iter().filter(|holder| holder.interval.contains(ms)).count();
        prop_assert_eq!(covering, usize::from(!expected.is_empty()));
    }
    let overshadowed = timeline.overshadowed();
    prop_assert!(overshadowed.iter().all(|id| timeline.is_overshadowed(id)));
    prop_assert_eq!(overshadowed, model.overshadowed());
    prop_assert_eq!(timeline.len(), model.segments.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn i_05_at_every_instant_the_highest_complete_version_wins(
        steps in proptest::collection::vec(
            prop_oneof![3 => any_add(), 1 => (0_usize..64).prop_map(Step::Remove)], 1..60),
    ) {
        let mut timeline = Timeline::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Add { id, core_partitions } => {
                    model.add(&id, core_partitions);
                    add(&mut timeline, id, core_partitions);
                }
                Step::Remove(_) if model.segments.is_empty() => {}
                Step::Remove(position) => {
                    let id = model.segments[position % model.segments.len()].0.clone();
                    model.remove(&id);
                    prop_assert!(timeline.remove(&id).is_some());
                }
            }
            check(&timeline, &model)?;
        }
        for (id, _) in &model.segments {
            timeline.remove(id);
        }
        prop_assert!(timeline.is_empty() && timeline.visible_span().is_none());
    }

    #[test]
    fn i_04_adding_never_takes_the_visible_version_back(
        steps in proptest::collection::vec(any_add(), 1..60),
    ) {
        let mut timeline = Timeline::new();
        let mut newest = [0_u64; HORIZON as usize];
        for step in steps {
            let Step::Add { id, core_partitions } = step else { continue };
            add(&mut timeline, id, core_partitions);
            for (ms, newest) in (0_i64..).zip(&mut newest) {
                let at = timeline.lookup(Interval::new(ms, ms + 1).unwrap());
                let version = at.first().map_or(0, |holder| holder.version.0);
                prop_assert!(version >= *newest, "{} after {} at {}", version, newest, ms);
                *newest = version;
            }
        }
    }
}
