//! The columns of a projection under the names that a query gives them.

use henge_query::VirtualColumn;
use henge_types::{Granularity, ProjectionDefinition, TIME_COLUMN};

/// Virtual columns that read others may be so many deep.
const MAX_DEPTH: usize = 32;

/// Which of the columns that a query reads a projection has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Available<'a> {
    pub(super) definition: &'a ProjectionDefinition,
    pub(super) virtual_columns: &'a [VirtualColumn],
    /// First and last time of the segment's rows.
    pub(super) time_range: (i64, i64),
}

impl Available<'_> {
    /// True when the column has the same values in the projection as in the segment.
    pub(super) fn has(&self, name: &str) -> bool {
        self.has_outside(name, &mut Vec::new())
    }

    /// Inside its own expression the name of a virtual column means the stored column.
    fn has_outside<'s>(&'s self, name: &'s str, open: &mut Vec<&'s str>) -> bool {
        let column = self.virtual_column(name).filter(|_| !open.contains(&name));
        let Some(column) = column else {
            return match name {
                TIME_COLUMN => self.definition.granularity == Granularity::None,
                _ => {
                    self.definition.groups_by(name)
                        && self.definition.virtual_column(name).is_none()
                }
            };
        };
        if self.stores(column) || self.truncates_time(column) {
            return true;
        }
        if open.len() >= MAX_DEPTH {
            return false;
        }
        open.push(name);
        let identifiers = column.expression.identifiers();
        let all = identifiers.iter().all(|input| self.has_outside(input, open));
        open.pop();
        all
    }

    /// True when the projection groups by the very same virtual column.
    pub(super) fn stores(&self, column: &VirtualColumn) -> bool {
        let definition = self.definition;
        let Some(stored) = definition.virtual_column(&column.name) else { return false };
        definition.groups_by(&column.name)
            && stored.expression == column.expression.text()
            && stored.output_type == column.output_type
            && column.expression.identifiers().iter().all(|input| {
                *input == column.name
                    || (self.virtual_column(input).is_none()
                        && definition.virtual_column(input).is_none())
            })
    }

    /// True for `timestamp_floor(__time, ...)` to whole buckets of the projection.
    fn truncates_time(&self, column: &VirtualColumn) -> bool {
        match column.expression.as_time_floor() {
            Some((TIME_COLUMN, granularity)) if self.virtual_column(TIME_COLUMN).is_none() => {
                self.refines(&granularity)
            }
            _ => false,
        }
    }

    /// True when the buckets of a granularity are made of whole buckets of the projection, as far
    /// as the segment's rows go.
    pub(super) fn refines(&self, granularity: &Granularity) -> bool {
        let (first_ms, last_ms) = self.time_range;
        self.definition.granularity.refines(granularity, first_ms, last_ms)
    }

    fn virtual_column(&self, name: &str) -> Option<&VirtualColumn> {
        self.virtual_columns.iter().find(|column| column.name == name)
    }
}
