//! Lists: several values a row. A single value is a list of one, as elsewhere in its column there are
//! more; no value is null.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, Field};
use henge_exec::{FieldType, Result};
use henge_expr::ExprValue;
use henge_vector::{Column, nulls_of};

use crate::arrow::array::{Part, array, data_type};
use crate::arrow::internal;
use crate::arrow::text::text_of;

/// The lists of some rows.
pub(super) fn list_array(items: &FieldType, parts: &[Part<'_>]) -> Result<ArrayRef> {
    let (lengths, values) = match items {
        FieldType::String => texts(parts),
        _ => values(items, parts)?,
    };
    let nulls = nulls_of(lengths.len(), |row| lengths[row].is_some());
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let field = Arc::new(Field::new_list_field(data_type(items), true));
    let lists = ListArray::try_new(field, offsets, values, nulls);
    lists.map(|lists| Arc::new(lists) as ArrayRef).map_err(|error: ArrowError| internal(&error))
}

/// The number of each row's items, and the items.
type Flat = (Vec<Option<usize>>, ArrayRef);

/// Items that are text.
fn texts(parts: &[Part<'_>]) -> Flat {
    let (mut lengths, mut texts) = (Vec::new(), StringBuilder::new());
    for part in parts {
        let Some(column) = part.column else {
            lengths.resize(lengths.len() + part.rows.len(), None);
            continue;
        };
        for row in part.rows.iter().map(|row| *row as usize) {
            let length = match column {
                Column::Lists(lists) => {
                    let ids = lists.row(row);
                    ids.iter().for_each(|id| texts.append_option(lists.value(*id)));
                    ids.len()
                }
                other => match other.expr_value(row) {
                    ExprValue::Null => 0,
                    ExprValue::Array(items) => {
                        items.iter().for_each(|item| texts.append_option(text_of(item)));
                        lengths.push(Some(items.len()));
                        continue;
                    }
                    value => {
                        texts.append_option(text_of(&value));
                        1
                    }
                },
            };
            lengths.push((length > 0).then_some(length));
        }
    }
    (lengths, Arc::new(texts.finish()))
}

/// Items of another type, or of none.
fn values(items: &FieldType, parts: &[Part<'_>]) -> Result<Flat> {
    let (mut lengths, mut flat) = (Vec::new(), Vec::new());
    for part in parts {
        for row in part.rows.iter().map(|row| *row as usize) {
            lengths.push(
                match part.column.map_or(ExprValue::Null, |column| column.expr_value(row)) {
                    ExprValue::Null => None,
                    ExprValue::Array(items) => {
                        flat.extend(items.iter().cloned());
                        Some(items.len())
                    }
                    value => {
                        flat.push(value);
                        Some(1)
                    }
                },
            );
        }
    }
    let rows: Vec<u32> = (0..flat.len() as u32).collect();
    let flat = Column::Mixed(flat);
    Ok((lengths, array(items, &[Part { column: Some(&flat), rows: &rows }])?))
}
