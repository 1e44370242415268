//! Tests of granularities: names, JSON, and buckets against the calendar library.

use jiff::civil::Date;
use proptest::prelude::*;

use super::*;
use crate::time::{DAY_MS, HOUR_MS, parse_timestamp_ms};
use crate::zone::parse_time_zone;

fn ms(text: &str) -> i64 {
    parse_timestamp_ms(text).unwrap()
}

fn named(name: &str) -> Granularity {
    Granularity::parse_name(name).unwrap()
}

fn zoned(period: &str, zone: &str) -> Granularity {
    Granularity::period(Period::parse(period).unwrap(), parse_time_zone(zone).unwrap(), None)
        .unwrap()
}

/// The starts of the buckets of an interval, as results show them.
fn starts(granularity: &Granularity, interval: &str) -> Vec<String> {
    let interval = Interval::parse(interval).unwrap();
    granularity.buckets(interval).map(|bucket| granularity.format_bucket(bucket.start_ms)).collect()
}

#[test]
fn simple_names_cut_as_they_say() {
    for (name, start) in [
        ("none", "2015-09-12T13:46:58.771Z"),
        ("second", "2015-09-12T13:46:58.000Z"),
        ("minute", "2015-09-12T13:46:00.000Z"),
        ("five_minute", "2015-09-12T13:45:00.000Z"),
        ("ten_minute", "2015-09-12T13:40:00.000Z"),
        ("fifteen_minute", "2015-09-12T13:45:00.000Z"),
        ("thirty_minute", "2015-09-12T13:30:00.000Z"),
        ("hour", "2015-09-12T13:00:00.000Z"),
        ("six_hour", "2015-09-12T12:00:00.000Z"),
        ("eight_hour", "2015-09-12T08:00:00.000Z"),
        ("day", "2015-09-12T00:00:00.000Z"),
        ("week", "2015-09-07T00:00:00.000Z"),
        ("month", "2015-09-01T00:00:00.000Z"),
        ("quarter", "2015-07-01T00:00:00.000Z"),
        ("year", "2015-01-01T00:00:00.000Z"),
    ] {
        for spelling in [name.to_owned(), name.to_uppercase()] {
            let granularity = named(&spelling);
            let bucket = granularity.bucket(ms("2015-09-12T13:46:58.771Z"));
            assert_eq!(granularity.format_bucket(bucket.start_ms), start, "{name}");
            assert_eq!(granularity.bucket_start(bucket.end_ms), bucket.end_ms, "{name}");
        }
    }
    assert_eq!(named("All").bucket(0), Interval::ETERNITY);
    assert!(
        Granularity::parse_name("fortnight").unwrap_err().to_string().contains("thirty_minute")
    );
}

