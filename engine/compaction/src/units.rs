//! The parts of a datasource's time that are compacted by themselves: each is replaced at once.

use std::collections::BTreeSet;

use henge_types::{Interval, SegmentId, Timeline};

use crate::age::Goal;
use crate::facts::SegmentFacts;
use crate::wanted::Wanted;

/// A part of the time whose segments are replaced together: whole chunks as they are, and as they are to be.
#[derive(Debug, Clone)]
pub struct Unit {
    /// What is replaced.
    pub interval: Interval,
    /// What the segments are to be like.
    pub wanted: Wanted,
    /// What queries read there, in order of time.
    pub visible: Vec<Visible>,
    /// Segments that nobody sees because their chunk lacks some: who replaces them decides that they are lost.
    pub incomplete: Vec<SegmentId>,
}

/// A segment and the part of its time in which it is read.
#[derive(Debug, Clone)]
pub struct Visible {
    /// The segment.
    pub segment: SegmentFacts,
    /// Where it is read; a newer version may cover the rest of its interval.
    pub interval: Interval,
}

impl Unit {
    /// Its segments, each once.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentFacts> {
        let mut seen = BTreeSet::new();
        let visible = self.visible.iter().map(|visible| &visible.segment);
        visible.filter(move |segment| seen.insert(&segment.id))
    }

    /// Rows of its segments.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.segments().map(|segment| segment.rows).sum()
    }

    /// Bytes of its segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments().map(|segment| segment.size_bytes).sum()
    }
}

/// Cuts the time of the used segments of one datasource into units, in order of time.
pub(crate) fn units(goal: &Goal, used: &[SegmentFacts], now_ms: i64) -> Vec<Unit> {
    let mut timeline = Timeline::new();
    for segment in used {
        timeline.add(segment.id.clone(), segment.shard_spec, segment.clone());
    }
    let visible: Vec<Visible> = timeline
        .lookup(Interval::ETERNITY)
        .into_iter()
        .flat_map(|holder| {
            let interval = holder.interval;
            holder.chunks.into_iter().map(move |chunk| Visible { segment: chunk.payload, interval })
        })
        .collect();
    let seen: BTreeSet<&SegmentId> = visible.iter().map(|visible| &visible.segment.id).collect();
    let is_lost = |segment: &&SegmentFacts| {
        !seen.contains(&segment.id) && !timeline.is_overshadowed(&segment.id)
    };
    let incomplete: Vec<&SegmentFacts> = used.iter().filter(is_lost).collect();
    let intervals = visible.iter().map(|visible| visible.segment.id.interval).collect();
    let mut units: Vec<Unit> = spans(goal, intervals, now_ms)
        .into_iter()
        .map(|(interval, wanted)| {
            let lost = incomplete.iter().filter(|segment| segment.id.interval.overlaps(&interval));
            let incomplete = lost.map(|segment| segment.id.clone()).collect();
            Unit { interval, wanted, visible: Vec::new(), incomplete }
        })
        .collect();
    for part in visible {
        let after = units.partition_point(|unit| unit.interval.start_ms <= part.interval.start_ms);
        if let Some(unit) = after.checked_sub(1).and_then(|at| units.get_mut(at)) {
            unit.visible.push(part);
        }
    }
    units
}

/// The parts of time, each with what is wanted of it: chunks that overlap are in one part, as are those that
/// are to be in one chunk.
fn spans(goal: &Goal, intervals: Vec<Interval>, now_ms: i64) -> Vec<(Interval, Wanted)> {
    let mut data = joined(intervals.into_iter().map(|interval| (interval, interval)).collect());
    loop {
        let whole = |data: &Interval| goal.of(*data, now_ms).1;
        let before = data.len();
        data = joined(data.iter().map(|data| (whole(data), *data)).collect());
        // Parts only ever become fewer, so this ends.
        if data.len() == before {
            break;
        }
    }
    let wanted = |data: Interval| {
        let (wanted, whole) = goal.of(data, now_ms);
        (whole, wanted.clone())
    };
    data.into_iter().map(wanted).collect()
}

/// Joins those of which the first intervals overlap; gives the spans of the second ones.
fn joined(mut parts: Vec<(Interval, Interval)>) -> Vec<Interval> {
    parts.sort_unstable();
    let mut joined: Vec<(Interval, Interval)> = Vec::with_capacity(parts.len());
    for (whole, data) in parts {
        match joined.last_mut() {
            Some(last) if last.0.overlaps(&whole) => {
                *last = (last.0.span(&whole), last.1.span(&data));
            }
            _ => joined.push((whole, data)),
        }
    }
    joined.into_iter().map(|(_, data)| data).collect()
}
