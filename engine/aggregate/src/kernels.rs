//! The inner loops of numeric aggregation.

use henge_segment::simd::{Level, marked};
use henge_types::number::{of_total_order_bits, total_order_bits};

use crate::number::{Combine, Number};

/// A numeric aggregation.
pub(crate) trait Op: Combine<State: Number> + std::fmt::Debug {
    /// What many values are folded into before they meet a state.
    type Wide: Copy;
    /// True when states are integers.
    const INTEGERS: bool = false;
    /// True of sums of doubles: several are added to together, and no value leaves the word at 0.
    const SUMS_DOUBLES: bool = false;
    /// True of exact sums of integers.
    const SUMS_LONGS: bool = false;
    /// A state as a table's word; the start is 0.
    fn to_word(state: Self::State) -> u64;
    /// The state of a table's word.
    fn of_word(word: u64) -> Self::State;
    /// The result of a table's word.
    fn result(word: u64) -> Self::State {
        Self::of_word(word)
    }
    /// A fold of no values.
    const EMPTY: Self::Wide;
    /// Adds one value to a state where it is kept; true when it wrapped around.
    #[inline(always)]
    fn add_to_word(word: &mut u64, value: Self::State) -> bool {
        let mut state = Self::of_word(*word);
        let wrapped = Self::add(&mut state, value);
        *word = Self::to_word(state);
        wrapped
    }
    /// Folds values, several independent lanes at a time.
    fn fold(wide: Self::Wide, values: &[Self::State]) -> Self::Wide;
    /// Folds the marked values: bit `i % 64` of word `i / 64` marks value `i`.
    fn fold_marked(values: &[Self::State], marks: &[u64]) -> Self::Wide;
    /// Folds one value that occurs `count` times.
    fn fold_repeated(wide: Self::Wide, value: Self::State, count: usize) -> Self::Wide;
    /// Adds a fold; true when the state would have overflowed, and is as it was.
    fn add_wide(state: &mut Self::State, wide: Self::Wide) -> bool;
    /// A fold of integers.
    fn exact(_: Self::Wide) -> i128 {
        0
    }
}

/// Input types an operation takes.
pub(crate) trait Input<S>: Copy + 'static {
    /// Converts to the state's type.
    fn convert(self) -> S;
    /// The values as they are, when no conversion is needed.
    fn as_states(values: &[Self]) -> Option<&[S]>;
}

macro_rules! input {
    ($from:ty => $to:ty) => {
        impl Input<$to> for $from {
            #[inline]
            fn convert(self) -> $to {
                self as $to
            }

            fn as_states(_: &[Self]) -> Option<&[$to]> {
                None
            }
        }
    };
    ($same:ty) => {
        impl Input<$same> for $same {
            #[inline]
            fn convert(self) -> $same {
                self
            }

            fn as_states(values: &[Self]) -> Option<&[$same]> {
                Some(values)
            }
        }
    };
}

input!(i64);
input!(f64);
input!(f32 => i64);
input!(f64 => i64);
input!(i64 => f64);
input!(f32 => f64);

/// Sum of integers: exact, what is beyond 64 bits is carried apart.
#[derive(Debug)]
pub(crate) struct LongSum;

impl Combine for LongSum {
    type State = i64;
    const START: i64 = 0;

    #[inline]
    fn add(state: &mut i64, value: i64) -> bool {
        let (sum, overflow) = state.overflowing_add(value);
        *state = sum;
        overflow
    }
}

impl Op for LongSum {
    type Wide = i128;
    const INTEGERS: bool = true;
    const SUMS_LONGS: bool = true;
    const EMPTY: i128 = 0;

    #[inline]
    fn to_word(state: i64) -> u64 {
        (state ^ Self::START) as u64
    }

    #[inline]
    fn of_word(word: u64) -> i64 {
        word as i64 ^ Self::START
    }

