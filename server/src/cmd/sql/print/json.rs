//! Rows as objects.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::super::ask::Column;
use super::Print;

/// Prints an object for each row.
#[derive(Debug)]
pub(super) struct Objects {
    is_array: bool,
    names: Vec<String>,
    rows: u64,
}

impl Objects {
    /// All of them in an array.
    pub(super) fn in_array() -> Self {
        Self { is_array: true, names: Vec::new(), rows: 0 }
    }

    /// Each in a line.
    pub(super) fn in_lines() -> Self {
        Self { is_array: false, ..Self::in_array() }
    }
}

impl Print for Objects {
    fn begin(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
        self.names = columns.iter().map(|column| column.name.clone()).collect();
        if self.is_array { writeln!(out, "[") } else { Ok(()) }
    }

    fn row(&mut self, row: Vec<Value>, out: &mut dyn Write) -> io::Result<()> {
        if self.is_array && self.rows > 0 {
            writeln!(out, ",")?;
        }
        self.rows += 1;
        let object: Map<String, Value> = self.names.iter().cloned().zip(row).collect();
        write!(out, "{}", Value::Object(object))?;
        if self.is_array { Ok(()) } else { writeln!(out) }
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_array && self.rows > 0 {
            writeln!(out)?;
        }
        if self.is_array { writeln!(out, "]") } else { Ok(()) }
    }
}
