//! Half-open intervals of time, `[start, end)`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{TypeError, excerpt};
use crate::period::Period;
use crate::time::{MAX_TIME_MS, MIN_TIME_MS, TimestampText, parse_timestamp_ms};

/// A half-open interval `[start_ms, end_ms)`; JSON and text form are `start/end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// The first millisecond inside.
    pub start_ms: i64,
    /// The first millisecond after it.
    pub end_ms: i64,
}

impl Interval {
    /// All of time.
    pub const ETERNITY: Self = Self { start_ms: MIN_TIME_MS, end_ms: MAX_TIME_MS };

    /// An interval from start (inclusive) to end (exclusive); equal ends make it empty.
    ///
    /// # Errors
    /// When the end is before the start, or either lies outside of eternity.
    pub fn new(start_ms: i64, end_ms: i64) -> Result<Self, TypeError> {
        let invalid = |reason: &'static str| TypeError::Interval {
            text: Self { start_ms, end_ms }.to_string(),
            reason: reason.into(),
        };
        if end_ms < start_ms {
            return Err(invalid("the end is before the start: swap them"));
        }
        if start_ms < MIN_TIME_MS || end_ms > MAX_TIME_MS {
            return Err(invalid("it reaches beyond the years -146136543 to 146140482"));
        }
        Ok(Self { start_ms, end_ms })
    }

    /// Parses `start/end`, `start/period`, `period/end` or `eternity`.
    ///
    /// # Errors
    /// When a part is not valid, the end is before the start, the period is zero, or the interval
    /// repeats (`R5/...`).
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        let invalid =
            |reason: String| TypeError::Interval { text: excerpt(text), reason: reason.into() };
        if text.eq_ignore_ascii_case("eternity") {
            return Ok(Self::ETERNITY);
        }
        let Some((first, second)) = text.split_once('/') else {
            return Err(invalid("write start/end, start/period or period/end".to_owned()));
        };
        if first.starts_with(['R', 'r']) {
            return Err(invalid(
                "repeating intervals are not supported: write each one".to_owned(),
            ));
        }
        if second.contains('/') {
            return Err(invalid("it has more than two parts: write start/end".to_owned()));
        }
        let (start_ms, end_ms) = match (is_period(first), is_period(second)) {
            (true, true) => {
                return Err(invalid("one of its two parts must be a timestamp".to_owned()));
            }
            (false, true) => {
                let start = part(first, text, parse_timestamp_ms)?;
                (start, shift(start, second, text, 1)?)
            }
            (true, false) => {
                let end = part(second, text, parse_timestamp_ms)?;
                (shift(end, first, text, -1)?, end)
            }
            (false, false) => {
                (part(first, text, parse_timestamp_ms)?, part(second, text, parse_timestamp_ms)?)
            }
        };
        Self::new(start_ms, end_ms)
    }

    /// True when it holds no instant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end_ms <= self.start_ms
    }

    /// Its length in milliseconds (eternity is `i64::MAX`).
    #[must_use]
    pub fn duration_ms(&self) -> i64 {
        self.end_ms.saturating_sub(self.start_ms).max(0)
    }

    /// True when the instant lies inside.
    #[must_use]
    pub fn contains(&self, ms: i64) -> bool {
        self.start_ms <= ms && ms < self.end_ms
    }

    /// True when every instant of the other lies inside; an empty one is contained anywhere.
    #[must_use]
    pub fn contains_interval(&self, other: &Self) -> bool {
        other.is_empty() || (self.start_ms <= other.start_ms && other.end_ms <= self.end_ms)
    }

    /// True when they share an instant.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start_ms.max(other.start_ms) < self.end_ms.min(other.end_ms)
    }

    /// True when one begins exactly where the other ends.
    #[must_use]
    pub fn abuts(&self, other: &Self) -> bool {
        self.end_ms == other.start_ms || other.end_ms == self.start_ms
    }

    /// What they share; `None` when that is nothing.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        self.overlaps(other).then(|| Self {
            start_ms: self.start_ms.max(other.start_ms),
            end_ms: self.end_ms.min(other.end_ms),
        })
    }

    /// The smallest interval that covers both.
    #[must_use]
    pub fn span(&self, other: &Self) -> Self {
        Self { start_ms: self.start_ms.min(other.start_ms), end_ms: self.end_ms.max(other.end_ms) }
    }
}

/// Sorts intervals, drops empty ones and merges those that overlap or abut, so that a row in two of
/// the given intervals is in exactly one of the result.
#[must_use]
pub fn condense(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|interval| !interval.is_empty());
    intervals.sort_unstable();
    let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match merged.last_mut() {
            Some(last) if interval.start_ms <= last.end_ms => {
                last.end_ms = last.end_ms.max(interval.end_ms);
            }
            _ => merged.push(interval),
        }
    }
    merged
}

fn is_period(text: &str) -> bool {
    text.trim_start_matches(['-', '+']).starts_with(['P', 'p'])
}

/// Parses one part and reports its fault as the interval's.
fn part<T>(
    text: &str,
    whole: &str,
    parse: impl FnOnce(&str) -> Result<T, TypeError>,
) -> Result<T, TypeError> {
    parse(text).map_err(|error| TypeError::Interval {
        text: excerpt(whole),
        reason: error.to_string().into(),
    })
}

fn shift(ms: i64, period: &str, whole: &str, times: i64) -> Result<i64, TypeError> {
    let period = part(period, whole, Period::parse)?;
    let invalid =
        |reason: &'static str| TypeError::Interval { text: excerpt(whole), reason: reason.into() };
    if period.is_zero() {
        return Err(invalid("its period is zero: use one such as PT1H, or write start/end"));
    }
    period
        .checked_add_utc(ms, times)
        .ok_or_else(|| invalid("its period reaches beyond the end of time: use a shorter one"))
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(TimestampText::utc(self.start_ms).as_str())?;
        f.write_str("/")?;
        f.write_str(TimestampText::utc(self.end_ms).as_str())
    }
}

impl std::str::FromStr for Interval {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        Self::parse(text)
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
