//! Granularities: how time is cut into buckets.
//!
//! Buckets partition time: `bucket_start(ms) <= ms < next_bucket(bucket_start(ms))`, and the next
//! bucket starts where its neighbour ends, through every change of clocks.

mod bucket;
mod json;
mod refine;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use crate::error::{TypeError, excerpt};
use crate::interval::Interval;
use crate::period::Period;
use crate::time::{MAX_TIME_MS, MIN_TIME_MS, format_timestamp, format_timestamp_in_zone};

/// How time is cut into buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granularity {
    /// One bucket for all of time.
    All,
    /// Every millisecond by itself.
    None,
    /// Buckets of a fixed length.
    Duration {
        /// Length of a bucket, at least 1.
        duration_ms: i64,
        /// A bucket starts here.
        origin_ms: i64,
    },
    /// Buckets of a calendar period in a time zone. The simple names (`day`, `hour`) are these, in UTC.
    Period {
        /// Length of a bucket, not zero.
        period: Period,
        /// The zone whose calendar and clock count.
        time_zone: TimeZone,
        /// A bucket starts here. Without one: local midnight of 1970-01-01; single weeks start on
        /// Mondays, and single hours, minutes and seconds follow the local clock.
        origin_ms: Option<i64>,
    },
}

const SIMPLE_NAMES: [(&str, &str); 15] = [
    ("second", "PT1S"),
    ("minute", "PT1M"),
    ("five_minute", "PT5M"),
    ("ten_minute", "PT10M"),
    ("fifteen_minute", "PT15M"),
    ("thirty_minute", "PT30M"),
    ("hour", "PT1H"),
    ("six_hour", "PT6H"),
    ("eight_hour", "PT8H"),
    ("day", "P1D"),
    ("week", "P1W"),
    ("month", "P1M"),
    ("quarter", "P3M"),
    ("year", "P1Y"),
    // A spelling that some dashboards send.
    ("half_hour", "PT30M"),
];

