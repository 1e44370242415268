//! What every source must do, and what ingestion makes of it: each event is counted once, whatever the
//! source repeats and wherever the process ends. The scripted source in memory is the first to pass;
//! the suite of another one has these modules by path, and a `script` of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cases;
mod script;
mod stream;
mod world;
