//! What reading a column as its type here takes from its values: times below a millisecond, digits of
//! decimals that a double does not have. Counted while they are read, with the first one.

use henge_expr::number::{format_double, keeps_digits};
use henge_types::{ChangeReport, format_timestamp};

use super::convert::{decimal_text, unscaled};

const MS_PER_DAY: i64 = 86_400_000;
/// The Julian day of 1970-01-01, which INT96 counts from.
const JULIAN_DAY_OF_EPOCH: i64 = 2_440_588;
const NANOS_PER_MS: i64 = 1_000_000;

/// Values that are not what they were in the file.
#[derive(Debug)]
pub(super) struct Losses {
    count: u64,
    /// The index of the first among the values that are there.
    pub(super) first: usize,
    example: String,
    stored: String,
    is_time: bool,
}

impl Losses {
    /// Times in units of which so many make a millisecond.
    pub(super) fn of_times(times: &[i64], unit: i64) -> Option<Self> {
        let is_cut = |time: &&i64| **time % unit != 0;
        let count = times.iter().filter(is_cut).count();
        let first = (count > 0).then(|| times.iter().position(|time| is_cut(&time)))??;
        let width = if unit == NANOS_PER_MS { 6 } else { 3 };
        let rest = format!("{:0width$}", times[first].rem_euclid(unit));
        Some(Self::cut(count, first, times[first].div_euclid(unit), &rest))
    }

    /// Times of a Julian day and the nanoseconds in it.
    pub(super) fn of_julian_times(times: impl Iterator<Item = (i64, i64)> + Clone) -> Option<Self> {
        let is_cut = |(_, nanos): &(i64, i64)| nanos % NANOS_PER_MS != 0;
        let (first, (day, nanos)) = times.clone().enumerate().find(|(_, time)| is_cut(time))?;
        let days = day.saturating_sub(JULIAN_DAY_OF_EPOCH);
        let ms = days.saturating_mul(MS_PER_DAY).saturating_add(nanos / NANOS_PER_MS);
        let rest = format!("{:06}", nanos % NANOS_PER_MS);
        Some(Self::cut(times.filter(is_cut).count(), first, ms, &rest))
    }

    fn cut(count: usize, first: usize, ms: i64, rest: &str) -> Self {
        let stored = format_timestamp(ms);
        let example = format!("{}{rest}Z", stored.trim_end_matches('Z'));
        Self { count: count as u64, first, example, stored, is_time: true }
    }

    /// Unscaled decimals in big-endian two's complement, as the doubles next to them.
    pub(super) fn of_decimals<B: AsRef<[u8]>>(
        values: impl Iterator<Item = B>,
        scale: i32,
        nearest: impl Fn(&[u8]) -> f64,
    ) -> Option<Self> {
        const FIRST_OF_18_DIGITS: u128 = 10_u128.pow(17);
        let mut losses: Option<Self> = None;
        for (at, value) in values.enumerate() {
            let bytes = value.as_ref();
            if unscaled(bytes).is_some_and(|whole| whole.unsigned_abs() < FIRST_OF_18_DIGITS) {
                continue;
            }
            let (double, mut text) = (nearest(bytes), String::new());
            decimal_text(bytes, scale, &mut text);
            if keeps_digits(&text, double) {
                continue;
            }
            match &mut losses {
                Some(losses) => losses.count += 1,
                None => {
                    let stored = format_double(double);
                    let one = Self { count: 1, first: at, example: text, stored, is_time: false };
                    losses = Some(one);
                }
            }
        }
        losses
    }

    /// Adds them to a report. `position` is the row of the first.
    pub(super) fn report(self, column: &str, position: u64, report: &mut ChangeReport) {
        let Self { count, example, stored, is_time, .. } = self;
        let mut first = Some((example, stored));
        let mut entry = || {
            let (example, stored) = first.take().unwrap_or_default();
            (example, stored, position)
        };
        if is_time {
            report.count_cut(column, count, entry);
            return;
        }
        for _ in 0..count {
            report.count(column, false, &mut entry);
        }
    }
}