    /// The halves of the values are summed apart: neither can overflow within a block, and both
    /// sums vectorise.
    #[inline]
    fn fold(wide: i128, values: &[i64]) -> i128 {
        let (mut low, mut high) = (0u64, 0u64);
        for &value in values {
            // Flipping the sign bit adds 2^63, so that both halves are unsigned.
            let biased = value as u64 ^ (1 << 63);
            low += biased & 0xFFFF_FFFF;
            high += biased >> 32;
        }
        let bias = i128::from(1u64 << 63) * values.len() as i128;
        wide + (i128::from(high) << 32) + i128::from(low) - bias
    }

    fn fold_marked(values: &[i64], marks: &[u64]) -> i128 {
        marked::sum_longs(Level::best(), values, marks)
    }

    fn fold_repeated(wide: i128, value: i64, count: usize) -> i128 {
        wide + i128::from(value) * count as i128
    }

    fn exact(wide: i128) -> i128 {
        wide
    }

    fn add_wide(state: &mut i64, wide: i128) -> bool {
        match i64::try_from(i128::from(*state) + wide) {
            Ok(sum) => {
                *state = sum;
                false
            }
            Err(_) => true,
        }
    }
}

/// Sum of doubles, in independent lanes: the order of additions depends only on the rows.
#[derive(Debug)]
pub(crate) struct DoubleSum;

const LANES: usize = 16;
/// The word of a sum of 0.
const ZERO_SUM: u64 = 1 << 63;

impl Combine for DoubleSum {
    type State = f64;
    const START: f64 = 0.0;

    #[inline]
    fn add(state: &mut f64, value: f64) -> bool {
        *state += value;
        false
    }
}

impl Op for DoubleSum {
    type Wide = f64;
    const SUMS_DOUBLES: bool = true;
    const EMPTY: f64 = 0.0;

    /// A sum that began at 0 is never -0, so that -0 can stand for a sum of 0: the word 0 is left
    /// to groups without values.
    #[inline]
    fn to_word(state: f64) -> u64 {
        match state.to_bits() {
            0 => ZERO_SUM,
            bits => bits,
        }
    }

    #[inline]
    fn of_word(word: u64) -> f64 {
        f64::from_bits(word)
    }

    fn result(word: u64) -> f64 {
        // Adding 0 turns -0 into 0.
        f64::from_bits(word) + 0.0
    }

    #[inline]
    fn fold(wide: f64, values: &[f64]) -> f64 {
        let mut lanes = [0.0; LANES];
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += value;
            }
        }
        wide + lanes.iter().sum::<f64>() + rest.iter().sum::<f64>()
    }

    fn fold_marked(values: &[f64], marks: &[u64]) -> f64 {
        marked::sum_doubles(Level::best(), values, marks)
    }

    fn fold_repeated(wide: f64, value: f64, count: usize) -> f64 {
        wide + value * count as f64
    }

    fn add_wide(state: &mut f64, wide: f64) -> bool {
        *state += wide;
        false
    }
}

macro_rules! extreme {
    ($name:ident, $start:expr, $better:tt, $marked:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Combine for $name {
            type State = i64;
            const START: i64 = $start;

            #[inline]
            fn add(state: &mut i64, value: i64) -> bool {
                *state = if value $better *state { value } else { *state };
                false
            }
        }

        impl Op for $name {
            type Wide = i64;
            const INTEGERS: bool = true;
            const EMPTY: i64 = $start;

            #[inline]
            fn to_word(state: i64) -> u64 {
                (state ^ Self::START) as u64
            }

            #[inline]
            fn of_word(word: u64) -> i64 {
                word as i64 ^ Self::START
            }

            #[inline]
            fn fold(wide: i64, values: &[i64]) -> i64 {
                let mut lanes = [wide; 8];
                let (chunks, rest) = values.as_chunks::<8>();
                for chunk in chunks {
                    for (lane, &value) in lanes.iter_mut().zip(chunk) {
                        *lane = if value $better *lane { value } else { *lane };
                    }
                }
                let mut best = wide;
                for &value in lanes.iter().chain(rest) {
                    best = if value $better best { value } else { best };
                }
                best
            }

            fn fold_marked(values: &[i64], marks: &[u64]) -> i64 {
                marked::$marked(Level::best(), values, marks, Self::START)
            }

            fn fold_repeated(mut wide: i64, value: i64, count: usize) -> i64 {
                if count > 0 {
                    Self::add(&mut wide, value);
                }
                wide
            }

            fn add_wide(state: &mut i64, wide: i64) -> bool {
                Self::add(state, wide)
            }
        }
    };
}

