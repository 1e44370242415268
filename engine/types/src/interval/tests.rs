//! Tests of intervals.

use proptest::prelude::*;

use super::*;

const DAY: &str = "2015-09-12T00:00:00.000Z/2015-09-13T00:00:00.000Z";

fn interval(start_ms: i64, end_ms: i64) -> Interval {
    Interval::new(start_ms, end_ms).unwrap()
}

#[test]
fn all_forms_are_read() {
    for text in [
        DAY,
        "2015-09-12/2015-09-13",
        "2015-09-12T00Z/2015-09-13T00Z",
        "2015-09-12T00:00/P1D",
        "2015-09-12/PT24H",
        "2015-09-12T00:00:00.000Z/PT86400S",
        "P1D/2015-09-13",
        "2015-09-12T02:00+02:00/2015-09-13",
    ] {
        assert_eq!(Interval::parse(text).unwrap().to_string(), DAY, "{text}");
    }
    let month = Interval::parse("2015-01-31/P1M").unwrap();
    assert_eq!(month.to_string(), "2015-01-31T00:00:00.000Z/2015-02-28T00:00:00.000Z");
    assert_eq!(Interval::parse("2015/2016").unwrap().duration_ms(), 365 * 86_400_000);
}

#[test]
fn h_31_eternity_is_an_interval_like_any_other() {
    let text = "-146136543-09-08T08:23:32.096Z/146140482-04-24T15:36:27.903Z";
    assert_eq!(Interval::parse(text), Ok(Interval::ETERNITY));
    assert_eq!(Interval::parse("eternity"), Ok(Interval::ETERNITY));
    assert_eq!(Interval::ETERNITY.to_string(), text);
    assert_eq!(Interval::ETERNITY.duration_ms(), i64::MAX);
    assert!(Interval::ETERNITY.contains(0));
    let millennia = Interval::parse("1000-01-01/3000-01-01").unwrap();
    assert_eq!(Interval::ETERNITY.intersect(&millennia), Some(millennia));
}

#[test]
fn h_29_intervals_that_mean_nothing_are_refused() {
    for (text, fix) in [
        ("2015-09-13/2015-09-12", "swap them"),
        ("2015-09-12/P-1D", "swap the ends"),
        ("2015-09-12/-P1D", "swap the ends"),
        ("2015-09-12/PT0S", "its period is zero"),
        ("PT0S/2015-09-12", "its period is zero"),
        ("R5/2015-09-12/P1D", "repeating"),
        ("P1D/P1D", "must be a timestamp"),
        ("2015-09-12", "write start/end"),
        ("2015-09-12/2015-09-13/2015-09-14", "more than two parts"),
        ("/", "start with a year"),
        ("2015-09-12/", "start with a year"),
        ("2015-02-30/P1D", "does not exist"),
        ("2015-09-12/P200000000Y", "beyond the end of time"),
        ("", "write start/end"),
    ] {
        let error = Interval::parse(text).unwrap_err();
        assert!(matches!(error, TypeError::Interval { .. }), "{error:?}");
        assert!(error.to_string().contains(fix), "{text}: {error}");
    }
}

#[test]
fn h_29_an_empty_interval_holds_nothing() {
    let empty = Interval::parse("2015-09-12/2015-09-12").unwrap();
    assert!(empty.is_empty());
    assert!(!empty.contains(empty.start_ms));
    assert!(!empty.overlaps(&Interval::ETERNITY));
    assert_eq!(condense(vec![empty]), vec![]);
}

#[test]
fn relations_are_half_open() {
    let (first, second) = (interval(0, 10), interval(10, 20));
    assert!(first.abuts(&second) && second.abuts(&first));
    assert!(!first.overlaps(&second));
    assert!(first.contains(9) && !first.contains(10));
    assert_eq!(interval(0, 15).intersect(&second), Some(interval(10, 15)));
    assert_eq!(first.intersect(&second), None);
    assert!(interval(0, 20).contains_interval(&second));
    assert!(!first.contains_interval(&interval(5, 11)));
    assert_eq!(interval(0, 1).span(&second), interval(0, 20));
}

#[test]
fn json_is_the_text() {
    let day = Interval::parse(DAY).unwrap();
    assert_eq!(serde_json::to_string(&day).unwrap(), format!("\"{DAY}\""));
    assert_eq!(serde_json::from_str::<Interval>("\"2015-09-12/P1D\"").unwrap(), day);
    assert!(serde_json::from_str::<Interval>("5").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn h_29_condensed_intervals_cover_each_instant_once(
        ends in proptest::collection::vec((0_i64..40, 0_i64..8), 0..12),
    ) {
        let given: Vec<Interval> =
            ends.iter().map(|(start, length)| interval(*start, start + length)).collect();
        let condensed = condense(given.clone());
        for instant in 0..50 {
            let before = given.iter().any(|interval| interval.contains(instant));
            let after = condensed.iter().filter(|interval| interval.contains(instant)).count();
            prop_assert_eq!(after, usize::from(before));
        }
        prop_assert!(condensed.windows(2).all(|pair| pair[0].end_ms < pair[1].start_ms));
    }
}
