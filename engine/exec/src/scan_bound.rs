//! What the rows of some segments say to the others of a query that wants the first rows by time.

use std::sync::atomic::{AtomicU64, Ordering};

use henge_query::{Direction, Query, ScanQuery};
use henge_segment::SegmentView;
use henge_types::TIME_COLUMN;
use henge_types::number::long_order_bits;

/// As many rows as are wanted have a word of time that is no larger: others are not among the first.
#[derive(Debug)]
pub(crate) struct ScanBound {
    direction: Direction,
    word: AtomicU64,
}

impl ScanBound {
    /// The bound of a query whose rows are ordered by time first.
    pub(crate) fn of(query: &Query) -> Option<Self> {
        let Query::Scan(query) = query else { return None };
        let direction = time_first(query)?;
        Some(Self { direction, word: AtomicU64::new(u64::MAX) })
    }

    /// The smallest word that a row of a segment may have.
    pub(crate) fn least_word(&self, view: &dyn SegmentView) -> u64 {
        match (view.time_range(), self.direction) {
            (None, _) => u64::MAX,
            (Some((min, _)), Direction::Ascending) => long_order_bits(min),
            (Some((_, max)), Direction::Descending) => !long_order_bits(max),
        }
    }

    /// The bound so far.
    pub(crate) fn word(&self) -> u64 {
        self.word.load(Ordering::Relaxed)
    }

    /// Tells that there are rows enough with words up to this.
    pub(crate) fn lower_to(&self, word: u64) {
        self.word.fetch_min(word, Ordering::Relaxed);
    }
}

/// The direction of time when the stored time comes first in the order.
fn time_first(query: &ScanQuery) -> Option<Direction> {
    let first = query.order_by.first().filter(|key| key.column == TIME_COLUMN)?;
    let computed = query.base.virtual_columns.iter().any(|column| column.name == TIME_COLUMN);
    (!computed).then_some(first.direction)
}
