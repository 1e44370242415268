//! The balancer: which node is the best place for a copy, and which copies should be elsewhere.
//!
//! The cost of a placement is a sum over nodes: of what lies near each other in time on one node, twice in
//! one datasource; of what queries read together; of bytes and of the work of queries beyond a node's share;
//! of copies that share a zone. Each term is kept as sums, so that the change that a copy makes is known
//! without looking at any other. Only moves that make the whole cheaper by more than they are worth are
//! made: there is an end to that, and then there are none.

mod affinity;
mod assign;
mod cost;
mod field;
mod lanes;
mod model;
mod moves;
mod places;
mod scan;
mod share;
mod surplus;
mod time_box;
mod together;
mod told;

pub use affinity::{HALF_LIFE_MS, integral, nearness};
pub use assign::{Assigned, LoadLimits, PlannedLoad};
pub use cost::{Cost, Weights};
pub use model::Balancer;
pub(crate) use moves::mix;
pub use moves::{MoveLimits, Moves, PlannedMove};
pub use share::{ShareWeight, assumed_load};
pub use surplus::PlannedDrop;
pub use time_box::TimeBox;
pub use told::{Told, told_loads};

#[cfg(test)]
mod tests;
