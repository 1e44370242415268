//! Packed integers against plain loops over the decoded block.

use super::*;
use proptest::prelude::*;

/// Residuals of a width, their greatest among them, and the packed bytes one byte off alignment.
fn sample(width: u32, rows: usize, seed: u32) -> (Vec<u32>, Vec<u8>) {
    let mask = if width == 0 { 0 } else { u32::MAX >> (32 - width) };
    let mix = |row: u32| (row ^ seed).wrapping_mul(0x9E37_79B1).rotate_left(15);
    let mut values: Vec<u32> =
        (0..rows as u32).map(|row| mix(row).wrapping_mul(77) & mask).collect();
    if let Some(value) = values.last_mut() {
        *value = mask;
    }
    let mut bytes = vec![0xff];
    bitpack::pack(&values, width, &mut bytes);
    (values, bytes)
}

fn bits(rows: usize, is_set: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut words = vec![0; rows.div_ceil(64)];
    (0..rows).filter(|row| is_set(*row)).for_each(|row| words[row / 64] |= 1 << (row % 64));
    words
}

/// Every operation against a plain loop over the residuals.
fn check(ints: PackedInts<'_>, values: &[u32], range: Range<usize>) {
    let rows = values.len();
    let integer =
        |value: &u32| i128::from(ints.base()) + i128::from(ints.unit()) * i128::from(*value);
    let mut group = [7; GROUP];
    for index in 0..ints.group_count() + 1 {
        let start = (index * GROUP).min(rows);
        let expected = &values[start..(start + GROUP).min(rows)];
        assert_eq!(ints.unpack_group(index, &mut group), expected);
    }
    for row in (0..rows).step_by(13).chain(rows.checked_sub(1)) {
        assert_eq!(ints.residual(row), values[row]);
    }
    let part = &values[range.clone()];
    assert_eq!(ints.sum(range.clone()), part.iter().map(integer).sum::<i128>());
    let bounds = part.iter().min().zip(part.iter().max());
    let bounds = bounds.map(|(min, max)| (ints.integer(*min), ints.integer(*max)));
    assert_eq!(ints.min_max(range), bounds);
    let middle = values.get(rows / 2).copied().unwrap_or(0);
    let thirds = bits(rows, |row| row % 3 == 0 || row % 2048 < 900);
    let some: i128 = (0..rows)
        .filter(|row| thirds[row / 64] >> (row % 64) & 1 == 1)
        .map(|row| integer(&values[row]))
        .sum();
    assert_eq!(ints.sum_selected(&thirds), some);
    let mut out = vec![u64::MAX; rows.div_ceil(64)];
    for range in [0..=middle, middle..=u32::MAX, middle / 2..=middle, 0..=u32::MAX] {
        ints.select_range(range.clone(), &mut out);
        assert_eq!(out, bits(rows, |row| range.contains(&values[row])), "{range:?}");
    }
    let (one, zero) = (1, 0);
    ints.select_range(one..=zero, &mut out);
    assert!(out.iter().all(|word| *word == 0));
    for words in [0, 1, 4, 5, 16, 17, 40] {
        let set: Vec<u64> = (0..words).map(|w| 0x9E37_79B9_7F4A_7C15_u64.rotate_left(w)).collect();
        let holds = |v: u32| set.get(v as usize / 64).is_some_and(|w| w >> (v % 64) & 1 == 1);
        ints.select_in(&set, &mut out);
        assert_eq!(out, bits(rows, |row| holds(values[row])), "{words} words");
    }
}

#[test]
fn every_width_at_every_level() {
    for level in Level::all() {
        for width in 0..=32 {
            for rows in [0, 1, 63, 64, 1000, 1023, 1024, 1025, 2048, 3011] {
                let (values, bytes) = sample(width, rows, width);
                let ints = PackedInts::new(&bytes[1..], width, rows, -3, 7).unwrap();
                check(ints.at_level(level), &values, rows / 3..rows);
            }
        }
    }
}

#[test]
fn sums_do_not_wrap() {
    for level in Level::all() {
        for (width, base, unit) in [(32, i64::MIN, u64::MAX), (27, i64::MAX, 1), (28, 0, 1)] {
            let values = vec![u32::MAX >> (32 - width); 5000];
            let mut bytes = Vec::new();
            bitpack::pack(&values, width, &mut bytes);
            let ints = PackedInts::new(&bytes, width, 5000, base, unit).unwrap().at_level(level);
            let each = i128::from(base) + i128::from(unit) * i128::from(values[0]);
            assert_eq!(ints.sum(0..5000), 5000 * each);
            assert_eq!(ints.sum_selected(&[u64::MAX; 79]), 5000 * each);
        }
    }
}

#[test]
fn h_46_bad_widths_and_lengths_are_refused() {
    assert!(PackedInts::new(&[0; 100], 33, 10, 0, 1).is_none());
    assert!(PackedInts::new(&[0; 9], 8, 10, 0, 1).is_none());
    assert!(PackedInts::new(&[0; 11], 8, 10, 0, 1).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_rows_and_ranges(width in 0..=32_u32, rows in 0..4000_usize, seed: u32, a: u16, b: u16,
                           base: i64, unit: u64) {
        let (values, bytes) = sample(width, rows, seed);
        let (a, b) = (usize::from(a) % (rows + 1), usize::from(b) % (rows + 1));
        for level in Level::all() {
            let ints = PackedInts::new(&bytes[1..], width, rows, base, unit).unwrap();
            check(ints.at_level(level), &values, a.min(b)..a.max(b));
        }
    }
}
