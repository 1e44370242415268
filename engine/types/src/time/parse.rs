//! Reading ISO 8601 timestamps in all forms that clients send.
//!
//! Strict about what does not exist (February 30th, hour 24, leap seconds, year 0000) and lenient
//! about notation: a date alone, a blank for the `T`, missing minutes, offsets with or without colon.

use std::borrow::Cow;

use super::civil::{days_from_civil, days_in_month, is_leap};
use super::{DAY_MS, HOUR_MS, MAX_TIME_MS, MIN_TIME_MS, MINUTE_MS, SECOND_MS};
use crate::error::{TypeError, excerpt};

type Reason = Cow<'static, str>;

/// Years beyond this bound cannot be represented; inside it, arithmetic cannot overflow.
const YEAR_BOUND: i64 = 146_140_483;

/// Parses an ISO 8601 timestamp to milliseconds since 1970; without a zone it is UTC.
///
/// Accepted: `2015`, `2015-09`, `2015-09-12`, `2015-255` (day of year), `2015-W37-6` (week date),
/// then optionally `T` or a blank and `00`, `00:46`, `00:46:58`, `00:46:58.771` (up to nine digits,
/// cut to milliseconds), then optionally `Z`, `UTC`, `+05`, `+0530`, `+05:30`. Years have four
/// digits, or up to nine when a month follows or a sign precedes.
///
/// # Errors
/// When the text is none of these or names a date or time that does not exist.
pub fn parse_timestamp_ms(text: &str) -> Result<i64, TypeError> {
    let mut cursor = Cursor { bytes: text.as_bytes(), position: 0 };
    parse(&mut cursor).map_err(|reason| TypeError::Timestamp { text: excerpt(text), reason })
}

fn parse(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    let days = parse_date(cursor)?;
    let mut ms = days * DAY_MS;
    if cursor.take(b'T') || cursor.take(b't') || cursor.take(b' ') {
        ms += parse_time(cursor)?;
        ms -= parse_offset(cursor)?;
    }
    if cursor.position != cursor.bytes.len() {
        return Err("write it like 2015-09-12T00:46:58.771Z, with nothing after it".into());
    }
    if !(MIN_TIME_MS..=MAX_TIME_MS).contains(&ms) {
        return Err(OUT_OF_RANGE.into());
    }
    Ok(ms)
}

const OUT_OF_RANGE: &str = "it lies outside of the years -146136543 to 146140482";

fn parse_date(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    let year = parse_year(cursor)?;
    if !cursor.take(b'-') {
        return Ok(days_from_civil(year, 1, 1));
    }
    if cursor.take(b'W') {
        return parse_week_date(cursor, year);
    }
    let start = cursor.position;
    let number = cursor.number();
    match cursor.position - start {
        2 => parse_day_of_month(cursor, year, number),
        3 => {
            let length = if is_leap(year) { 366 } else { 365 };
            if !(1..=length).contains(&number) {
                return Err(format!("day {number} of the year does not exist in {year}").into());
            }
            Ok(days_from_civil(year, 1, 1) + number - 1)
        }
        _ => Err("the month needs two digits, for example 2015-09".into()),
    }
}

fn parse_year(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    let negative = cursor.take(b'-');
    let signed = negative || cursor.take(b'+');
    let start = cursor.position;
    let year = cursor.number();
    let digits = cursor.position - start;
    let dash_follows = cursor.peek() == Some(b'-');
    match digits {
        0 => return Err("it must start with a year, for example 2015-09-12T00:00:00Z".into()),
        1..=3 => return Err("the year needs four digits, for example 2015-09-12".into()),
        4 => {}
        5..=9 if signed || dash_follows => {}
        8 => return Err("write the date with dashes, for example 2015-09-12".into()),
        _ => {
            return Err("it has too many digits for a year: a count of milliseconds or seconds \
                        needs the format millis or posix, not iso"
                .into());
        }
    }
    if year == 0 && !signed {
        return Err("year 0000 does not exist: use null for a missing time".into());
    }
    if year > YEAR_BOUND {
        return Err(OUT_OF_RANGE.into());
    }
    Ok(if negative { -year } else { year })
}

fn parse_day_of_month(cursor: &mut Cursor<'_>, year: i64, month: i64) -> Result<i64, Reason> {
    if !(1..=12).contains(&month) {
        return Err(format!("month {month} does not exist: use 01 to 12").into());
    }
    let month = month as u32;
    if !cursor.take(b'-') {
        return Ok(days_from_civil(year, month, 1));
    }
    let day = cursor.two_digits("the day needs two digits, for example 2015-09-12")?;
    let last = days_in_month(year, month);
    if !(1..=i64::from(last)).contains(&day) {
        return Err(
            format!("day {day} does not exist in {year:04}-{month:02}: use 01 to {last}").into()
        );
    }
    Ok(days_from_civil(year, month, day as u32))
}

