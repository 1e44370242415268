//! The times of a whole input, and the size of time chunks that fits them: chunks are to be few where
//! there are few rows, and small enough to be replaced and dropped one by one where there are many.

use std::collections::BTreeSet;

use henge_types::{Granularity, Interval, format_timestamp};

const DAY_MS: i64 = 86_400_000;
/// Days that are told apart; of inputs with more only the first and the last time count.
const MAX_DAYS: usize = 200_000;
/// So few chunks are fine however few rows they have.
const FEW_CHUNKS: u64 = 31;
/// Chunks of so many rows are fine however many there are.
const MANY_ROWS: u64 = 100_000;
/// Days with so many rows are cut into hours.
const ROWS_OF_AN_HOUR: u64 = 5_000_000;
/// More years than this are one chunk.
const MAX_YEARS: u64 = 200;

/// The times of rows, as far as chunks depend on them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimesSeen {
    rows: u64,
    /// First and last, in milliseconds.
    range: Option<(i64, i64)>,
    /// Days since 1970 that have rows.
    days: BTreeSet<i64>,
    latest_day: Option<i64>,
    has_more_days: bool,
}

/// A size of time chunks, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenChunks {
    /// The size.
    pub granularity: Granularity,
    /// What was chosen and by what, in a sentence.
    pub reason: String,
}

impl TimesSeen {
    /// Adds the time of a row.
    #[inline]
    pub fn see(&mut self, time_ms: i64) {
        self.rows += 1;
        self.widen(time_ms, time_ms);
        let day = time_ms.div_euclid(DAY_MS);
        if self.latest_day != Some(day) {
            self.latest_day = Some(day);
            self.add_day(day);
        }
    }

    /// Adds rows of which only the first and the last time are known.
    pub fn see_range(&mut self, first_ms: i64, last_ms: i64, rows: u64) {
        if rows == 0 || first_ms > last_ms {
            return;
        }
        self.rows += rows;
        self.widen(first_ms, last_ms);
        let (first, last) = (first_ms.div_euclid(DAY_MS), last_ms.div_euclid(DAY_MS));
        match usize::try_from(last - first) {
            Ok(days) if days < MAX_DAYS => (first..=last).for_each(|day| self.add_day(day)),
            _ => self.has_more_days = true,
        }
    }

    /// Rows that were seen.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The finest of hour, day, month, year and all of time whose chunks are few or have many rows;
    /// `None` without rows. Never coarser than the smallest chunk of what the rows are to replace: with a
    /// larger one more would go than they replace.
    #[must_use]
    pub fn choose_chunks(&self, smallest_replaced: Option<Interval>) -> Option<ChosenChunks> {
        let (first_ms, last_ms) = self.range?;
        let span = Interval { start_ms: first_ms, end_ms: last_ms + 1 };
        let (mut name, mut chunks) = self.choose(span);
        if let Some(finer) = smallest_replaced.and_then(|there| finer_than(name, there)) {
            (name, chunks) = (finer, self.chunks_of(finer, span));
        }
        let granularity = granularity(name);
        let (first, last) = (format_timestamp(first_ms), format_timestamp(last_ms));
        let about = if name == "hour" { "about " } else { "" };
        let plural = if chunks == 1 { "" } else { "s" };
        let reason = format!(
            "segment granularity '{name}' was chosen: {about}{chunks} time chunk{plural} for {} rows \
             from {first} to {last}",
            self.rows
        );
        Some(ChosenChunks { granularity, reason })
    }

    fn choose(&self, span: Interval) -> (&'static str, u64) {
        let days = self.chunks_of("day", span);
        if self.rows / days.saturating_mul(24).max(1) >= ROWS_OF_AN_HOUR {
            return ("hour", days * 24);
        }
        for name in ["day", "month", "year"] {
            let chunks = self.chunks_of(name, span);
            let are_few = chunks <= if name == "year" { MAX_YEARS } else { FEW_CHUNKS };
            if are_few || self.rows / chunks.max(1) >= MANY_ROWS {
                return (name, chunks);
            }
        }
        ("all", 1)
    }

    /// Chunks of a size that have rows.
    fn chunks_of(&self, name: &str, span: Interval) -> u64 {
        let granularity = granularity(name);
        if self.has_more_days {
            return granularity.bucket_count_estimate(span);
        }
        let starts = self.days.iter().map(|day| granularity.bucket_start(day * DAY_MS));
        let (mut count, mut latest) = (0, None);
        for start in starts {
            count += u64::from(latest != Some(start));
            latest = Some(start);
        }
        count
    }

