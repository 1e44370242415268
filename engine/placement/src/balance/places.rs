//! Where each segment lies in the fields: the rows of its time, among all and in its datasource.
//!
//! An interval is represented by one instant for each bucket that it spans, evenly spaced, sixteen at most:
//! what is longer is near to little, and what overlaps it in its datasource counts otherwise.

use henge_types::Interval;

use super::affinity::HALF_LIFE_MS;
use super::field::{BucketKey, Field};
use crate::cluster::{DatasourceIndex, Segment, SegmentIndex};

/// The finest bucket.
const WIDTH_MS: i64 = HALF_LIFE_MS / 2;
/// Instants of one segment, at most.
const MOST_POINTS: i64 = 16;
/// Weight of a segment, shared by its points.
const WEIGHT: i32 = 16;
/// Numbers of a field, at most: half a gigabyte. Where datasources times buckets times nodes would need more,
/// buckets are wider.
const MOST_SUMS: usize = 1 << 27;

/// The rows of a point of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub in_all: u32,
    pub in_datasource: u32,
}

/// The rows of all segments.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Where the rows of each segment begin, and of one more.
    starts: Vec<u32>,
    rows: Vec<Rows>,
}

/// The fields and where segments lie in them.
pub(super) struct Laid {
    pub places: Places,
    pub all: Field,
    pub datasources: Field,
}

impl Places {
    /// The rows of a segment, and the weight of each.
    pub(super) fn of(&self, segment: SegmentIndex) -> (&[Rows], i32) {
        let at = segment as usize;
        let rows = &self.rows[self.starts[at] as usize..self.starts[at + 1] as usize];
        (rows, WEIGHT / rows.len().max(1) as i32)
    }
}

/// The weight of a whole segment.
pub(super) fn weight() -> f64 {
    f64::from(WEIGHT)
}

/// Fields for these segments on so many nodes, in which nothing is yet.
pub(super) fn lay(segments: &[Segment], servers: usize) -> Laid {
    let points: Vec<i64> = segments.iter().flat_map(|segment| buckets(segment.interval)).collect();
    let all = field(servers, |shift| {
        points.iter().map(|bucket| BucketKey { group: 0, bucket: bucket >> shift }).collect()
    });
    let owners: Vec<DatasourceIndex> = segments
        .iter()
        .flat_map(|segment| buckets(segment.interval).map(|_| segment.datasource))
        .collect();
    let datasources = field(servers, |shift| {
        let points = points.iter().zip(&owners);
        points.map(|(bucket, group)| BucketKey { group: *group, bucket: bucket >> shift }).collect()
    });
    let (all, all_shift) = all;
    let (datasources, shift) = datasources;
    let mut starts = Vec::with_capacity(segments.len() + 1);
    let mut rows: Vec<Rows> = Vec::with_capacity(points.len());
    starts.push(0);
    for segment in segments {
        for bucket in buckets(segment.interval) {
            let hint = rows.last().copied().unwrap_or(Rows { in_all: 0, in_datasource: 0 });
            let in_all = BucketKey { group: 0, bucket: bucket >> all_shift };
            let in_datasource = BucketKey { group: segment.datasource, bucket: bucket >> shift };
            rows.push(Rows {
                in_all: all.row_near(in_all, hint.in_all),
                in_datasource: datasources.row_near(in_datasource, hint.in_datasource),
            });
        }
        starts.push(rows.len() as u32);
    }
    Laid { places: Places { starts, rows }, all, datasources }
}

/// A field with the finest buckets that it has room for; and how often their width was doubled.
fn field(servers: usize, keys: impl Fn(u32) -> Vec<BucketKey>) -> (Field, u32) {
    let mut shift = 0;
    loop {
        let mut touched = keys(shift);
        touched.dedup();
        touched.sort_unstable();
        touched.dedup();
        if touched.len().saturating_mul(servers) <= MOST_SUMS || shift == 40 {
            return (Field::new(touched, WIDTH_MS << shift, servers), shift);
        }
        shift += 1;
    }
}

/// The buckets of the points of an interval: a power of two of them.
fn buckets(interval: Interval) -> impl Iterator<Item = i64> {
    let length_ms = interval.duration_ms();
    let spanned = (length_ms - 1).max(0) / WIDTH_MS + 1;
    let points = (spanned.min(MOST_POINTS) as u64).next_power_of_two() as i64;
    let step_ms = length_ms / points;
    (0..points).map(move |at| (interval.start_ms + at * step_ms + step_ms / 2).div_euclid(WIDTH_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn an_interval_is_as_many_points_as_it_spans_buckets() {
        let hours = |start: i64, length: i64| {
            let interval =
                Interval { start_ms: start * HOUR_MS, end_ms: (start + length) * HOUR_MS };
            buckets(interval).collect::<Vec<_>>()
        };
        assert_eq!(hours(25, 1), [2]);
        assert_eq!(hours(24, 24), [2, 3]);
        assert_eq!(hours(-24, 24), [-2, -1]);
        assert_eq!(hours(0, 24 * 30).len(), 16);
        assert_eq!(buckets(Interval::ETERNITY).count(), 16);
        assert_eq!(buckets(Interval { start_ms: 5, end_ms: 5 }).collect::<Vec<_>>(), [0]);
    }
}
