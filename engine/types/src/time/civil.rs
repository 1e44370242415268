//! Days and civil dates of the proleptic Gregorian calendar, by integer arithmetic.
//!
//! A year is counted from March, so that the leap day comes last and month lengths follow one
//! linear rule; 400 years (an era) always have 146,097 days.

const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT_DAYS: i64 = 719_468;
/// 2^32 divided by the 1,461 quarter days of a year, rounded up.
const YEAR_RECIPROCAL: u64 = 2_939_745;

/// The number of days from 1970-01-01 to a date. The month is 1 to 12; a day beyond the month's end
/// counts on into the next month.
#[must_use]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let march_year = if month <= 2 { year - 1 } else { year };
    let era = march_year.div_euclid(400);
    let year_of_era = (march_year - era * 400) as u32;
    let march_month = (month + 9) % 12;
    let month_start = (153 * march_month + 2) / 5;
    let month_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + month_start;
    era * DAYS_PER_ERA + i64::from(month_of_era) + i64::from(day) - 1 - EPOCH_SHIFT_DAYS
}

/// Year, month (1 to 12) and day (1 to 31) of a number of days since 1970-01-01.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + EPOCH_SHIFT_DAYS;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = (shifted - era * DAYS_PER_ERA) as u32;
    // Quarter days make centuries (36,524.25 days) and years (365.25 days) divide evenly.
    let quarters = 4 * day_of_era + 3;
    let century = quarters / DAYS_PER_ERA as u32;
    let quarter_of_century = (quarters % DAYS_PER_ERA as u32) | 3;
    // Dividing by 1,461 by multiplying with 2^32 / 1461: quotient above, remainder below.
    let product = u64::from(quarter_of_century) * YEAR_RECIPROCAL;
    let year_of_century = (product >> 32) as u32;
    let day_of_year = (product as u32) / (4 * YEAR_RECIPROCAL as u32);
    // Months since January in 16.16 fixed point: March begins at 3, and 2141 / 65536 is a day's part.
    let months = 2_141 * day_of_year + 197_913;
    let after_new_year = day_of_year >= 306;
    let month = (months >> 16) - if after_new_year { 12 } else { 0 };
    let day = (months & 0xffff) / 2_141 + 1;
    let year = era * 400 + i64::from(100 * century + year_of_century + u32::from(after_new_year));
    (year, month, day)
}

/// The length of a month in days.
#[must_use]
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// True for years of 366 days.
pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}
