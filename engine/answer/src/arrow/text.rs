//! Texts, and what is told as text: sketches as base64, values with their times as JSON, values of other types as they are written.

use std::borrow::Cow;

use arrow_array::builder::StringBuilder;
use henge_expr::ExprValue;
use henge_sketch::to_base64;
use henge_vector::{Array, Column};

use crate::arrow::array::Part;
use crate::json;

/// Appends a value a row.
pub(super) fn append_texts(texts: &mut StringBuilder, part: Part<'_>) {
    let Part { column: Some(column), rows } = part else {
        return texts.append_nulls(part.rows.len());
    };
    let each = rows.iter().map(|row| *row as usize);
    match column {
        Column::Null(_) => texts.append_nulls(rows.len()),
        Column::Text(values) => each.for_each(|row| texts.append_option(values.get(row))),
        Column::NodeIds(values) => each.for_each(|row| texts.append_option(values.get(row))),
        Column::Mixed(values) => each.for_each(|row| texts.append_option(text_of(&values[row]))),
        Column::Objects(objects) => each.for_each(|row| {
            texts.append_option(objects.image(row).map(|image| to_base64(&image)));
        }),
        // A value with its time, as JSON.
        Column::Timed(timed) => each.for_each(|row| {
            let seen = timed.times().is_valid(row);
            texts.append_option(seen.then(|| json::value_text(column, row)));
        }),
        Column::Long(_)
        | Column::Wide(_)
        | Column::Float(_)
        | Column::Double(_)
        | Column::WideFloat(_)
        | Column::SegmentIds(_) => each.for_each(|row| texts.append_option(column.text(row))),
        Column::Lists(_) => {
            each.for_each(|row| texts.append_option(text_of(&column.expr_value(row))));
        }
    }
}

/// A value as text; lists as JSON.
pub(super) fn text_of(value: &ExprValue) -> Option<Cow<'_, str>> {
    match value {
        ExprValue::Null => None,
        ExprValue::Long(_) | ExprValue::Double(_) | ExprValue::String(_) => value.as_text(),
        ExprValue::Array(_) => Some(Cow::Owned(json::text_of(value))),
    }
}

/// Bytes that a row's value takes beside a number's eight, roughly.
pub(super) fn value_bytes(column: &Column, row: usize) -> usize {
    match column {
        Column::Text(values) => values.get(row).map_or(0, str::len),
        Column::NodeIds(values) => values.get(row).map_or(0, str::len),
        Column::Lists(lists) => {
            let values = lists.row(row).iter().map(|id| lists.value(*id).map_or(0, str::len));
            values.map(|bytes| bytes + size_of::<u64>()).sum()
        }
        Column::Objects(objects) => objects.row_bytes(row) * 4 / 3,
        Column::Timed(timed) => size_of::<i64>() + value_bytes(timed.values(), row),
        Column::Mixed(values) => henge_vector::value_bytes(&values[row]),
        Column::Null(_)
        | Column::Long(_)
        | Column::Wide(_)
        | Column::Float(_)
        | Column::Double(_)
        | Column::WideFloat(_)
        | Column::SegmentIds(_) => 0,
    }
}

/// True when each value takes a number's eight bytes at most.
pub(super) fn has_numbers(column: &Column) -> bool {
    match column {
        Column::Null(_)
        | Column::Long(_)
        | Column::Wide(_)
        | Column::Float(_)
        | Column::Double(_)
        | Column::WideFloat(_)
        | Column::SegmentIds(_) => true,
        Column::Text(_)
        | Column::NodeIds(_)
        | Column::Lists(_)
        | Column::Objects(_)
        | Column::Timed(_)
        | Column::Mixed(_) => false,
    }
}
