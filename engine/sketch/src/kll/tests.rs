//! Accuracy, merging, round trips and hostile images.

use super::*;

fn filled(k: u16, values: std::ops::Range<i32>) -> KllSketch {
    let mut sketch = KllSketch::new(k).unwrap();
    values.for_each(|value| sketch.update_f64(f64::from(value)));
    sketch
}

#[test]
fn few_values_are_exact() {
    let sketch = filled(128, 1..101);
    assert_eq!(sketch.quantile(0.5), Some(50.0));
    assert_eq!(sketch.quantile(0.0), Some(1.0));
    assert_eq!(sketch.quantile(1.0), Some(100.0));
    assert_eq!(sketch.rank(25.0), Some(0.25));
    assert_eq!((sketch.min(), sketch.max(), sketch.n()), (Some(1.0), Some(100.0), 100));
}

#[test]
fn many_values_are_within_the_rank_error() {
    let sketch = filled(200, 0..100_000);
    let ranks = [0.01, 0.25, 0.5, 0.75, 0.99];
    for (rank, value) in ranks.iter().zip(sketch.quantiles(&ranks).unwrap()) {
        assert!((value / 100_000.0 - rank).abs() < 0.04, "{rank}: {value}");
    }
    assert!(sketch.memory_bytes() < 20_000);
}

#[test]
fn empty_nan_and_bad_ranks_have_no_quantile() {
    let mut sketch = KllSketch::new(128).unwrap();
    sketch.update_f64(f64::NAN);
    assert_eq!((sketch.n(), sketch.quantile(0.5), sketch.rank(1.0)), (0, None, None));
    sketch.update_f64(f64::INFINITY);
    assert_eq!((sketch.quantile(1.5), sketch.quantile(f64::NAN)), (None, None));
    assert_eq!(sketch.quantile(0.5), Some(f64::INFINITY));
    assert!(KllSketch::new(7).is_err());
}

#[test]
fn merging_counts_everything() {
    let mut merged = KllSketch::new(128).unwrap();
    for part in 0..20 {
        let sketch = filled(128, part * 1_000..(part + 1) * 1_000);
        merged.merge(&KllSketch::from_bytes(&sketch.to_bytes()).unwrap()).unwrap();
    }
    assert_eq!(merged.estimate(), 20_000.0);
    assert_eq!((merged.min(), merged.max()), (Some(0.0), Some(19_999.0)));
    assert!((merged.quantile(0.5).unwrap() / 10_000.0 - 1.0).abs() < 0.1);
}

#[test]
fn round_trip_keeps_the_answers() {
    for count in [0, 1, 2, 50, 10_000] {
        let sketch = filled(64, 0..count);
        let read = KllSketch::from_bytes(&sketch.to_bytes()).unwrap();
        assert_eq!(read.n(), sketch.n());
        for rank in [0.0, 0.1, 0.5, 1.0] {
            assert_eq!(read.quantile(rank), sketch.quantile(rank));
        }
    }
}

#[test]
fn images_are_those_of_other_editions() {
    // What the C++ edition (5.2) writes for 3, 1 and 2 with k = 200.
    let mut image =
        vec![5, 1, 15, 0, 200, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0, 200, 0, 1, 0, 197, 0, 0, 0];
    image.extend([1.0_f64, 3.0, 2.0, 1.0, 3.0].into_iter().flat_map(f64::to_le_bytes));
    let mut sketch = KllSketch::new(200).unwrap();
    [3.0, 1.0, 2.0].into_iter().for_each(|value| sketch.update_f64(value));
    assert_eq!(sketch.to_bytes(), image);
    assert_eq!(KllSketch::from_bytes(&image).unwrap().quantile(0.5), Some(2.0));
}

fn exercise(mut sketch: KllSketch) {
    assert!(sketch.memory_bytes() < 1 << 20);
    let _ = sketch.quantiles(&[0.0, 0.5, 1.0]);
    (0..150).for_each(|value| sketch.update_f64(f64::from(value)));
    let copy = sketch.clone();
    for _ in 0..3 {
        let _ = sketch.merge(&copy);
    }
    let _ = filled(16, 0..100).merge(&sketch);
    KllSketch::from_bytes(&sketch.to_bytes()).unwrap();
}

#[test]
fn h_49_changed_bytes_never_panic() {
    for count in [0, 1, 20, 150] {
        let image = filled(16, 0..count).to_bytes();
        for position in 0..image.len() {
            for value in [0, 1, 2, 60, 61, 127, 0x80, 0xff, image[position] ^ 32] {
                let mut hostile = image.clone();
                hostile[position] = value;
                KllSketch::from_bytes(&hostile).into_iter().for_each(exercise);
            }
        }
        for length in 0..image.len() {
            assert!(KllSketch::from_bytes(&image[..length]).is_err());
        }
    }
}

#[test]
fn h_49_weights_beyond_any_stream_are_refused() {
    // One item on each of 61 levels of a sketch with k = 8: 2^61 - 1 values.
    let mut image = vec![5, 1, 15, 0, 8, 0, 8, 0];
    image.extend(((1_u64 << 61) - 1).to_le_bytes());
    image.extend([8, 0, 61, 0]);
    let capacity = 61 * 8_u32;
    image.extend((0..61).flat_map(|level| (capacity - 61 + level).to_le_bytes()));
    image.extend((0..63).flat_map(|_| 1.0_f64.to_le_bytes()));
    let error = KllSketch::from_bytes(&image).unwrap_err();
    assert!(error.to_string().contains("2305843009213693951 values"), "{error}");
}
