//! A small generator of pseudo-random numbers of our own, so that a seed means the same table
//! whatever libraries are updated.

/// SplitMix64: one addition and a mix a number; equidistributed, and good enough for test data.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..limit`, all equally likely; 0 when `limit` is 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// A number in `0..limit`, small ones far more often than large ones: half of the draws fall
    /// into the first eighth.
    pub fn skewed_below(&mut self, limit: u32) -> u32 {
        let unit = self.unit();
        (unit * unit * unit * f64::from(limit)) as u32
    }

    /// True `per_mille` times out of a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < per_mille
    }

    /// A number in `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_sequence_of_a_seed_is_known() {
        let mut random = Random::new(0);
        assert_eq!(random.bits(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(random.bits(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn draws_stay_below_their_limit_and_are_skewed() {
        let mut random = Random::new(1);
        let draws: Vec<u32> = (0..10_000).map(|_| random.skewed_below(800)).collect();
        assert!(draws.iter().all(|draw| *draw < 800));
        let low = draws.iter().filter(|draw| **draw < 100).count();
        assert!((4_800..5_200).contains(&low), "{low} of 10000 in the first eighth");
        assert!((0..1_000).all(|_| random.below(7) < 7));
    }
}
