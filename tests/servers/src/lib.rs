//! The servers of others that tests need: each is started by the tests on a free port in a folder of its own,
//! and is ended with them, also when they panic or are killed. Where one cannot be had, its tests say so and
//! do nothing.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod postgres;

pub use postgres::{Postgres, Signal};
