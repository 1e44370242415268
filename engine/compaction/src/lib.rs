//! Which small segments are to be merged: what an operator wants of a datasource, what is there, what is to
//! be done next and why.
//!
//! Pure and synchronous, as all of the engine: time is a parameter. The coordinator decides with it and asks
//! for tasks, a realtime node carries them out with the very same code, and the state that a task wrote is
//! recorded with its segments ([`Wanted::fingerprint`]), so that what is compact is left alone.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod age;
mod combine;
mod config;
mod error;
mod facts;
mod judge;
mod order;
mod plan;
mod spec;
mod task;
mod units;
mod wanted;

pub use age::{Age, Goal};
pub use combine::{Target, target_schema};
pub use config::CompactionConfig;
pub use error::{CompactionError, Result};
pub use facts::{Forms, SegmentFacts, SegmentForm, with_fingerprint};
pub use judge::{Judged, Limits, Reason, Skip, Verdict, judge};
pub use order::Order;
pub use plan::{Totals, choose, totals};
pub use task::{CompactTask, TASK_TYPE};
pub use units::{Unit, Visible};
pub use wanted::Wanted;
