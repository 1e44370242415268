//! [`RowForm`]: what is the same in every row, written once and copied between the values.

use std::sync::Arc;

use henge_exec::finalise::{Field, Table};
use henge_exec::{ExecError, Result};
use henge_vector::Column;

use crate::json::value::write_value;
use crate::json::writer::Writer;

/// The text around the values of a row.
pub(super) struct RowForm {
    /// The pieces, one after the other: one before each value, and one after the last.
    text: Vec<u8>,
    /// Where each piece ends.
    ends: Vec<usize>,
    /// The depth at which values stand.
    depth: usize,
}

impl RowForm {
    /// The form that `write` writes at the place where `json` is: it says where values are to stand.
    pub(super) fn of(json: &Writer<'_>, write: impl FnOnce(&mut Writer<'_>, &mut Places)) -> Self {
        let mut text = Vec::new();
        let mut places = Places { ends: Vec::new(), depth: json.depth() };
        let mut aside = json.aside(&mut text);
        write(&mut aside, &mut places);
        let Places { mut ends, depth } = places;
        ends.push(text.len());
        Self { text, ends, depth }
    }

    /// A row, whose values `write` writes one by one.
    #[inline]
    pub(super) fn write(
        &self,
        json: &mut Writer<'_>,
        mut write: impl FnMut(&mut Writer<'_>, usize),
    ) {
        let depth = json.depth();
        json.set_depth(self.depth);
        let mut start = 0;
        for (position, end) in self.ends.iter().enumerate() {
            json.out().extend_from_slice(&self.text[start..*end]);
            start = *end;
            if position + 1 < self.ends.len() {
                write(json, position);
            }
        }
        json.set_depth(depth);
    }
}

/// Where values stand in a form.
pub(super) struct Places {
    ends: Vec<usize>,
    depth: usize,
}

impl Places {
    /// A value goes here.
    pub(super) fn value(&mut self, json: &Writer<'_>) {
        self.ends.push(json.len());
        self.depth = json.depth();
    }
}

/// An object of some fields, each with a place for its value.
pub(super) fn object_form<'f>(
    json: &mut Writer<'_>,
    places: &mut Places,
    names: impl IntoIterator<Item = &'f Arc<str>>,
) {
    json.open(b'{');
    for name in names {
        json.key(name);
        places.value(json);
    }
    json.close(b'}');
}

/// The times of rows in time buckets, and the fields beside them.
pub(super) fn times_and_values(table: &Table) -> Result<(&Column, &[Field])> {
    match table.fields() {
        [times, fields @ ..] if times.is_time => Ok((&times.values, fields)),
        _ => Err(ExecError::Internal("the rows of an answer have no time".to_owned())),
    }
}

/// The columns of some fields.
pub(super) fn columns_of(fields: &[Field]) -> Vec<&Column> {
    fields.iter().map(|field| &field.values).collect()
}

/// A row that is values only.
#[inline]
pub(super) fn write_row(json: &mut Writer<'_>, form: &RowForm, columns: &[&Column], row: usize) {
    form.write(json, |json, position| write_value(json, columns[position], row));
}
