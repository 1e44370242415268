//! Tests of reading and writing timestamps, with jiff as the independent calendar.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::zone::parse_time_zone;

const SEPTEMBER_12TH: i64 = 1_442_016_000_000;

#[test]
fn every_form_that_clients_send_is_read() {
    let cases = [
        ("2015-09-12", 0),
        ("2015-09-12T00Z", 0),
        ("2015-09-12T00:00", 0),
        ("2015-09-12T00:00Z", 0),
        ("2015-09-12T00:00:00", 0),
        ("2015-09-12T00:00:00Z", 0),
        ("2015-09-12T00:00:00.000Z", 0),
        ("2015-09-12T00:00:00.000+00:00", 0),
        ("2015-09-12 00:46:58", 2_818_000),
        ("2015-09-12 00:46:58.771", 2_818_771),
        ("2015-09-12 00:46:58 UTC", 2_818_000),
        ("2015-09-12 00:46:58 +0000", 2_818_000),
        ("2015-09-12t00:46:58z", 2_818_000),
        ("2015-09-12T00:46:58,771Z", 2_818_771),
        ("2015-09-12T00:46:58.7Z", 2_818_700),
        ("2015-09-12T00:46:58.77Z", 2_818_770),
        ("2015-09-12T00:46:58.771999Z", 2_818_771),
        ("2015-09-12T00:46:58.771999999Z", 2_818_771),
        ("2015-09-12T05:30:00+05:30", 0),
        ("2015-09-12T05:30:00.000+0530", 0),
        ("2015-09-12T05+05", 0),
        ("2015-09-11T16:00:00-08:00", 0),
        ("2015-255", 0),
        ("2015-W37-6", 0),
        ("2015-W37-6T12:00Z", 12 * HOUR_MS),
        ("2015-W37", -5 * DAY_MS),
        ("2015-09", -11 * DAY_MS),
        ("+2015-09-12", 0),
        ("+002015-09-12", 0),
    ];
    for (text, from_midnight) in cases {
        let parsed = parse_timestamp_ms(text);
        assert_eq!(parsed, Ok(SEPTEMBER_12TH + from_midnight), "{text}");
    }
    assert_eq!(parse_timestamp_ms("2015"), Ok(1_420_070_400_000));
    assert_eq!(parse_timestamp_ms("1969-12-31T23:59:59.999Z"), Ok(-1));
}

#[test]
fn eternity_is_read_and_written() {
    for (text, ms) in [
        ("-146136543-09-08T08:23:32.096Z", MIN_TIME_MS),
        ("146140482-04-24T15:36:27.903Z", MAX_TIME_MS),
        ("-0001-12-31T00:00:00.000Z", -62_167_305_600_000),
        ("0001-01-01T00:00:00.000Z", -62_135_596_800_000),
        ("10000-01-01T00:00:00.000Z", 253_402_300_800_000),
    ] {
        assert_eq!(parse_timestamp_ms(text), Ok(ms), "{text}");
        assert_eq!(format_timestamp(ms), text);
    }
    assert!(parse_timestamp_ms("146140482-04-24T15:36:27.904Z").is_err());
    assert!(parse_timestamp_ms("-146136543-09-08T08:23:32.095Z").is_err());
}

#[test]
fn h_27_times_that_do_not_exist_are_refused() {
    for (text, fix) in [
        ("2016-12-31T23:59:60Z", "no leap seconds"),
        ("2015-09-12T24:00:00Z", "00:00 of the next day"),
        ("2015-02-30", "use 01 to 28"),
        ("2016-02-30", "use 01 to 29"),
        ("1900-02-29", "use 01 to 28"),
        ("2015-04-31", "use 01 to 30"),
        ("2015-13-01", "use 01 to 12"),
        ("2015-00-01", "use 01 to 12"),
        ("2015-09-00", "use 01 to 30"),
        ("2015-366", "does not exist in 2015"),
        ("2015-W54", "use 01 to 53"),
        ("2015-W37-8", "1 (Monday) to 7 (Sunday)"),
        ("0000-01-01", "year 0000"),
        ("0000-00-00 00:00:00", "year 0000"),
        ("2015-09-12T00:60Z", "use 00 to 59"),
        ("2015-09-12T00:00+24:00", "at most 23:59"),
    ] {
        let message = parse_timestamp_ms(text).unwrap_err().to_string();
        assert!(message.contains(fix), "{text}: {message}");
    }
    assert_eq!(parse_timestamp_ms("2016-02-29"), Ok(1_456_704_000_000));
}

#[test]
fn text_that_is_not_iso_is_refused_with_a_hint() {
    for (text, fix) in [
        ("", "start with a year"),
        ("yesterday", "start with a year"),
        ("15-09-12", "four digits"),
        ("20150912", "with dashes"),
        ("20150912T000000Z", "with dashes"),
        ("1442018818771", "format millis"),
        ("1442018818", "format millis"),
        ("2015-9-12", "month needs two digits"),
        ("2015-09-1", "day needs two digits"),
        ("2015-09-12T", "hour needs two digits"),
        ("2015-09-12T1", "hour needs two digits"),
        ("2015-09-12T0046", "the zone is Z"),
        ("2015-09-12T00:46:58.", "one to nine digits"),
        ("2015-09-12T00:46:58.1234567890", "one to nine digits"),
        ("2015-09-12T00:46:58 Mars/Olympus", "the zone is Z"),
        ("2015-09-12T00:46:58Z ", "the zone is Z"),
        (" 2015-09-12", "start with a year"),
        ("2015-09-12/2015-09-13", "nothing after it"),
        ("999999999-01-01", "outside of the years"),
        ("2015-09-12T00:00:00\u{661}Z", "the zone is Z"),
    ] {
        let message = parse_timestamp_ms(text).unwrap_err().to_string();
        assert!(message.contains(fix), "{text}: {message}");
    }
}

