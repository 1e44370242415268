//! Time zones: names and offsets, and the two conversions everything else is built on (instant to
//! local time and back).
//!
//! Local times are milliseconds too ("local ms": what a UTC clock would show). Zone rules are known
//! for the years -9999 to 9999; outside of them the nearest known offset holds.

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, civil};

use crate::error::{TypeError, excerpt};
use crate::time::{DAY_MS, SECOND_MS, civil_from_days, parse_offset_ms};

/// Parses an IANA name (`America/Los_Angeles`, any case), `UTC`, `Z`, or an offset (`+05:30`).
///
/// # Errors
/// When the name is in no time-zone database.
pub fn parse_time_zone(text: &str) -> Result<TimeZone, TypeError> {
    const UTC_NAMES: [&str; 7] = ["UTC", "Z", "Etc/UTC", "GMT", "Etc/GMT", "UT", "Zulu"];
    if UTC_NAMES.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(TimeZone::UTC);
    }
    if let Some(offset_ms) = parse_offset_ms(text) {
        if offset_ms == 0 {
            return Ok(TimeZone::UTC);
        }
        let seconds = i32::try_from(offset_ms / SECOND_MS).unwrap_or_default();
        if let Ok(offset) = Offset::from_seconds(seconds) {
            return Ok(TimeZone::fixed(offset));
        }
    }
    TimeZone::get(text).map_err(|_| TypeError::TimeZone { text: excerpt(text) })
}

/// The text that [`parse_time_zone`] reads back.
#[must_use]
pub fn format_time_zone(time_zone: &TimeZone) -> String {
    if *time_zone == TimeZone::UTC {
        return "UTC".to_owned();
    }
    if let Some(name) = time_zone.iana_name() {
        return name.to_owned();
    }
    let seconds = time_zone.to_fixed_offset().map_or(0, Offset::seconds);
    let sign = if seconds < 0 { '-' } else { '+' };
    let magnitude = seconds.unsigned_abs();
    let mut text = format!("{sign}{:02}:{:02}", magnitude / 3_600, magnitude / 60 % 60);
    if !magnitude.is_multiple_of(60) {
        text.push_str(&format!(":{:02}", magnitude % 60));
    }
    text
}

/// The offset of a zone that never changes, in milliseconds; `None` for one with rules.
pub(crate) fn fixed_offset_ms(time_zone: &TimeZone) -> Option<i64> {
    if *time_zone == TimeZone::UTC {
        return Some(0);
    }
    if time_zone.iana_name().is_some() {
        return None;
    }
    time_zone.to_fixed_offset().ok().map(offset_to_ms)
}

/// Local time minus UTC at an instant.
pub fn offset_ms_at(time_zone: &TimeZone, ms: i64) -> i64 {
    match fixed_offset_ms(time_zone) {
        Some(offset) => offset,
        None => offset_to_ms(time_zone.to_offset(clamped_timestamp(ms))),
    }
}

/// The offset at an instant, with the first and the last instant around it between which it does
/// not change. All within the years for which rules are known.
#[must_use]
pub fn offset_span_ms(time_zone: &TimeZone, ms: i64) -> (i64, i64, i64) {
    if let Some(offset) = fixed_offset_ms(time_zone) {
        return (offset, i64::MIN, i64::MAX);
    }
    let mut following = time_zone.following(clamped_timestamp(ms));
    (
        offset_ms_at(time_zone, ms),
        last_transition_ms(time_zone, ms).unwrap_or(i64::MIN),
        following.next().map_or(i64::MAX, |next| next.timestamp().as_millisecond() - 1),
    )
}

/// The instant of a local time. The first of two when clocks went back; when clocks went forward
/// over it, the instant they did.
pub fn local_to_instant(time_zone: &TimeZone, local_ms: i64) -> i64 {
    if let Some(offset) = fixed_offset_ms(time_zone) {
        return local_ms.saturating_sub(offset);
    }
    let Some(local) = civil_datetime(local_ms) else {
        return local_ms.saturating_sub(offset_ms_at(time_zone, local_ms));
    };
    match time_zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => local_ms - offset_to_ms(offset),
        AmbiguousOffset::Fold { before, .. } => local_ms - offset_to_ms(before),
        AmbiguousOffset::Gap { before, .. } => {
            let after_transition = local_ms - offset_to_ms(before);
            last_transition_ms(time_zone, after_transition).unwrap_or(after_transition)
        }
    }
}

/// The last change of offset at or before an instant.
pub(crate) fn last_transition_ms(time_zone: &TimeZone, ms: i64) -> Option<i64> {
    time_zone.preceding(clamped_timestamp(ms.saturating_add(1))).next().map(|transition| {
        // Transitions are whole seconds, so nothing is lost.
        transition.timestamp().as_millisecond()
    })
}

fn offset_to_ms(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * SECOND_MS
}

fn clamped_timestamp(ms: i64) -> Timestamp {
    let ms = ms.clamp(Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn civil_datetime(local_ms: i64) -> Option<civil::DateTime> {
    let (year, month, day) = civil_from_days(local_ms.div_euclid(DAY_MS));
    let date = civil::Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()?;
    let ms_of_day = local_ms.rem_euclid(DAY_MS);
    let part = |value: i64| i8::try_from(value).ok();
    let time = civil::Time::new(
        part(ms_of_day / 3_600_000)?,
        part(ms_of_day / 60_000 % 60)?,
        part(ms_of_day / 1_000 % 60)?,
        i32::try_from(ms_of_day % 1_000 * 1_000_000).ok()?,
    )
    .ok()?;
    Some(date.to_datetime(time))
}
