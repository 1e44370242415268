//! What an aggregator is asked while a query runs. Each kind answers in a file of
//! [`functions`](crate::functions); the dispatch is generated from the registry of `henge-query` and
//! happens once a segment or once a query.

use henge_query::AggregatorKind;
use henge_scan::{ColumnSet, Columns, Result};
use henge_vector::Column;

use crate::accumulator::Accumulator;
use crate::merged::MergedStates;
use crate::table::Layout;

/// What an accumulator of a segment is made with.
pub(crate) struct Scanned<'s, 'a> {
    /// The aggregator's name.
    pub(crate) name: &'a str,
    /// True when the aggregator will not see all rows of its groups.
    pub(crate) is_filtered: bool,
    /// The segment's columns.
    pub(crate) columns: &'s Columns<'a>,
    /// The columns that the query decodes.
    pub(crate) set: &'s mut ColumnSet<'a>,
    /// Gives states of fixed width their places.
    pub(crate) layout: &'s mut Layout,
}

/// The running of an aggregator over the rows of a segment.
pub(crate) trait Accumulate {
    /// An accumulator that has seen no rows.
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>>;
}

/// What becomes of an aggregator's states.
pub trait AggregateFunction {
    /// States of no groups, which grow and take in others.
    fn merged(&self) -> Box<dyn MergedStates>;

    /// True when a group over no rows is 0 and not null.
    fn is_zero_over_nothing(&self) -> bool {
        false
    }

    /// The final values of some groups.
    ///
    /// # Errors
    /// `Invalid` when a value has no place in its type; `Internal` for states of another aggregator.
    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column>;

    /// What the states are beside their final values: sketches, or values with their times.
    fn sketch(&self) -> Option<&dyn SketchFunction> {
        None
    }

    /// True when a value that comes again changes nothing.
    fn is_idempotent(&self) -> bool;

    /// The aggregator that makes, of the states that a projection stores in a column, those that this
    /// one makes of the rows.
    fn over_stored(&self, column: &str) -> AggregatorKind;
}

/// An aggregator whose states results can hold in place of final values: sketches, as a rule.
pub trait SketchFunction {
    /// False when results hold the sketch itself.
    fn is_finished(&self) -> bool;

    /// The exact estimates of some groups' sketches, as doubles; 0 for a sketch of nothing.
    ///
    /// # Errors
    /// `Internal` for states of another aggregator.
    fn estimates(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column>;

    /// The bytes of some groups' sketches; those of an empty sketch for none.
    ///
    /// # Errors
    /// `Internal` for states of another aggregator, `Sketch` for parameters that no sketch has.
    fn encoded(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column>;
}

macro_rules! dispatch {
    ($($name:ident,)*) => {
        /// The function of an aggregator.
        #[must_use]
        pub fn function(kind: &AggregatorKind) -> &dyn AggregateFunction {
            match kind {
                $(AggregatorKind::$name(fields) => fields,)*
            }
        }

        /// The running of an aggregator over a segment.
        pub(crate) fn accumulate(kind: &AggregatorKind) -> &dyn Accumulate {
            match kind {
                $(AggregatorKind::$name(fields) => fields,)*
            }
        }
    };
}
henge_query::aggregates!(dispatch);
