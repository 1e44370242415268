//! What the machine's memory gives one thread: the ceiling that figures are read against.

use std::hint::black_box;

use crate::cpu_time;

/// Far more than the caches hold.
const WORDS: usize = 32 << 20;
const PASSES: usize = 4;

/// Bytes a second that one thread adds up from memory, in the best of a few passes.
#[must_use]
pub fn read_bytes_per_second() -> f64 {
    let words: Vec<u64> = (0..WORDS as u64).collect();
    let pass = || {
        let started = cpu_time::now();
        let sum = black_box(&words).iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
        black_box(sum);
        (cpu_time::now() - started).as_secs_f64()
    };
    let best = (0..PASSES).map(|_| pass()).fold(f64::INFINITY, f64::min);
    size_of_val(words.as_slice()) as f64 / best
}
