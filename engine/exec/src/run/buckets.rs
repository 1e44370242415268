//! Time buckets: runs of rows where time is sorted, one look at a cached bucket a row elsewhere.

use std::ops::Range;

use henge_aggregate::Run;
use henge_scan::{Result, Selection};
use henge_segment::{NumericColumn, NumericValues};
use henge_types::narrow::narrow;
use henge_types::{Granularity, Interval};
use rustc_hash::FxHashMap;

use crate::bucket_starts::BucketStarts;
use crate::context::ExecContext;

/// Rows whose times are read together in search of a bucket's end.
const SEARCH_ROWS: usize = 1024;
/// Most bucket lengths that a block's times span to be searched instead of read.
const MAX_SEARCHED_RUNS: u64 = 8;

/// Numbers the time buckets that rows fall into, in the order they are met.
#[derive(Debug)]
pub(super) struct Buckets<'q> {
    granularity: &'q Granularity,
    /// Empty for granularity `all`, whose only bucket has no start yet.
    starts: Vec<i64>,
    ordinals: FxHashMap<i64, u32>,
    newest: Option<i64>,
    current: Option<(Interval, u32)>,
    ctx: &'q ExecContext,
}

impl<'q> Buckets<'q> {
    /// None met yet; for granularity `all` there is one from the start.
    pub(super) fn new(granularity: &'q Granularity, ctx: &'q ExecContext) -> Self {
        let (starts, ordinals) = (Vec::new(), FxHashMap::default());
        Self { granularity, starts, ordinals, newest: None, current: None, ctx }
    }

    /// True when all rows fall into one bucket.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.granularity, Granularity::All)
    }

    /// Number of buckets so far.
    pub(super) fn count(&self) -> usize {
        if self.is_single() { 1 } else { self.starts.len() }
    }

    /// The starts of groups, of which `bucket_of` gives the buckets.
    pub(super) fn starts_of<I: Iterator<Item = u32>>(
        &self,
        groups: usize,
        bucket_of: impl FnOnce() -> I,
    ) -> BucketStarts {
        match self.starts.as_slice() {
            _ if self.is_single() => BucketStarts::All(groups),
            [start] => BucketStarts::At(vec![*start; groups]),
            starts => BucketStarts::At(bucket_of().map(|bucket| starts[bucket as usize]).collect()),
        }
    }

    /// The bucket that two times share, if they do.
    pub(super) fn common(&mut self, min: i64, max: i64) -> Result<Option<u32>> {
        if !self.granularity.bucket(min).contains(max) {
            return Ok(None);
        }
        Ok(Some(self.bucket(min)?.1))
    }

    /// The bucket of a timestamp.
    fn bucket(&mut self, ms: i64) -> Result<(Interval, u32)> {
        if let Some((interval, ordinal)) = self.current
            && interval.contains(ms)
        {
            return Ok((interval, ordinal));
        }
        let interval = self.granularity.bucket(ms);
        let next = narrow(self.starts.len());
        let ordinal = if self.newest.is_none_or(|newest| newest < interval.start_ms) {
            // Rows sorted by time only ever come here.
            self.newest = Some(interval.start_ms);
            next
        } else {
            self.known_ordinal(interval.start_ms).unwrap_or(next)
        };
        if ordinal == next {
            self.ctx.check_buckets(self.starts.len() + 1)?;
            self.starts.push(interval.start_ms);
        }
        self.current = Some((interval, ordinal));
        Ok((interval, ordinal))
    }

    /// Looks a bucket up by its start. The map lags behind `starts` and catches up when needed.
    fn known_ordinal(&mut self, start_ms: i64) -> Option<u32> {
        for ordinal in self.ordinals.len()..self.starts.len() {
            self.ordinals.insert(self.starts[ordinal], narrow(ordinal));
        }
        self.ordinals.get(&start_ms).copied()
    }

    /// The runs of a range of rows that is sorted by time; `None` when there are more than `limit`.
    pub(super) fn runs(
        &mut self,
        times: NumericValues<'_, i64>,
        rows: Range<usize>,
        limit: usize,
    ) -> Result<Option<Vec<Run>>> {
        let mut runs = Vec::new();
        let mut start = rows.start;
        while start < rows.end {
            if runs.len() == limit {
                return Ok(None);
            }
            let run = self.run(times, start, rows.end)?;
            start = run.rows.end;
            runs.push(run);
        }
        Ok(Some(runs))
    }

    /// The runs of a range of a block's rows, which are sorted by time; `None` when statistics do
    /// not say that runs are long. Then few times are read, in search of where buckets end.
    pub(super) fn runs_by_search(
        &mut self,
        time: &dyn NumericColumn<i64>,
        block: usize,
        rows: Range<usize>,
        scratch: &mut Vec<i64>,
    ) -> Result<Option<Vec<Run>>> {
        let Some(stats) = time.stats(block)?.filter(|stats| stats.null_count == 0) else {
            return Ok(None);
        };
        let first = self.granularity.bucket(stats.min);
        let length_ms = first.end_ms.abs_diff(first.start_ms).max(1);
        if stats.max.abs_diff(stats.min) / length_ms >= MAX_SEARCHED_RUNS {
            return Ok(None);
        }
        let source = SortedTimes { time, block, rows: rows.end };
        let mut runs = Vec::new();
        let mut start = rows.start;
        while start < rows.end {
            let (window, values) = source.window(start / SEARCH_ROWS, scratch)?;
            let (interval, bucket) = self.bucket(values.get(start - window.start))?;
            // The last window that begins before the bucket's end holds the run's end.
            let (mut low, mut high) = (start / SEARCH_ROWS, (rows.end - 1) / SEARCH_ROWS);
            while low < high {
                let middle = low + (high - low).div_ceil(2);
                if source.window(middle, scratch)?.1.get(0) < interval.end_ms {
                    low = middle;
                } else {
                    high = middle - 1;
                }
            }
            let (window, values) = source.window(low, scratch)?;
            let end = match values {
                NumericValues::Constant(_) => window.end,
                NumericValues::Slice(times) => {
                    window.start + times.partition_point(|&ms| ms < interval.end_ms)
                }
            };
            // A corrupt order of rows must not stop progress.
            let end = end.clamp(start + 1, rows.end);
            runs.push(Run { rows: start..end, bucket });
            start = end;
        }
        Ok(Some(runs))
    }

    /// Writes the bucket of each row of a range that is sorted by time to `buckets[row]`.
    pub(super) fn assign_sorted(
        &mut self,
        times: NumericValues<'_, i64>,
        rows: Range<usize>,
        buckets: &mut [u32],
    ) -> Result<()> {
        let mut start = rows.start;
        while start < rows.end {
            let run = self.run(times, start, rows.end)?;
            start = run.rows.end;
            buckets[run.rows].fill(run.bucket);
        }
        Ok(())
    }

    /// The run that starts at a row.
    fn run(&mut self, times: NumericValues<'_, i64>, start: usize, limit: usize) -> Result<Run> {
        let (interval, bucket) = self.bucket(times.get(start))?;
        let end = match times {
            NumericValues::Constant(_) => limit,
            NumericValues::Slice(times) => {
                start + run_length(&times[start..limit], interval.end_ms)
            }
        };
        // A corrupt order of rows must not stop progress.
        Ok(Run { rows: start..end.max(start + 1), bucket })
    }

    /// Writes the bucket of each selected row to `buckets[row]`.
    pub(super) fn assign(
        &mut self,
        times: NumericValues<'_, i64>,
        selection: Selection<'_>,
        buckets: &mut [u32],
    ) -> Result<()> {
        selection.try_for_each(|row| {
            buckets[row] = self.bucket(times.get(row))?.1;
            Ok(())
        })
    }
}

