//! How much segments are read, as their servers tell now and then: what a balancer may go by.

use henge_types::SegmentId;

/// What a segment was asked for lately: sums in which each query counts less the longer it is ago.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SegmentLoad {
    /// Queries that read it.
    pub queries: f64,
    /// Its rows, once for each of these.
    pub rows: f64,
    /// Time on CPU threads, in microseconds.
    pub cpu_us: f64,
}

/// What a server was asked lately, as far as it is worth telling: a few of its segments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadReport {
    /// The segments that took most time, those first.
    pub segments: Vec<(SegmentId, SegmentLoad)>,
    /// Pairs of them, by their places in `segments`, and the queries that read both.
    pub together: Vec<(u32, u32, f64)>,
}
