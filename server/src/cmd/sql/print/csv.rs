//! Values that a letter separates, quoted where they hold it.

use std::io::{self, Write};

use serde_json::Value;

use super::super::ask::Column;
use super::{Print, shown};

/// Prints values with a letter between them.
#[derive(Debug)]
pub(super) struct Separated {
    separator: char,
}

impl Separated {
    /// With this letter.
    pub(super) fn by(separator: char) -> Self {
        Self { separator }
    }

    fn line<'a>(
        &self,
        values: impl Iterator<Item = &'a str>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for (index, value) in values.enumerate() {
            if index > 0 {
                write!(out, "{}", self.separator)?;
            }
            let needs_quotes = value.contains([self.separator, '"', '\n', '\r']);
            match needs_quotes {
                true => write!(out, "\"{}\"", value.replace('"', "\"\""))?,
                false => out.write_all(value.as_bytes())?,
            }
        }
        writeln!(out)
    }
}

impl Print for Separated {
    fn begin(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
        self.line(columns.iter().map(|column| &*column.name), out)
    }

    /// Null is nothing at all.
    fn row(&mut self, row: Vec<Value>, out: &mut dyn Write) -> io::Result<()> {
        let text = |value: &Value| if value.is_null() { String::new() } else { shown(value) };
        let texts: Vec<String> = row.iter().map(text).collect();
        self.line(texts.iter().map(String::as_str), out)
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
