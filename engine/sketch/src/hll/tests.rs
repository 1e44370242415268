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
fn values_added_in_bulk_make_the_same_sketch() {
    for lg_k in [4, 8, 12] {
        for count in [0_u32, 3, 100, 20_000] {
            let mut one_by_one = HllSketch::new(lg_k, HllType::Hll4).unwrap();
            // Half of the values were there before.
            let mut in_bulk = one_by_one.clone();
            for value in 0..count / 2 {
                in_bulk.update_i64(i64::from(value));
            }
            let mut bulk = in_bulk.bulk();
            for value in 0..count {
                let hash = HllHash::of_i64(i64::from(value));
                one_by_one.update_hash(hash);
                bulk.update(hash);
            }
            assert_eq!(in_bulk.estimate(), one_by_one.estimate(), "{lg_k} {count}");
        }
    }
}