#[test]
fn errors_do_not_carry_huge_or_unprintable_texts() {
    let message = parse_timestamp_ms(&"9".repeat(1 << 20)).unwrap_err().to_string();
    assert!(message.len() < 300, "{message}");
    let message = parse_timestamp_ms("\u{1b}[31m\0").unwrap_err().to_string();
    assert!(!message.contains(['\u{1b}', '\0']), "{message}");
}

#[test]
fn local_time_is_written_with_its_offset() {
    let zone = |name| parse_time_zone(name).unwrap();
    let ms = parse_timestamp_ms("2024-03-01T08:00:00Z").unwrap();
    for (name, text) in [
        ("America/Los_Angeles", "2024-03-01T00:00:00.000-08:00"),
        ("Asia/Kolkata", "2024-03-01T13:30:00.000+05:30"),
        ("Europe/London", "2024-03-01T08:00:00.000Z"),
        ("-03:30", "2024-03-01T04:30:00.000-03:30"),
        ("UTC", "2024-03-01T08:00:00.000Z"),
    ] {
        assert_eq!(format_timestamp_in_zone(ms, &zone(name)), text);
        assert_eq!(parse_timestamp_ms(text), Ok(ms));
    }
    let local_mean_time = parse_timestamp_ms("1850-01-01T07:52:58Z").unwrap();
    assert_eq!(
        format_timestamp_in_zone(local_mean_time, &zone("America/Los_Angeles")),
        "1850-01-01T00:00:00.000-07:52:58"
    );
}

#[test]
fn h_28_zones_beyond_the_usual_are_known_and_strangers_refused() {
    for (name, canonical) in [
        ("+14:00", "+14:00"),
        ("-12:00", "-12:00"),
        ("Z", "UTC"),
        ("etc/utc", "UTC"),
        ("america/los_angeles", "America/Los_Angeles"),
        ("+0530", "+05:30"),
    ] {
        let zone = parse_time_zone(name).unwrap();
        assert_eq!(crate::zone::format_time_zone(&zone), canonical);
        assert_eq!(parse_time_zone(canonical).unwrap(), zone);
    }
    for name in ["Mars/Olympus", "", "+25:00", "../etc/passwd", "PST8PDT,M3.2.0"] {
        let message = parse_time_zone(name).unwrap_err().to_string();
        assert!(message.contains("Europe/Paris"), "{name}: {message}");
    }
}

#[test]
fn writing_appends_what_formatting_gives() {
    let mut out = b"x".to_vec();
    write_timestamp(&mut out, SEPTEMBER_12TH + 2_818_771);
    assert_eq!(out, b"x2015-09-12T00:46:58.771Z");
    assert_eq!(format_timestamp(i64::MIN).chars().last(), Some('Z'));
    assert_eq!(format_timestamp(i64::MAX).chars().last(), Some('Z'));
}

#[test]
fn every_day_of_four_centuries_follows_the_one_before() {
    let (mut year, mut month, mut day) = (1_799, 12, 31);
    let first = days_from_civil(1_800, 1, 1);
    for days in first..first + 146_097 {
        (year, month, day) = match (month, day) {
            (12, 31) => (year + 1, 1, 1),
            _ if day == days_in_month(year, month) => (year, month + 1, 1),
            _ => (year, month, day + 1),
        };
        assert_eq!(civil_from_days(days), (year, month, day));
        assert_eq!(days_from_civil(year, month, day), days);
    }
    assert_eq!((year, month, day), (2_199, 12, 31));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_instant_survives_its_text(ms in MIN_TIME_MS..=MAX_TIME_MS) {
        prop_assert_eq!(parse_timestamp_ms(&format_timestamp(ms)), Ok(ms));
    }

    #[test]
    fn every_common_instant_reads_as_the_calendar_library_says(
        ms in -62_135_596_800_000_i64..253_402_200_000_000,
    ) {
        let timestamp = jiff::Timestamp::from_millisecond(ms).unwrap();
        let civil = TimeZone::UTC.to_datetime(timestamp);
        let expected = format!("{}Z", civil.strftime("%Y-%m-%dT%H:%M:%S.%3f"));
        prop_assert_eq!(format_timestamp(ms), expected.clone());
        prop_assert_eq!(parse_timestamp_ms(&expected), Ok(ms));
    }

    #[test]
    fn week_dates_and_days_of_year_agree_with_the_calendar_library(days in -700_000_i64..2_900_000) {
        let date = TimeZone::UTC
            .to_datetime(jiff::Timestamp::from_millisecond(days * DAY_MS).unwrap())
            .date();
        let week = date.iso_week_date();
        prop_assume!(week.year() > 0);
        let week_text =
            format!("{:04}-W{:02}-{}", week.year(), week.week(), week.weekday().to_monday_one_offset());
        prop_assert_eq!(parse_timestamp_ms(&week_text), Ok(days * DAY_MS));
        let day_text = format!("{:04}-{:03}", date.year(), date.day_of_year());
        prop_assert_eq!(parse_timestamp_ms(&day_text), Ok(days * DAY_MS));
    }

    #[test]
    fn hostile_text_never_panics(text in "[-+0-9TZW:. ]{0,40}|\\PC{0,20}") {
        let _ = parse_timestamp_ms(&text);
        let _ = crate::Interval::parse(&text);
        let _ = crate::Period::parse(&text);
        let _ = parse_time_zone(&text);
    }
}
