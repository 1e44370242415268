//! What a number means as a time when the spec leaves that open (`auto`). A rule of our own: Druid
//! takes every number for milliseconds, so that seconds and days land in January 1970.
//!
//! | number                                     | is                                     |
//! |--------------------------------------------|----------------------------------------|
//! | 8 digits that are a day of 1900 to 2199    | the day, `yyyyMMdd`                    |
//! | 14 digits that are a time of 1900 to 2199  | the time, `yyyyMMddHHmmss`             |
//! | below 10^8                                 | milliseconds, as in Druid              |
//! | below 10^11 (years 1973 to 5138)           | seconds                                |
//! | below 10^14                                | milliseconds                           |
//! | below 10^17                                | microseconds                           |
//! | above                                      | nanoseconds                            |
//!
//! Negative numbers go by their size, and are no dates. Fractions below a millisecond are cut off.

use henge_expr::number::double_to_long;
use henge_types::{days_from_civil, days_in_month};

const MS_PER_DAY: i64 = 86_400_000;
/// Fewer digits tell no unit.
const FIRST_SECONDS: u64 = 100_000_000;
const FIRST_MILLIS: u64 = 100_000_000_000;
const FIRST_MICROS: u64 = 100_000_000_000_000;
const FIRST_NANOS: u64 = 100_000_000_000_000_000;
/// Years that digits without a unit are taken for.
const YEARS: std::ops::Range<i64> = 1900..2200;

/// A whole number as milliseconds since 1970.
#[must_use]
pub fn auto_long_ms(number: i64) -> i64 {
    match number.unsigned_abs() {
        ..FIRST_SECONDS => day_ms(number).unwrap_or(number),
        FIRST_SECONDS..FIRST_MILLIS => number * 1_000,
        FIRST_MILLIS..FIRST_MICROS => date_time_ms(number).unwrap_or(number),
        FIRST_MICROS..FIRST_NANOS => number.div_euclid(1_000),
        FIRST_NANOS.. => number.div_euclid(1_000_000),
    }
}

/// How many of a number's units make a millisecond; 1 where they are none below.
#[must_use]
pub fn units_of_a_ms(number: i64) -> i64 {
    match number.unsigned_abs() {
        ..FIRST_MICROS => 1,
        FIRST_MICROS..FIRST_NANOS => 1_000,
        FIRST_NANOS.. => 1_000_000,
    }
}

/// Whether a decimal has more than whole milliseconds, as far as its double tells.
pub(super) fn is_double_cut(number: f64) -> bool {
    /// Doubles of seconds around now are exact to a quarter of a microsecond.
    const TOLERANCE_MS: f64 = 0.0008;
    if (FIRST_SECONDS as f64..FIRST_MILLIS as f64).contains(&number.abs()) {
        let ms = number * 1_000.0;
        return (ms - ms.round()).abs() > TOLERANCE_MS;
    }
    double_to_long(number).is_some_and(|whole| whole % units_of_a_ms(whole) != 0)
        || number.fract() != 0.0
}

/// A decimal as milliseconds since 1970; `None` when it is out of range.
pub(super) fn auto_double_ms(number: f64) -> Option<i64> {
    let whole = double_to_long(number)?;
    if (FIRST_SECONDS..FIRST_MILLIS).contains(&whole.unsigned_abs()) {
        // Half a microsecond makes up for the fraction's not being exact: .123 is to stay 123.
        return double_to_long((number * 1_000.0 + 0.0005).floor());
    }
    Some(auto_long_ms(whole))
}

/// The start of a day written as digits.
fn day_ms(digits: i64) -> Option<i64> {
    let (year, month, day) = (digits / 10_000, digits / 100 % 100, digits % 100);
    let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    let exists = YEARS.contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    exists.then(|| days_from_civil(year, month, day) * MS_PER_DAY)
}

/// A second written as digits.
fn date_time_ms(digits: i64) -> Option<i64> {
    let day_ms = day_ms(digits / 1_000_000)?;
    let (hour, minute, second) = (digits / 10_000 % 100, digits / 100 % 100, digits % 100);
    let exists = hour < 24 && minute < 60 && second < 60;
    exists.then_some(day_ms + ((hour * 60 + minute) * 60 + second) * 1_000)
}
