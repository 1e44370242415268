//! The order of numbers, tests of stored numbers and three-valued rows.

use std::cmp::Ordering as Cmp;

use henge_types::ValueType;
use proptest::prelude::*;

use super::ends::{inside, literal_text};
use super::*;
use crate::filter::{Filter, Literal, Ordering, RangeBound};

const TWO_POW_53: i64 = 9_007_199_254_740_992;

fn number(text: &str) -> Number<'_> {
    Number::parse(text).unwrap_or_else(|| panic!("{text} is no number"))
}

#[test]
fn h_19_numbers_compare_by_value_whatever_their_spelling() {
    let ascending = [
        vec!["-Infinity"],
        vec!["-1e400"],
        vec!["-9223372036854775809", "-9223372036854775809.0"],
        vec!["-9223372036854775808.5"],
        vec!["-9223372036854775808", "-9.223372036854775808e18"],
        vec!["-1.5", "-15e-1"],
        vec!["-1e-400"],
        vec!["0", "-0", "0.0", "-0.0e99999999999999999999"],
        vec!["1e-400"],
        vec!["0.1", "1e-1", "00.100"],
        vec!["0.10000000000000000000001"],
        vec!["0.99999999999999999999"],
        vec!["1", "1.0", "+1", "0.001e3"],
        vec!["1.00000000000000000001"],
        vec!["9007199254740992", "9007199254740992.0"],
        vec!["9007199254740992.5"],
        vec!["9007199254740993", "9007199254740993.0"],
        vec!["100000000000000000", "1e17"],
        vec!["9223372036854775807", "9223372036854775807.0"],
        vec!["9223372036854775807.5"],
        vec!["9223372036854775808", "9.223372036854775808e18"],
        vec!["1e308"],
        vec!["1e400"],
        vec!["1e99999999999999999999"],
        vec!["Infinity"],
        vec!["NaN"],
    ];
    for (at, class) in ascending.iter().enumerate() {
        for left in class {
            for (other, right_class) in ascending.iter().enumerate() {
                for right in right_class {
                    let order = number(left).compare(number(right));
                    assert_eq!(order, at.cmp(&other), "{left} with {right}");
                }
            }
        }
    }
}

#[test]
fn h_19_longs_and_doubles_compare_without_rounding() {
    let double = TWO_POW_53 as f64;
    assert_eq!(compare_long_double(TWO_POW_53 + 1, double), Cmp::Greater);
    assert_eq!(compare_long_double(TWO_POW_53, double), Cmp::Equal);
    assert_eq!(compare_long_double(i64::MAX, 9_223_372_036_854_775_808.0), Cmp::Less);
    assert_eq!(compare_long_double(i64::MIN, f64::NEG_INFINITY), Cmp::Greater);
    assert_eq!(compare_long_double(i64::MAX, f64::NAN), Cmp::Less);
    assert_eq!(compare_doubles(f64::NAN, f64::NAN), Cmp::Equal);
    assert_eq!(compare_doubles(f64::INFINITY, f64::NAN), Cmp::Less);
    assert_eq!(compare_doubles(-0.0, 0.0), Cmp::Equal);
}

/// Every test of a stored number says what comparing it says.
#[test]
fn h_19_ranges_of_columns_are_what_comparing_gives() {
    let longs = [
        i64::MIN,
        i64::MIN + 1,
        -TWO_POW_53 - 1,
        -2,
        -1,
        0,
        1,
        2,
        TWO_POW_53,
        TWO_POW_53 + 1,
        100_000_000_000_000_000,
        i64::MAX - 1,
        i64::MAX,
    ];
    let texts = [
        "-1e300",
        "-9223372036854775809",
        "-9223372036854775808.5",
        "-9223372036854775808",
        "-9007199254740993.5",
        "-1.5",
        "-0.0",
        "0",
        "0.5",
        "1.0",
        "9007199254740992.5",
        "9007199254740993",
        "1e17",
        "9223372036854775806.5",
        "9223372036854775807",
        "9223372036854775807.5",
        "9223372036854775808",
        "1e300",
        "Infinity",
        "-Infinity",
        "NaN",
    ];
    let doubles = [9_007_199_254_740_992.0, 1e17, -0.5, 9_223_372_036_854_775_808.0, f64::NAN];
    let numbers: Vec<Number<'_>> =
        texts.into_iter().map(number).chain(doubles.map(Number::Double)).collect();
    for &literal in &numbers {
        for strict in [false, true] {
            let lower = NumericTest::<i64>::between(Some((literal, strict)), None);
            let upper = NumericTest::<i64>::between(None, Some((literal, strict)));
            for long in longs {
                let order = Number::Long(long).compare(literal);
                let say = format!("{long} beside {literal:?}, strict {strict}");
                assert_eq!(lower.matches(long), order.is_gt() || order.is_eq() && !strict, "{say}");
                assert_eq!(upper.matches(long), order.is_lt() || order.is_eq() && !strict, "{say}");
                let equal = NumericTest::<i64>::one_of(std::iter::once(literal));
                assert_eq!(equal.matches(long), order.is_eq(), "{say}");
            }
        }
    }
}

