//! Values of which some are marked, as rows of one group are: marking, counting and folding, by
//! level of vector instructions, on one window that stays in the first caches.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::hint::black_box;
use std::time::Duration;

use criterion::Throughput;
use henge_benches::harness::{self, Runner, bench_checked};
use henge_segment::simd::{Level, marked};

/// Rows that are worked on at a time.
const ROWS: usize = 4096;
/// The marked ones are those of one group of so many.
const GROUPS: u32 = 4;

fn main() {
    harness::run_benchmarks(|runner| Level::all().into_iter().for_each(|level| one(runner, level)));
}

fn one(runner: &mut Runner, level: Level) {
    let numbers: Vec<u32> =
        (0..ROWS as u32).map(|row| (row.wrapping_mul(0x9E37_79B1) >> 16) % GROUPS).collect();
    let longs: Vec<i64> = (0..ROWS as i64).map(|row| row * 7_919 % 50_000 - 9_000).collect();
    let doubles: Vec<f64> = longs.iter().map(|value| *value as f64 / 4.0).collect();
    let is_marked = |row: usize| numbers[row] == 1;
    let mut marks = vec![0; ROWS / 64];
    marked::mark_equal(level, &numbers, 1, &mut marks);
    assert!((0..ROWS).all(|row| marks[row / 64] >> (row % 64) & 1 == u64::from(is_marked(row))));

    let mut group = runner.benchmark_group(format!("marked/{}", level.name()));
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
    let throughput = |bytes_a_row: usize| {
        let bytes = (ROWS * bytes_a_row) as u64;
        Throughput::ElementsAndBytes { elements: ROWS as u64, bytes }
    };
    group.throughput(throughput(4));
    let mut out = vec![0; ROWS / 64];
    bench_checked(
        &mut group,
        "mark_equal",
        || (),
        || marked::mark_equal(level, black_box(&numbers), 1, &mut out),
    );
    group.throughput(throughput(8));
    let ends = (-2_000, 3_000);
    let check = || {
        let mut found = vec![0; ROWS / 64];
        marked::mark_longs_between(level, &longs, ends, &mut found);
        let between = |row: usize| (ends.0..=ends.1).contains(&longs[row]);
        assert!((0..ROWS).all(|row| (found[row / 64] >> (row % 64) & 1 == 1) == between(row)));
    };
    bench_checked(&mut group, "mark_longs_between", check, || {
        marked::mark_longs_between(level, black_box(&longs), ends, &mut out);
    });
    let marked_longs = || longs.iter().enumerate().filter(|(row, _)| is_marked(*row));
    let sum: i128 = marked_longs().map(|(_, value)| i128::from(*value)).sum();
    let check = || assert_eq!(marked::sum_longs(level, &longs, &marks), sum);
    bench_checked(&mut group, "sum_longs", check, || {
        marked::sum_longs(level, black_box(&longs), &marks)
    });
    // Quarters: every order of additions gives the same sum.
    let check = || assert_eq!(marked::sum_doubles(level, &doubles, &marks), sum as f64 / 4.0);
    bench_checked(&mut group, "sum_doubles", check, || {
        marked::sum_doubles(level, black_box(&doubles), &marks)
    });
    let least = marked_longs().map(|(_, value)| *value).min().unwrap();
    let check = || assert_eq!(marked::least_long(level, &longs, &marks, i64::MAX), least);
    bench_checked(&mut group, "least_long", check, || {
        marked::least_long(level, black_box(&longs), &marks, i64::MAX)
    });
    let check = || {
        let least = least as f64 / 4.0;
        assert_eq!(marked::least_double(level, &doubles, &marks, f64::INFINITY), least);
    };
    bench_checked(&mut group, "least_double", check, || {
        marked::least_double(level, black_box(&doubles), &marks, f64::INFINITY)
    });
    group.finish();
}
