//! Pieces against evaluation: at their ends, between them, and around changes of clocks.

use crate::{Expr, ExprValue};

const ZONES: [&str; 5] =
    ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"];
/// Units, periods and patterns that no piece below a second comes of.
const CALLS: [&str; 24] = [
    "timestamp_extract(t, 'EPOCH', $zone)",
    "timestamp_extract(t, 'SECOND', $zone)",
    "timestamp_extract(t, 'MINUTE', $zone)",
    "timestamp_extract(t, 'HOUR', $zone)",
    "timestamp_extract(t, 'DAY', $zone)",
    "timestamp_extract(t, 'DOW', $zone)",
    "timestamp_extract(t, 'DOY', $zone)",
    "timestamp_extract(t, 'WEEK', $zone)",
    "timestamp_extract(t, 'QUARTER', $zone)",
    "timestamp_extract(t, 'ISOYEAR', $zone)",
    "timestamp_floor(t, 'PT1H', null, $zone)",
    "timestamp_floor(t, 'PT7H', null, $zone)",
    "timestamp_floor(t, 'P1D', null, $zone)",
    "timestamp_floor(t, 'P2W', '2001-02-03T04:05:06Z', $zone)",
    "timestamp_floor(t, 'P1M', '2001-01-31T00:00:00Z', $zone)",
    "timestamp_ceil(t, 'PT30M', null, $zone)",
    "timestamp_ceil(t, 'P1M', null, $zone)",
    "timestamp_format(t, 'yyyy-MM-dd HH:mm ZZ', $zone)",
    "timestamp_format(t, 'EEE w x a', $zone)",
    "timestamp_format(timestamp_shift(t, 'PT5H', 2), 'HH', $zone)",
    "timestamp_extract(t - 1800000 + 7, 'HOUR', $zone)",
    "timestamp_shift(timestamp_floor(t, 'P1D', null, $zone), 'P1M', -1, $zone)",
    "if(timestamp_extract(t, 'HOUR', $zone) < 12, 'am ', 'pm ') + timestamp_format(t, 'D', $zone)",
    "timestamp_extract(t, 'DOW', $zone) * 100 + timestamp_extract(t, 'HOUR', 'Asia/Tokyo')",
];

/// Instants that tell mistakes apart: random ones of two ranges, and changes of clocks.
fn instants() -> Vec<i64> {
    let mut state = 42_u64;
    let mut next = |below: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 12) as i64 % below
    };
    // New York in spring and autumn 2024, Berlin in spring 2024, Kathmandu in 1986.
    let changes = [1_710_054_000_000, 1_730_613_600_000, 1_711_846_800_000, 504_901_800_000];
    let mut instants: Vec<i64> =
        (0..60).map(|_| next(4_000_000_000_000) - 2_000_000_000_000).collect();
    instants.extend((0..10).map(|_| next(400_000_000_000_000) - 200_000_000_000_000));
    for change in changes {
        instants.extend([-1, 0, 1].map(|ms| change + ms));
        instants.extend((0..15).map(|_| change + next(20_000_000) - 10_000_000));
    }
    instants.extend([i64::MIN, i64::MAX, 300_000_000_000_000]);
    instants
}

#[test]
fn results_are_constant_within_pieces() {
    for (call, zone) in CALLS.iter().flat_map(|call| ZONES.map(|zone| (call, zone))) {
        let text = call.replace("$zone", &format!("'{zone}'"));
        let expression = Expr::parse(&text).unwrap();
        let mut pieces = expression.time_pieces("t").unwrap();
        let eval = |ms: i64| expression.eval_slots(&[ExprValue::Long(ms)]).unwrap();
        for ms in instants() {
            let (first, last) = pieces.around(ms);
            assert!(first <= ms && ms <= last, "{text} at {ms}");
            let value = eval(ms);
            for other in [first, last, first + (ms - first) / 2, ms + (last - ms) / 2] {
                assert_eq!(eval(other), value, "{text} at {ms} and {other}");
            }
        }
    }
}

#[test]
fn pieces_are_as_long_as_they_may_be() {
    let around = |text: &str, ms| {
        Expr::parse(text).unwrap().time_pieces("t").map(|mut pieces| pieces.around(ms))
    };
    let hour = 3_600_000;
    assert_eq!(around("timestamp_extract(t, 'HOUR')", -1), Some((-hour, -1)));
    assert_eq!(around("timestamp_floor(t, 'P1D')", 5), Some((0, 24 * hour - 1)));
    assert_eq!(around("timestamp_ceil(t, 'PT1H')", 0), Some((0, 0)));
    assert_eq!(around("timestamp_ceil(t, 'PT1H')", 1), Some((1, hour - 1)));
    assert_eq!(around("timestamp_floor(t + 60000, 'PT1H')", 0), Some((-60_000, hour - 60_001)));
    // The hour from 1:00 comes twice in New York; the second starts at the change.
    let change = 1_730_613_600_000;
    let text = "timestamp_extract(t, 'HOUR', 'America/New_York')";
    assert_eq!(around(text, change - 1), Some((change - hour, change - 1)));
    assert_eq!(around(text, change), Some((change, change + hour - 1)));
}

#[test]
fn other_uses_have_no_pieces() {
    for text in [
        "t",
        "t + 1",
        "timestamp_shift(t, 'P1D', 1)",
        "timestamp_extract(t, 'MILLISECOND')",
        "timestamp_floor(t, 'PT0.1S')",
        "timestamp_format(t)",
        "timestamp_format(t, 'HH:mm:ss.SSS')",
        "timestamp_floor(t, period)",
        "timestamp_floor(timestamp_shift(t, 'P1M', 1), 'P1D')",
        "timestamp_floor(timestamp_shift(t, 'P1D', 1, 'Europe/Berlin'), 'P1D')",
        "timestamp_extract(t, 'HOUR') + t",
        "timestamp_extract(u, 'HOUR')",
    ] {
        assert!(Expr::parse(text).unwrap().time_pieces("t").is_none(), "{text}");
    }
}
