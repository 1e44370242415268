//! Whether rows that were truncated to one granularity can still be cut by a coarser one.

use jiff::tz::TimeZone;

use super::Granularity;
use crate::interval::Interval;
use crate::time::DAY_MS;

/// Boundaries that are compared one by one before the answer is a cautious no.
const MAX_BOUNDARIES: usize = 4_096;

impl Granularity {
    /// True when a bucket of this granularity starts at this instant. `all` has no boundaries.
    #[must_use]
    pub fn is_boundary(&self, ms: i64) -> bool {
        match self {
            Self::All => false,
            Self::None => true,
            _ => self.bucket_start(ms) == ms,
        }
    }

    /// True when, between two instants (both inclusive), each bucket of `coarser` is made of whole
    /// buckets of this granularity. A false answer may be wrong, a true one never is.
    #[must_use]
    pub fn refines(&self, coarser: &Self, first_ms: i64, last_ms: i64) -> bool {
        if *coarser == Self::All || *self == Self::None || self == coarser {
            return true;
        }
        if let Some(nested) = nested_utc_periods(self, coarser) {
            return nested;
        }
        let within = Interval { start_ms: first_ms, end_ms: last_ms.saturating_add(1) };
        let boundaries = coarser.buckets(within).skip(1).take(MAX_BOUNDARIES + 1);
        let mut count = 0;
        for bucket in boundaries {
            count += 1;
            if count > MAX_BOUNDARIES || !self.is_boundary(bucket.start_ms) {
                return false;
            }
        }
        true
    }
}

/// The answer for plain periods in UTC without an origin, where arithmetic gives it.
fn nested_utc_periods(finer: &Granularity, coarser: &Granularity) -> Option<bool> {
    let plain = |granularity: &Granularity| match granularity {
        Granularity::Period { period, time_zone, origin_ms: None }
            if *time_zone == TimeZone::UTC =>
        {
            Some(*period)
        }
        _ => None,
    };
    let (finer, coarser) = (plain(finer)?, plain(coarser)?);
    let finer_ms = finer.fixed_length_ms().filter(|length| *length > 0 && finer.weeks == 0)?;
    if DAY_MS % finer_ms == 0 && coarser.total_time_ms() == 0 {
        // Every bucket of whole days, weeks, months or years starts at midnight.
        return Some(true);
    }
    let coarser_ms = coarser.fixed_length_ms().filter(|_| coarser.weeks == 0)?;
    (coarser_ms % finer_ms == 0).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Period;
    use crate::zone::parse_time_zone;

    fn named(name: &str) -> Granularity {
        Granularity::parse_name(name).expect("a name")
    }

    const YEAR: (i64, i64) = (1_704_067_200_000, 1_735_689_599_999);

    #[test]
    fn coarser_calendar_periods_are_made_of_finer_ones() {
        let refines =
            |finer: &str, coarser: &str| named(finer).refines(&named(coarser), YEAR.0, YEAR.1);
        for (finer, coarser) in [
            ("hour", "day"),
            ("hour", "week"),
            ("minute", "hour"),
            ("day", "week"),
            ("day", "month"),
            ("month", "quarter"),
            ("month", "year"),
            ("none", "second"),
            ("day", "day"),
            ("week", "all"),
            ("all", "all"),
        ] {
            assert!(refines(finer, coarser), "{finer} {coarser}");
        }
        for (finer, coarser) in [
            ("day", "hour"),
            ("week", "month"),
            ("six_hour", "eight_hour"),
            ("all", "day"),
            ("hour", "none"),
        ] {
            assert!(!refines(finer, coarser), "{finer} {coarser}");
        }
    }

    #[test]
    fn zones_count() {
        let day_in = |zone: &str| {
            let zone = parse_time_zone(zone).expect("a zone");
            Granularity::period(Period::parse("P1D").expect("a period"), zone, None).expect("days")
        };
        assert!(named("hour").refines(&day_in("America/Los_Angeles"), YEAR.0, YEAR.1));
        assert!(!named("hour").refines(&day_in("Asia/Kolkata"), YEAR.0, YEAR.1));
        assert!(!named("day").refines(&day_in("America/Los_Angeles"), YEAR.0, YEAR.1));
    }

    #[test]
    fn what_lies_in_one_bucket_is_not_cut() {
        assert!(named("all").refines(&named("day"), YEAR.0, YEAR.0 + 3_600_000));
        assert!(named("week").refines(&named("month"), YEAR.0, YEAR.0 + 20 * DAY_MS));
        assert!(!named("all").refines(&named("day"), YEAR.0, YEAR.0 + DAY_MS));
    }
}
