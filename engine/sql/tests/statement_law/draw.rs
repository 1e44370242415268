//! Small numbers without a pattern, the same for a seed.

/// A drawer of numbers.
pub(crate) struct Draw(u64);

impl Draw {
    /// Its numbers follow from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Self(seed ^ 0x9E37_79B9_7F4A_7C15);
        (0..4).for_each(|_| {
            draw.below(1);
        });
        draw
    }

    /// From 0, below `most`.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    /// One of some.
    pub(crate) fn one<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        let place = self.below(choices.len() as u64);
        &choices[place as usize]
    }
}
