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
        let seconds = (offset_ms.abs() / SECOND_MS) as u32;
        text.push_pair(seconds / 3_600);
        text.push(b':');
        text.push_pair(seconds / 60 % 60);
        if !seconds.is_multiple_of(60) {
            text.push(b':');
            text.push_pair(seconds % 60);
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
        let ms_of_day = local_ms.rem_euclid(DAY_MS) as u32;
        let seconds = ms_of_day / 1_000;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let ms = ms_of_day % 1_000;
        self.push_year(year);
        // One literal instead of 19 pushes: every position is known, so nothing is checked.
        let [month_tens, month_ones] = two_digits(month);
        let [day_tens, day_ones] = two_digits(day);
        let [hour_tens, hour_ones] = two_digits(hour);
        let [minute_tens, minute_ones] = two_digits(minute);
        let [second_tens, second_ones] = two_digits(second);
        let [ms_tens, ms_ones] = two_digits(ms % 100);
        self.push_all(&[
            b'-',
            month_tens,
            month_ones,
            b'-',
            day_tens,
            day_ones,
            b'T',
            hour_tens,
            hour_ones,
            b':',
            minute_tens,
            minute_ones,
            b':',
            second_tens,
            second_ones,
            b'.',
            b'0' + (ms / 100) as u8,
            ms_tens,
            ms_ones,
        ]);
    }

    fn push_year(&mut self, year: i64) {
        match year {
            0 => self.push(b'+'),
            ..0 => self.push(b'-'),
            _ => {}
        }
        let mut rest = year.unsigned_abs();
        if let Ok(year @ 0..=9_999) = u32::try_from(rest) {
            self.push_pair(year / 100);
            self.push_pair(year % 100);
            return;
        }
        let mut divisor = 10_000;
        while rest / divisor >= 10 {
            divisor *= 10;
        }
        while divisor > 0 {
            self.push(b'0' + (rest / divisor) as u8);
            rest %= divisor;
            divisor /= 10;
        }
    }

    fn push_all<const N: usize>(&mut self, bytes: &[u8; N]) {
        if let Some(slots) = self.bytes.get_mut(self.length..self.length + N) {
            slots.copy_from_slice(bytes);
            self.length += N;
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }

    fn push_pair(&mut self, number: u32) {
        self.push_all(&two_digits(number));
    }
}

/// The two digits of a number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    // 128 entries, so that masking stands in for the bounds check.
    const PAIRS: [[u8; 2]; 128] = {
        let mut pairs = [[b'0'; 2]; 128];
        let mut number = 0;
        while number < 100 {
            pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
            number += 1;
        }
        pairs
    };
    PAIRS[number as usize & 127]
}
