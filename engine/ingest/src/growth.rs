//! What a parser has learned from events: the columns they brought and their types; and what it
//! changed of their values.

use henge_types::ChangeReport;

use crate::coerce::{describe, excerpt};
use crate::discovery::DiscoveredColumn;
use crate::limits::ParseLimits;
use crate::parser::RowParser;

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

    /// True when values decide the types of columns, so that a survey is worth its time.
    #[must_use]
    pub fn learns_types(&self) -> bool {
        self.layout.learns_types()
    }

    /// The values of stored rows that differ from what was sent, since the last call.
    pub fn take_changes(&mut self) -> ChangeReport {
        std::mem::take(&mut self.changes)
    }

    /// Counts the values of the event at hand, which is stored, that were changed.
    pub(crate) fn count_changes(&mut self, body: &str) {
        if self.cells.losses.is_empty() || self.surveys || self.retyped {
            return;
        }
        let (layout, buffer) = (&self.layout, &self.buffer);
        for loss in &self.cells.losses {
            let metric = loss.column.checked_sub(layout.dimensions.len());
            let plan = match metric {
                Some(index) => layout.metrics.get(index),
                None => layout.dimensions.get(loss.column),
            };
            let Some(plan) = plan else { continue };
            let position = self.counts.received;
            self.changes.count(&plan.name, loss.is_null(), || {
                (excerpt(&describe(loss.raw, body, buffer)), loss.stored_text(), position)
            });
        }
    }
}
