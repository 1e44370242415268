//! Deep storage that fails on purpose, for tests. The same seed gives the same faults.
//!
//! `storage` is what roles have to survive: calls that fail after all that a storage does against it.
//! `objects` is what the storage itself has to survive: single requests of an object store that fail.

mod objects;
mod plan;
mod storage;

pub use objects::UnreliableObjects;
pub use plan::{FaultPlan, InjectedFaults};
pub use storage::UnreliableStorage;
