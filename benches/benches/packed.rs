//! Packed integers: unpacking, sums and filters by width and by level of vector instructions, on
//! one block that stays in the L2 cache.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::hint::black_box;
use std::time::Duration;

use criterion::Throughput;
use henge_benches::harness::{self, Runner, bench_checked};
use henge_segment::packed::bitpack;
use henge_segment::simd::{GROUP, Level};
use henge_segment::{BLOCK_ROWS, PackedInts};

const WIDTHS: [u32; 7] = [1, 4, 8, 12, 17, 24, 32];

fn main() {
    harness::run_benchmarks(|runner| {
        for level in Level::all() {
            for width in WIDTHS {
                one_width(runner, level, width);
            }
        }
    });
}

fn one_width(runner: &mut Runner, level: Level, width: u32) {
    let mask = u32::MAX >> (32 - width);
    let values: Vec<u32> = (0..BLOCK_ROWS as u32)
        .map(|row| row.wrapping_mul(0x9E37_79B1).rotate_left(13) & mask)
        .collect();
    let mut bytes = Vec::new();
    bitpack::pack(&values, width, &mut bytes);
    let ints = PackedInts::new(&bytes, width, BLOCK_ROWS, -7, 1).unwrap().at_level(level);
    let integer = |value: &u32| i128::from(*value) - 7;
    let words = |is_set: &dyn Fn(usize) -> bool| -> Vec<u64> {
        let word = |word: usize| {
            (0..64).fold(0, |bits, row| bits | u64::from(is_set(64 * word + row)) << row)
        };
        (0..BLOCK_ROWS / 64).map(word).collect()
    };
    let half = words(&|row| row % 64 * 7 % 64 < 32);
    let range = mask / 3..=mask / 2 + 1;
    let set: Vec<u64> = (0..16_u32).map(|word| 0x9E37_79B9_7F4A_7C15_u64 << word).collect();
    let holds = |v: u32| set.get(v as usize / 64).is_some_and(|w| w >> (v % 64) & 1 == 1);

    let mut group = runner.benchmark_group(format!("packed/{}", level.name()));
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200));
    group.throughput(Throughput::ElementsAndBytes {
        elements: BLOCK_ROWS as u64,
        bytes: bytes.len() as u64,
    });
    let name = |what: &str| format!("{what}/{width}_bits");
    let mut residuals = [0; GROUP];
    group.bench_function(name("unpack"), |bencher| {
        bencher.iter(|| {
            for index in 0..ints.group_count() {
                black_box(ints.unpack_group(index, &mut residuals));
            }
        });
    });
    let total: i128 = values.iter().map(integer).sum();
    let check = || assert_eq!(ints.sum(0..BLOCK_ROWS), total);
    bench_checked(&mut group, &name("sum"), check, || black_box(&ints).sum(0..BLOCK_ROWS));
    let some: i128 = (0..BLOCK_ROWS)
        .filter(|row| half[row / 64] >> (row % 64) & 1 == 1)
        .map(|row| integer(&values[row]))
        .sum();
    let check = || assert_eq!(ints.sum_selected(&half), some);
    bench_checked(&mut group, &name("sum_selected"), check, || {
        black_box(&ints).sum_selected(&half)
    });
    let mut out = vec![0; BLOCK_ROWS / 64];
    ints.select_range(range.clone(), &mut out);
    assert_eq!(out, words(&|row| range.contains(&values[row])));
    group.bench_function(name("select_range"), |bencher| {
        bencher.iter(|| black_box(&ints).select_range(range.clone(), &mut out));
    });
    ints.select_in(&set, &mut out);
    assert_eq!(out, words(&|row| holds(values[row])));
    group.bench_function(name("select_in"), |bencher| {
        bencher.iter(|| black_box(&ints).select_in(&set, &mut out));
    });
    group.finish();
}
