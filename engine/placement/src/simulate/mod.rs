//! Clusters that nobody has: the planning code of the coordinator on segments and nodes that are made up, or
//! were exported, through losses, returns, new nodes and other rules.
//!
//! What is simulated is where copies are. Loading takes no time, and whatever was planned has happened when
//! the next plan is made.

mod baseline;
mod event;
mod measure;
mod report;
mod run;
mod scenario;
mod snapshot;
mod synthetic;
mod world;

pub use event::Event;
pub use measure::{Measures, PerNode, TierMeasures};
pub use report::{as_json, as_markdown};
pub use run::{Placement, SimulationOptions, Stage, simulate};
pub use scenario::{Scenario, TierSpec};
pub use snapshot::Snapshot;
pub use world::World;

#[cfg(test)]
mod tests;
