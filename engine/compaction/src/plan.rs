//! What is compacted next, and how much is left.

use serde::Serialize;

use crate::judge::{Judged, Verdict};
use crate::units::Unit;

/// The next parts to compact, at most so many: those that never were as they are wanted, the newest first, and
/// then those to which rows came afterwards, the one first that was compacted longest ago. Rows that keep coming
/// to a few parts so hold up no other: what is compacted goes to the end.
#[must_use]
pub fn choose(judged: &[Judged], most: usize) -> Vec<&Unit> {
    let awaiting = judged.iter().filter(|judged| matches!(judged.verdict, Verdict::Awaiting(_)));
    let mut awaiting: Vec<&Judged> = awaiting.collect();
    // Stable: those of one rank stay in their order. Nothing comes before something.
    awaiting.sort_by_key(|judged| judged.verdict.late().map(|(_, since)| since));
    awaiting.into_iter().map(|judged| &judged.unit).take(most).collect()
}

/// How much is compact, waits, and is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Bytes that wait.
    pub bytes_awaiting_compaction: u64,
    /// Bytes that are compact.
    pub bytes_compacted: u64,
    /// Bytes that are left alone.
    pub bytes_skipped: u64,
    /// Segments that wait.
    pub segment_count_awaiting_compaction: u64,
    /// Segments that are compact.
    pub segment_count_compacted: u64,
    /// Segments that are left alone.
    pub segment_count_skipped: u64,
    /// Parts of the time that wait.
    pub interval_count_awaiting_compaction: u64,
    /// Parts of the time that are compact.
    pub interval_count_compacted: u64,
    /// Parts of the time that are left alone.
    pub interval_count_skipped: u64,
}

/// Adds everything up.
#[must_use]
pub fn totals(judged: &[Judged]) -> Totals {
    let mut totals = Totals::default();
    for Judged { unit, verdict } in judged {
        let (bytes, segments, intervals) = match verdict {
            Verdict::Awaiting(_) => (
                &mut totals.bytes_awaiting_compaction,
                &mut totals.segment_count_awaiting_compaction,
                &mut totals.interval_count_awaiting_compaction,
            ),
            Verdict::Compact => (
                &mut totals.bytes_compacted,
                &mut totals.segment_count_compacted,
                &mut totals.interval_count_compacted,
            ),
            Verdict::Skipped(_) => (
                &mut totals.bytes_skipped,
                &mut totals.segment_count_skipped,
                &mut totals.interval_count_skipped,
            ),
        };
        *bytes += unit.size_bytes();
        *segments += unit.segments().count() as u64;
        *intervals += 1;
    }
    totals
}
