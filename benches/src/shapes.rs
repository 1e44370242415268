//! One block of values of each shape that an encoding is made for.

use henge_segment::BLOCK_ROWS;

use crate::page_views::START_MS;
use crate::random::Random;

/// Shapes of LONG blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegerShape {
    /// Timestamps in milliseconds, ascending: delta.
    Times,
    /// Whole hours: delta or frame in units of an hour.
    Hours,
    /// Numbers of up to 17 bits: frame.
    Small,
    /// Numbers of up to 40 bits, which straddle words: frame.
    Wide,
    /// Runs of about a hundred: run length.
    Runs,
    /// 64 random bits: plain.
    Random,
}

impl IntegerShape {
    /// All shapes.
    pub const ALL: [Self; 6] =
        [Self::Times, Self::Hours, Self::Small, Self::Wide, Self::Runs, Self::Random];

    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Times => "times",
            Self::Hours => "hours",
            Self::Small => "17_bits",
            Self::Wide => "40_bits",
            Self::Runs => "runs",
            Self::Random => "64_bits",
        }
    }

    /// One block.
    #[must_use]
    pub fn values(self) -> Vec<i64> {
        let mut random = Random::new(1);
        let mut last = START_MS;
        (0..BLOCK_ROWS as i64)
            .map(|row| match self {
                Self::Times => {
                    last += i64::from(random.below(301));
                    last
                }
                Self::Hours => START_MS + row / 10 * 3_600_000,
                Self::Small => i64::from(random.below(1 << 17)),
                Self::Wide => (random.bits() >> 24) as i64,
                Self::Runs => {
                    if random.chance(10) {
                        last = i64::from(random.below(1 << 20));
                    }
                    last
                }
                Self::Random => random.bits() as i64,
            })
            .collect()
    }
}

/// Shapes of DOUBLE blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatShape {
    /// Whole cents: decimal.
    Cents,
    /// Whole cents, one in a hundred of them thirds: decimal with exceptions.
    CentsAndThirds,
    /// Runs of about a hundred: run length.
    Runs,
    /// Random fractions: plain.
    Random,
}

impl FloatShape {
    /// All shapes.
    pub const ALL: [Self; 4] = [Self::Cents, Self::CentsAndThirds, Self::Runs, Self::Random];

    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cents => "cents",
            Self::CentsAndThirds => "cents_and_thirds",
            Self::Runs => "runs",
            Self::Random => "random",
        }
    }

    /// One block.
    #[must_use]
    pub fn values(self) -> Vec<f64> {
        let mut random = Random::new(2);
        let mut last = 0.5;
        (0..BLOCK_ROWS)
            .map(|_| {
                let cents = f64::from(random.below(100_000)) / 100.0;
                match self {
                    Self::Cents => cents,
                    Self::CentsAndThirds if random.chance(10) => cents / 3.0,
                    Self::CentsAndThirds => cents,
                    Self::Runs => {
                        if random.chance(10) {
                            last = cents / 3.0;
                        }
                        last
                    }
                    Self::Random => random.bits() as f64 / 1e9,
                }
            })
            .collect()
    }
}

/// Shapes of blocks of dictionary ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdShape {
    /// Up to 6 bits.
    Bits6,
    /// Up to 8 bits.
    Bits8,
    /// Up to 14 bits.
    Bits14,
    /// Up to 20 bits.
    Bits20,
    /// Up to 10 bits above a large one, as a column has that follows the order of time.
    Frame,
    /// Runs of about a hundred.
    Runs,
}

impl IdShape {
    /// All shapes.
    pub const ALL: [Self; 6] =
        [Self::Bits6, Self::Bits8, Self::Bits14, Self::Bits20, Self::Frame, Self::Runs];

    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bits6 => "6_bits",
            Self::Bits8 => "8_bits",
            Self::Bits14 => "14_bits",
            Self::Bits20 => "20_bits",
            Self::Frame => "frame",
            Self::Runs => "runs",
        }
    }

    /// One block.
    #[must_use]
    pub fn values(self) -> Vec<u32> {
        let mut random = Random::new(3);
        let mut last = 1;
        (0..BLOCK_ROWS)
            .map(|_| match self {
                Self::Bits6 => random.below(1 << 6),
                Self::Bits8 => random.below(1 << 8),
                Self::Bits14 => random.below(1 << 14),
                Self::Bits20 => random.below(1 << 20),
                Self::Frame => 700_000 + random.below(1 << 10),
                Self::Runs => {
                    if random.chance(10) {
                        last = random.below(1 << 14);
                    }
                    last
                }
            })
            .collect()
    }
}
