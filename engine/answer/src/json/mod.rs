//! Druid's JSON: an array, whose elements each query type shapes in a file of its own.

mod data_source_metadata;
mod group_by;
mod row;
mod scan;
mod search;
pub(crate) mod segment_metadata;
mod stamps;
mod time_boundary;
mod timeseries;
mod top_n;
mod value;
mod writer;

use henge_exec::{Answer, ExecError, Result};
use henge_expr::ExprValue;
use henge_query::Query;
use henge_vector::Column;

use crate::Grow;
use crate::json::writer::Writer;

/// The value of an expression as JSON.
pub(crate) fn text_of(value: &ExprValue) -> String {
    let mut out = Vec::new();
    value::write_expr_value(&mut Writer::new(&mut out, false), value);
    String::from_utf8_lossy(&out).into_owned()
}

/// A value of a column as JSON.
pub(crate) fn value_text(column: &Column, row: usize) -> String {
    let mut out = Vec::new();
    value::write_value(&mut Writer::new(&mut out, false), column, row);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends the answer to a query.
pub(crate) fn write(
    query: &Query,
    answer: &Answer,
    indented: bool,
    out: &mut Vec<u8>,
    grow: &mut Grow<'_>,
) -> Result<()> {
    let json = &mut Writer::new(out, indented);
    match (query, answer) {
        (Query::Timeseries(query), Answer::Rows(table)) => {
            timeseries::write(json, query, table, grow)?;
        }
        (Query::TopN(query), Answer::Buckets(rows)) => top_n::write(json, query, rows, grow)?,
        (Query::GroupBy(query), Answer::Rows(table)) => group_by::write(json, query, table, grow)?,
        (Query::Scan(query), Answer::Scan(rows)) => scan::write(json, query, rows, grow)?,
        (Query::Search(query), Answer::Buckets(rows)) => search::write(json, query, rows, grow)?,
        (Query::TimeBoundary(query), Answer::Rows(table)) => {
            time_boundary::write(json, query, table);
        }
        (Query::SegmentMetadata(_), Answer::SegmentMetadata(analyses)) => {
            segment_metadata::write(json, analyses);
        }
        (Query::DataSourceMetadata(query), Answer::Rows(table)) => {
            data_source_metadata::write(json, query, table);
        }
        _ => return Err(ExecError::Internal("the answer is of another query type".to_owned())),
    }
    grow(json.len())
}
