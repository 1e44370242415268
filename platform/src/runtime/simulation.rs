//! One thread on which everything happens in an order that its seed decides: blocking work runs in place
//! (see [`super::blocking()`]), randomness comes from the seed (see [`super::random()`]). With a runtime of
//! this thread alone whose clock is paused, and [`CpuPool::of_this_runtime`](super::CpuPool), nothing
//! else tells one run from another.

use std::cell::RefCell;
use std::marker::PhantomData;

use rand::SeedableRng;
use rand::rngs::StdRng;

thread_local! {
    static ENTERED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// This thread is simulated until the value is dropped.
#[derive(Debug)]
#[must_use = "the thread is simulated until this is dropped"]
pub struct Simulated(PhantomData<*const ()>);

/// Makes this thread a simulated one.
pub fn enter(seed: u64) -> Simulated {
    ENTERED.set(Some(StdRng::seed_from_u64(seed)));
    Simulated(PhantomData)
}

impl Drop for Simulated {
    fn drop(&mut self) {
        ENTERED.set(None);
    }
}

/// True on a simulated thread.
pub(super) fn is_entered() -> bool {
    ENTERED.with_borrow(Option::is_some)
}

/// Draws from the thread's seed; `None` on any other thread.
pub(super) fn draw<T>(draw: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    ENTERED.with_borrow_mut(|entered| entered.as_mut().map(draw))
}
