//! The time that a caller gives: gRPC sends what is left of it, for clocks differ.

use std::time::Duration;

use tonic::metadata::MetadataMap;

const TIMEOUT: &str = "grpc-timeout";

/// The time that the caller waits from now on; `None` when it does not say, or not in gRPC's form.
#[must_use]
pub fn time_left(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count: u64 = is_number.then(|| digits.parse().ok())??;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_read_in_every_unit() {
        let left = |text: &'static str| {
            let mut metadata = MetadataMap::new();
            metadata.insert(TIMEOUT, text.parse().unwrap());
            time_left(&metadata)
        };
        for (text, micros) in [
            ("1H", 3_600_000_000),
            ("2M", 120_000_000),
            ("30S", 30_000_000),
            ("1500m", 1_500_000),
            ("7u", 7),
            ("99999999n", 99_999),
        ] {
            assert_eq!(left(text).map(|left| left.as_micros()), Some(micros), "{text}");
        }
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S"] {
            assert_eq!(left(text), None, "{text}");
        }
        assert_eq!(time_left(&MetadataMap::new()), None);
    }
}
