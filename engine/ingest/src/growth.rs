//! What a parser has learned from events: the columns they brought and their types; and what it
//! changed of their values.

use henge_types::{ChangeReport, ColumnType, IgnoredFields, format_timestamp};

use crate::coerce::{describe, excerpt};
use crate::discovery::{DiscoveredColumn, DiscoveredType};
use crate::ignored::example;
use crate::layout::{Layout, Source};
use crate::limits::ParseLimits;
use crate::parser::RowParser;

/// A column of numbers that one value made text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BecameText {
    /// The column.
    pub column: String,
    /// What it was until then.
    pub earlier: ColumnType,
    /// The value, shortened.
    pub example: String,
    /// The event it came in: its index in the request or in the piece of a file, from 0.
    pub position: u64,
}

impl RowParser {
    /// The columns that events brought so far and what each has to hold. Together with the schema
    /// they are all that parsing depends on, beside the limits.
    #[must_use]
    pub fn discovered(&self) -> Vec<DiscoveredColumn> {
        self.layout.discovered_columns().collect()
    }

    /// Changes whenever [`RowParser::discovered`] does.
    #[must_use]
    pub fn lessons(&self) -> u64 {
        self.lessons
    }

    /// Takes over columns that an earlier parser of this schema discovered, in their order. Those
    /// known already grow to hold both.
    pub fn add_known(&mut self, columns: &[DiscoveredColumn]) {
        for column in columns {
            let known = self.layout.dimensions.iter().position(|plan| plan.name == column.name);
            match known {
                Some(index) if self.layout.dimensions[index].growing.is_some() => {
                    self.lessons += 1;
                    self.layout.grow(index, column.discovered_type);
                }
                Some(_) => {}
                None => {
                    let schema = self.layout.discovered(&column.name, column.discovered_type);
                    self.add_dimension(schema, Some(column.discovered_type));
                }
            }
        }
    }

    /// The limits in effect.
    #[must_use]
    pub fn limits(&self) -> &ParseLimits {
        &self.limits
    }

    /// Reads what comes under other limits.
    pub fn set_limits(&mut self, limits: ParseLimits) {
        self.limits = limits;
    }

    /// From now on batches only teach the parser the types of discovered columns: no row reaches a
    /// sink. Give what it learned to another parser ([`RowParser::discovered`],
    /// [`RowParser::add_known`]).
    pub fn begin_survey(&mut self) {
        self.surveys = true;
    }

    /// True once a survey was begun.
    #[must_use]
    pub fn surveys(&self) -> bool {
        self.surveys
    }

    /// True when values decide the type of a dimension.
    #[must_use]
    pub fn learns_type_of(&self, name: &str) -> bool {
        self.layout.dimensions.iter().any(|plan| plan.name == name && plan.growing.is_some())
    }

    /// True when values decide the types of columns, so that a survey is worth its time.
    #[must_use]
    pub fn learns_types(&self) -> bool {
        self.layout.learns_types()
    }

    /// The values of stored rows that differ from what was sent, since the last call.
    pub fn take_changes(&mut self) -> ChangeReport {
        std::mem::take(&mut self.changes)
    }

    /// The fields of stored events that the schema has no place for, since the last call.
    pub fn take_ignored(&mut self) -> IgnoredFields {
        self.ignored.take(&self.layout.table)
    }

    /// The columns of numbers that values made text, since the last call.
    pub fn take_became_text(&mut self) -> Vec<BecameText> {
        std::mem::take(&mut self.became_text)
    }

    /// The names of the fields that the schema reads and that no event so far has had.
    #[must_use]
    pub fn fields_missing(&self) -> Vec<String> {
        self.layout.fields_missing().map(str::to_owned).collect()
    }

    /// Widens the columns that do not hold the values of the event at hand.
    #[cold]
    pub(crate) fn grow_columns(&mut self, timestamp_ms: i64, body: &str) {
        for (index, wider) in std::mem::take(&mut self.grown) {
            self.lessons += 1;
            self.note_growth(index, wider, timestamp_ms, body);
            self.retyped |= self.layout.grow(index, wider);
        }
    }

    /// Notes a column that the value at hand makes text.
    fn note_growth(&mut self, index: usize, wider: DiscoveredType, timestamp_ms: i64, body: &str) {
        let Some(plan) = self.layout.dimensions.get(index) else { return };
        let Some(earlier) = plan.growing.map(DiscoveredType::column_type) else { return };
        if wider != DiscoveredType::String || earlier == ColumnType::String {
            return;
        }
        let raw = Layout::value(plan.source, timestamp_ms, &self.buffer);
        self.became_text.push(BecameText {
            column: plan.name.clone(),
            earlier,
            example: example(raw, body, &self.buffer),
            position: self.counts.received,
        });
    }

    /// Counts the values of the event at hand, which is stored, that were changed or have no place.
    #[inline]
    pub(crate) fn count_changes(&mut self, body: &str) {
        let is_whole = self.cells.losses.is_empty()
            && self.cut_time_ms.is_none()
            && self.buffer.ignored.is_empty();
        if is_whole || self.surveys || self.retyped {
            return;
        }
        self.count_losses(body);
    }

    #[inline(never)]
    fn count_losses(&mut self, body: &str) {
        let (layout, buffer) = (&self.layout, &self.buffer);
        let position = self.counts.received;
        for (number, raw) in &buffer.ignored {
            self.ignored.count(*number, || (example(*raw, body, buffer), position));
        }
        if let Some(stored_ms) = self.cut_time_ms {
            let raw = Layout::value(Source::Field(layout.timestamp_field), 0, buffer);
            let column = &self.schema.timestamp_spec.column;
            self.changes.count_cut(column, 1, || {
                (example(raw, body, buffer), format_timestamp(stored_ms), position)
            });
        }
        for loss in &self.cells.losses {
            let metric = loss.column.checked_sub(layout.dimensions.len());
            let plan = match metric {
                Some(index) => layout.metrics.get(index),
                None => layout.dimensions.get(loss.column),
            };
            let Some(plan) = plan else { continue };
            self.changes.count(&plan.name, loss.is_null(), || {
                (
                    excerpt(&describe(loss.raw, body, buffer)),
                    loss.stored_text(body, buffer),
                    position,
                )
            });
        }
    }
}