/// The times of a block's rows up to a row, which ascend.
struct SortedTimes<'a> {
    time: &'a dyn NumericColumn<i64>,
    block: usize,
    rows: usize,
}

impl SortedTimes<'_> {
    /// Some rows of the block, and their times.
    fn window<'s>(
        &'s self,
        window: usize,
        scratch: &'s mut Vec<i64>,
    ) -> Result<(Range<usize>, NumericValues<'s, i64>)> {
        let rows = window * SEARCH_ROWS..((window + 1) * SEARCH_ROWS).min(self.rows);
        Ok((rows.clone(), self.time.rows(self.block, rows, scratch)?.values))
    }
}

/// How many leading times are before `end_ms`: steps double until they overshoot, so that the cost
/// follows the length of the run and not of the block.
fn run_length(times: &[i64], end_ms: i64) -> usize {
    let mut step = 1;
    let mut known = 0;
    while known + step <= times.len() && times[known + step - 1] < end_ms {
        known += step;
        step *= 2;
    }
    let limit = (known + step).min(times.len());
    known + times[known..limit].partition_point(|&ms| ms < end_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use henge_scan::ExecError;

    #[test]
    fn run_length_finds_the_edge() {
        let times: Vec<i64> = (0..1000).collect();
        for end in [0, 1, 2, 3, 500, 999, 1000, 5000] {
            assert_eq!(run_length(&times, end), end.min(1000) as usize);
        }
        assert_eq!(run_length(&[], 5), 0);
    }

    #[test]
    fn runs_follow_buckets() {
        let hour = Granularity::parse_name("hour").expect("a name");
        let ctx = ExecContext::default();
        let mut buckets = Buckets::new(&hour, &ctx);
        let times: Vec<i64> = (0..300).map(|minute| minute * 60_000).collect();
        let times = NumericValues::Slice(&times);
        let runs = buckets.runs(times, 30..200, 100).expect("buckets").expect("few runs");
        let lengths: Vec<usize> = runs.iter().map(|run| run.rows.len()).collect();
        assert_eq!(lengths, [30, 60, 60, 20]);
        assert_eq!(buckets.starts, [0, 3_600_000, 7_200_000, 10_800_000]);
        assert_eq!(buckets.runs(times, 30..200, 3).expect("buckets"), None);
    }

    #[test]
    fn unsorted_rows_find_their_buckets_again() {
        let ctx = ExecContext::default();
        let mut buckets = Buckets::new(&Granularity::None, &ctx);
        let mut ids = vec![0; 6];
        let all = Selection::Range { start: 0, end: 6 };
        let times = NumericValues::Slice(&[9, 11, 10, 11, 9, 10]);
        buckets.assign(times, all, &mut ids).expect("few buckets");
        assert_eq!(ids, [0, 1, 2, 1, 0, 2]);
    }

    #[test]
    fn h_30_too_many_buckets_are_refused() {
        let ctx = ExecContext { max_buckets: 10, ..ExecContext::default() };
        let mut buckets = Buckets::new(&Granularity::None, &ctx);
        let times: Vec<i64> = (0..100).collect();
        let mut ids = vec![0; 100];
        let all = Selection::Range { start: 0, end: 100 };
        let error = buckets.assign(NumericValues::Slice(&times), all, &mut ids);
        assert!(matches!(error, Err(ExecError::ResourceLimit(_))));
    }
}
