//! Benchmarks of the engine, and the table they run on.
//!
//! [`page_views`] generates an endless table of page views from a seed, as rows, as columns, as a
//! segment and as JSON lines: the same for everybody who measures or demonstrates something.
//! [`shapes`] makes single blocks for the encodings, [`harness`] is what the benchmarks share, and
//! [`memory`] measures what they are read against. The benchmarks are in `benches/`, one file a
//! subject.

pub mod cpu_time;
pub mod harness;
pub mod memory;
pub mod page_views;
pub mod random;
pub mod shapes;
mod summary;
