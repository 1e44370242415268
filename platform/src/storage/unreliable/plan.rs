//! How often which fault happens, decided by a seed, and how often each did.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How often which fault happens, from 0 (never) to 1 (always). Some only objects have, where a single
/// request of a store fails; some only whole storages.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FaultPlan {
    /// Calls that fail and do nothing (5xx).
    pub refuse: f64,
    /// Puts and deletions that succeed and report a failure, as a timeout would.
    pub lose_answer: f64,
    /// Puts that report a failure and are carried out later, at some other call.
    pub late: f64,
    /// Fetches with one bit flipped.
    pub flip_bit: f64,
    /// Fetches with their end cut off.
    pub truncate: f64,
    /// Of objects: creations that are answered with a conflict (409) although nobody has the key.
    pub conflict: f64,
    /// Of objects: fetches and listings that fail after they brought something.
    pub break_off: f64,
    /// Longest time that a call takes before it is carried out.
    pub latency_ms: u64,
    /// Longest time that a listing takes on top, for each page.
    pub slow_list_ms: u64,
}

/// How often each fault was injected.
pub type InjectedFaults = BTreeMap<&'static str, u64>;

/// The plan, and the chance that carries it out.
#[derive(Debug)]
pub(super) struct Dice {
    state: Mutex<(StdRng, FaultPlan, InjectedFaults)>,
}

impl Dice {
    pub(super) fn new(plan: FaultPlan, seed: u64) -> Self {
        Self { state: Mutex::new((StdRng::seed_from_u64(seed), plan, InjectedFaults::new())) }
    }

    pub(super) fn set_plan(&self, plan: FaultPlan) {
        self.state.lock().1 = plan;
    }

    pub(super) fn injected(&self) -> InjectedFaults {
        self.state.lock().2.clone()
    }

    /// True when a fault is to happen now.
    pub(super) fn happens(&self, fault: &'static str, chance: impl Fn(&FaultPlan) -> f64) -> bool {
        let (rng, plan, injected) = &mut *self.state.lock();
        let chance = chance(plan).clamp(0.0, 1.0);
        let happens = chance > 0.0 && rng.random_bool(chance);
        if happens {
            *injected.entry(fault).or_default() += 1;
        }
        happens
    }

    /// A place among `length`.
    pub(super) fn place(&self, length: usize) -> usize {
        self.state.lock().0.random_range(0..length.max(1))
    }

    /// Lets a call take its time.
    pub(super) async fn delay(&self, longest_ms: impl Fn(&FaultPlan) -> u64) {
        let wait = {
            let (rng, plan, injected) = &mut *self.state.lock();
            let longest_ms = longest_ms(plan);
            if longest_ms == 0 {
                return;
            }
            *injected.entry("delay").or_default() += 1;
            rng.random_range(0..=longest_ms)
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}
