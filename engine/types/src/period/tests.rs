//! Tests of periods.

use proptest::prelude::*;

use super::*;
use crate::time::{format_timestamp, parse_timestamp_ms};
use crate::zone::parse_time_zone;

fn period(text: &str) -> Period {
    Period::parse(text).unwrap()
}

#[test]
fn periods_are_read_and_written() {
    for text in
        ["P1Y", "P1M", "P1W", "P1D", "PT1H", "PT15M", "PT1S", "P1DT2H", "P1Y2M3W4DT5H6M7.008S"]
    {
        assert_eq!(period(text).to_string(), text);
    }
    assert_eq!(period("PT0S").to_string(), "PT0S");
    assert_eq!(period("P0D").to_string(), "PT0S");
    assert_eq!(period("pt15m"), period("PT15M"));
    assert_eq!(period("PT0.5S").total_time_ms(), 500);
    assert_eq!(period("PT1.123456789S").total_time_ms(), 1_123);
    assert_eq!(period("P1W").fixed_length_ms(), Some(7 * DAY_MS));
    assert_eq!(period("P1M").fixed_length_ms(), None);
    assert!(period("PT0S").is_zero() && !period("PT1S").is_zero());
}

#[test]
fn h_29_periods_that_mean_nothing_are_refused() {
    for (text, fix) in [
        ("", "write it like"),
        ("P", "write it like"),
        ("PT", "nothing follows the T"),
        ("P1DT", "nothing follows the T"),
        ("P-1D", "swap the ends"),
        ("-P1D", "swap the ends"),
        ("P1", "its units are"),
        ("PD", "needs a number"),
        ("P1H", "follow a T"),
        ("P1D1M", "out of order"),
        ("P1D1D", "out of order"),
        ("P1.5D", "only seconds"),
        ("PT1.S", "one to nine digits"),
        ("P99999999999D", "too large"),
        ("1D", "write it like"),
        ("P1D ", "needs a number"),
        ("P1é", "its units are"),
    ] {
        let message = Period::parse(text).unwrap_err().to_string();
        assert!(message.contains(fix), "{text}: {message}");
    }
}

#[test]
fn adding_follows_the_calendar_of_the_zone() {
    let zone = parse_time_zone("America/Los_Angeles").unwrap();
    let ms = |text| parse_timestamp_ms(text).unwrap();
    for (from, text, times, to) in [
        ("2015-01-31T00:00:00Z", "P1M", 1, "2015-02-28T00:00:00.000Z"),
        ("2016-02-29T00:00:00Z", "P1Y", 1, "2017-02-28T00:00:00.000Z"),
        ("2015-03-01T00:00:00Z", "P1M", -1, "2015-02-01T00:00:00.000Z"),
        ("2015-12-31T23:00:00Z", "P1DT2H", 2, "2016-01-03T03:00:00.000Z"),
    ] {
        let sum = period(text).checked_add_utc(ms(from), times).unwrap();
        assert_eq!(format_timestamp(sum), to);
    }
    // The day the clocks go forward has 23 hours.
    let before = ms("2024-03-10T00:00:00-08:00");
    assert_eq!(period("P1D").checked_add(before, 1, &zone), Some(ms("2024-03-11T00:00:00-07:00")));
    assert_eq!(
        period("PT24H").checked_add(before, 1, &zone),
        Some(ms("2024-03-11T01:00:00-07:00"))
    );
    assert_eq!(period("P4000000000Y").checked_add_utc(0, i64::MAX), None);
    assert_eq!(period("P1M").checked_add_utc(MAX_TIME_MS, 1), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn text_survives(years: u8, months: u8, days: u32, hours: u32, seconds: u16, millis in 0_u32..1_000) {
        let given = Period {
            years: years.into(),
            months: months.into(),
            days,
            hours,
            seconds: seconds.into(),
            millis,
            ..Period::default()
        };
        prop_assert_eq!(Period::parse(&given.to_string()), Ok(given));
    }

    #[test]
    fn adding_agrees_with_the_calendar_library(
        seconds in 0_i64..2_000_000_000,
        months in 0_u32..30,
        days in 0_u32..70,
        minutes in 0_u32..3_000,
        zone_name in prop::sample::select(vec!["UTC", "America/Los_Angeles", "Australia/Lord_Howe"]),
    ) {
        let zone = parse_time_zone(zone_name).unwrap();
        let given = Period { months, days, minutes, ..Period::default() };
        let start = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(zone.clone());
        let span = jiff::Span::new().months(months).days(days).minutes(minutes);
        // The library skips a gap by its length, this crate goes to its end, so stay on whole days.
        let start = start.start_of_day().unwrap();
        let expected = start.checked_add(span).unwrap().timestamp().as_millisecond();
        prop_assert_eq!(given.checked_add(start.timestamp().as_millisecond(), 1, &zone), Some(expected));
    }
}
