//! Accuracy, merge laws, round trips and hostile images.

use proptest::prelude::*;

use super::*;

const TYPES: [HllType; 3] = [HllType::Hll4, HllType::Hll6, HllType::Hll8];

fn filled(lg_k: u8, hll_type: HllType, values: std::ops::Range<i64>) -> HllSketch {
    let mut sketch = HllSketch::new(lg_k, hll_type).unwrap();
    values.for_each(|value| sketch.update_i64(value));
    sketch
}

#[test]
fn small_counts_are_nearly_exact() {
    for hll_type in TYPES {
        for count in [0, 1, 7, 8, 9, 100, 300] {
            let estimate = filled(12, hll_type, 0..count).estimate();
            assert!((estimate - count as f64).abs() < 0.01, "{count}: {estimate}");
        }
    }
}

#[test]
fn large_counts_are_within_three_standard_errors() {
    for hll_type in TYPES {
        for (lg_k, count) in [(10, 5_000), (12, 50_000), (14, 200_000)] {
            let estimate = filled(lg_k, hll_type, 0..count).estimate();
            let error = (estimate / count as f64 - 1.0).abs();
            assert!(error < 3.0 * 1.04 / f64::from(1 << lg_k).sqrt(), "{lg_k} {count}: {estimate}");
        }
    }
}

/// What the C++ edition (5.2) writes for "apple", 42 and -0.5.
const CPP_IMAGE: [u8; 20] = [
    0x02, 0x01, 0x07, 0x0c, 0x03, 0x08, 0x03, 0x00, 0x84, 0x14, 0xb6, 0x08, 0x1a, 0xbc, 0xd0, 0x05,
    0x40, 0x51, 0xa9, 0x04,
];

#[test]
fn images_are_those_of_other_editions() {
    let mut sketch = HllSketch::new(12, HllType::Hll4).unwrap();
    sketch.update_str("apple");
    sketch.update_i64(42);
    sketch.update_f64(-0.5);
    assert_eq!(sketch.to_bytes(), CPP_IMAGE);
    let mut read = HllSketch::from_bytes(&CPP_IMAGE).unwrap();
    read.merge(&sketch).unwrap();
    assert!((read.estimate() - 3.0).abs() < 0.01);
}

#[test]
fn equal_values_hash_equally() {
    let mut sketch = HllSketch::new(12, HllType::Hll4).unwrap();
    sketch.update_str("apple");
    sketch.update_bytes(b"apple");
    sketch.update_f64(0.0);
    sketch.update_f64(-0.0);
    sketch.update_f64(f64::NAN);
    sketch.update_f64(-f64::NAN);
    sketch.update_hash(HllHash::of_str("apple"));
    assert!((sketch.estimate() - 3.0).abs() < 0.01);
}

#[test]
fn empty_text_is_a_value() {
    let mut sketch = HllSketch::new(12, HllType::Hll4).unwrap();
    sketch.update_str("");
    assert!((sketch.estimate() - 1.0).abs() < 0.01);
}

#[test]
fn values_can_follow_a_merge() {
    let mut sketch = filled(11, HllType::Hll4, 0..5_000);
    sketch.merge(&filled(11, HllType::Hll6, 5_000..9_000)).unwrap();
    (9_000..10_000).for_each(|value| sketch.update_i64(value));
    let whole = filled(11, HllType::Hll8, 0..10_000);
    assert_eq!(sketch.estimate(), whole.estimate());
    assert_eq!(HllSketch::from_bytes(&sketch.to_bytes()).unwrap().hll_type(), HllType::Hll4);
}

#[test]
fn merging_different_sizes_keeps_the_smaller_accuracy() {
    let mut sketch = filled(14, HllType::Hll4, 0..20_000);
    sketch.merge(&filled(10, HllType::Hll4, 10_000..30_000)).unwrap();
    assert!((sketch.estimate() / 30_000.0 - 1.0).abs() < 0.12);
}

#[test]
fn parameters_out_of_range_are_refused() {
    assert!(HllSketch::new(3, HllType::Hll4).is_err());
    assert!(HllSketch::new(22, HllType::Hll4).is_err());
    assert!(HllSketch::hyper_unique().unwrap().is_empty());
}

