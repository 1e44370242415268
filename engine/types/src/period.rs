//! ISO 8601 periods: `P1M`, `PT15M`, `P1W`, `P1DT2H`.
//!
//! A period is not a duration: a month has 28 to 31 days, and in a zone with daylight saving a day
//! has 23 to 25 hours. Only its time part has a fixed length.

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{TypeError, excerpt};
use crate::time::{
    DAY_MS, HOUR_MS, MAX_TIME_MS, MIN_TIME_MS, MINUTE_MS, SECOND_MS, civil_from_days,
    days_from_civil, days_in_month,
};
use crate::zone;

/// A period of calendar and clock units, as written; never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period {
    /// Years.
    pub years: u32,
    /// Months.
    pub months: u32,
    /// Weeks.
    pub weeks: u32,
    /// Days.
    pub days: u32,
    /// Hours.
    pub hours: u32,
    /// Minutes.
    pub minutes: u32,
    /// Seconds.
    pub seconds: u32,
    /// Milliseconds.
    pub millis: u32,
}

impl Period {
    /// Parses an ISO 8601 period.
    ///
    /// # Errors
    /// When it is negative, has no unit, units out of order, a fraction other than of seconds, or a
    /// number beyond 4294967295.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        parse(text)
            .map_err(|reason| TypeError::Period { text: excerpt(text), reason: reason.into() })
    }

    /// True when it has no length.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Years and months together, in months.
    #[must_use]
    pub fn total_months(&self) -> i64 {
        i64::from(self.years) * 12 + i64::from(self.months)
    }

    /// Weeks and days together, in days.
    #[must_use]
    pub fn total_days(&self) -> i64 {
        i64::from(self.weeks) * 7 + i64::from(self.days)
    }

    /// Hours, minutes, seconds and milliseconds together, in milliseconds.
    #[must_use]
    pub fn total_time_ms(&self) -> i64 {
        i64::from(self.hours) * HOUR_MS
            + i64::from(self.minutes) * MINUTE_MS
            + i64::from(self.seconds) * SECOND_MS
            + i64::from(self.millis)
    }

    /// Its length with days of 24 hours; `None` when it has months or years.
    #[must_use]
    pub fn fixed_length_ms(&self) -> Option<i64> {
        (self.years == 0 && self.months == 0)
            .then(|| self.total_days() * DAY_MS + self.total_time_ms())
    }

    /// Its average length: a month counts 30.436875 days.
    #[must_use]
    pub fn average_length_ms(&self) -> i64 {
        const MONTH_MS: i64 = 2_629_746_000;
        self.total_months()
            .saturating_mul(MONTH_MS)
            .saturating_add(self.total_days() * DAY_MS)
            .saturating_add(self.total_time_ms())
    }

    /// The instant `times` periods after `ms` in UTC (before it when negative); `None` when that is
    /// beyond the end of time.
    #[must_use]
    pub fn checked_add_utc(&self, ms: i64, times: i64) -> Option<i64> {
        self.checked_add(ms, times, &TimeZone::UTC)
    }

    /// The instant `times` periods after `ms`, with months and days counted on the zone's calendar:
    /// first months (a 31st becomes the last of a shorter month), then days, then the time part.
    #[must_use]
    pub fn checked_add(&self, ms: i64, times: i64, time_zone: &TimeZone) -> Option<i64> {
        let months = self.total_months().checked_mul(times)?;
        let days = self.total_days().checked_mul(times)?;
        let time_ms = self.total_time_ms().checked_mul(times)?;
        let mut instant = ms;
        if months != 0 || days != 0 {
            let local = ms.checked_add(zone::offset_ms_at(time_zone, ms))?;
            let shifted_days = add_months(local.div_euclid(DAY_MS), months)?.checked_add(days)?;
            let shifted =
                shifted_days.checked_mul(DAY_MS)?.checked_add(local.rem_euclid(DAY_MS))?;
            instant = zone::local_to_instant(time_zone, shifted);
        }
        instant.checked_add(time_ms).filter(|ms| (MIN_TIME_MS..=MAX_TIME_MS).contains(ms))
    }
}

/// Adds calendar months to a number of days since 1970.
fn add_months(days: i64, months: i64) -> Option<i64> {
    if months == 0 {
        return Some(days);
    }
    let (year, month, day) = civil_from_days(days);
    let total = year.checked_mul(12)?.checked_add(i64::from(month) - 1)?.checked_add(months)?;
    let year = total.div_euclid(12);
    // Far outside of eternity, and far inside of what the day arithmetic can hold.
    if year.abs() > 1_000_000_000 {
        return None;
    }
    let month = total.rem_euclid(12) as u32 + 1;
    Some(days_from_civil(year, month, day.min(days_in_month(year, month))))
}

