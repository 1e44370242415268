//! Several realtime nodes on one metadata store, on one seeded thread.

mod giving_up;
mod keys;
mod registration;
mod replicated;
mod sharing;
mod taking_over;
mod world;

use world::{World, run};
