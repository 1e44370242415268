//! The answer of a query as rows for another one.

use std::collections::BTreeMap;

use henge_exec::finalise::ScanRows;
use henge_exec::{Answer, ExecContext, ExecError, Result};
use henge_query::Query;
use henge_types::{ColumnType, TIME_COLUMN};
use henge_vector::Column;

use crate::build::{Kind, of_values, values_of};
use crate::segment::InlineSegment;
use crate::values::{Numbers, Values};

/// The rows that a query answered. Sketches of an answer that was not finalised keep their states. Rows
/// of a groupBy over all time have its start.
///
/// # Errors
/// When the query's account has no room for them, or the answer is of a kind that has no rows.
pub fn rows_of_answer(
    query: &Query,
    answer: &Answer,
    context: &ExecContext,
) -> Result<InlineSegment> {
    let rows = answer.row_count();
    let mut columns = match answer {
        Answer::Rows(table) => of_fields(query, table.fields())?,
        Answer::Buckets(buckets) => of_fields(query, buckets.table.fields())?,
        Answer::Scan(scan) => of_scan(scan)?,
        Answer::SegmentMetadata(_) => {
            return Err(ExecError::Invalid("the answer of segmentMetadata has no rows".to_owned()));
        }
    };
    if !matches!(answer, Answer::Scan(_)) && columns.iter().all(|(name, _)| name != TIME_COLUMN) {
        let start = query.base().start_ms();
        let times = Numbers { values: vec![start; rows], nulls: None };
        columns.push((TIME_COLUMN.to_owned(), Values::Long(times)));
    }
    InlineSegment::new(columns, rows, Some(&context.memory))
}

fn of_fields(
    query: &Query,
    fields: &[henge_exec::finalise::Field],
) -> Result<Vec<(String, Values)>> {
    let sketches = sketch_types(query);
    let values = |field: &henge_exec::finalise::Field| {
        let type_name = sketches.get(&*field.name).map(String::as_str);
        let values = values_of(std::slice::from_ref(&field.values), type_name)?;
        Ok((field.name.to_string(), values))
    };
    fields.iter().map(values).collect()
}

/// What the states of the query's aggregators are stored as, by the names that show them.
fn sketch_types(query: &Query) -> BTreeMap<&str, String> {
    let aggregations = query.grouped().map_or(&[][..], |grouped| grouped.aggregations);
    let mut types = BTreeMap::new();
    for spec in aggregations {
        if let Some(ColumnType::Complex(name)) =
            spec.kind.stored_states().map(|states| states.column_type())
        {
            types.insert(spec.name.as_str(), name);
        }
    }
    for post in query.post_aggregations() {
        if let henge_query::PostAggregator::FieldAccess { name, field } = post
            && let Some(found) = types.get(field.as_str()).cloned()
        {
            types.insert(name, found);
        }
    }
    types
}

/// Rows of a scan, in the answer's order.
fn of_scan(scan: &ScanRows) -> Result<Vec<(String, Values)>> {
    let layout = scan.whole_layout();
    let mut columns = Vec::with_capacity(layout.columns.len());
    for (at, (name, column_type)) in layout.columns.iter().enumerate() {
        let type_name = match column_type {
            Some(ColumnType::Complex(name)) => Some(name.as_str()),
            _ => None,
        };
        let parts = scan.entries.iter().flat_map(|entry| entry.rows.chunk_by(|a, b| a.0 == b.0));
        let part = |rows: &[(u32, u32)]| {
            let batch = rows[0].0;
            let places: Vec<u32> = rows.iter().map(|(_, row)| *row).collect();
            match layout.positions(batch).get(at).copied().flatten() {
                Some(position) => {
                    scan.batches[batch as usize].columns[position].values.take(&places)
                }
                None => Column::Null(places.len()),
            }
        };
        let parts: Vec<Column> = parts.map(part).collect();
        let mut values = values_of(&parts, type_name)?;
        // A column that is declared keeps its type when all is null.
        if let (Values::Text(_), Some(declared)) = (&values, column_type)
            && declared.is_numeric()
            && parts.iter().all(|part| matches!(part, Column::Null(_)))
        {
            let rows = parts.iter().map(Column::len).sum();
            let kind = Kind::of_type(&henge_query::InlineType::Stored(declared.clone()));
            values = of_values(kind, std::iter::repeat_n(henge_expr::ExprValue::Null, rows));
        }
        columns.push((name.to_string(), values));
    }
    Ok(columns)
}