/// `2015-W37` and `2015-W37-6`: week 1 holds January 4th and weeks start on Monday.
fn parse_week_date(cursor: &mut Cursor<'_>, year: i64) -> Result<i64, Reason> {
    let week = cursor.two_digits("the week needs two digits, for example 2015-W37")?;
    let day = if cursor.take(b'-') { cursor.one_digit() } else { 1 };
    if !(1..=7).contains(&day) {
        return Err("the day of the week is one digit, 1 (Monday) to 7 (Sunday)".into());
    }
    let first_monday = monday_of_week_one(year);
    let weeks = (monday_of_week_one(year + 1) - first_monday) / 7;
    if !(1..=weeks).contains(&week) {
        return Err(format!("week {week} does not exist in {year}: use 01 to {weeks}").into());
    }
    Ok(first_monday + (week - 1) * 7 + day - 1)
}

fn monday_of_week_one(year: i64) -> i64 {
    let january_4th = days_from_civil(year, 1, 4);
    // 1970-01-01 was a Thursday, so day -3 was a Monday.
    january_4th - (january_4th + 3).rem_euclid(7)
}

fn parse_time(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    let hour = cursor.two_digits("the hour needs two digits after T, for example T00:46")?;
    if hour > 23 {
        return Err(format!("hour {hour} does not exist: midnight is 00:00 of the next day").into());
    }
    let mut ms = hour * HOUR_MS;
    if !cursor.take(b':') {
        return Ok(ms);
    }
    let minute = cursor.two_digits("the minute needs two digits, for example T00:46")?;
    if minute > 59 {
        return Err(format!("minute {minute} does not exist: use 00 to 59").into());
    }
    ms += minute * MINUTE_MS;
    if !cursor.take(b':') {
        return Ok(ms);
    }
    let second = cursor.two_digits("the second needs two digits, for example T00:46:58")?;
    if second > 59 {
        return Err(
            format!("second {second} does not exist (no leap seconds): use 00 to 59").into()
        );
    }
    Ok(ms + second * SECOND_MS + parse_fraction(cursor)?)
}

fn parse_fraction(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    if !cursor.take(b'.') && !cursor.take(b',') {
        return Ok(0);
    }
    let start = cursor.position;
    let fraction = cursor.number();
    match cursor.position - start {
        1 => Ok(fraction * 100),
        2 => Ok(fraction * 10),
        3 => Ok(fraction),
        digits @ 4..=9 => Ok(fraction / 10_i64.pow(digits as u32 - 3)),
        _ => Err("the fraction of a second has one to nine digits".into()),
    }
}

fn parse_offset(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    cursor.take(b' ');
    let rest = &cursor.bytes[cursor.position..];
    if rest.is_empty() {
        return Ok(0);
    }
    for name in [&b"UTC"[..], b"GMT", b"Z", b"z"] {
        if rest == name {
            cursor.position += name.len();
            return Ok(0);
        }
    }
    let negative = cursor.take(b'-');
    if !negative && !cursor.take(b'+') {
        return Err("the zone is Z or an offset such as +05:30, and nothing may follow it".into());
    }
    let offset = offset_after_sign(cursor)?;
    Ok(if negative { -offset } else { offset })
}

/// `05`, `0530`, `05:30` or `05:30:15`, in milliseconds.
fn offset_after_sign(cursor: &mut Cursor<'_>) -> Result<i64, Reason> {
    const FORM: &str = "the offset is written +05, +0530 or +05:30";
    let hours = cursor.two_digits(FORM)?;
    let mut minutes = 0;
    let mut seconds = 0;
    if cursor.take(b':') {
        minutes = cursor.two_digits(FORM)?;
        if cursor.take(b':') {
            seconds = cursor.two_digits(FORM)?;
        }
    } else if cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        minutes = cursor.two_digits(FORM)?;
    }
    if hours > 23 || minutes > 59 || seconds > 59 {
        return Err("the offset is at most 23:59".into());
    }
    Ok(hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS)
}

/// Parses an offset such as `+05:30` alone; `None` when it is not one.
pub(crate) fn parse_offset_ms(text: &str) -> Option<i64> {
    let mut cursor = Cursor { bytes: text.as_bytes(), position: 0 };
    let negative = cursor.take(b'-');
    if !negative && !cursor.take(b'+') {
        return None;
    }
    let offset = offset_after_sign(&mut cursor).ok()?;
    (cursor.position == text.len()).then_some(if negative { -offset } else { offset })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn take(&mut self, expected: u8) -> bool {
        let taken = self.peek() == Some(expected);
        self.position += usize::from(taken);
        taken
    }

    /// The run of digits here as a number; long runs saturate and are refused by their length.
    fn number(&mut self) -> i64 {
        let mut number = 0_i64;
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            number = number.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
            self.position += 1;
        }
        number
    }

    /// Exactly two digits: a third one belongs to whatever follows.
    fn two_digits(&mut self, otherwise: &'static str) -> Result<i64, Reason> {
        match (self.peek(), self.bytes.get(self.position + 1)) {
            (Some(tens @ b'0'..=b'9'), Some(ones @ b'0'..=b'9')) => {
                self.position += 2;
                Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
            }
            _ => Err(otherwise.into()),
        }
    }

    /// One digit, or 0 when there is none.
    fn one_digit(&mut self) -> i64 {
        match self.peek() {
            Some(byte @ b'0'..=b'9') => {
                self.position += 1;
                i64::from(byte - b'0')
            }
            _ => 0,
        }
    }
}
