//! Why a part of the time is to be compacted, or is not.

use std::collections::BTreeSet;
use std::fmt;

use henge_types::{Granularity, Interval, SegmentId, Version, format_timestamp};

use crate::age::Goal;
use crate::facts::{SegmentFacts, SegmentForm};
use crate::units::{Unit, Visible, units};
use crate::wanted::Wanted;

/// What is left alone whatever it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What ends after this is young: late rows are still expected there.
    pub young_from_ms: i64,
    /// More bytes than these are not read at once.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { young_from_ms: i64::MAX, max_bytes: u64::MAX }
    }
}

/// A part of the time, and what is thought of it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The part.
    pub unit: Unit,
    /// What is thought of it.
    pub verdict: Verdict,
}

/// What is thought of a part of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be compacted, for these reasons.
    Awaiting(Vec<Reason>),
    /// There is nothing to gain.
    Compact,
    /// It would be to be compacted, and is left alone.
    Skipped(Skip),
}

/// What is to be gained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Fewer segments hold the same rows.
    Segments {
        /// Segments.
        segments: usize,
        /// Their rows.
        rows: u64,
        /// Rows of one, at most.
        target_rows: u64,
    },
    /// Rows came after it was compacted.
    Late {
        /// Segments of them.
        segments: usize,
        /// The version that the compaction wrote; the smaller, the longer ago.
        since: Version,
    },
    /// Chunks are not of the wanted length.
    Chunks {
        /// Chunks.
        chunks: usize,
    },
    /// Times are finer than wanted.
    FinerTimes,
    /// Rows are not rolled up.
    NotRolledUp,
    /// Rows are sorted otherwise.
    OtherOrder,
}

/// Why something is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// It is too young.
    Young {
        /// Parts that end later are.
        from_ms: i64,
    },
    /// It is too large.
    Large {
        /// Its bytes.
        bytes: u64,
        /// Bytes that may be read at once.
        most: u64,
    },
    /// A chunk lacks segments: replacing it would decide that they are lost.
    Incomplete(Vec<SegmentId>),
    /// It was compacted lately, and too little came since for writing all of it again.
    Rests {
        /// Segments that came.
        segments: usize,
        /// As many end the rest.
        enough: u64,
        /// When the rest ends in any case.
        until_ms: i64,
    },
    /// An attempt failed, and the next is due later.
    Failed {
        /// What it ended with.
        error: String,
        /// When it is tried again.
        until_ms: i64,
    },
    /// A task is at it.
    Running {
        /// The task.
        task: String,
    },
}

/// Judges the used segments of one datasource, the newest part first.
#[must_use]
pub fn judge(goal: &Goal, used: &[SegmentFacts], limits: &Limits, now_ms: i64) -> Vec<Judged> {
    let judged = units(goal, used, now_ms).into_iter().rev().map(|unit| {
        let reasons = reasons(&unit);
        let verdict = match (reasons.is_empty(), skip(&unit, limits)) {
            (true, _) => Verdict::Compact,
            (false, Some(skip)) => Verdict::Skipped(skip),
            (false, None) => Verdict::Awaiting(reasons),
        };
        Judged { unit, verdict }
    });
    judged.collect()
}

fn skip(unit: &Unit, limits: &Limits) -> Option<Skip> {
    let (bytes, most, from_ms) = (unit.size_bytes(), limits.max_bytes, limits.young_from_ms);
    if unit.interval.end_ms > from_ms {
        return Some(Skip::Young { from_ms });
    }
    if !unit.incomplete.is_empty() {
        return Some(Skip::Incomplete(unit.incomplete.clone()));
    }
    (bytes > most).then_some(Skip::Large { bytes, most })
}

