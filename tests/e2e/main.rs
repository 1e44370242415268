//! End to end: a real server over HTTP, as a user meets it.

mod handoff;
mod hostile;
mod projections;
mod tasks;
