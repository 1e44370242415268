//! [`ChunkRouter`]: which time chunk a row falls into, wherever the rows of the chunks are kept.

use std::collections::BTreeMap;
use std::ops::Range;

use henge_types::{Granularity, Interval};

use crate::rejection::RejectReason;

/// Numbers the time chunks that rows fall into, from 0 in the order in which they are met.
#[derive(Debug, Clone)]
pub struct ChunkRouter {
    granularity: Granularity,
    max_chunks: usize,
    chunks: Vec<Interval>,
    /// The numbers, by the start of the chunk in milliseconds.
    numbers: BTreeMap<i64, usize>,
    /// Of the latest row.
    last: usize,
}

impl ChunkRouter {
    /// A router that has met no rows. Rows that would need more chunks than `max_chunks` are refused.
    #[must_use]
    pub fn new(granularity: Granularity, max_chunks: usize) -> Self {
        Self { granularity, max_chunks, chunks: Vec::new(), numbers: BTreeMap::new(), last: 0 }
    }

    /// The chunks met so far, by number.
    #[must_use]
    pub fn chunks(&self) -> &[Interval] {
        &self.chunks
    }

    /// The number of a row's chunk.
    ///
    /// # Errors
    /// [`RejectReason::TooManyChunks`] when it would be one too many.
    #[inline]
    pub fn route(&mut self, timestamp_ms: i64) -> Result<usize, RejectReason> {
        // Events come mostly in order: the chunk of the one before is the likeliest.
        if self.chunks.get(self.last).is_some_and(|chunk| chunk.contains(timestamp_ms)) {
            return Ok(self.last);
        }
        self.last = self.find_or_open(timestamp_ms)?;
        Ok(self.last)
    }

    /// Cuts rows into stretches of one chunk, each with the number of its chunk.
    ///
    /// # Errors
    /// [`RejectReason::TooManyChunks`] when there would be too many; then none of them is met.
    pub fn runs(&mut self, times_ms: &[i64]) -> Result<Vec<(usize, Range<usize>)>, RejectReason> {
        let met = self.chunks.len();
        let mut runs = Vec::new();
        let mut start = 0;
        while let Some(first) = times_ms.get(start) {
            let number = self.route(*first).inspect_err(|_| self.forget_from(met))?;
            let chunk = self.chunks[number];
            let length = times_ms[start..].iter().position(|time| !chunk.contains(*time));
            let end = length.map_or(times_ms.len(), |length| start + length);
            runs.push((number, start..end));
            start = end;
        }
        Ok(runs)
    }

    /// Forgets the chunks that are not kept. Gives the new number of each that is.
    pub fn retain(&mut self, is_kept: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
        let chunks = std::mem::take(&mut self.chunks);
        self.clear();
        let kept = |(number, chunk)| is_kept(number).then(|| self.open(chunk));
        chunks.into_iter().enumerate().map(kept).collect()
    }

    /// Forgets all chunks.
    pub fn clear(&mut self) {
        self.forget_from(0);
    }

    fn find_or_open(&mut self, timestamp_ms: i64) -> Result<usize, RejectReason> {
        let before = self.numbers.range(..=timestamp_ms).next_back();
        if let Some((_, number)) = before
            && self.chunks[*number].contains(timestamp_ms)
        {
            return Ok(*number);
        }
        let open = self.chunks.len();
        if open >= self.max_chunks {
            return Err(RejectReason::TooManyChunks { open });
        }
        Ok(self.open(self.granularity.bucket(timestamp_ms)))
    }

    fn open(&mut self, chunk: Interval) -> usize {
        let number = self.chunks.len();
        self.chunks.push(chunk);
        self.numbers.insert(chunk.start_ms, number);
        number
    }

    fn forget_from(&mut self, number: usize) {
        self.chunks.truncate(number);
        self.numbers.retain(|_, known| *known < number);
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn hourly(max_chunks: usize) -> ChunkRouter {
        ChunkRouter::new(Granularity::parse_name("hour").unwrap(), max_chunks)
    }

    #[test]
    fn chunks_are_numbered_as_they_are_met() {
        let mut router = hourly(10);
        let times = [5 * HOUR_MS, 5 * HOUR_MS + 1, 2 * HOUR_MS, -1, 6 * HOUR_MS - 1];
        assert_eq!(times.map(|time| router.route(time).unwrap()), [0, 0, 1, 2, 0]);
        let starts: Vec<i64> = router.chunks().iter().map(|chunk| chunk.start_ms).collect();
        assert_eq!(starts, [5 * HOUR_MS, 2 * HOUR_MS, -HOUR_MS]);
    }

    #[test]
    fn h_26_chunks_are_limited_and_those_that_are_open_go_on() {
        let mut router = hourly(2);
        assert_eq!(router.route(0), Ok(0));
        assert_eq!(router.route(HOUR_MS), Ok(1));
        assert_eq!(router.route(2 * HOUR_MS), Err(RejectReason::TooManyChunks { open: 2 }));
        assert_eq!(router.route(1), Ok(0));
        router.clear();
        assert_eq!(router.route(2 * HOUR_MS), Ok(0));
    }

    #[test]
    fn h_26_rows_of_too_many_chunks_are_taken_together_or_not_at_all() {
        let mut router = hourly(2);
        assert_eq!(router.runs(&[1, 2, HOUR_MS, 3]), Ok(vec![(0, 0..2), (1, 2..3), (0, 3..4)]));
        let mut router = hourly(2);
        router.route(0).unwrap();
        let refused = router.runs(&[HOUR_MS, 0, 2 * HOUR_MS]);
        assert_eq!(refused, Err(RejectReason::TooManyChunks { open: 2 }));
        assert_eq!(router.chunks().len(), 1);
        assert_eq!(router.runs(&[2 * HOUR_MS, 0]), Ok(vec![(1, 0..1), (0, 1..2)]));
    }

    #[test]
    fn chunks_that_are_kept_are_numbered_anew() {
        let mut router = hourly(3);
        router.runs(&[0, HOUR_MS, 2 * HOUR_MS]).unwrap();
        assert_eq!(router.retain(|number| number != 1), [Some(0), None, Some(1)]);
        assert_eq!(router.route(2 * HOUR_MS), Ok(1));
        assert_eq!(router.route(HOUR_MS), Ok(2));
    }
}
