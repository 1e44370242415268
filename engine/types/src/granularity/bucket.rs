//! Bucket arithmetic.
//!
//! Fixed lengths and whole UTC months take integer arithmetic alone. Everything else numbers its
//! buckets from the origin: the boundary of bucket `k` is the origin plus `k` periods, and the `k`
//! of an instant is estimated from the average length and then corrected by a step or two.

use jiff::tz::TimeZone;

use crate::period::Period;
use crate::time::{
    DAY_MS, HOUR_MS, MAX_TIME_MS, MIN_TIME_MS, MINUTE_MS, SECOND_MS, civil_from_days,
    days_from_civil,
};
use crate::zone::{fixed_offset_ms, last_transition_ms, local_to_instant, offset_ms_at};

/// The Monday before 1970-01-01, which was a Thursday.
const FIRST_MONDAY_MS: i64 = -3 * DAY_MS;

/// The start of the bucket of fixed length that holds `ms`.
pub(super) fn fixed_start(ms: i64, length_ms: i64, origin_ms: i64) -> i64 {
    let length_ms = length_ms.max(1);
    match ms.checked_sub(origin_ms) {
        Some(from_origin) => ms.saturating_sub(from_origin.rem_euclid(length_ms)),
        // Only an origin beyond the end of time is that far away.
        None => MIN_TIME_MS,
    }
}

/// The start of the bucket of a calendar period that holds `ms`.
pub(super) fn period_start(
    ms: i64,
    period: &Period,
    time_zone: &TimeZone,
    origin_ms: Option<i64>,
) -> i64 {
    match Rule::of(period, time_zone, origin_ms) {
        Rule::Fixed { length_ms, origin_ms } => fixed_start(ms, length_ms, origin_ms),
        Rule::LocalMonths { months, offset_ms } => {
            let month = local_month(ms.saturating_add(offset_ms)).div_euclid(months) * months;
            month_start(month).saturating_sub(offset_ms)
        }
        Rule::LocalClock { length_ms } => local_clock_start(ms, length_ms, time_zone),
        Rule::Numbered { origin_ms } => numbered(ms, period, time_zone, origin_ms).0,
    }
}

/// The end of the bucket of a calendar period that holds `ms`.
pub(super) fn period_next(
    ms: i64,
    period: &Period,
    time_zone: &TimeZone,
    origin_ms: Option<i64>,
) -> i64 {
    match Rule::of(period, time_zone, origin_ms) {
        Rule::Fixed { length_ms, origin_ms } => {
            fixed_start(ms, length_ms, origin_ms).saturating_add(length_ms)
        }
        Rule::LocalMonths { months, offset_ms } => {
            let month = local_month(ms.saturating_add(offset_ms)).div_euclid(months) * months;
            month_start(month + months).saturating_sub(offset_ms)
        }
        Rule::LocalClock { length_ms } => local_clock_next(ms, length_ms, time_zone),
        Rule::Numbered { origin_ms } => numbered(ms, period, time_zone, origin_ms).1,
    }
}

/// The cheapest correct way to compute the buckets of a period.
enum Rule {
    /// Equal lengths.
    Fixed { length_ms: i64, origin_ms: i64 },
    /// Whole months from January 1970 in a zone without clock changes.
    LocalMonths { months: i64, offset_ms: i64 },
    /// One hour, minute or second of the local clock, in a zone with clock changes.
    LocalClock { length_ms: i64 },
    /// Numbered from the origin.
    Numbered { origin_ms: i64 },
}

impl Rule {
    fn of(period: &Period, time_zone: &TimeZone, origin_ms: Option<i64>) -> Self {
        let length_ms = period.fixed_length_ms();
        let local_origin_ms = match length_ms {
            Some(length) if length == 7 * DAY_MS && period.weeks == 1 => FIRST_MONDAY_MS,
            _ => 0,
        };
        if let Some(offset_ms) = fixed_offset_ms(time_zone) {
            let default_origin_ms = local_origin_ms - offset_ms;
            if let Some(length_ms) = length_ms {
                return Self::Fixed {
                    length_ms,
                    origin_ms: origin_ms.unwrap_or(default_origin_ms),
                };
            }
            let only_months = period.total_days() == 0 && period.total_time_ms() == 0;
            return match origin_ms {
                None if only_months => {
                    Self::LocalMonths { months: period.total_months(), offset_ms }
                }
                _ => Self::Numbered { origin_ms: origin_ms.unwrap_or(default_origin_ms) },
            };
        }
        if let (Some(length_ms @ (SECOND_MS | MINUTE_MS | HOUR_MS)), None) = (length_ms, origin_ms)
        {
            return Self::LocalClock { length_ms };
        }
        let origin_ms = origin_ms.unwrap_or_else(|| local_to_instant(time_zone, local_origin_ms));
        match length_ms {
            Some(length_ms) if period.total_days() == 0 => Self::Fixed { length_ms, origin_ms },
            _ => Self::Numbered { origin_ms },
        }
    }
}

/// Months since January 1970 of a local time.
fn local_month(local_ms: i64) -> i64 {
    let (year, month, _) = civil_from_days(local_ms.div_euclid(DAY_MS));
    (year - 1970) * 12 + i64::from(month) - 1
}

/// The local time at which a month begins, saturating at the ends of time.
fn month_start(month: i64) -> i64 {
    let year = month.div_euclid(12) + 1970;
    if year.abs() > 1_000_000_000 {
        return if year < 0 { MIN_TIME_MS } else { MAX_TIME_MS };
    }
    days_from_civil(year, month.rem_euclid(12) as u32 + 1, 1).saturating_mul(DAY_MS)
}

/// A unit of the local clock begins at its full mark, or where the clocks were changed to a time
/// off the mark (Lord Howe Island moves by half an hour).
fn local_clock_start(ms: i64, length_ms: i64, time_zone: &TimeZone) -> i64 {
    let offset_ms = offset_ms_at(time_zone, ms);
    let start = fixed_start(ms, length_ms, -offset_ms);
    if offset_ms_at(time_zone, start) == offset_ms {
        return start;
    }
    last_transition_ms(time_zone, ms).map_or(start, |transition| transition.max(start))
}

fn local_clock_next(ms: i64, length_ms: i64, time_zone: &TimeZone) -> i64 {
    let offset_ms = offset_ms_at(time_zone, ms);
    let next = fixed_start(ms, length_ms, -offset_ms).saturating_add(length_ms);
    if offset_ms_at(time_zone, next - 1) == offset_ms {
        return next;
    }
    match last_transition_ms(time_zone, next - 1) {
        Some(transition) if transition > ms => transition,
        _ => next,
    }
}

/// Start and end of the bucket that holds `ms`, counted from the origin and cut at the ends of time.
fn numbered(ms: i64, period: &Period, time_zone: &TimeZone, origin_ms: i64) -> (i64, i64) {
    let boundary = |number: i64| {
        let beyond = if number < 0 { MIN_TIME_MS } else { MAX_TIME_MS };
        period.checked_add(origin_ms, number, time_zone).unwrap_or(beyond)
    };
    let average_ms = i128::from(period.average_length_ms().max(1));
    let elapsed_ms = i128::from(ms) - i128::from(origin_ms);
    let mut number = i64::try_from(elapsed_ms.div_euclid(average_ms)).unwrap_or(0);
    let mut start = boundary(number);
    while start > ms {
        number -= 1;
        start = boundary(number);
    }
    loop {
        let end = boundary(number + 1);
        if end > ms || end == MAX_TIME_MS {
            return (start, end);
        }
        number += 1;
        start = end;
    }
}
