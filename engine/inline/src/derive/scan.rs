//! Reading rows of a segment into memory.

use henge_exec::{ExecContext, ExecError, Partial, Result, finalise, run};
use henge_query::{DataSource, Filter, Query, QueryBase, ScanQuery, VirtualColumn};
use henge_segment::SegmentView;
use henge_types::{Interval, TIME_COLUMN};

use super::needs::Needs;
use crate::answer::rows_of_answer;
use crate::segment::InlineSegment;

/// The rows of a segment that pass a filter, with the columns that are needed and those of
/// `virtual_columns`.
pub(super) fn scan(
    view: &dyn SegmentView,
    needs: &Needs,
    filter: Option<Filter>,
    virtual_columns: Vec<VirtualColumn>,
    intervals: Vec<Interval>,
    context: &ExecContext,
) -> Result<InlineSegment> {
    let shown = view.schema().columns.iter().map(|column| &column.name);
    let mut columns: Vec<String> = match &needs.0 {
        None => shown.cloned().collect(),
        // A column that the segment lacks stays one that is lacking.
        Some(names) => names.iter().filter(|name| has(view, name)).cloned().collect(),
    };
    if needs.has(TIME_COLUMN) && needs.0.is_some() && !columns.iter().any(|c| c == TIME_COLUMN) {
        columns.push(TIME_COLUMN.to_owned());
    }
    columns.extend(virtual_columns.iter().map(|column| column.name.clone()));
    if columns.is_empty() {
        columns.push(TIME_COLUMN.to_owned());
    }
    let source = DataSource::Table(String::new());
    let base = QueryBase { filter, virtual_columns, ..QueryBase::new(source, intervals) };
    let query = Query::Scan(ScanQuery { columns, ..ScanQuery::new(base) });
    let partial = run(&query, view, context)?;
    let Partial::Rows(_) = &partial else {
        return Err(ExecError::Internal("a scan gave no rows".to_owned()));
    };
    let answer = finalise(&query, partial, context)?;
    rows_of_answer(&query, &answer, context)
}

fn has(view: &dyn SegmentView, name: &str) -> bool {
    name == TIME_COLUMN || view.schema().column(name).is_some()
}
