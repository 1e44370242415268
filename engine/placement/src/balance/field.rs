//! How much lies near in time on each node, kept as sums, so that nothing is ever compared pair by pair.
//!
//! Time is cut into buckets, within groups: all segments are one group, those of a datasource another. For each
//! bucket of a group that a segment of it touches there is a row with a number for each node: the nearness
//! of that bucket to everything of the group that the node holds. Adding a copy adds to the rows near its own;
//! asking what a segment would meet on every node reads one row.
//!
//! The numbers are integers: whatever is added and taken away in whatever order, the same copies give the
//! same sums, so that a plan over a fresh picture finds nothing to do where the last one ended.

use super::affinity::nearness_of_buckets;

/// What the nearness 1 counts.
const UNIT: f64 = 64.0;

/// One row for each bucket of a group that is touched, and a column for each node.
#[derive(Debug, Clone)]
pub(super) struct Field {
    servers: usize,
    keys: Vec<BucketKey>,
    /// By distance in buckets; what is further apart counts nothing.
    kernel: Vec<i32>,
    sums: Vec<i32>,
}

/// A bucket of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BucketKey {
    pub group: u32,
    pub bucket: i64,
}

impl Field {
    /// Rows for these buckets, and nothing in them.
    pub(super) fn new(mut keys: Vec<BucketKey>, width_ms: i64, servers: usize) -> Self {
        keys.sort_unstable();
        keys.dedup();
        let sums = vec![0; keys.len() * servers];
        Self { servers, keys, kernel: kernel(width_ms), sums }
    }

    /// The row of a bucket, which is near a row that was asked for before.
    pub(super) fn row_near(&self, key: BucketKey, hint: u32) -> u32 {
        let near =
            (hint..hint.saturating_add(2)).find(|at| self.keys.get(*at as usize) == Some(&key));
        near.unwrap_or_else(|| self.keys.partition_point(|other| *other < key) as u32)
    }

    /// The sums of a row, a node each.
    pub(super) fn row(&self, row: u32) -> &[i32] {
        let from = row as usize * self.servers;
        &self.sums[from..from + self.servers]
    }

    /// Adds something of this weight to what a node holds there; taken away when it is negative.
    pub(super) fn add(&mut self, row: u32, server: usize, weight: i32) {
        let own = row as usize;
        let (group, bucket) = (self.keys[own].group, self.keys[own].bucket);
        let reach = self.kernel.len() as i64;
        for at in (0..=own).rev() {
            let key = self.keys[at];
            let distance = bucket - key.bucket;
            if key.group != group || distance >= reach {
                break;
            }
            self.bump(at, server, weight * self.kernel[distance as usize]);
        }
        for at in own + 1..self.keys.len() {
            let key = self.keys[at];
            let distance = key.bucket - bucket;
            if key.group != group || distance >= reach {
                break;
            }
            self.bump(at, server, weight * self.kernel[distance as usize]);
        }
    }

    /// What something of weight 1 in one row adds to another.
    pub(super) fn between(&self, left: u32, right: u32) -> i32 {
        let (left, right) = (self.keys[left as usize], self.keys[right as usize]);
        let distance = left.bucket.abs_diff(right.bucket) as usize;
        let same_group = left.group == right.group;
        self.kernel.get(distance).copied().filter(|_| same_group).unwrap_or(0)
    }

    fn bump(&mut self, row: usize, server: usize, by: i32) {
        let sum = &mut self.sums[row * self.servers + server];
        // Beyond two million copies of one time on one node the sums mean nothing any more; they still
        // come out right when these are taken away again.
        *sum = sum.wrapping_add(by);
    }
}

/// What a nearness of 1 and a weight of 1 count.
pub(super) fn scale() -> f64 {
    UNIT
}

fn kernel(width_ms: i64) -> Vec<i32> {
    let counts =
        (0..).map(|distance| (nearness_of_buckets(width_ms, distance) * UNIT).round() as i32);
    let mut kernel: Vec<i32> = counts.take_while(|count| *count > 0).collect();
    if kernel.is_empty() {
        kernel.push(1);
    }
    kernel
}
