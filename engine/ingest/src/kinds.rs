//! What a survey has seen in columns whose type their values decide: numbers, and values that are
//! none, so that a column that is text for the sake of one value can be told of.

use crate::coerce::{describe, excerpt};
use crate::discovery::DiscoveredType;
use crate::layout::Layout;
use crate::parser::RowParser;
use crate::raw::Raw;
use crate::times::TimesSeen;

/// The values of one column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnKinds {
    /// The column.
    pub column: String,
    /// Numbers, true and false.
    pub numbers: u64,
    /// Values that are none, or that a column of numbers would not keep.
    pub others: u64,
    /// The first of these, shortened.
    pub example: String,
    /// The event it came in: its index in the piece of a file, from 0.
    pub position: u64,
    /// The number of the piece, in the order in which they were read.
    pub piece: u64,
}

impl RowParser {
    /// What a survey has seen in each column whose type it decides.
    #[must_use]
    pub fn column_kinds(&self) -> &[ColumnKinds] {
        &self.kinds
    }

    /// The times that a survey has seen.
    #[must_use]
    pub fn times_seen(&self) -> &TimesSeen {
        &self.times
    }

    /// Counts the values of the event at hand. The last columns are those that it brought, with their
    /// values.
    pub(crate) fn see_kinds(&mut self, timestamp_ms: i64, body: &str, brought: &[Raw]) {
        let dimensions = &self.layout.dimensions;
        self.kinds.resize_with(dimensions.len(), ColumnKinds::default);
        let known = dimensions.len().saturating_sub(brought.len());
        for (index, (plan, kinds)) in dimensions.iter().zip(&mut self.kinds).enumerate() {
            let raw = match index.checked_sub(known).and_then(|new| brought.get(new)) {
                Some(raw) => *raw,
                None => Layout::value(plan.source, timestamp_ms, &self.buffer),
            };
            match plan.growing.and(DiscoveredType::of(raw)) {
                None => {}
                Some(DiscoveredType::String) => {
                    if kinds.others == 0 {
                        kinds.example = excerpt(&describe(raw, body, &self.buffer));
                        kinds.position = self.counts.received;
                        kinds.piece = self.pieces;
                        kinds.column.clone_from(&plan.name);
                    }
                    kinds.others += 1;
                }
                Some(_) => kinds.numbers += 1,
            }
        }
    }
}
