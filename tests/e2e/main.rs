//! End to end: a real server over HTTP, as a user meets it.

mod caches;
mod chunk_sizes;
mod damage;
mod discovery;
mod door;
mod formats;
mod handoff;
mod hostile;
mod lost_metadata;
mod memory;
mod projections;
mod tasks;
