//! [`Derivation`]: the rows that joins, unnests and filters make of a segment's.
//!
//! The steps stand in the order in which they are done. The segment is read by a scan of the columns
//! that are needed; each step works on the rows of the one before it.

mod join;
mod needs;
mod scan;
mod unnest;

use std::sync::Arc;

use henge_exec::{ExecContext, ExecError, Extent, MemoryLease, Partial, Result, run_blocks};
use henge_query::{DataSource, Filter, InlineRows, Join, Query, Unnest};
use henge_segment::SegmentView;
use henge_types::Interval;

use crate::json::rows_of_inline;
use crate::segment::InlineSegment;
use join::HashedRows;
use needs::{Needs, needed_by};

/// How rows for a query are made of those of a segment. Built once for all segments of the query.
#[derive(Debug)]
pub struct Derivation {
    steps: Vec<Step>,
    /// What is read of the segment.
    reads: Needs,
    /// Rows of the segment must pass these.
    filter: Option<Filter>,
    /// False when rows of the right stay that meet none: they are of no time.
    cuts_time: bool,
    _held: MemoryLease,
}

#[derive(Debug)]
enum Step {
    Filter(Filter, Needs),
    Join(Box<HashedRows>),
    Unnest(Box<Unnest>, Needs),
}

impl Derivation {
    /// How the rows of a query are made; `None` when they are those of segments, or are at hand, as they
    /// are. All sub-queries and lookups of it were resolved.
    ///
    /// # Errors
    /// When something was not, or the right side of a join has no room.
    pub fn of(query: &Query, context: &ExecContext) -> Result<Option<Self>> {
        let source = &query.base().data_source;
        if !matches!(source, DataSource::Join(_) | DataSource::Unnest(_) | DataSource::Filtered(_))
        {
            return Ok(None);
        }
        let mut found = Found { steps: Vec::new(), held: context.memory.lease(), held_bytes: 0 };
        let reads = found.walk(source, needed_by(query), context)?;
        let Found { mut steps, held, .. } = found;
        let cuts_time = !steps
            .iter()
            .any(|step| matches!(step, Step::Join(join) if join.join_type().keeps_right()));
        let mut filters = Vec::new();
        while matches!(steps.first(), Some(Step::Filter(..))) {
            if let Step::Filter(filter, _) = steps.remove(0) {
                filters.push(filter);
            }
        }
        if cuts_time {
            filters.extend(pushed_down(query, &steps));
        }
        let filter = match filters.len() {
            0 => None,
            1 => filters.pop(),
            _ => Some(Filter::And(filters)),
        };
        Ok(Some(Self { steps, reads, filter, cuts_time, _held: held }))
    }

    /// The rows of a segment for a query, whose intervals are those of the segment's visible part.
    ///
    /// # Errors
    /// Limits, cancellation, corrupt segments, and what an expression asks of the wrong types.
    pub fn rows(
        &self,
        query: &Query,
        view: &dyn SegmentView,
        context: &ExecContext,
    ) -> Result<InlineSegment> {
        let intervals = match self.cuts_time {
            true => query.base().intervals.clone(),
            false => vec![Interval::ETERNITY],
        };
        self.refuse_hidden(view)?;
        let mut rows =
            scan::scan(view, &self.reads, self.filter.clone(), Vec::new(), intervals, context)?;
        for step in &self.steps {
            context.cancel.check()?;
            rows = match step {
                Step::Filter(filter, reads) => {
                    let (filter, all) = (Some(filter.clone()), vec![Interval::ETERNITY]);
                    scan::scan(&rows, reads, filter, Vec::new(), all, context)?
                }
                Step::Join(join) => join.join(&rows, context)?,
                Step::Unnest(unnest, reads) => unnest::unnest(&rows, unnest, reads, context)?,
            };
        }
        Ok(rows)
    }

    /// Refuses a join whose right side would take the place of columns of the segment.
    fn refuse_hidden(&self, view: &dyn SegmentView) -> Result<()> {
        for step in &self.steps {
            let Step::Join(join) = step else { continue };
            let prefix = join.prefix();
            let columns = &view.schema().columns;
            if let Some(hidden) = columns.iter().find(|column| column.name.starts_with(prefix)) {
                return Err(ExecError::Invalid(format!(
                    "dataSource.rightPrefix: '{prefix}' hides column '{}' of the left side: take one that no name \
                     there begins with, for example \"r.\"",
                    hidden.name
                )));
            }
        }
        Ok(())
    }

    /// What a segment contributes to the answer of a query.
    ///
    /// # Errors
    /// As [`Derivation::rows`] and [`henge_exec::run`].
    pub fn run(
        &self,
        query: &Query,
        view: &dyn SegmentView,
        extent: Extent,
        context: &ExecContext,
    ) -> Result<Partial> {
        let rows = self.rows(query, view, context)?;
        let rows = match query {
            // It asks for the rows' own times.
            Query::TimeBoundary(_) => rows,
            _ => rows.spanning(view.time_range()),
        };
        run_blocks(query, &rows, 0..rows.block_count(), extent, context)
    }
}

