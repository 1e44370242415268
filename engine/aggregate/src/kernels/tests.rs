//! Folds and states of single operations.

use super::*;

#[test]
fn long_sums_are_exact_beyond_64_bits() {
    let values = [i64::MAX, i64::MAX, i64::MIN, -1, 7, 0];
    let expected: i128 = values.iter().map(|&v| i128::from(v)).sum();
    assert_eq!(LongSum::fold(0, &values), expected);
    let mut state = 0;
    assert!(LongSum::add_wide(&mut state, LongSum::fold(0, &[i64::MAX, 1])));
}

#[test]
fn a_sum_of_zero_differs_from_no_sum() {
    let mut state = DoubleSum::of_word(0);
    DoubleSum::add(&mut state, -0.0);
    let word = DoubleSum::to_word(state);
    assert_ne!(word, 0);
    assert_eq!(DoubleSum::result(word).to_bits(), 0);
    let mut state = DoubleSum::of_word(word);
    DoubleSum::add(&mut state, 1.5);
    assert_eq!(DoubleSum::result(DoubleSum::to_word(state)), 1.5);
    assert_eq!(DoubleSum::result(0).to_bits(), 0);
}

#[test]
fn h_17_extremes_pass_over_nan_and_tell_it_from_the_infinities() {
    const NAN: f64 = f64::NAN;
    let cases: [(&[f64], f64, f64); 6] = [
        (&[NAN, 2.0, NAN, -1.0], -1.0, 2.0),
        (&[NAN, NAN], NAN, NAN),
        (&[f64::INFINITY, NAN], f64::INFINITY, f64::INFINITY),
        (&[NAN, f64::NEG_INFINITY], f64::NEG_INFINITY, f64::NEG_INFINITY),
        (&[f64::INFINITY, f64::NEG_INFINITY], f64::NEG_INFINITY, f64::INFINITY),
        (&[], NAN, NAN),
    ];
    fn ways<O: Op<State = f64, Wide = f64>>(values: &[f64]) -> [f64; 4] {
        let mut state = O::of_word(0);
        for value in values {
            let _ = O::add(&mut state, *value);
        }
        let (first, second) = values.split_at(values.len() / 2);
        let long: Vec<f64> = values.iter().copied().cycle().take(values.len() * 80).collect();
        [
            O::of_word(O::to_word(state)),
            O::fold(O::fold(O::EMPTY, first), second),
            O::fold(O::EMPTY, &long),
            O::fold_marked(&long, &vec![u64::MAX; long.len().div_ceil(64)]),
        ]
    }
    for (values, least, greatest) in cases {
        for (found, expected) in
            [(ways::<DoubleMin>(values), least), (ways::<DoubleMax>(values), greatest)]
        {
            let same = |value: &f64| *value == expected || value.is_nan() && expected.is_nan();
            assert!(found.iter().all(same), "{values:?}: {found:?}, expected {expected}");
        }
    }
}
