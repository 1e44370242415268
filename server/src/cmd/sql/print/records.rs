//! A line for each value.

use std::io::{self, Write};

use serde_json::Value;

use super::super::ask::Column;
use super::{Print, printable};

/// Prints the values of a row below each other.
#[derive(Debug, Default)]
pub(super) struct Records {
    names: Vec<String>,
    rows: u64,
}

impl Print for Records {
    fn begin(&mut self, columns: &[Column], _out: &mut dyn Write) -> io::Result<()> {
        let widest = columns.iter().map(|column| column.name.chars().count()).max();
        let width = widest.unwrap_or_default();
        let padded = columns.iter().map(|column| format!("{:width$}", column.name));
        self.names = padded.collect();
        Ok(())
    }

    fn row(&mut self, row: Vec<Value>, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        writeln!(out, "─ {} ─", self.rows)?;
        for (name, value) in self.names.iter().zip(&row) {
            writeln!(out, "{name}  {}", printable(value))?;
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