/// Answers a query over rows at hand, as far as it can be before it is finished.
///
/// # Errors
/// As [`Derivation::run`]; when the rows are not at hand.
pub fn run_over(query: &Query, context: &ExecContext) -> Result<Partial> {
    let rows = at_hand(query.base().data_source.base(), context)?.for_query(query);
    match Derivation::of(query, context)? {
        Some(derivation) => derivation.run(query, &rows, Extent::Whole, context),
        None => run_blocks(query, &rows, 0..rows.block_count(), Extent::Whole, context),
    }
}

/// Rows that are at hand.
fn at_hand(source: &DataSource, context: &ExecContext) -> Result<InlineSegment> {
    match source {
        DataSource::Inline(rows) => of_query(rows, context),
        DataSource::Rows(rows) => {
            let any: &dyn std::any::Any = &**rows;
            any.downcast_ref::<InlineSegment>().cloned().ok_or_else(|| {
                ExecError::Internal("rows at hand are of an unknown form".to_owned())
            })
        }
        _ => Err(ExecError::Internal("a data source was not resolved".to_owned())),
    }
}

fn of_query(rows: &InlineRows, context: &ExecContext) -> Result<InlineSegment> {
    rows_of_inline(rows, Some(&context.memory))
}

struct Found {
    steps: Vec<Step>,
    held: MemoryLease,
    held_bytes: usize,
}

impl Found {
    /// Collects the steps below a source, of whose rows so much is needed; gives what is needed of the
    /// segment.
    fn walk(&mut self, source: &DataSource, needs: Needs, context: &ExecContext) -> Result<Needs> {
        match source {
            DataSource::Join(join) => self.join(join, &needs, context),
            DataSource::Unnest(unnest) => {
                let mut below = needs.clone();
                below.remove(&unnest.column.name);
                below.add(unnest.column.expression.identifiers());
                if let Some(filter) = &unnest.filter {
                    let own = |name: &&str| **name != unnest.column.name;
                    filter.for_each_column(&mut |name| {
                        if own(&name) {
                            below.insert(name);
                        }
                    });
                }
                let reads = self.walk(&unnest.base, below, context)?;
                self.steps.push(Step::Unnest(Box::new(Unnest::clone(unnest)), needs));
                Ok(reads)
            }
            DataSource::Filtered(filtered) => {
                let mut below = needs.clone();
                filtered.filter.for_each_column(&mut |name| below.insert(name));
                let reads = self.walk(&filtered.base, below, context)?;
                self.steps.push(Step::Filter(filtered.filter.clone(), needs));
                Ok(reads)
            }
            _ => Ok(needs),
        }
    }

    fn join(&mut self, join: &Join, needs: &Needs, context: &ExecContext) -> Result<Needs> {
        let (left, right) = needs.split(&join.prefix);
        let (of_left, _) = Needs::of(join.condition.identifiers()).split(&join.prefix);
        let mut below = left.clone();
        below.extend(&of_left);
        let wanted_of_left = below.clone();
        if let Some(filter) = &join.left_filter {
            filter.for_each_column(&mut |name| below.insert(name));
        }
        let reads = self.walk(&join.left, below, context)?;
        if let Some(filter) = &join.left_filter {
            self.steps.push(Step::Filter(filter.clone(), wanted_of_left));
        }
        let rows = at_hand(&join.right, context)?;
        let hashed = HashedRows::new(join, rows, left, right, context)?;
        self.held_bytes += hashed.memory_bytes();
        self.held.set(self.held_bytes)?;
        self.steps.push(Step::Join(Box::new(hashed)));
        Ok(reads)
    }
}

/// The parts of a query's filter that rows of the segment can be asked already: they read nothing that
/// a step or a virtual column makes. The query asks them again.
fn pushed_down(query: &Query, steps: &[Step]) -> Vec<Filter> {
    let base = query.base();
    let is_made = |name: &str| {
        base.virtual_columns.iter().any(|column| column.name == name)
            || steps.iter().any(|step| match step {
                Step::Filter(..) => false,
                Step::Join(join) => name.starts_with(join.prefix()),
                Step::Unnest(unnest, _) => unnest.column.name == name,
            })
    };
    let Some(filter) = &base.filter else { return Vec::new() };
    let conjuncts = filter.conjuncts().into_iter();
    let of_segment = conjuncts.filter(|part| {
        let mut is_of_segment = true;
        part.for_each_column(&mut |name| is_of_segment &= !is_made(name));
        is_of_segment
    });
    of_segment.cloned().collect()
}

/// Rows shared by all who need them.
pub(crate) type SharedRows = Arc<InlineSegment>;
