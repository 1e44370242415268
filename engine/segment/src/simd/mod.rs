//! Which vector instructions the kernels use, decided when the program runs.
//!
//! Each kernel is one generic body over `row::Row`, thirty-two lanes of `u32`. It is compiled once
//! for every [`Level`], with that level's instructions enabled, and a call chooses among the copies.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bits of lanes change their types, none is lost that counts"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod convert;
pub(crate) mod kernels;
pub mod marked;
pub(crate) mod row;

/// Values that kernels take together: the rows of a group of packed integers.
pub const GROUP: usize = 1024;

/// A set of vector instructions that this CPU has. Only levels that were detected can be named, so
/// holding one is proof enough to run its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(Instructions);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Instructions {
    /// Those of every CPU of the architecture.
    Baseline,
    /// AVX2, FMA and the bit instructions that came with them.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// What every CPU of this architecture has.
    pub const BASELINE: Self = Self(Instructions::Baseline);

    /// The best level of this CPU. Detected once by the standard library, then a load.
    #[inline]
    #[must_use]
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("lzcnt");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (avx2, avx512) {
                (true, true) => return Self(Instructions::Avx512),
                (true, false) => return Self(Instructions::Avx2),
                (false, _) => {}
            }
        }
        Self::BASELINE
    }

    /// Every level of this CPU, the slowest first: for tests and benchmarks.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let levels = [
            Instructions::Baseline,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512,
        ];
        levels.into_iter().map(Self).filter(|level| *level <= Self::best()).collect()
    }

    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Instructions::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => "avx512",
        }
    }

    #[inline]
    pub(crate) fn instructions(self) -> Instructions {
        self.0
    }
}
