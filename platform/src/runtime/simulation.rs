//! One thread on which everything happens in an order that its seed decides: blocking work runs in place
//! (see [`super::blocking()`]), randomness comes from the seed (see [`super::random()`]). With a runtime of
//! this thread alone whose clock is paused, and [`CpuPool::of_this_runtime`](super::CpuPool), nothing
//! else tells one run from another.

mod process;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::files::FileFaults;

pub use process::Process;
pub(super) use process::current as process;

thread_local! {
    static ENTERED: RefCell<Option<Entered>> = const { RefCell::new(None) };
}

struct Entered {
    random: StdRng,
    /// Says which work on files fails.
    faults: Option<Rc<dyn FileFaults>>,
}

/// This thread is simulated until the value is dropped.
#[derive(Debug)]
#[must_use = "the thread is simulated until this is dropped"]
pub struct Simulated(PhantomData<*const ()>);

/// Makes this thread a simulated one.
pub fn enter(seed: u64) -> Simulated {
    ENTERED.set(Some(Entered { random: StdRng::seed_from_u64(seed), faults: None }));
    Simulated(PhantomData)
}

impl Simulated {
    /// From now on these say which work on files fails on this thread.
    pub fn fail_files(&self, faults: Rc<dyn FileFaults>) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(entered) = entered {
                entered.faults = Some(faults);
            }
        });
    }
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
    ENTERED.with_borrow_mut(|entered| entered.as_mut().map(|entered| draw(&mut entered.random)))
}

/// What says which work on files fails on this thread, if anything does.
pub(super) fn file_faults() -> Option<Rc<dyn FileFaults>> {
    ENTERED.with_borrow(|entered| entered.as_ref()?.faults.clone())
}
