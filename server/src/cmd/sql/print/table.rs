//! A table for people.

use std::io::{self, Write};

use serde_json::Value;

use super::super::super::output::{Align, TextTable};
use super::super::ask::Column;
use super::records::Records;
use super::{Print, printable};

/// A column that has fewer letters than this is not read any more, with the frame between columns.
const LEAST_COLUMN_WIDTH: usize = 7;

/// Prints a table once it knows all rows, as the widest value decides how wide a column is.
#[derive(Debug)]
pub(super) struct Table {
    width: Option<u16>,
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// For a terminal of so many columns; wider where there is none.
    pub(super) fn fitted(width: Option<u16>) -> Self {
        Self { width, columns: Vec::new(), rows: Vec::new() }
    }

    fn is_too_narrow(&self) -> bool {
        let needed = self.columns.len() * LEAST_COLUMN_WIDTH + 1;
        self.width.is_some_and(|width| usize::from(width) < needed)
    }
}

impl Print for Table {
    fn begin(&mut self, columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        self.columns = columns.to_vec();
        Ok(())
    }

    fn row(&mut self, row: Vec<Value>, _out: &mut dyn Write) -> io::Result<()> {
        self.rows.push(row);
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if self.is_too_narrow() {
            let mut records = Records::default();
            records.begin(&self.columns, out)?;
            return rows.into_iter().try_for_each(|row| records.row(row, out));
        }
        let heads: Vec<(&str, Align)> = self
            .columns
            .iter()
            .map(|column| {
                let align = if column.is_number() { Align::Right } else { Align::Left };
                (&*column.name, align)
            })
            .collect();
        let mut table = TextTable::new(&heads);
        if let Some(width) = self.width {
            table.fit(width);
        }
        rows.iter().for_each(|row| table.row(row.iter().map(printable)));
        writeln!(out, "{table}")
    }
}