/// What there is to gain; nothing when a compaction for this very state wrote all of it, or when it looks as
/// if one had.
fn reasons(unit: &Unit) -> Vec<Reason> {
    let (wanted, fingerprint) = (&unit.wanted, unit.wanted.fingerprint());
    let segments: Vec<&SegmentFacts> = unit.segments().collect();
    let is_marked = |segment: &&&SegmentFacts| {
        let form = segment.form.as_ref();
        form.is_some_and(|form| form.fingerprint.as_ref() == Some(&fingerprint))
    };
    let marked = segments.iter().filter(is_marked).count();
    let since = segments.iter().filter(is_marked).map(|segment| segment.id.version).min();
    let chunks: BTreeSet<_> =
        segments.iter().map(|segment| (segment.id.interval, segment.id.version)).collect();
    let rows = unit.rows();
    if rows == 0 || (marked == segments.len() && chunks.len() == 1) {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    let target_rows = wanted.target_rows.max(1);
    let is_rolled_up = wanted.rollup.unwrap_or(true)
        && unit.segments().any(|s| s.form.as_ref().is_some_and(|form| form.rollup));
    let would_do = if is_rolled_up { 1 } else { rows.div_ceil(target_rows) };
    if segments.len() > 1 && segments.len() as u64 > would_do {
        reasons.push(Reason::Segments { segments: segments.len(), rows, target_rows });
    }
    if !has_wanted_chunks(wanted, &unit.visible) {
        reasons.push(Reason::Chunks { chunks: chunks.len() });
    }
    let forms =
        unit.visible.iter().filter(|visible| visible.segment.rows > 0).filter_map(|visible| {
            Some((visible.segment.form.as_deref()?, visible.segment.id.interval))
        });
    let forms: Vec<(&SegmentForm, Interval)> = forms.collect();
    let any = |found: &dyn Fn(&SegmentForm, Interval) -> bool| {
        forms.iter().any(|(form, interval)| found(form, *interval))
    };
    if any(&|form, interval| is_finer(form, wanted.query_granularity.as_ref(), interval)) {
        reasons.push(Reason::FinerTimes);
    }
    if wanted.rollup == Some(true) && any(&|form, _| !form.rollup) {
        reasons.push(Reason::NotRolledUp);
    }
    if let Some(order) = &wanted.order
        && any(&|form, _| order.arranged(&form.order) != form.order)
    {
        reasons.push(Reason::OtherOrder);
    }
    if let Some(since) = since.filter(|_| !reasons.is_empty()) {
        reasons.insert(0, Reason::Late { segments: segments.len() - marked, since });
    }
    reasons
}

/// True when each segment is in the chunk that is wanted, and wholly seen.
fn has_wanted_chunks(wanted: &Wanted, visible: &[Visible]) -> bool {
    let first = visible.first().map(|visible| visible.segment.id.interval);
    visible.iter().all(|Visible { segment, interval }| {
        let chunk = segment.id.interval;
        let is_wanted = match &wanted.segment_granularity {
            Some(granularity) => granularity.bucket(chunk.start_ms) == chunk,
            None => Some(chunk) == first,
        };
        is_wanted && *interval == chunk
    })
}

/// True when times could be truncated further.
fn is_finer(form: &SegmentForm, wanted: Option<&Granularity>, interval: Interval) -> bool {
    let (stored, last_ms) = (&form.query_granularity, interval.end_ms.saturating_sub(1));
    wanted.is_some_and(|wanted| {
        wanted != stored
            && stored.refines(wanted, interval.start_ms, last_ms)
            && !wanted.refines(stored, interval.start_ms, last_ms)
    })
}

impl Verdict {
    /// Of what waits because rows came after it was compacted: how many segments came, and the version that
    /// the compaction wrote.
    #[must_use]
    pub fn late(&self) -> Option<(usize, Version)> {
        match self {
            Self::Awaiting(reasons) => reasons.iter().find_map(|reason| match reason {
                Reason::Late { segments, since } => Some((*segments, *since)),
                _ => None,
            }),
            Self::Compact | Self::Skipped(_) => None,
        }
    }

    /// `awaiting`, `compacted` or `skipped`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Awaiting(_) => "awaiting",
            Self::Compact => "compacted",
            Self::Skipped(_) => "skipped",
        }
    }

    /// In words, a sentence each.
    #[must_use]
    pub fn why(&self) -> Vec<String> {
        match self {
            Self::Awaiting(reasons) => reasons.iter().map(Reason::to_string).collect(),
            Self::Compact => Vec::new(),
            Self::Skipped(skip) => vec![skip.to_string()],
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segments { segments, rows, target_rows } => {
                write!(f, "{segments} segments hold {rows} rows, and one may hold {target_rows}")
            }
            Self::Late { segments, .. } => {
                write!(f, "{segments} segments came after it was compacted")
            }
            Self::Chunks { chunks } => {
                write!(
                    f,
                    "{chunks} chunks are not of the wanted segmentGranularity, or not wholly seen"
                )
            }
            Self::FinerTimes => f.write_str("times are finer than the wanted queryGranularity"),
            Self::NotRolledUp => f.write_str("rows are not rolled up"),
            Self::OtherOrder => f.write_str("rows are sorted otherwise than wanted"),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Young { from_ms } => {
                let from = format_timestamp(*from_ms);
                write!(f, "it ends after {from}: skipOffsetFromLatest leaves it to late rows")
            }
            Self::Large { bytes, most } => {
                write!(f, "it has {bytes} bytes, and inputSegmentSizeBytes is {most}")
            }
            Self::Incomplete(ids) => {
                let first = ids.first().map(SegmentId::to_string).unwrap_or_default();
                write!(
                    f,
                    "{} segments are not seen because their chunk lacks others, '{first}' among them: mark \
                     them unused, or the others used",
                    ids.len()
                )
            }
            Self::Rests { segments, enough, until_ms } => {
                let until = format_timestamp(*until_ms);
                write!(
                    f,
                    "it was compacted, and {segments} segments came since: it is compacted again once there \
                     are {enough} (minLateSegments), or after {until} (minTimeBetweenCompactions)"
                )
            }
            Self::Failed { error, until_ms } => {
                write!(
                    f,
                    "it failed, and is tried again after {}: {error}",
                    format_timestamp(*until_ms)
                )
            }
            Self::Running { task } => write!(f, "task '{task}' is at it"),
        }
    }
}

#[cfg(test)]
mod tests;
