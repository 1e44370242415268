//! A Markdown table.

use std::io::{self, Write};

use serde_json::Value;

use super::super::ask::Column;
use super::{Print, printable};

/// Prints a Markdown table.
#[derive(Debug, Default)]
pub(super) struct Markdown;

impl Print for Markdown {
    fn begin(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<String> = columns.iter().map(|column| escaped(&column.name)).collect();
        writeln!(out, "| {} |", names.join(" | "))?;
        let rule = |column: &Column| if column.is_number() { "---:" } else { "---" };
        let rules: Vec<&str> = columns.iter().map(rule).collect();
        writeln!(out, "| {} |", rules.join(" | "))
    }

    fn row(&mut self, row: Vec<Value>, out: &mut dyn Write) -> io::Result<()> {
        let values: Vec<String> = row.iter().map(|value| escaped(&printable(value))).collect();
        writeln!(out, "| {} |", values.join(" | "))
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