impl Granularity {
    /// Parses a simple name, in any case: `all`, `none`, `second`, ... `year`.
    ///
    /// # Errors
    /// When the name is unknown; the message lists the names.
    pub fn parse_name(name: &str) -> Result<Self, TypeError> {
        if name.eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        if name.eq_ignore_ascii_case("none") {
            return Ok(Self::None);
        }
        match SIMPLE_NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, period)) => Self::period(Period::parse(period)?, TimeZone::UTC, None),
            None => Err(invalid(
                name,
                "use all, none, second, minute, five_minute, ten_minute, fifteen_minute, \
                 thirty_minute, hour, six_hour, eight_hour, day, week, month, quarter, year, or an \
                 object such as {\"type\":\"period\",\"period\":\"P2D\"}",
            )),
        }
    }

    /// A granularity of fixed length.
    ///
    /// # Errors
    /// When the length is not positive, or the origin is beyond the end of time.
    pub fn duration(duration_ms: i64, origin_ms: i64) -> Result<Self, TypeError> {
        if duration_ms <= 0 {
            return Err(invalid(&duration_ms.to_string(), "the duration must be 1 ms or more"));
        }
        check_origin(origin_ms)?;
        Ok(Self::Duration { duration_ms, origin_ms })
    }

    /// A granularity of a calendar period in a zone.
    ///
    /// # Errors
    /// When the period is zero, or the origin is beyond the end of time.
    pub fn period(
        period: Period,
        time_zone: TimeZone,
        origin_ms: Option<i64>,
    ) -> Result<Self, TypeError> {
        if period.is_zero() {
            return Err(invalid(
                &period.to_string(),
                "the period must not be zero: use PT1S or more",
            ));
        }
        origin_ms.map_or(Ok(()), check_origin)?;
        Ok(Self::Period { period, time_zone, origin_ms })
    }

    /// The start of the bucket that holds an instant.
    #[must_use]
    pub fn bucket_start(&self, ms: i64) -> i64 {
        let ms = ms.clamp(MIN_TIME_MS, MAX_TIME_MS);
        let start = match self {
            Self::All => MIN_TIME_MS,
            Self::None => ms,
            Self::Duration { duration_ms, origin_ms } => {
                bucket::fixed_start(ms, *duration_ms, *origin_ms)
            }
            Self::Period { period, time_zone, origin_ms } => {
                bucket::period_start(ms, period, time_zone, *origin_ms)
            }
        };
        start.max(MIN_TIME_MS)
    }

    /// The start of the bucket after the one that starts at `bucket_start`.
    #[must_use]
    pub fn next_bucket(&self, bucket_start: i64) -> i64 {
        let start = bucket_start.clamp(MIN_TIME_MS, MAX_TIME_MS);
        let next = match self {
            Self::All => MAX_TIME_MS,
            Self::None => start + 1,
            Self::Duration { duration_ms, origin_ms } => {
                bucket::fixed_start(start, *duration_ms, *origin_ms).saturating_add(*duration_ms)
            }
            Self::Period { period, time_zone, origin_ms } => {
                bucket::period_next(start, period, time_zone, *origin_ms)
            }
        };
        next.min(MAX_TIME_MS)
    }

    /// The bucket that holds an instant.
    #[must_use]
    pub fn bucket(&self, ms: i64) -> Interval {
        let start_ms = self.bucket_start(ms);
        Interval { start_ms, end_ms: self.next_bucket(start_ms) }
    }

    /// About how many buckets overlap an interval, without visiting them: never less than the truth
    /// for fixed lengths, within a few for calendar periods. Refuse huge ones by this before
    /// allocating.
    #[must_use]
    pub fn bucket_count_estimate(&self, interval: Interval) -> u64 {
        if interval.is_empty() {
            return 0;
        }
        let bucket_ms = match self {
            Self::All => return 1,
            Self::None => 1,
            Self::Duration { duration_ms, .. } => *duration_ms,
            Self::Period { period, .. } => period.average_length_ms(),
        }
        .max(1);
        let first = self.bucket_start(interval.start_ms);
        let span = i128::from(interval.end_ms) - i128::from(first);
        let count = (span + i128::from(bucket_ms) - 1) / i128::from(bucket_ms);
        u64::try_from(count.max(1)).unwrap_or(u64::MAX)
    }

    /// The whole buckets that overlap an interval, in order; the first may begin before it and the
    /// last end after it.
    pub fn buckets(&self, interval: Interval) -> impl Iterator<Item = Interval> + '_ {
        let mut start_ms = self.bucket_start(interval.start_ms);
        std::iter::from_fn(move || {
            if interval.is_empty() || start_ms >= interval.end_ms {
                return None;
            }
            let bucket = Interval { start_ms, end_ms: self.next_bucket(start_ms) };
            start_ms = bucket.end_ms;
            Some(bucket)
        })
    }

    /// The text of an instant in results: in UTC, or in the granularity's zone with its offset.
    #[must_use]
    pub fn format_bucket(&self, ms: i64) -> String {
        match self {
            Self::Period { time_zone, .. } => format_timestamp_in_zone(ms, time_zone),
            _ => format_timestamp(ms),
        }
    }
}

fn check_origin(origin_ms: i64) -> Result<(), TypeError> {
    if (MIN_TIME_MS..=MAX_TIME_MS).contains(&origin_ms) {
        return Ok(());
    }
    Err(invalid(
        &origin_ms.to_string(),
        "the origin must be milliseconds or an ISO time within reach",
    ))
}

fn invalid(text: &str, reason: impl Into<std::borrow::Cow<'static, str>>) -> TypeError {
    TypeError::Granularity { text: excerpt(text), reason: reason.into() }
}

impl std::str::FromStr for Granularity {
    type Err = TypeError;

    fn from_str(name: &str) -> Result<Self, TypeError> {
        Self::parse_name(name)
    }
}