#[test]
fn h_17_nan_and_infinities_of_columns_follow_the_order() {
    let values = [
        f64::NEG_INFINITY,
        f64::MIN,
        -1.0,
        -0.0,
        0.0,
        0.1,
        1.0,
        TWO_POW_53 as f64,
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
    ];
    let texts = [
        "-Infinity",
        "-1e400",
        "-1",
        "0",
        "-0.0",
        "0.1",
        "9007199254740993",
        "9007199254740991",
        "1e400",
        "Infinity",
        "NaN",
    ];
    for literal in texts.map(number) {
        for strict in [false, true] {
            let lower = NumericTest::<f64>::between(Some((literal, strict)), None);
            let upper = NumericTest::<f64>::between(None, Some((literal, strict)));
            for value in values {
                let order = Number::Double(value).compare(literal);
                let say = format!("{value} beside {literal:?}, strict {strict}");
                assert_eq!(
                    lower.matches(value),
                    order.is_gt() || order.is_eq() && !strict,
                    "{say}"
                );
                assert_eq!(
                    upper.matches(value),
                    order.is_lt() || order.is_eq() && !strict,
                    "{say}"
                );
                let equal = NumericTest::<f64>::one_of(std::iter::once(literal));
                assert_eq!(equal.matches(value), order.is_eq(), "{say}");
            }
        }
    }
}

#[test]
fn floats_read_literals_as_floats() {
    let equal = NumericTest::<f32>::one_of([number("0.1"), Number::Double(0.2)].into_iter());
    assert!(equal.matches(0.1) && equal.matches(0.2) && !equal.matches(0.3));
    let above = NumericTest::<f32>::between(Some((number("0.1"), true)), None);
    assert!(!above.matches(0.1) && above.matches(0.1_f32.next_up()) && above.matches(f32::NAN));
    let below = NumericTest::<f32>::between(None, Some((number("1e300"), false)));
    assert!(below.matches(f32::MAX) && !below.matches(f32::INFINITY));
    let all = NumericTest::<f32>::between(None, Some((number("NaN"), false)));
    assert_eq!(all, NumericTest::Everything);
}

#[test]
fn ranges_decide_whole_blocks() {
    let test = NumericTest::Ranges(vec![(10i64, 19), (30, 39)]);
    assert_eq!(test.of_all_between(12, 15), Some(true));
    assert_eq!(test.of_all_between(20, 29), Some(false));
    assert_eq!(test.of_all_between(40, 50), Some(false));
    assert_eq!(test.of_all_between(15, 25), None);
    assert!(test.matches(30) && !test.matches(29) && !test.matches(40));
    let test = NumericTest::From(1.0);
    assert_eq!(test.of_all_between(-1.0, 0.5), Some(false));
    assert_eq!(test.of_all_between(1.0, 2.0), Some(true));
    assert_eq!(test.of_all_between(f64::NAN, f64::NAN), None);
}

#[test]
fn a_literals_text_is_what_string_columns_hold() {
    assert_eq!(literal_text(&Literal::Double(1.0)), "1.0");
    assert_eq!(literal_text(&Literal::Long(-1)), "-1");
}