    fn widen(&mut self, first_ms: i64, last_ms: i64) {
        let (first, last) = self.range.unwrap_or((first_ms, last_ms));
        self.range = Some((first.min(first_ms), last.max(last_ms)));
    }

    fn add_day(&mut self, day: i64) {
        if self.days.len() < MAX_DAYS {
            self.days.insert(day);
        } else if !self.days.contains(&day) {
            self.has_more_days = true;
        }
    }
}

fn granularity(name: &str) -> Granularity {
    Granularity::parse_name(name).unwrap_or(Granularity::All)
}

/// The coarsest size that cuts a chunk nowhere and is finer than the one named.
fn finer_than(name: &str, chunk: Interval) -> Option<&'static str> {
    let is_finer = |other: &Granularity| {
        let length = |granularity: &Granularity| granularity.bucket(chunk.start_ms).duration_ms();
        length(other) < length(&granularity(name))
    };
    if granularity(name).bucket(chunk.start_ms).duration_ms() <= chunk.duration_ms() {
        return None;
    }
    let fits = |other: &Granularity| {
        let bucket = other.bucket(chunk.start_ms);
        bucket.start_ms == chunk.start_ms && bucket.end_ms <= chunk.end_ms
    };
    ["year", "month", "day", "hour"].into_iter().find(|other| {
        let other = granularity(other);
        is_finer(&other) && fits(&other)
    })
}

#[cfg(test)]
mod tests {
    use henge_types::Interval;

    use super::{DAY_MS, TimesSeen};

    fn chosen(days: impl Iterator<Item = i64>, rows_a_day: u64) -> String {
        let mut times = TimesSeen::default();
        for day in days {
            times.see_range(day * DAY_MS, day * DAY_MS + 1, rows_a_day);
        }
        times.choose_chunks(None).map_or_else(String::new, |chosen| chosen.reason)
    }

    #[test]
    fn few_rows_make_few_chunks_and_many_rows_small_ones() {
        for (days, rows_a_day, name) in [
            (0..0, 1, ""),
            (0..1, 5, "'day'"),
            (0..30, 5, "'day'"),
            (0..365, 3_000, "'month'"),
            (0..365, 200_000, "'day'"),
            (0..7, 24 * 5_000_000, "'hour'"),
            // Thirty years of daily prices.
            (0..30 * 365, 1, "'year'"),
            (-400_000..-399_000, 1, "'year'"),
            (-150_000..0, 1, "'all'"),
        ] {
            let found = chosen(days.clone(), rows_a_day);
            assert!(found.contains(name) && found.is_empty() == days.is_empty(), "{found}");
        }
    }

    #[test]
    fn one_stray_time_does_not_make_chunks_coarser() {
        let mut times = TimesSeen::default();
        times.see(0);
        (19_000..19_020).for_each(|day| times.see(day * DAY_MS));
        let chosen = times.choose_chunks(None).unwrap();
        assert_eq!(times.rows(), 21);
        assert!(chosen.reason.starts_with("segment granularity 'day' was chosen: 21 time chunks"));
    }

    #[test]
    fn what_is_replaced_is_not_replaced_by_more() {
        let mut times = TimesSeen::default();
        (0..365).for_each(|day| times.see(day * DAY_MS));
        let reason = |first: i64, days: i64| {
            let there = Interval { start_ms: first * DAY_MS, end_ms: (first + days) * DAY_MS };
            times.choose_chunks(Some(there)).unwrap().reason
        };
        assert!(reason(31, 1).contains("'day' was chosen: 365"));
        assert!(reason(31, 28).contains("'month'"));
        // A week, from a Thursday on: only days cut it nowhere.
        assert!(reason(7, 7).contains("'day'"));
        assert!(reason(0, 365).contains("'month'"));
    }

    #[test]
    fn more_days_than_are_told_apart_count_by_their_span() {
        let mut times = TimesSeen::default();
        times.see_range(-300_000 * DAY_MS, 300_000 * DAY_MS, 10);
        let reason = times.choose_chunks(None).unwrap().reason;
        assert!(reason.contains("'all'"), "{reason}");
    }
}
