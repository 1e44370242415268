//! JSON and CSV: the names and types above, the rows, and what ends them.

use arrow_array::RecordBatch;
use henge_types::{ErrorClass, json};

use super::cells::{Cells, write_csv_text};
use super::encoding::Encoding;
use super::format::{Layout, ResultFormat};
use crate::error::{Result, SqlError};
use crate::session::SqlColumn;

/// A column as headers tell of it.
#[derive(Debug)]
struct Heading {
    name: String,
    /// The name as a member of an object: `"name":`.
    member: Vec<u8>,
    native_type: String,
    sql_type: String,
}

/// Writes the formats that are text.
#[derive(Debug)]
pub(super) struct TextWriter {
    headings: Vec<Heading>,
    layout: Layout,
    encoding: Encoding,
    /// True once something stands in the array.
    has_element: bool,
}

impl TextWriter {
    pub(super) fn new(columns: &[SqlColumn], layout: Layout, encoding: Encoding) -> Self {
        let headings = columns.iter().map(|column| {
            let mut member = Vec::new();
            json::write_string(&mut member, &column.name);
            member.push(b':');
            Heading {
                name: column.name.clone(),
                member,
                native_type: column.native_type.clone(),
                sql_type: column.sql_type.clone(),
            }
        });
        Self { headings: headings.collect(), layout, encoding, has_element: false }
    }

    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        if matches!(self.layout.format, ResultFormat::Object | ResultFormat::Array) {
            out.push(b'[');
        }
        if !self.layout.header {
            return;
        }
        match self.layout.format {
            ResultFormat::Object | ResultFormat::ObjectLines => self.object_header(out),
            _ => {
                self.row_of(out, |heading| &heading.name);
                if self.layout.types_header {
                    self.row_of(out, |heading| &heading.native_type);
                }
                if self.layout.sql_types_header {
                    self.row_of(out, |heading| &heading.sql_type);
                }
            }
        }
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let cells = batch.columns().iter().map(|array| Cells::of(&**array));
        let cells: Vec<Cells<'_>> = cells.collect::<Result<_>>()?;
        if cells.len() != self.headings.len() {
            let (found, wanted) = (cells.len(), self.headings.len());
            let message = format!("an answer of {wanted} columns has a batch of {found}");
            return Err(SqlError::new(ErrorClass::Internal, message));
        }
        for row in 0..batch.num_rows() {
            self.row(&cells, row, out)?;
        }
        Ok(())
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        match self.layout.format {
            ResultFormat::Object | ResultFormat::Array => out.extend_from_slice(b"]\n"),
            _ => out.push(b'\n'),
        }
    }

    fn row(&mut self, cells: &[Cells<'_>], row: usize, out: &mut Vec<u8>) -> Result<()> {
        self.before_row(out);
        match self.layout.format {
            ResultFormat::Object | ResultFormat::ObjectLines => {
                out.push(b'{');
                for (at, (cell, heading)) in cells.iter().zip(&self.headings).enumerate() {
                    comma(out, at);
                    out.extend_from_slice(&heading.member);
                    cell.write_json(out, row, &self.encoding)?;
                }
                out.push(b'}');
            }
            ResultFormat::Csv => {
                for (at, cell) in cells.iter().enumerate() {
                    comma(out, at);
                    cell.write_csv(out, row, &self.encoding)?;
                }
            }
            _ => {
                out.push(b'[');
                for (at, cell) in cells.iter().enumerate() {
                    comma(out, at);
                    cell.write_json(out, row, &self.encoding)?;
                }
                out.push(b']');
            }
        }
        self.after_row(out);
        Ok(())
    }

    /// `{"c":null}`, or the types that were asked for in the place of null.
    fn object_header(&mut self, out: &mut Vec<u8>) {
        let Layout { types_header, sql_types_header, .. } = self.layout;
        self.before_row(out);
        out.push(b'{');
        for (at, heading) in self.headings.iter().enumerate() {
            comma(out, at);
            out.extend_from_slice(&heading.member);
            if !types_header && !sql_types_header {
                json::write_null(out);
                continue;
            }
            out.push(b'{');
            if types_header {
                out.extend_from_slice(b"\"type\":");
                json::write_string(out, &heading.native_type);
            }
            if sql_types_header {
                comma(out, usize::from(types_header));
                out.extend_from_slice(b"\"sqlType\":");
                json::write_string(out, &heading.sql_type);
            }
            out.push(b'}');
        }
        out.push(b'}');
        self.after_row(out);
    }

    /// A row of text about the columns.
    fn row_of(&mut self, out: &mut Vec<u8>, text: impl Fn(&Heading) -> &str) {
        self.before_row(out);
        let is_csv = self.layout.format == ResultFormat::Csv;
        if !is_csv {
            out.push(b'[');
        }
        for (at, heading) in self.headings.iter().enumerate() {
            comma(out, at);
            match is_csv {
                true => write_csv_text(out, text(heading)),
                false => json::write_string(out, text(heading)),
            }
        }
        if !is_csv {
            out.push(b']');
        }
        self.after_row(out);
    }

    fn before_row(&mut self, out: &mut Vec<u8>) {
        let is_element = matches!(self.layout.format, ResultFormat::Object | ResultFormat::Array);
        if is_element && self.has_element {
            out.push(b',');
        }
        self.has_element = true;
    }

    fn after_row(&self, out: &mut Vec<u8>) {
        if !matches!(self.layout.format, ResultFormat::Object | ResultFormat::Array) {
            out.push(b'\n');
        }
    }
}

/// Between values, not before the first.
fn comma(out: &mut Vec<u8>, at: usize) {
    if at > 0 {
        out.push(b',');
    }
}
