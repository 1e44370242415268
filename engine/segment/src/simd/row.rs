//! Thirty-two lanes of `u32`: the unit in which packed groups are read.

/// Lanes of a row.
pub(crate) const LANES: usize = 32;

/// A row of a group, held as a level's instructions like it. All methods are inlined into kernels
/// that are compiled for the level.
pub(crate) trait Row: Copy {
    /// Whether the level multiplies and adds in one instruction.
    const FUSES: bool;

    /// Lanes from little-endian words.
    fn load(words: &[[u8; 4]; LANES]) -> Self;
    /// The same number in every lane.
    fn splat(value: u32) -> Self;
    /// Shifts right by less than 32.
    fn shift_right(self, bits: u32) -> Self;
    /// The low halves of `(high << 32 | low) >> bits`, where `bits` is 1 to 31.
    fn funnel(low: Self, high: Self, bits: u32) -> Self;
    /// Bitwise and.
    fn and(self, other: Self) -> Self;
    /// Wrapping sum.
    fn add(self, other: Self) -> Self;
    /// Wrapping difference.
    fn sub(self, other: Self) -> Self;
    /// The lesser of each lane.
    fn min(self, other: Self) -> Self;
    /// The greater of each lane.
    fn max(self, other: Self) -> Self;
    /// Zero in the lanes whose bit is not set.
    fn keep(self, lanes: u32) -> Self;
    /// A bit for each lane that is at most the other's.
    fn at_most(self, other: Self) -> u32;
    /// A bit for each lane whose bit in the table is set.
    fn in_table(self, table: &Table<'_>) -> u32;
    /// The lanes in order.
    fn store(self, out: &mut [u32; LANES]);
}

/// Numbers whose bits a small table holds.
pub(crate) const SMALL_TABLE_BITS: usize = 1024;

/// A set of numbers as a bitset.
#[derive(Debug)]
pub(crate) enum Table<'a> {
    /// Of numbers below [`SMALL_TABLE_BITS`]; fits into registers.
    Small([u32; SMALL_TABLE_BITS / 32]),
    /// Of any numbers.
    Large(&'a [u64]),
}

impl<'a> Table<'a> {
    /// The set of the numbers whose bits are set.
    pub(crate) fn new(set: &'a [u64]) -> Self {
        if set.len() > SMALL_TABLE_BITS / 64 {
            return Self::Large(set);
        }
        let mut small = [0; SMALL_TABLE_BITS / 32];
        for (pair, word) in small.as_chunks_mut::<2>().0.iter_mut().zip(set) {
            *pair = [*word as u32, (*word >> 32) as u32];
        }
        Self::Small(small)
    }

    /// True when the number is in the set.
    #[inline(always)]
    pub(crate) fn contains(&self, number: u32) -> bool {
        let number = number as usize;
        match self {
            Self::Small(words) => {
                words.get(number / 32).is_some_and(|word| word >> (number % 32) & 1 == 1)
            }
            Self::Large(words) => {
                words.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
            }
        }
    }
}

#[inline(always)]
fn each(mut a: [u32; LANES], b: [u32; LANES], map: impl Fn(u32, u32) -> u32) -> [u32; LANES] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = map(*a, b);
    }
    a
}

/// For every CPU: the compiler finds vectors in the loops.
impl Row for [u32; LANES] {
    const FUSES: bool = cfg!(target_arch = "aarch64");

    #[inline(always)]
    fn load(words: &[[u8; 4]; LANES]) -> Self {
        words.map(u32::from_le_bytes)
    }

    #[inline(always)]
    fn splat(value: u32) -> Self {
        [value; LANES]
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        each(self, self, |lane, _| lane >> bits)
    }

    #[inline(always)]
    fn funnel(low: Self, high: Self, bits: u32) -> Self {
        each(low, high, |low, high| low >> bits | high << (32 - bits))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        each(self, other, |a, b| a & b)
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each(self, other, |a, b| a.wrapping_add(b))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        each(self, other, |a, b| a.wrapping_sub(b))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        each(self, other, |a, b| a.min(b))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        each(self, other, |a, b| a.max(b))
    }

    #[inline(always)]
    fn keep(self, lanes: u32) -> Self {
        std::array::from_fn(|lane| match lanes & (1 << lane) {
            0 => 0,
            _ => self[lane],
        })
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> u32 {
        (0..LANES).fold(0, |bits, lane| bits | u32::from(self[lane] <= other[lane]) << lane)
    }

    #[inline(always)]
    fn in_table(self, table: &Table<'_>) -> u32 {
        (0..LANES).fold(0, |bits, lane| bits | u32::from(table.contains(self[lane])) << lane)
    }

    #[inline(always)]
    fn store(self, out: &mut [u32; LANES]) {
        *out = self;
    }
}