extreme!(LongMin, i64::MAX, <, least_long, "Smallest integer.");
extreme!(LongMax, i64::MIN, >, greatest_long, "Largest integer.");

/// States are kept as ranks, for minima in reverse, so that the best one is the greatest word: an
/// addition waits for the one before it no longer than a comparison of whole numbers takes.
/// NaN is passed over: it is the result only where there is nothing else, and stands for no value
/// yet. Folds begin with the identity, with which NaN compares false.
macro_rules! double_extreme {
    ($name:ident, $identity:expr, $better:tt, $reversed:expr, $marked:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug)]
        pub(crate) struct $name;

        impl $name {
            /// A fold from the identity on that is still there: NaN, unless the identity was met.
            #[cold]
            fn of_identity(mut values: impl Iterator<Item = f64>) -> f64 {
                if values.any(|value| value == $identity) { $identity } else { f64::NAN }
            }
        }

        impl Combine for $name {
            type State = f64;
            const START: f64 = f64::NAN;

            #[inline]
            fn add(state: &mut f64, value: f64) -> bool {
                *state = if value $better *state || state.is_nan() { value } else { *state };
                false
            }
        }

        impl Op for $name {
            type Wide = f64;
            const EMPTY: f64 = f64::NAN;

            #[inline]
            fn to_word(state: f64) -> u64 {
                if state.is_nan() { 0 } else { total_order_bits(state) ^ $reversed }
            }

            #[inline]
            fn of_word(word: u64) -> f64 {
                if word == 0 { f64::NAN } else { of_total_order_bits(word ^ $reversed) }
            }

            #[inline(always)]
            fn add_to_word(word: &mut u64, value: f64) -> bool {
                *word = (*word).max(Self::to_word(value));
                false
            }

            #[inline]
            fn fold(wide: f64, values: &[f64]) -> f64 {
                let start = if wide.is_nan() { $identity } else { wide };
                let mut lanes = [start; 8];
                let (chunks, rest) = values.as_chunks::<8>();
                for chunk in chunks {
                    for (lane, &value) in lanes.iter_mut().zip(chunk) {
                        *lane = if value $better *lane { value } else { *lane };
                    }
                }
                let mut best = start;
                for &value in lanes.iter().chain(rest) {
                    best = if value $better best { value } else { best };
                }
                match best == $identity && wide.is_nan() {
                    true => Self::of_identity(values.iter().copied()),
                    false => best,
                }
            }

            fn fold_marked(values: &[f64], marks: &[u64]) -> f64 {
                let best = marked::$marked(Level::best(), values, marks, $identity);
                if best != $identity {
                    return best;
                }
                let is_marked = |row: usize| marks[row / 64] >> (row % 64) & 1 == 1;
                let values = values.iter().enumerate();
                Self::of_identity(values.filter(|(row, _)| is_marked(*row)).map(|(_, value)| *value))
            }

            fn fold_repeated(mut wide: f64, value: f64, count: usize) -> f64 {
                if count > 0 {
                    Self::add(&mut wide, value);
                }
                wide
            }

            fn add_wide(state: &mut f64, wide: f64) -> bool {
                Self::add(state, wide)
            }
        }
    };
}

double_extreme!(DoubleMin, f64::INFINITY, <, u64::MAX, least_double, "Smallest double.");
double_extreme!(DoubleMax, f64::NEG_INFINITY, >, 0, greatest_double, "Largest double.");

#[cfg(test)]
mod tests;
