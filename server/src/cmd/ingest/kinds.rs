//! What texts look like: numbers, times, or nothing but text.

use henge_ingest::auto_long_ms;
use henge_types::parse_timestamp_ms;

/// From 2000 to 2100: numbers that are such times in some unit may well be times.
const PLAUSIBLE_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;
/// Fewer digits are more likely a year or a count.
const SHORTEST_TIME: usize = 8;

/// Characters of a value that are kept.
const OTHER_CHARS: usize = 40;
/// Values that are kept.
const OTHERS_KEPT: usize = 500;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    /// Written as a time, or as a number that may be one.
    Time,
    Text,
}

impl Kind {
    pub(super) fn of(text: &str) -> Self {
        if let Ok(number) = text.parse::<f64>() {
            let like_time = number.is_finite() && text.len() >= SHORTEST_TIME;
            let plausible = like_time && PLAUSIBLE_MS.contains(&auto_long_ms(number as i64));
            return if plausible { Self::Time } else { Self::Number };
        }
        if parse_timestamp_ms(text).is_ok() { Self::Time } else { Self::Text }
    }
}

/// What the values of a column have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    values: u64,
    times: u64,
    /// The first values that are no times as they are, shortened.
    pub(super) others: Vec<String>,
}

impl Seen {
    pub(super) fn see(&mut self, text: &str) {
        self.values += 1;
        let is_time = Kind::of(text) == Kind::Time;
        self.times += u64::from(is_time);
        if !is_time && self.others.len() < OTHERS_KEPT {
            self.others.push(text.chars().take(OTHER_CHARS).collect());
        }
    }

    /// True when the values may be times: a broken one among many does not matter.
    pub(super) fn is_time(&self) -> bool {
        self.times > 0 && self.times * 10 >= self.values * 9
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn numbers_may_be_times_by_their_size() {
        for text in [
            "1730419200",
            "1730419200.5",
            "1730419200000",
            "1730419200000000",
            "20261101",
            "2026-11",
        ] {
            assert_eq!(Kind::of(text), Kind::Time, "{text}");
        }
        for text in ["5", "2026", "-1.5", "12345678901234567890", "NaN"] {
            assert_eq!(Kind::of(text), Kind::Number, "{text}");
        }
        for text in ["", "x", "12:30", "1.2.3"] {
            assert_eq!(Kind::of(text), Kind::Text, "{text}");
        }
    }
}
