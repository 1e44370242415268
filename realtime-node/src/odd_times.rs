//! Times that were probably read in the wrong unit.

use henge_types::format_timestamp;

/// Times of events are mostly between these: 1975 and 2100.
const USUAL_TIMES_MS: std::ops::Range<i64> = 157_766_400_000..4_102_444_800_000;

/// What is odd about events from the first to the last of these times, in milliseconds.
pub(crate) fn odd_times(first_ms: i64, last_ms: i64) -> Option<String> {
    if USUAL_TIMES_MS.contains(&first_ms) && USUAL_TIMES_MS.contains(&last_ms) {
        return None;
    }
    Some(format!(
        "times go from {} to {}: if these are not meant, the unit or the format of the timestamps is \
         another one; say it in timestampSpec.format (posix, millis, micro, nano, a pattern)",
        format_timestamp(first_ms),
        format_timestamp(last_ms)
    ))
}

#[cfg(test)]
mod tests {
    use super::odd_times;

    #[test]
    fn times_before_1975_and_after_2100_are_odd() {
        let (usual, odd) = (1_577_836_800_000, 20_261_101);
        assert_eq!(odd_times(usual, usual), None);
        assert!(
            odd_times(odd, usual).is_some_and(|text| text.contains("1970-01-01T05:37:41.101Z"))
        );
        assert!(odd_times(usual, 4_102_444_800_000).is_some());
    }
}
