//! Civil fields of instants, and reading ISO text whose missing zone is not UTC.

use henge_types::parse_timestamp_ms;
use henge_types::time::{civil_from_days, days_from_civil};
use henge_types::zone::{local_to_instant, offset_ms_at};
use jiff::tz::TimeZone;

pub(crate) const SECOND_MS: i64 = 1_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 86_400_000;

/// An instant on the calendar and clock of a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millis: i64,
    /// Local time minus UTC.
    pub(crate) offset_ms: i64,
    days: i64,
}

impl Civil {
    pub(crate) fn new(ms: i64, zone: &TimeZone) -> Self {
        // Eternity's ends leave room for any offset.
        let ms = ms.clamp(henge_types::MIN_TIME_MS, henge_types::MAX_TIME_MS);
        let offset_ms = offset_ms_at(zone, ms);
        let local = ms + offset_ms;
        let days = local.div_euclid(DAY_MS);
        let (year, month, day) = civil_from_days(days);
        let of_day = local.rem_euclid(DAY_MS);
        Self {
            year,
            month,
            day,
            hour: of_day / 3_600_000,
            minute: of_day / 60_000 % 60,
            second: of_day / 1000 % 60,
            millis: of_day % 1000,
            offset_ms,
            days,
        }
    }

    /// Monday is 1, Sunday 7.
    pub(crate) fn day_of_week(&self) -> i64 {
        (self.days + 3).rem_euclid(7) + 1
    }

    /// January 1st is 1.
    pub(crate) fn day_of_year(&self) -> i64 {
        self.days - days_from_civil(self.year, 1, 1) + 1
    }

    /// ISO year and week: those of the week's Thursday.
    pub(crate) fn iso_week(&self) -> (i64, i64) {
        let thursday = self.days - self.day_of_week() + 4;
        let (year, _, _) = civil_from_days(thursday);
        (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
    }
}

/// Reads ISO 8601 text (a blank may stand for the `T`); without a zone of its own it is local time
/// of `zone`.
pub(crate) fn parse_iso(text: &str, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    let split = text.find(['T', 't', ' ']);
    // `2010-04-12T+09:00`: a date in a zone.
    if let Some(at) = split
        && text[at + 1..].starts_with(['+', '-'])
    {
        return parse_timestamp_ms(&format!("{}T00{}", &text[..at], &text[at + 1..])).ok();
    }
    let ms = parse_timestamp_ms(text).ok()?;
    let has_zone = split.is_some_and(|at| text[at + 1..].contains(['Z', 'z', '+', '-', 'U', 'G']));
    Some(if has_zone { ms } else { local_to_instant(zone, ms) })
}
