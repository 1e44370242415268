//! Timestamps: milliseconds since 1970-01-01T00:00:00Z, and their ISO 8601 text.
//!
//! Text is written by plain integer arithmetic into a stack buffer, because results and segment ids
//! print millions of timestamps; a calendar library would allocate and stop at year 9999.

mod civil;
mod parse;
#[cfg(test)]
mod tests;

pub use civil::{civil_from_days, days_from_civil, days_in_month};
pub(crate) use parse::parse_offset_ms;
pub use parse::parse_timestamp_ms;

use crate::zone;

/// The earliest instant, `-146136543-09-08T08:23:32.096Z`: the start of eternity.
pub const MIN_TIME_MS: i64 = i64::MIN / 2;
/// The latest instant, `146140482-04-24T15:36:27.903Z`: the (exclusive) end of eternity.
pub const MAX_TIME_MS: i64 = i64::MAX / 2;

pub(crate) const SECOND_MS: i64 = 1_000;
pub(crate) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// Formats an instant in UTC, for example `2015-09-12T00:46:58.771Z`.
///
/// Years have at least four digits. The year before 0001 is written `+0000`, because the bare
/// `0000` is refused as input: it is nearly always a placeholder.
#[must_use]
pub fn format_timestamp(ms: i64) -> String {
    TimestampText::utc(ms).as_str().to_owned()
}

/// Appends what [`format_timestamp`] gives, without allocating beyond the growth of `out`.
pub fn write_timestamp(out: &mut Vec<u8>, ms: i64) {
    out.extend_from_slice(TimestampText::utc(ms).as_bytes());
}

/// Formats an instant as local time with its offset, for example `2024-03-01T00:00:00.000-08:00`;
/// an offset of zero is written `Z`.
#[must_use]
pub fn format_timestamp_in_zone(ms: i64, time_zone: &jiff::tz::TimeZone) -> String {
    TimestampText::with_offset(ms, zone::offset_ms_at(time_zone, ms)).as_str().to_owned()
}

/// A formatted timestamp on the stack.
pub(crate) struct TimestampText {
    bytes: [u8; 48],
    length: usize,
}

impl TimestampText {
    /// In UTC, with `Z`.
    pub(crate) fn utc(ms: i64) -> Self {
        let mut text = Self { bytes: [0; 48], length: 0 };
        text.push_local(ms);
        text.push(b'Z');
        text
    }

    /// As local time, with the offset.
    pub(crate) fn with_offset(ms: i64, offset_ms: i64) -> Self {
        if offset_ms == 0 {
            return Self::utc(ms);
        }
        let mut text = Self { bytes: [0; 48], length: 0 };
        text.push_local(ms.saturating_add(offset_ms));
        text.push(if offset_ms < 0 { b'-' } else { b'+' });
        let seconds = offset_ms.unsigned_abs() / 1_000;
        text.push_two(seconds / 3_600);
        text.push(b':');
        text.push_two(seconds / 60 % 60);
        if !seconds.is_multiple_of(60) {
            text.push(b':');
            text.push_two(seconds % 60);
        }
        text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn push_local(&mut self, local_ms: i64) {
        let (year, month, day) = civil_from_days(local_ms.div_euclid(DAY_MS));
        let ms_of_day = local_ms.rem_euclid(DAY_MS).unsigned_abs();
        self.push_year(year);
        self.push(b'-');
        self.push_two(u64::from(month));
        self.push(b'-');
        self.push_two(u64::from(day));
        self.push(b'T');
        self.push_two(ms_of_day / 3_600_000);
        self.push(b':');
        self.push_two(ms_of_day / 60_000 % 60);
        self.push(b':');
        self.push_two(ms_of_day / 1_000 % 60);
        self.push(b'.');
        self.push_digit(ms_of_day / 100 % 10);
        self.push_two(ms_of_day % 100);
    }

    fn push_year(&mut self, year: i64) {
        match year {
            0 => self.push(b'+'),
            ..0 => self.push(b'-'),
            _ => {}
        }
        let year = year.unsigned_abs();
        if year <= 9_999 {
            self.push_two(year / 100);
            self.push_two(year % 100);
            return;
        }
        let mut divisor = 10_000;
        while year / divisor >= 10 {
            divisor *= 10;
        }
        while divisor > 0 {
            self.push_digit(year / divisor % 10);
            divisor /= 10;
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }

    fn push_digit(&mut self, digit: u64) {
        self.push(b'0' + (digit % 10) as u8);
    }

    fn push_two(&mut self, number: u64) {
        self.push_digit(number / 10);
        self.push_digit(number);
    }
}
