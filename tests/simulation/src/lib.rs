//! A whole cluster on one thread, decided by a seed: processes that die, networks that are cut, disks
//! that are full, dates that jump, deep storage that fails; and what must hold throughout. See the
//! README.
#![forbid(unsafe_code)]

mod actors;
mod audit;
mod cluster;
mod company;
mod disks;
mod gossip;
mod metadata;
mod model;
mod network;
mod run;
mod tally;
mod trace;
mod world;

pub use run::{Options, Outcome, run};
pub use tally::Counts;
