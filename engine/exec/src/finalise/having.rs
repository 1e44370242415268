//! `having` of groupBy: tests over finished rows.
//!
//! The comparisons of `having` are two-valued: what is null is neither greater, less nor equal. The
//! `filter` form follows the three-valued logic of filters.

use henge_query::Having;

use crate::error::Result;
use crate::finalise::fields::Frame;
use crate::finalise::row_filter::{self, RowTest};

/// Computes the fields that the clause reads and drops the rows that fail it.
pub(crate) fn keep_rows(having: &Having, frame: &mut Frame<'_>) -> Result<Vec<u32>> {
    let mut names = Vec::new();
    collect_fields(having, &mut names);
    for name in names {
        frame.require(name)?;
    }
    let mut filter_columns = Vec::new();
    collect_filter_columns(having, &mut filter_columns);
    for name in filter_columns {
        // As everywhere, a filter reads a column that does not exist as null.
        if frame.has_field(name) {
            frame.require(name)?;
        }
    }
    let test = compile(having, frame)?;
    let kept = frame.rows().iter().enumerate();
    Ok(kept.filter(|(at, _)| test(*at) == Some(true)).map(|(_, &row)| row).collect())
}

fn collect_fields<'h>(having: &'h Having, names: &mut Vec<&'h str>) {
    match having {
        Having::GreaterThan { aggregation, .. }
        | Having::LessThan { aggregation, .. }
        | Having::EqualTo { aggregation, .. } => names.push(aggregation),
        Having::DimSelector { dimension, .. } => names.push(dimension),
        Having::And(parts) | Having::Or(parts) => {
            parts.iter().for_each(|part| collect_fields(part, names));
        }
        Having::Not(inner) => collect_fields(inner, names),
        Having::Always | Having::Never | Having::Filter(_) => {}
    }
}

fn collect_filter_columns<'h>(having: &'h Having, names: &mut Vec<&'h str>) {
    match having {
        Having::Filter(filter) => row_filter::collect_columns(filter, names),
        Having::And(parts) | Having::Or(parts) => {
            parts.iter().for_each(|part| collect_filter_columns(part, names));
        }
        Having::Not(inner) => collect_filter_columns(inner, names),
        _ => {}
    }
}

/// A test that answers `Some` for every row.
fn compile<'f>(having: &'f Having, frame: &'f Frame<'_>) -> Result<RowTest<'f>> {
    Ok(match having {
        Having::Always => Box::new(|_| Some(true)),
        Having::Never => Box::new(|_| Some(false)),
        Having::And(parts) => {
            let parts = compile_all(parts, frame)?;
            Box::new(move |row| Some(parts.iter().all(|part| part(row) == Some(true))))
        }
        Having::Or(parts) => {
            let parts = compile_all(parts, frame)?;
            Box::new(move |row| Some(parts.iter().any(|part| part(row) == Some(true))))
        }
        Having::Not(inner) => {
            let inner = compile(inner, frame)?;
            Box::new(move |row| Some(inner(row) != Some(true)))
        }
        Having::GreaterThan { aggregation, value } => {
            compare(aggregation, frame, move |found| found > *value)
        }
        Having::LessThan { aggregation, value } => {
            compare(aggregation, frame, move |found| found < *value)
        }
        Having::EqualTo { aggregation, value } => {
            compare(aggregation, frame, move |found| found == *value)
        }
        Having::DimSelector { dimension, value } => {
            let test = row_filter::equals_text(frame.find(dimension), value.as_deref());
            Box::new(move |row| Some(test(row) == Some(true)))
        }
        Having::Filter(filter) => {
            let test = row_filter::compile(filter, frame)?;
            Box::new(move |row| Some(test(row) == Some(true)))
        }
    })
}

fn compile_all<'f>(parts: &'f [Having], frame: &'f Frame<'_>) -> Result<Vec<RowTest<'f>>> {
    parts.iter().map(|part| compile(part, frame)).collect()
}

fn compare<'f>(name: &str, frame: &'f Frame<'_>, test: impl Fn(f64) -> bool + 'f) -> RowTest<'f> {
    let column = frame.find(name);
    Box::new(move |row| Some(column.and_then(|column| column.double(row)).is_some_and(&test)))
}