#[test]
fn times_before_1970_round_down_too() {
    for (name, start) in [
        ("hour", "1969-12-31T23:00:00.000Z"),
        ("week", "1969-12-29T00:00:00.000Z"),
        ("month", "1969-12-01T00:00:00.000Z"),
        ("quarter", "1969-10-01T00:00:00.000Z"),
        ("year", "1969-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(format_timestamp(named(name).bucket_start(-1)), start, "{name}");
    }
}

#[test]
fn json_forms_are_druids() {
    let read = |json: &str| serde_json::from_str::<Granularity>(json);
    assert_eq!(read("\"DAY\"").unwrap(), named("day"));
    assert_eq!(read(r#"{"type":"all"}"#).unwrap(), Granularity::All);
    assert_eq!(read(r#"{"type":"none"}"#).unwrap(), Granularity::None);
    assert_eq!(read(r#"{"type":"period","period":"P1D"}"#).unwrap(), named("day"));
    let duration = Granularity::duration(7_200_000, ms("2012-01-01T00:30:00Z")).unwrap();
    for json in [
        r#"{"type":"duration","duration":7200000,"origin":"2012-01-01T00:30:00Z"}"#,
        r#"{"type":"duration","duration":"7200000","origin":1325377800000}"#,
    ] {
        assert_eq!(read(json).unwrap(), duration);
    }
    let zoned = r#"{"type":"period","period":"P2D","timeZone":"America/Los_Angeles","origin":"2012-02-01T00:00:00-08:00"}"#;
    let written = serde_json::to_string(&read(zoned).unwrap()).unwrap();
    assert_eq!(
        written,
        r#"{"type":"period","period":"P2D","timeZone":"America/Los_Angeles","origin":"2012-02-01T08:00:00.000Z"}"#
    );
    for granularity in [Granularity::All, Granularity::None, duration, read(zoned).unwrap()] {
        let json = serde_json::to_string(&granularity).unwrap();
        assert_eq!(read(&json).unwrap(), granularity);
    }
}

#[test]
fn h_29_granularities_that_mean_nothing_are_refused() {
    for (json, fix) in [
        ("\"fortnight\"", "use all, none"),
        ("5", "a granularity"),
        ("null", "a granularity"),
        ("{}", "type"),
        (r#"{"type":"yearly"}"#, "use all, none, duration or period"),
        (r#"{"type":"duration"}"#, "'duration' (milliseconds) is missing"),
        (r#"{"type":"duration","duration":0}"#, "1 ms or more"),
        (r#"{"type":"duration","duration":-5}"#, "1 ms or more"),
        (r#"{"type":"duration","duration":"1h"}"#, "must be milliseconds"),
        (r#"{"type":"period"}"#, "'period' (such as P1D) is missing"),
        (r#"{"type":"period","period":"PT0S"}"#, "must not be zero"),
        (r#"{"type":"period","period":"P-1D"}"#, "swap the ends"),
        (r#"{"type":"period","period":"P1D","timeZone":"Mars/Olympus"}"#, "Europe/Paris"),
        (r#"{"type":"period","period":"P1D","origin":"never"}"#, "start with a year"),
        (r#"{"type":"duration","duration":1,"origin":9223372036854775807}"#, "within reach"),
    ] {
        let message = serde_json::from_str::<Granularity>(json).unwrap_err().to_string();
        assert!(message.contains(fix), "{json}: {message}");
    }
}

#[test]
fn h_28_days_follow_the_clocks_of_their_zone() {
    let days = zoned("P1D", "America/Los_Angeles");
    assert_eq!(
        starts(&days, "2024-03-09T12:00-08:00/2024-03-11T12:00-07:00"),
        [
            "2024-03-09T00:00:00.000-08:00",
            "2024-03-10T00:00:00.000-08:00",
            "2024-03-11T00:00:00.000-07:00"
        ]
    );
    let length_hours = |text| days.bucket(ms(text)).duration_ms() / HOUR_MS;
    assert_eq!(length_hours("2024-03-10T12:00-07:00"), 23);
    assert_eq!(length_hours("2024-11-03T12:00-08:00"), 25);
    assert_eq!(length_hours("2024-11-04T12:00-08:00"), 24);
}

#[test]
fn h_28_a_day_whose_midnight_is_skipped_starts_when_the_clocks_jump() {
    let days = zoned("P1D", "America/Sao_Paulo");
    let bucket = days.bucket(ms("2018-11-04T12:00:00-02:00"));
    assert_eq!(days.format_bucket(bucket.start_ms), "2018-11-04T01:00:00.000-02:00");
    assert_eq!(bucket.duration_ms(), 23 * HOUR_MS);
    // Toronto once jumped from half past eleven to half past midnight.
    let days = zoned("P1D", "America/Toronto");
    let bucket = days.bucket(ms("1919-03-31T12:00:00-04:00"));
    assert_eq!(days.format_bucket(bucket.start_ms), "1919-03-31T00:30:00.000-04:00");
    // Samoa had no 30 December 2011 at all.
    let days = zoned("P1D", "Pacific/Apia");
    assert_eq!(
        starts(&days, "2011-12-29T12:00-10:00/2011-12-31T12:00+14:00"),
        ["2011-12-29T00:00:00.000-10:00", "2011-12-31T00:00:00.000+14:00"]
    );
}

#[test]
fn h_28_hours_follow_clocks_that_move_by_half_an_hour() {
    let hours = zoned("PT1H", "Australia/Lord_Howe");
    assert_eq!(
        starts(&hours, "2024-04-07T01:00+11:00/2024-04-07T03:30+10:30"),
        [
            "2024-04-07T01:00:00.000+11:00",
            "2024-04-07T01:30:00.000+10:30",
            "2024-04-07T02:00:00.000+10:30",
            "2024-04-07T03:00:00.000+10:30"
        ]
    );
    // Venezuela moved from half past two to three o'clock, within an hour.
    let hours = zoned("PT1H", "America/Caracas");
    let moved = "2016-05-01T01:30-04:30/2016-05-01T03:30-04:00";
    assert_eq!(
        starts(&hours, moved),
        [
            "2016-05-01T01:00:00.000-04:30",
            "2016-05-01T02:00:00.000-04:30",
            "2016-05-01T03:00:00.000-04:00"
        ]
    );
    let hours = zoned("PT1H", "Asia/Kolkata");
    assert_eq!(hours.format_bucket(hours.bucket_start(0)), "1970-01-01T05:00:00.000+05:30");
    let hours = zoned("PT1H", "America/Los_Angeles");
    assert_eq!(starts(&hours, "2024-11-03T00:00-07:00/2024-11-03T03:00-08:00").len(), 4);
}

#[test]
fn h_28_far_zones_and_plain_offsets_cut_local_days() {
    for (zone, start) in [
        ("+14:00", "2024-03-02T00:00:00.000+14:00"),
        ("-12:00", "2024-03-01T00:00:00.000-12:00"),
        ("Z", "2024-03-01T00:00:00.000Z"),
    ] {
        let days = zoned("P1D", zone);
        assert_eq!(days.format_bucket(days.bucket_start(ms("2024-03-01T13:00Z"))), start);
        let months = zoned("P1M", zone);
        assert!(
            months
                .format_bucket(months.bucket_start(ms("2024-03-15T13:00Z")))
                .starts_with("2024-03-01T00")
        );
    }
}

#[test]
fn origins_default_as_druids_do() {
    for (period, instant, start) in [
        ("P1W", "2015-09-12", "2015-09-07T00:00:00.000Z"),
        // Several weeks or days count from Thursday, 1970-01-01.
        ("P2W", "1970-01-10", "1970-01-01T00:00:00.000Z"),
        ("P7D", "1970-01-07", "1970-01-01T00:00:00.000Z"),
        ("P2D", "1970-01-04", "1970-01-03T00:00:00.000Z"),
        ("P2M", "1970-04-15", "1970-03-01T00:00:00.000Z"),
        ("P4Y", "1975-04-15", "1974-01-01T00:00:00.000Z"),
        ("P1DT12H", "1970-01-04", "1970-01-04T00:00:00.000Z"),
    ] {
        let granularity = zoned(period, "UTC");
        assert_eq!(format_timestamp(granularity.bucket_start(ms(instant))), start, "{period}");
    }
    // Several hours count elapsed hours from local 1970, so in summer they start at odd hours.
    let six_hours = zoned("PT6H", "America/Los_Angeles");
    let start = six_hours.bucket_start(ms("2024-07-01T08:00-07:00"));
    assert_eq!(six_hours.format_bucket(start), "2024-07-01T07:00:00.000-07:00");
}

#[test]
fn an_origin_moves_the_buckets() {
    let origin = ms("2015-01-03T06:00Z");
    for (period, start) in [
        ("P1D", "2015-09-12T06:00:00.000Z"),
        ("P1W", "2015-09-12T06:00:00.000Z"),
        ("P1M", "2015-09-03T06:00:00.000Z"),
        ("P1Y", "2015-01-03T06:00:00.000Z"),
        ("P1M1D", "2015-09-11T06:00:00.000Z"),
    ] {
        let period = Period::parse(period).unwrap();
        let granularity = Granularity::period(period, TimeZone::UTC, Some(origin)).unwrap();
        let bucket_start = granularity.bucket_start(ms("2015-09-12T13:00Z"));
        assert_eq!(format_timestamp(bucket_start), start, "{period}");
    }
}

#[test]
fn h_30_huge_bucket_counts_are_estimated_without_counting() {
    let century = Interval::parse("1970/2070").unwrap();
    let millisecond = Granularity::duration(1, 0).unwrap();
    assert_eq!(millisecond.bucket_count_estimate(century), 3_155_760_000_000);
    assert_eq!(Granularity::None.bucket_count_estimate(century), 3_155_760_000_000);
    assert_eq!(Granularity::All.bucket_count_estimate(Interval::ETERNITY), 1);
    assert_eq!(named("day").bucket_count_estimate(century), 36_525);
    assert!((1_200..=1_201).contains(&named("month").bucket_count_estimate(century)));
    let count = Granularity::None.bucket_count_estimate(Interval::ETERNITY);
    assert_eq!(count, i64::MAX as u64);
    let empty = Interval::new(5, 5).unwrap();
    assert_eq!(named("day").bucket_count_estimate(empty), 0);
    assert_eq!(named("day").buckets(empty).count(), 0);
}

#[test]
fn h_31_the_ends_of_time_have_buckets() {
    for granularity in [
        named("hour"),
        named("week"),
        named("month"),
        zoned("P1D", "America/Los_Angeles"),
        zoned("P1M", "Asia/Kolkata"),
        zoned("PT1H", "Australia/Lord_Howe"),
        Granularity::duration(i64::MAX, MAX_TIME_MS).unwrap(),
        zoned("P4000000000Y", "UTC"),
        zoned("P4000000000Y", "Europe/Paris"),
        Granularity::All,
        Granularity::None,
    ] {
        for ms in [i64::MIN, MIN_TIME_MS, MIN_TIME_MS + 1, 0, MAX_TIME_MS - 1] {
            let bucket = granularity.bucket(ms);
            assert!(bucket.contains(ms.max(MIN_TIME_MS)), "{granularity:?} {ms} {bucket}");
        }
        let last = granularity.bucket(i64::MAX);
        assert!(last.start_ms <= last.end_ms && last.end_ms == MAX_TIME_MS);
        let end = Interval::new(MAX_TIME_MS - 5, MAX_TIME_MS).unwrap();
        assert!((1..=5).contains(&granularity.buckets(end).count()));
    }
}

fn any_granularity() -> impl Strategy<Value = Granularity> {
    let periods = [
        "PT1S",
        "PT1M",
        "PT15M",
        "PT1H",
        "PT6H",
        "P1D",
        "P2D",
        "P1W",
        "P3W",
        "P1M",
        "P3M",
        "P1Y",
        "P5Y",
        "P1M1D",
        "P1DT7H",
        "P1Y2M3W4DT5H",
    ];
    let zones = [
        "UTC",
        "+05:30",
        "America/Los_Angeles",
        "America/Sao_Paulo",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Chatham",
        "Africa/Monrovia",
        "America/Caracas",
    ];
    let origin = proptest::option::of(-2_000_000_000_000_i64..2_000_000_000_000);
    let period =
        (prop::sample::select(periods.to_vec()), prop::sample::select(zones.to_vec()), origin);
    let period = period.prop_map(|(period, zone, origin_ms)| {
        let period = Period::parse(period).unwrap();
        Granularity::period(period, parse_time_zone(zone).unwrap(), origin_ms).unwrap()
    });
    let duration = (1_i64..10_000_000_000, -2_000_000_000_000_i64..2_000_000_000_000).prop_map(
        |(duration_ms, origin_ms)| Granularity::duration(duration_ms, origin_ms).unwrap(),
    );
    prop_oneof![8 => period, 1 => duration]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn buckets_partition_time(
        granularity in any_granularity(),
        ms in -4_000_000_000_000_i64..8_000_000_000_000,
    ) {
        let bucket = granularity.bucket(ms);
        prop_assert!(bucket.contains(ms));
        prop_assert_eq!(granularity.bucket_start(bucket.start_ms), bucket.start_ms);
        prop_assert_eq!(granularity.bucket_start(bucket.end_ms - 1), bucket.start_ms);
        prop_assert_eq!(granularity.bucket_start(bucket.end_ms), bucket.end_ms);
        prop_assert_eq!(granularity.next_bucket(ms), bucket.end_ms);
    }

    #[test]
    fn local_days_start_where_the_calendar_library_says(
        days in 0_i32..25_000,
        zone in prop::sample::select(vec!["America/Los_Angeles", "America/Sao_Paulo", "Pacific/Chatham"]),
    ) {
        let date = Date::new(1970, 1, 1).unwrap() + jiff::Span::new().days(days);
        let midnight = date.to_zoned(parse_time_zone(zone).unwrap()).unwrap();
        let start = midnight.start_of_day().unwrap().timestamp().as_millisecond();
        prop_assert_eq!(zoned("P1D", zone).bucket_start(start), start);
        prop_assert_eq!(zoned("P1D", zone).bucket_start(start + 20 * HOUR_MS), start);
    }

    #[test]
    fn the_estimate_is_close_and_never_low_for_fixed_lengths(
        granularity in any_granularity(),
        start in -1_000_000_000_000_i64..2_000_000_000_000,
        length in 1_i64..400,
    ) {
        let length_ms = granularity.bucket(start).duration_ms() * length;
        let interval = Interval::new(start, start + length_ms).unwrap();
        let estimate = granularity.bucket_count_estimate(interval);
        let count = granularity.buckets(interval).take(2_000).count() as u64;
        if matches!(granularity, Granularity::Duration { .. }) {
            prop_assert_eq!(estimate, count);
        }
        prop_assert!(estimate.abs_diff(count) <= 2 + count / 8, "{} for {}", estimate, count);
    }
}

#[test]
fn whole_buckets_cover_an_unaligned_interval() {
    let interval = Interval::new(DAY_MS / 2, DAY_MS * 2).unwrap();
    let buckets: Vec<Interval> = named("day").buckets(interval).collect();
    let expected = [(0, DAY_MS), (DAY_MS, 2 * DAY_MS)];
    assert_eq!(buckets, expected.map(|(start_ms, end_ms)| Interval { start_ms, end_ms }));
}
