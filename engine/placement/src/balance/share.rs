//! What it costs that a node has more than its share of bytes, or of the work of queries.
//!
//! The cost grows with the square of the share, gently up to what is tolerated and steeply beyond, so that
//! within the tolerance other things decide, and nothing goes beyond it for their sake.

/// How steep the cost of a share is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareWeight {
    /// Everywhere.
    pub gentle: f64,
    /// Beyond what is tolerated.
    pub steep: f64,
    /// By how much a node may have more than its share; 0.02 is two per cent.
    pub tolerance: f64,
}

impl ShareWeight {
    /// The cost of so many times the share.
    fn energy(&self, share: f64) -> f64 {
        let beyond = (share - 1.0 - self.tolerance).max(0.0);
        0.5 * (self.gentle * share * share + self.steep * beyond * beyond)
    }
}

/// After so long queries ask for a segment half as often.
const INTEREST_HALVES_AFTER_MS: f64 = 5.0 * 86_400_000.0;

/// What queries can be assumed to cost on a segment of which no node has told: more where there are more
/// bytes, most where the end is new, and never nothing.
#[must_use]
pub fn assumed_load(size_bytes: u64, age_ms: i64, popularity: f64) -> u32 {
    let interest = popularity * (-age_ms.max(0) as f64 / INTEREST_HALVES_AFTER_MS).exp2();
    let load = size_bytes as f64 / f64::from(1 << 20) * (1_000.0 * interest + 1.0);
    load.min(f64::from(u32::MAX)) as u32
}

/// What a tier has of something that every segment has an amount of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Total {
    pub amount: u128,
    pub copies: u64,
    pub servers: usize,
}

impl Total {
    /// An average segment.
    pub(super) fn mean(&self) -> f64 {
        self.amount as f64 / self.copies.max(1) as f64
    }

    /// The share of a node that is to have `part` times the average.
    pub(super) fn share(&self, weight: ShareWeight, part: f64) -> Share {
        let servers = self.servers.max(1) as f64;
        let mean = self.amount as f64 / servers * part;
        let is_something = mean > 0.0;
        Share {
            weight,
            of_amount: if is_something { 1.0 / mean } else { 0.0 },
            segments: if is_something { self.copies as f64 / servers * part } else { 0.0 },
        }
    }
}

/// The share of one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub weight: ShareWeight,
    /// What part of its share one byte, or unit of work, is.
    pub of_amount: f64,
    /// The segments that it would have.
    pub segments: f64,
}

impl Share {
    /// How often an amount is its share.
    pub(super) fn of(&self, held: u64) -> f64 {
        held as f64 * self.of_amount
    }

    /// What an amount more costs where there is `held`: for an average segment about the slope of the cost.
    pub(super) fn cost_of(&self, held: u64, amount: u64) -> f64 {
        let before = self.of(held);
        let after = before + amount as f64 * self.of_amount;
        self.segments * (self.weight.energy(after) - self.weight.energy(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_cheap_within_the_tolerance_and_steep_beyond() {
        let weight = ShareWeight { gentle: 10.0, steep: 1_000.0, tolerance: 0.02 };
        let total = Total { amount: 100_000, copies: 1_000, servers: 10 };
        let share = total.share(weight, 1.0);
        // An average segment, of a hundred; the share is ten thousand.
        let cost = |held| share.cost_of(held, 100);
        assert!((cost(0) - 0.05).abs() < 1e-9, "{}", cost(0));
        assert!((cost(9_900) - 9.95).abs() < 1e-9, "{}", cost(9_900));
        assert!(cost(11_000) > 90.0, "{}", cost(11_000));
        // One that is to have twice as much is as full with twice as much.
        let twice = total.share(weight, 2.0).cost_of(19_900, 100);
        assert!((twice - 9.975).abs() < 1e-9, "{twice}");
        // Where nobody has anything, nobody has too much.
        assert_eq!(
            Total { amount: 0, copies: 5, servers: 2 }.share(weight, 1.0).cost_of(0, 0),
            0.0
        );
    }
}
