//! A row in two registers of AVX-512.
#![expect(unsafe_code, reason = "vector loads and stores take raw pointers")]

use std::arch::x86_64::*;

use crate::simd::row::{LANES, Row, Table};

/// Thirty-two lanes, sixteen a register.
///
/// SAFETY of all methods: they are inlined into kernels that run only where [`super::Level::best`]
/// found AVX-512 F, BW, DQ, VL and what AVX2 kernels need; pointers come from references to arrays
/// of the size that is read or written, without need of alignment.
#[derive(Clone, Copy)]
pub(crate) struct Avx512([__m512i; 2]);

impl Avx512 {
    #[inline(always)]
    fn zip(self, other: Self, combine: impl Fn(__m512i, __m512i) -> __m512i) -> Self {
        Self([combine(self.0[0], other.0[0]), combine(self.0[1], other.0[1])])
    }
}

impl Row for Avx512 {
    const FUSES: bool = true;

    #[inline(always)]
    fn load(words: &[[u8; 4]; LANES]) -> Self {
        let from = words.as_ptr().cast::<__m512i>();
        Self(unsafe { [_mm512_loadu_si512(from), _mm512_loadu_si512(from.add(1))] })
    }

    #[inline(always)]
    fn splat(value: u32) -> Self {
        Self([unsafe { _mm512_set1_epi32(value as i32) }; 2])
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        Self(self.0.map(|lanes| unsafe { _mm512_srl_epi32(lanes, _mm_cvtsi32_si128(bits as i32)) }))
    }

    #[inline(always)]
    fn funnel(low: Self, high: Self, bits: u32) -> Self {
        low.zip(high, |low, high| unsafe {
            let low = _mm512_srl_epi32(low, _mm_cvtsi32_si128(bits as i32));
            let high = _mm512_sll_epi32(high, _mm_cvtsi32_si128(32 - bits as i32));
            _mm512_or_si512(low, high)
        })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm512_and_si512(a, b) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm512_add_epi32(a, b) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm512_sub_epi32(a, b) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm512_min_epu32(a, b) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { _mm512_max_epu32(a, b) })
    }

    #[inline(always)]
    fn keep(self, lanes: u32) -> Self {
        let [low, high] = self.0;
        Self(unsafe {
            [
                _mm512_maskz_mov_epi32(lanes as __mmask16, low),
                _mm512_maskz_mov_epi32((lanes >> 16) as __mmask16, high),
            ]
        })
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> u32 {
        let [low, high] = other.0;
        unsafe {
            u32::from(_mm512_cmple_epu32_mask(self.0[0], low))
                | u32::from(_mm512_cmple_epu32_mask(self.0[1], high)) << 16
        }
    }

    #[inline(always)]
    fn in_table(self, table: &Table<'_>) -> u32 {
        let [low, high] = self.0;
        let (low, high) = match table {
            Table::Small(words) => unsafe { (in_small(low, words), in_small(high, words)) },
            Table::Large(words) => unsafe { (in_large(low, words), in_large(high, words)) },
        };
        u32::from(low) | u32::from(high) << 16
    }

    #[inline(always)]
    fn store(self, out: &mut [u32; LANES]) {
        let to = out.as_mut_ptr().cast::<__m512i>();
        unsafe {
            _mm512_storeu_si512(to, self.0[0]);
            _mm512_storeu_si512(to.add(1), self.0[1]);
        }
    }
}

/// The numbers that are in a table of two registers.
#[inline(always)]
unsafe fn in_small(numbers: __m512i, words: &[u32; 32]) -> __mmask16 {
    unsafe {
        let from = words.as_ptr().cast::<__m512i>();
        let (low, high) = (_mm512_loadu_si512(from), _mm512_loadu_si512(from.add(1)));
        let index = _mm512_srli_epi32::<5>(numbers);
        let inside = _mm512_cmplt_epu32_mask(index, _mm512_set1_epi32(words.len() as i32));
        let word = _mm512_permutex2var_epi32(low, index, high);
        _mm512_mask_test_epi32_mask(inside, word, bit_of(numbers))
    }
}

/// The numbers that are in a table in memory; words beyond its end are not read.
#[inline(always)]
unsafe fn in_large(numbers: __m512i, words: &[u64]) -> __mmask16 {
    unsafe {
        let index = _mm512_srli_epi32::<5>(numbers);
        // Indices are below 2^27, so more words than that need no check.
        let count = (2 * words.len()).min(1 << 27);
        let inside = _mm512_cmplt_epu32_mask(index, _mm512_set1_epi32(count as i32));
        let zero = _mm512_setzero_si512();
        let from = words.as_ptr().cast::<i32>();
        let word = _mm512_mask_i32gather_epi32::<4>(zero, inside, index, from);
        _mm512_test_epi32_mask(word, bit_of(numbers))
    }
}

/// The bit of each number in its word of 32.
#[inline(always)]
unsafe fn bit_of(numbers: __m512i) -> __m512i {
    unsafe {
        let place = _mm512_and_si512(numbers, _mm512_set1_epi32(31));
        _mm512_sllv_epi32(_mm512_set1_epi32(1), place)
    }
}