fn parse(text: &str) -> Result<Period, &'static str> {
    const FORM: &str = "write it like P1D, PT15M, P1W or P1DT2H";
    let Some(body) = text.strip_prefix(['P', 'p']) else {
        return Err(if text.starts_with(['-', '+']) {
            "a period has no sign: swap the ends of the interval instead"
        } else {
            FORM
        });
    };
    let mut period = Period::default();
    let mut rest = body;
    let mut last_unit = 0;
    let mut in_time = false;
    if rest.is_empty() {
        return Err(FORM);
    }
    while !rest.is_empty() {
        if let (false, Some(after)) = (in_time, rest.strip_prefix(['T', 't'])) {
            in_time = true;
            rest = after;
            if rest.is_empty() {
                return Err("nothing follows the T: write it like PT15M");
            }
            continue;
        }
        let (number, after) = take_number(rest)?;
        let mut characters = after.chars();
        let unit = characters.next().map_or(' ', |letter| letter.to_ascii_uppercase());
        rest = characters.as_str();
        let rank = set_unit(&mut period, in_time, unit, number)?;
        if rank <= last_unit {
            return Err("its units are repeated or out of order: write it like P1Y2M3W4DT5H6M7S");
        }
        last_unit = rank;
    }
    Ok(period)
}

/// A number and thousandths, when it has a fraction.
type Number = (u32, Option<u32>);

fn take_number(text: &str) -> Result<(Number, &str), &'static str> {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() {
        return Err(if text.starts_with('-') {
            "negative numbers are not supported: swap the ends of the interval instead"
        } else {
            "a unit needs a number before it: write it like P1DT2H"
        });
    }
    let whole = digits.parse().map_err(|_| "a number is too large: use a larger unit")?;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return Ok(((whole, None), rest));
    };
    let (digits, rest) = split_digits(fraction);
    if digits.is_empty() || digits.len() > 9 {
        return Err("the fraction of a second has one to nine digits");
    }
    let thousandths = digits.bytes().chain([b'0'; 3]).take(3);
    let millis = thousandths.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Ok(((whole, Some(millis)), rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Sets the field of a unit and returns its rank from years (1) to seconds (7).
fn set_unit(
    period: &mut Period,
    in_time: bool,
    unit: char,
    (number, millis): Number,
) -> Result<u8, &'static str> {
    let (field, rank) = match (in_time, unit) {
        (false, 'Y') => (&mut period.years, 1),
        (false, 'M') => (&mut period.months, 2),
        (false, 'W') => (&mut period.weeks, 3),
        (false, 'D') => (&mut period.days, 4),
        (true, 'H') => (&mut period.hours, 5),
        (true, 'M') => (&mut period.minutes, 6),
        (true, 'S') => (&mut period.seconds, 7),
        (false, 'H' | 'S') => return Err("hours, minutes and seconds follow a T: PT2H, PT30S"),
        _ => return Err("its units are Y, M, W, D, then after a T: H, M, S"),
    };
    *field = number;
    match (millis, rank) {
        (None, _) => {}
        (Some(millis), 7) => period.millis = millis,
        (Some(_), _) => return Err("only seconds may have a fraction: use a smaller unit"),
    }
    Ok(rank)
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = |f: &mut std::fmt::Formatter<'_>, number: u32, unit: char| match number {
            0 => Ok(()),
            _ => write!(f, "{number}{unit}"),
        };
        f.write_str("P")?;
        unit(f, self.years, 'Y')?;
        unit(f, self.months, 'M')?;
        unit(f, self.weeks, 'W')?;
        unit(f, self.days, 'D')?;
        if self.total_time_ms() != 0 || self.is_zero() {
            f.write_str("T")?;
            unit(f, self.hours, 'H')?;
            unit(f, self.minutes, 'M')?;
        }
        let seconds = u64::from(self.seconds) + u64::from(self.millis) / 1_000;
        match self.millis % 1_000 {
            0 if seconds == 0 && !self.is_zero() => Ok(()),
            0 => write!(f, "{seconds}S"),
            millis => write!(f, "{seconds}.{millis:03}S"),
        }
    }
}

impl std::str::FromStr for Period {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        Self::parse(text)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
