//! Hashes of many words of eight bytes: one loop without branches, compiled for the vector
//! instructions that the processor has.
#![allow(unsafe_code, reason = "code for detected instructions is called where the CPU has them")]

use super::SLOT_BITS;

/// Words that are hashed at a time.
pub(super) const WORDS: usize = 256;
/// Words whose multiplications overlap.
const STAGED: usize = 64;

/// The library's seed with the number of bytes.
const HIGH: u64 = 9001 ^ 8;
const FACTORS: [u64; 2] = [0x87c3_7b91_1142_53d5, 0x4cf5_ad43_2745_937f];
const MIXING: [u64; 2] = [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53];

/// Writes slot and register value of each word to the same place of `bits`, which reaches as far.
pub(super) fn bits_of_words(words: &[u64], bits: &mut [u32]) {
    let bits = &mut bits[..words.len()];
    #[cfg(target_arch = "x86_64")]
    {
        if has_avx512() {
            // SAFETY: the processor has these instructions.
            return unsafe { avx512(words, bits) };
        }
        if has_avx2() {
            // SAFETY: as above.
            return unsafe { avx2(words, bits) };
        }
    }
    each(words, bits);
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512cd,avx512dq,avx512vl,bmi2,lzcnt")]
fn avx512(words: &[u64], bits: &mut [u32]) {
    let (many_words, words) = words.as_chunks::<STAGED>();
    let (many_bits, bits) = bits.as_chunks_mut::<STAGED>();
    many_words.iter().zip(many_bits).for_each(|(words, bits)| staged(words, bits));
    each(words, bits);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2,lzcnt")]
fn avx2(words: &[u64], bits: &mut [u32]) {
    each(words, bits);
}

#[inline(always)]
fn each(words: &[u64], bits: &mut [u32]) {
    bits.iter_mut().zip(words).for_each(|(bits, word)| *bits = bits_of_word(*word));
}

/// What [`each`] does, step by step for all words. A multiplication of vectors takes many cycles and
/// each waits for the one before it: eight vectors at a time were measured at 1.7 ns a word, one
/// after the other at 6.3.
#[inline(always)]
fn staged(words: &[u64; STAGED], bits: &mut [u32; STAGED]) {
    let mut low = *words;
    let mut high = [HIGH; STAGED];
    low.iter_mut().for_each(|low| *low = low.wrapping_mul(FACTORS[0]).rotate_left(31));
    low.iter_mut().for_each(|low| *low = (HIGH ^ low.wrapping_mul(FACTORS[1])).wrapping_add(HIGH));
    high.iter_mut().zip(&low).for_each(|(high, low)| *high = high.wrapping_add(*low));
    for factor in MIXING {
        low.iter_mut().for_each(|low| *low = mix(*low, factor));
        high.iter_mut().for_each(|high| *high = mix(*high, factor));
    }
    bits.iter_mut().zip(low.iter().zip(&high)).for_each(|(bits, (low, high))| {
        *bits = bits_of_hash(low ^ low >> 33, high ^ high >> 33);
    });
}

/// Slot and register value of a word: the library's hash (MurmurHash3 of 128 bits) of eight bytes.
#[inline(always)]
fn bits_of_word(word: u64) -> u32 {
    let first = word.wrapping_mul(FACTORS[0]).rotate_left(31);
    let low = (HIGH ^ first.wrapping_mul(FACTORS[1])).wrapping_add(HIGH);
    let high = HIGH.wrapping_add(low);
    let mixed = |word| MIXING.into_iter().fold(word, mix);
    let (low, high) = (mixed(low), mixed(high));
    bits_of_hash(low ^ low >> 33, high ^ high >> 33)
}

#[inline(always)]
fn mix(word: u64, factor: u64) -> u64 {
    (word ^ word >> 33).wrapping_mul(factor)
}

#[inline(always)]
fn bits_of_hash(low: u64, high: u64) -> u32 {
    let low = low.wrapping_add(high);
    let high = high.wrapping_add(low);
    let value = high.leading_zeros().min(62) + 1;
    value << SLOT_BITS | low as u32 & ((1 << SLOT_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::super::HllHash;
    use super::*;

    #[test]
    fn words_hash_as_the_library_hashes_them_with_all_instructions() {
        let numbers: Vec<i64> = (0..1_001_i64)
            .flat_map(|n| [n, -n, n << 40, n.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)])
            .collect();
        let doubles = numbers.iter().map(|number| *number as f64 / 7.0);
        let doubles: Vec<f64> =
            doubles.chain([0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::MIN]).collect();
        let words: Vec<u64> = numbers
            .iter()
            .map(|number| *number as u64)
            .chain(doubles.iter().map(|double| HllHash::word_of_f64(*double)))
            .collect();
        let expected: Vec<u32> = numbers
            .iter()
            .map(|number| HllHash::of_i64(*number).bits())
            .chain(doubles.iter().map(|double| HllHash::of_f64(*double).bits()))
            .collect();
        for count in [0, 1, 63, 64, 65, 200, words.len()] {
            let mut bits = vec![0; words.len()];
            bits_of_words(&words[..count], &mut bits);
            assert_eq!(bits[..count], expected[..count]);
            assert!(bits[count..].iter().all(|bits| *bits == 0));
        }
        let mut bits = vec![0; words.len()];
        each(&words, &mut bits);
        assert_eq!(bits, expected);
        #[cfg(target_arch = "x86_64")]
        if has_avx2() {
            bits.fill(0);
            // SAFETY: the processor has these instructions.
            unsafe { avx2(&words, &mut bits) };
            assert_eq!(bits, expected);
        }
    }
}
