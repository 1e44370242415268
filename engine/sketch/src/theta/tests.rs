//! Accuracy, merge laws, round trips and hostile images.

use proptest::prelude::*;

use super::*;

fn filled(size: u32, values: std::ops::Range<i64>) -> ThetaSketch {
    let mut sketch = ThetaSketch::new(size).unwrap();
    values.for_each(|value| sketch.update_i64(value));
    sketch
}

#[test]
fn counts_below_the_size_are_exact() {
    for count in [0, 1, 2, 1_000, 4_096] {
        assert_eq!(filled(4_096, 0..count).estimate(), count as f64);
    }
}

#[test]
fn large_counts_are_within_three_standard_errors() {
    let estimate = filled(4_096, 0..200_000).estimate();
    assert!((estimate / 200_000.0 - 1.0).abs() < 3.0 / 64.0, "{estimate}");
}

#[test]
fn all_kinds_of_values_count() {
    let mut sketch = ThetaSketch::new(64).unwrap();
    sketch.update_str("");
    sketch.update_str("a");
    sketch.update_bytes(b"a");
    sketch.update_f64(0.0);
    sketch.update_f64(-0.0);
    sketch.update_i64(7);
    assert_eq!(sketch.estimate(), 4.0);
}

#[test]
fn values_can_follow_a_merge() {
    let mut sketch = filled(1_024, 0..500);
    sketch.merge(&filled(1_024, 400..900)).unwrap();
    sketch.update_i64(5);
    sketch.update_i64(5_000);
    assert_eq!(sketch.estimate(), 901.0);
    assert_eq!(sketch.clone().estimate(), 901.0);
    let mut read = ThetaSketch::from_bytes(&sketch.to_bytes()).unwrap();
    read.update_i64(5_001);
    assert_eq!(read.estimate(), 902.0);
}

#[test]
fn images_are_those_of_other_editions() {
    // What the C++ edition (5.2) writes for "apple", 42 and -0.5.
    const CPP_IMAGE: [u8; 40] = [
        0x02, 0x03, 0x03, 0x00, 0x00, 0x1a, 0xcc, 0x93, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0xa0, 0xa8, 0x54, 0x40, 0xb9, 0x56, 0x0a, 0x02, 0x0d, 0x5e, 0xe8, 0xe6, 0xd7, 0x19,
        0x40, 0x48, 0x42, 0x0a, 0x5b, 0x16, 0x93, 0xf0, 0xaa, 0x79,
    ];
    let mut sketch = ThetaSketch::new(4_096).unwrap();
    sketch.update_str("apple");
    sketch.update_i64(42);
    sketch.update_f64(-0.5);
    assert_eq!(sketch.to_bytes(), CPP_IMAGE);
    sketch.merge(&ThetaSketch::from_bytes(&CPP_IMAGE).unwrap()).unwrap();
    assert_eq!(sketch.estimate(), 3.0);
}

#[test]
fn sizes_are_rounded_and_bounded() {
    assert_eq!(ThetaSketch::new(0).unwrap().size(), 32);
    assert_eq!(ThetaSketch::new(1_000).unwrap().size(), 1_024);
    assert!(ThetaSketch::new(u32::MAX).is_err());
    assert!(ThetaSketch::new(16_384).unwrap().memory_bytes() < 10_000, "empty ones stay small");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merging_is_commutative_and_close(
        parts in prop::collection::vec((0..20_000_i64, 1..3_000_i64), 1..5),
    ) {
        let sketches: Vec<ThetaSketch> =
            parts.iter().map(|(start, length)| filled(512, *start..start + length)).collect();
        let merge = |order: &mut dyn Iterator<Item = &ThetaSketch>| {
            let mut merged = ThetaSketch::new(512).unwrap();
            for sketch in order {
                merged.merge(&ThetaSketch::from_bytes(&sketch.to_bytes()).unwrap()).unwrap();
            }
            merged
        };
        let forwards = merge(&mut sketches.iter());
        let backwards = merge(&mut sketches.iter().rev());
        let mut values: Vec<i64> =
            parts.iter().flat_map(|(start, length)| *start..start + length).collect();
        values.sort_unstable();
        values.dedup();
        for merged in [&forwards, &backwards] {
            let error = merged.estimate() / values.len() as f64 - 1.0;
            prop_assert!(error.abs() < 4.0 / 512_f64.sqrt());
        }
        prop_assert!((forwards.estimate() / backwards.estimate() - 1.0).abs() < 0.1);
    }
}

fn exercise(mut sketch: ThetaSketch) {
    assert!(sketch.memory_bytes() < 1 << 16);
    assert!(sketch.estimate().is_finite());
    let other = filled(64, 0..300);
    let mut union = other.clone();
    union.merge(&sketch).unwrap();
    assert!(union.estimate().is_finite());
    sketch.merge(&other).unwrap();
    (0..200).for_each(|value| sketch.update_i64(value));
    ThetaSketch::from_bytes(&sketch.to_bytes()).unwrap();
}

#[test]
fn round_trip_and_h_49_changed_bytes_never_panic() {
    for count in [0, 1, 20, 120] {
        let sketch = filled(64, 0..count);
        let image = sketch.to_bytes();
        assert_eq!(ThetaSketch::from_bytes(&image).unwrap().estimate(), sketch.estimate());
        for position in 0..image.len() {
            for value in [0, 1, 2, 3, 4, 127, 0x80, 0xff, image[position] ^ 16] {
                let mut hostile = image.clone();
                hostile[position] = value;
                ThetaSketch::from_bytes(&hostile).into_iter().for_each(exercise);
            }
        }
        for length in 0..image.len() {
            assert!(ThetaSketch::from_bytes(&image[..length]).is_err());
        }
    }
}

#[test]
fn h_49_entries_out_of_order_are_refused() {
    let mut image = filled(64, 0..20).to_bytes();
    let length = image.len();
    image.swap(length - 1, length - 9);
    assert!(ThetaSketch::from_bytes(&image).is_err());
}
