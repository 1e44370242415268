//! Benchmarks of the engine, and the table they run on.
//!
//! [`page_views`] generates an endless table of page views from a seed, as rows, as columns, as a
//! segment and as JSON lines: the same for everybody who measures or demonstrates something.
//! [`shapes`] makes single blocks for the encodings, and [`harness`] is what the benchmarks share. The benchmarks are in `benches/`, one file a subject.

pub mod cpu_time;
pub mod harness;
pub mod page_views;
pub mod random;
pub mod shapes;
