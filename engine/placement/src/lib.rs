//! Which segment belongs where: what rules ask for, which node is the best place, which moves are worth
//! their bytes, and what a cluster would look like after a loss.
//!
//! Pure and synchronous, as all of the engine: time is a parameter, chance is a seed, and nothing here
//! knows how segments are loaded. The coordinator plans with it; `henge cluster simulate` runs the very
//! same code on clusters that nobody has.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod balance;
pub mod cluster;
mod error;
pub mod rules;
pub mod simulate;
mod wishes;

pub use error::{PlacementError, Result};
pub use wishes::Wishes;