#[test]
fn spans_of_texts_hold_what_the_test_lets_pass() {
    let column = || "c".to_owned();
    let bound = |value: &str, strict| Some(RangeBound { value: value.to_owned(), strict });
    let end =
        |value: &str, strict| Some(RangeBound { value: Literal::String(value.to_owned()), strict });
    let like =
        |pattern: &str| Filter::Like { column: column(), pattern: pattern.into(), escape: None };
    let bounds = |lower, upper| Filter::Bound {
        column: column(),
        lower,
        upper,
        ordering: Ordering::Lexicographic,
    };
    let match_type = ValueType::String;
    let range = |lower, upper| Filter::Range { column: column(), match_type, lower, upper };
    let filters = [
        Filter::IsNull { column: column() },
        Filter::In { column: column(), values: Vec::new() },
        Filter::In { column: column(), values: vec![None, Some("b".to_owned())] },
        Filter::Selector { column: column(), value: Some(String::new()) },
        Filter::Equals { column: column(), match_type, value: Literal::Long(10) },
        like("b"),
        like("b%"),
        like("%"),
        bounds(bound("a", true), bound("b", false)),
        bounds(None, bound("b", true)),
        bounds(None, None),
        range(end("b", false), None),
        range(end("a", true), end("ba", true)),
    ];
    for filter in &filters {
        let (_, comparison) = Comparison::of(filter).expect("a comparison");
        let span = comparison.text_span().expect("a span");
        for text in ["", "10", "a", "aa", "b", "ba", "c"] {
            let is_inside = match &span {
                TextSpan::Nothing => false,
                TextSpan::One(value) => value == text,
                TextSpan::Prefix(prefix) => text.starts_with(prefix),
                TextSpan::Between { lower, upper } => inside(lower, upper, |end| text.cmp(end)),
            };
            let passes = comparison.with_text_test(|test| test(text));
            assert_eq!(is_inside, passes, "{filter:?} of {text:?}");
        }
    }
    let scattered =
        Filter::In { column: column(), values: vec![Some("a".into()), Some("c".into())] };
    for filter in [scattered, like("%b"), like("a_")] {
        let (_, comparison) = Comparison::of(&filter).expect("a comparison");
        assert_eq!(comparison.text_span(), None, "{filter:?}");
    }
}

/// A decimal text and what it is in units of a millionth.
fn decimal() -> impl Strategy<Value = (String, i128)> {
    let digits = prop_oneof![
        -1000_i64..1000,
        (TWO_POW_53 - 3)..(TWO_POW_53 + 3),
        (-TWO_POW_53 - 3)..(-TWO_POW_53 + 3),
        any::<i64>(),
    ];
    (digits, 0_u32..7, -6_i32..4).prop_map(|(digits, fraction, exponent)| {
        // Digits with a point somewhere in them, times a power of ten.
        let exponent = exponent.max(fraction as i32 - 6);
        let sign = if digits < 0 { "-" } else { "" };
        let text = format!("{:0>8}", digits.unsigned_abs());
        let (whole, rest) = text.split_at(text.len() - fraction as usize);
        let text = format!("{sign}{whole}.{rest}e{exponent}");
        let units = i128::from(digits) * 10_i128.pow((6 + exponent - fraction as i32) as u32);
        (text, units)
    })
}

proptest! {
    #[test]
    fn h_19_decimals_and_longs_compare_as_rational_numbers(
        (left, left_units) in decimal(),
        (right, right_units) in decimal(),
        long in prop_oneof![any::<i64>(), -1000_i64..1000, (TWO_POW_53 - 3)..(TWO_POW_53 + 3)],
    ) {
        let (left_number, right_number) = (number(&left), number(&right));
        let order = left_units.cmp(&right_units);
        prop_assert_eq!(left_number.compare(right_number), order, "{} with {}", left, right);
        let order = (i128::from(long) * 1_000_000).cmp(&left_units);
        prop_assert_eq!(Number::Long(long).compare(left_number), order, "{} with {}", long, left);
        let lower = NumericTest::<i64>::between(Some((left_number, true)), None);
        prop_assert_eq!(lower.matches(long), order.is_gt(), "{} over {}", long, left);
        let upper = NumericTest::<i64>::between(None, Some((left_number, false)));
        prop_assert_eq!(upper.matches(long), order.is_le(), "{} up to {}", long, left);
    }
}
