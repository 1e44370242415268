//! A row in four registers of AVX2.
#![expect(unsafe_code, reason = "vector loads and stores take raw pointers")]

use std::arch::x86_64::*;

use crate::simd::row::{LANES, Row, Table};

/// Thirty-two lanes, eight a register.
///
/// SAFETY of all methods: they are inlined into kernels that run only where [`super::Level::best`]
/// found AVX2; pointers come from references to arrays of the size that is read or written, without
/// need of alignment.
#[derive(Clone, Copy)]
pub(crate) struct Avx2([__m256i; 4]);

impl Avx2 {
    #[inline(always)]
    fn zip(self, other: Self, combine: impl Fn(__m256i, __m256i) -> __m256i) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([combine(a, e), combine(b, f), combine(c, g), combine(d, h)])
    }

    /// A bit for each lane that is all ones (others are zero).
    #[inline(always)]
    fn bits(self) -> u32 {
        let [a, b, c, d] = self.0;
        unsafe {
            // Packing interleaves the halves of the registers; the permutation puts them in order.
            let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            _mm256_movemask_epi8(_mm256_permutevar8x32_epi32(bytes, order)) as u32
        }
    }
}

impl Row for Avx2 {
    const FUSES: bool = true;

    #[inline(always)]
    fn load(words: &[[u8; 4]; LANES]) -> Self {
        let from = words.as_ptr().cast::<__m256i>();
        Self(std::array::from_fn(|part| unsafe { _mm256_loadu_si256(from.add(part)) }))
    }

    #[inline(always)]
    fn splat(value: u32) -> Self {
        Self([unsafe { _mm256_set1_epi32(value as i32) }; 4])
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        Self(self.0.map(|lanes| unsafe { _mm256_srl_epi32(lanes, _mm_cvtsi32_si128(bits as i32)) }))
    }

    #[inline(always)]
    fn funnel(low: Self, high: Self, bits: u32) -> Self {
        low.zip(high, |low, high| unsafe {
            let low = _mm256_srl_epi32(low, _mm_cvtsi32_si128(bits as i32));
            let high = _mm256_sll_epi32(high, _mm_cvtsi32_si128(32 - bits as i32));
            _mm256_or_si256(low, high)
        })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_and_si256(a, b) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_add_epi32(a, b) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_sub_epi32(a, b) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_min_epu32(a, b) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm256_max_epu32(a, b) })
    }

    #[inline(always)]
    fn keep(self, lanes: u32) -> Self {
        let [a, b, c, d] = self.0;
        Self(unsafe {
            [kept(a, lanes), kept(b, lanes >> 8), kept(c, lanes >> 16), kept(d, lanes >> 24)]
        })
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> u32 {
        self.zip(other, |a, b| unsafe { _mm256_cmpeq_epi32(_mm256_min_epu32(a, b), a) }).bits()
    }

    #[inline(always)]
    fn in_table(self, table: &Table<'_>) -> u32 {
        let (words, count) = match table {
            Table::Small(words) => (words.as_ptr().cast::<i32>(), words.len()),
            // Indices are below 2^27, so more words than that need no check.
            Table::Large(words) => (words.as_ptr().cast::<i32>(), (2 * words.len()).min(1 << 27)),
        };
        let [a, b, c, d] = self.0;
        Self(unsafe {
            [
                found(a, words, count),
                found(b, words, count),
                found(c, words, count),
                found(d, words, count),
            ]
        })
        .bits()
    }

    #[inline(always)]
    fn store(self, out: &mut [u32; LANES]) {
        let to = out.as_mut_ptr().cast::<__m256i>();
        for (part, lanes) in self.0.into_iter().enumerate() {
            unsafe { _mm256_storeu_si256(to.add(part), lanes) };
        }
    }
}

/// All ones where a number's bit is set among `count` words; words beyond are not read.
#[inline(always)]
unsafe fn found(numbers: __m256i, words: *const i32, count: usize) -> __m256i {
    unsafe {
        let index = _mm256_srli_epi32::<5>(numbers);
        let inside = _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), index);
        let zero = _mm256_setzero_si256();
        let word = _mm256_mask_i32gather_epi32::<4>(zero, words, index, inside);
        let place = _mm256_and_si256(numbers, _mm256_set1_epi32(31));
        let bit = _mm256_sllv_epi32(_mm256_set1_epi32(1), place);
        _mm256_cmpeq_epi32(_mm256_and_si256(word, bit), bit)
    }
}

/// Zero in the lanes whose bit, one of the lowest eight, is not set.
#[inline(always)]
unsafe fn kept(values: __m256i, lanes: u32) -> __m256i {
    unsafe {
        let own = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        let chosen = _mm256_and_si256(_mm256_set1_epi32(lanes as i32), own);
        _mm256_and_si256(values, _mm256_cmpeq_epi32(chosen, own))
    }
}
