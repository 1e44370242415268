//! Randomness, for names and identities that nobody else has: the only door to it.

use rand::Rng;
use rand::distr::{Distribution, StandardUniform};

use super::simulation;

/// A number that nobody can guess; on a simulated thread the next one of its seed.
pub fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    simulation::draw(|seeded| seeded.random()).unwrap_or_else(|| {
        #[expect(clippy::disallowed_methods, reason = "the door to the thread's own generator")]
        rand::random()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_all_that_is_drawn() {
        let drawn = |seed| {
            let _simulated = simulation::enter(seed);
            (random::<u64>(), random::<u128>(), random::<u32>())
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_ne!(random::<u128>(), random::<u128>());
    }
}