#[test]
fn round_trip_keeps_the_estimate_in_every_mode() {
    for hll_type in TYPES {
        for lg_k in [4, 7, 8, 12] {
            for count in [0, 1, 7, 8, 30, 200, 1_000, 100_000] {
                let sketch = filled(lg_k, hll_type, 0..count);
                let bytes = sketch.to_bytes();
                let read = HllSketch::from_bytes(&bytes).unwrap();
                assert_eq!(read.estimate(), sketch.estimate(), "{hll_type:?} {lg_k} {count}");
                assert_eq!(
                    HllSketch::from_bytes(&read.to_bytes()).unwrap().estimate(),
                    read.estimate()
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_estimate_depends_on_the_set_alone(
        parts in prop::collection::vec((0..20_000_i64, 1..3_000_i64, 0..3_usize), 1..5),
        reversed in any::<bool>(),
    ) {
        let sketches: Vec<HllSketch> = parts
            .iter()
            .map(|(start, length, kind)| filled(9, TYPES[*kind], *start..start + length))
            .collect();
        let mut merged = HllSketch::new(9, HllType::Hll4).unwrap();
        let order: Vec<&HllSketch> =
            if reversed { sketches.iter().rev().collect() } else { sketches.iter().collect() };
        for sketch in order {
            let stored = HllSketch::from_bytes(&sketch.to_bytes()).unwrap();
            merged.merge(&stored).unwrap();
        }
        let mut whole = HllSketch::new(9, HllType::Hll8).unwrap();
        for (start, length, _) in &parts {
            (*start..start + length).for_each(|value| whole.update_i64(value));
        }
        prop_assert_eq!(merged.estimate(), whole.estimate());
    }
}

/// Uses a sketch in every way, so that whatever an image hides comes out.
fn exercise(mut sketch: HllSketch) {
    assert!(sketch.estimate().is_finite());
    assert!(sketch.memory_bytes() < 1 << 16);
    let other = filled(6, HllType::Hll4, 0..200);
    let mut union = other.clone();
    union.merge(&sketch).unwrap();
    assert!(union.estimate().is_finite());
    (0..500).for_each(|value| sketch.update_i64(value));
    sketch.merge(&other).unwrap();
    assert!(sketch.estimate().is_finite());
    HllSketch::from_bytes(&sketch.to_bytes()).unwrap();
}

#[test]
fn h_49_changed_bytes_never_panic() {
    for hll_type in TYPES {
        // An empty list, a list, a set and registers.
        for (lg_k, count) in [(8, 0), (8, 5), (8, 20), (5, 300)] {
            let image = filled(lg_k, hll_type, 0..count).to_bytes();
            for position in 0..image.len() {
                for value in [0, 1, 15, 63, 64, 127, 0x80, 0xff, image[position] ^ 16] {
                    let mut hostile = image.clone();
                    hostile[position] = value;
                    if position != 3 || value <= 12 {
                        HllSketch::from_bytes(&hostile).into_iter().for_each(exercise);
                    }
                }
            }
        }
    }
}

#[test]
fn h_49_short_images_are_refused() {
    for hll_type in TYPES {
        for count in [5, 40, 3_000] {
            let image = filled(8, hll_type, 0..count).to_bytes();
            for length in 0..image.len() {
                let read = HllSketch::from_bytes(&image[..length]);
                assert!(read.is_err(), "{hll_type:?} {count} {length}");
            }
        }
    }
}

#[test]
fn h_49_a_small_image_cannot_claim_a_large_table() {
    let mut image = filled(12, HllType::Hll4, 0..20).to_bytes();
    image[3] = 21;
    image[4] = 18;
    let sketch = HllSketch::from_bytes(&image).unwrap();
    assert!(sketch.memory_bytes() < 1_000);
    image[3] = 21;
    image[7] = 2;
    assert!(HllSketch::from_bytes(&image).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn h_49_any_bytes_are_refused_or_usable(
        lg_k in 4..9_u8,
        head in prop::collection::vec(any::<u8>(), 4),
        tail in prop::collection::vec(any::<u8>(), 0..400),
        preamble in prop::sample::select(vec![2_u8, 3, 10]),
    ) {
        let mut bytes = vec![preamble, 1, 7, lg_k];
        bytes.extend(head);
        bytes.extend(tail);
        HllSketch::from_bytes(&bytes).into_iter().for_each(exercise);
    }
}

#[test]
fn registers_make_the_same_sketches_as_the_library() {
    for hll_type in TYPES {
        for lg_k in [4, 7, 8, 12, 14] {
            let empty = HllSketch::new(lg_k, hll_type).unwrap();
            let mut registers = HllRegisters::like(&empty);
            let counts = [0, 1, 7, 8, 9, 23, 24, 25, 26, 383, 384, 385, 386, 1_000, 20_000];
            registers.resize(2);
            registers.resize(counts.len());
            for (group, count) in counts.into_iter().enumerate() {
                let expected = filled(lg_k, hll_type, 0..count);
                // A quarter of the values in each way, in another order, then some again.
                let quarter = |part: i64| (0..count).rev().filter(move |value| value % 4 == part);
                let words = |part| quarter(part).map(|value| value as u64).collect::<Vec<_>>();
                let hashes: Vec<HllHash> = quarter(1).map(HllHash::of_i64).collect();
                let groups = vec![group as u32; count as usize];
                quarter(0).for_each(|value| registers.update(group, HllHash::of_i64(value)));
                registers.update_each(&groups[..hashes.len()], &hashes);
                registers.update_words(group, &words(2));
                registers.update_words_of(&groups[..words(3).len()], &words(3));
                registers.update_words(group, &words(1));
                let Some(sketch) = registers.sketch(group).unwrap() else {
                    assert_eq!(count, 0);
                    continue;
                };
                assert_eq!(sketch.estimate(), expected.estimate(), "{lg_k} {count}");
                let read = HllSketch::from_bytes(&sketch.to_bytes()).unwrap();
                assert_eq!(read.estimate(), expected.estimate());
                assert_eq!(read.hll_type(), hll_type);
                let mut more = sketch.clone();
                (0..count + 100).for_each(|value| more.update_i64(value));
                more.merge(&sketch).unwrap();
                assert_eq!(more.estimate(), filled(lg_k, hll_type, 0..count + 100).estimate());
            }
            assert!(registers.sketch(counts.len()).unwrap().is_none());
            assert!(registers.memory_bytes() >= counts.len() << lg_k);
        }
    }
}
