//! Whether a rule matches a segment: a function of the segment's time and of now, which is a parameter.
//!
//! What is loaded needs to share time with the rule, what is dropped needs to lie in it: in doubt a segment
//! is kept.

use henge_types::{Interval, MAX_TIME_MS, MIN_TIME_MS, Period};

use super::model::Rule;

impl Rule {
    /// True when the rule decides about a segment of this time.
    #[must_use]
    pub fn matches(&self, segment: Interval, now_ms: i64) -> bool {
        match self {
            Self::LoadForever { .. } | Self::DropForever {} | Self::BroadcastForever { .. } => true,
            Self::LoadByInterval { interval, .. } | Self::BroadcastByInterval { interval, .. } => {
                interval.overlaps(&segment)
            }
            Self::LoadByPeriod { period, include_future, .. }
            | Self::BroadcastByPeriod { period, include_future, .. } => {
                until_now(period, *include_future, now_ms).overlaps(&segment)
            }
            Self::DropByInterval { interval } => interval.contains_interval(&segment),
            Self::DropByPeriod { period, include_future } => {
                until_now(period, *include_future, now_ms).contains_interval(&segment)
            }
            Self::DropBeforeByPeriod { period } => segment.end_ms <= before(period, now_ms),
        }
    }
}

/// The period before now, on the calendar of UTC, and what comes after now.
fn until_now(period: &Period, include_future: bool, now_ms: i64) -> Interval {
    let end_ms = if include_future { MAX_TIME_MS } else { now_ms };
    Interval { start_ms: before(period, now_ms), end_ms }
}

/// A period longer than all of time reaches to its beginning.
fn before(period: &Period, now_ms: i64) -> i64 {
    period.checked_add_utc(now_ms, -1).unwrap_or(MIN_TIME_MS)
}
