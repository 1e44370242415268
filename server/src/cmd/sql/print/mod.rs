//! What rows are printed as.

mod csv;
mod json;
mod markdown;
mod records;
mod table;

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::Value;

use super::ask::Column;

/// What rows are printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// A table for people, fitted to the terminal.
    #[default]
    Table,
    /// A line for each value, for rows with many columns.
    Records,
    /// Comma-separated values with a header.
    Csv,
    /// The same, separated by tabs.
    Tsv,
    /// An array of objects.
    Json,
    /// An object a line.
    Jsonl,
    /// A Markdown table.
    Markdown,
}

/// Prints an answer: the columns first, then each row, then what is at the end.
pub(super) trait Print {
    /// Before the rows.
    fn begin(&mut self, columns: &[Column], out: &mut dyn Write) -> io::Result<()>;
    /// A row.
    fn row(&mut self, row: Vec<Value>, out: &mut dyn Write) -> io::Result<()>;
    /// After the rows.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

impl Format {
    /// A printer for a terminal of so many columns, or for none.
    pub(super) fn printer(self, width: Option<u16>) -> Box<dyn Print> {
        match self {
            Self::Table => Box::new(table::Table::fitted(width)),
            Self::Records => Box::<records::Records>::default(),
            Self::Csv => Box::new(csv::Separated::by(',')),
            Self::Tsv => Box::new(csv::Separated::by('\t')),
            Self::Json => Box::new(json::Objects::in_array()),
            Self::Jsonl => Box::new(json::Objects::in_lines()),
            Self::Markdown => Box::<markdown::Markdown>::default(),
        }
    }

    /// Whether it is for people, who like to be told how many rows there were.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Records)
    }
}

/// A value as people read it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As [`shown`], in one line and without what would change the terminal.
fn printable(value: &Value) -> String {
    let mut out = String::new();
    for letter in shown(value).chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter.is_control() => out.extend(letter.escape_unicode()),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(format: Format, width: Option<u16>) -> String {
        let column = |name: &str, sql_type: &str| Column {
            name: name.to_owned(),
            sql_type: sql_type.to_owned(),
        };
        let columns = [column("channel", "VARCHAR"), column("n", "BIGINT")];
        let rows = [
            vec![json!("#en"), json!(11_549)],
            vec![json!("a,\"b\"|c\nd"), json!(7)],
            vec![Value::Null, json!(-1)],
        ];
        let (mut printer, mut out) = (format.printer(width), Vec::new());
        printer.begin(&columns, &mut out).unwrap();
        rows.into_iter().for_each(|row| printer.row(row, &mut out).unwrap());
        printer.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn golden_formats() {
        let csv = "channel,n\n#en,11549\n\"a,\"\"b\"\"|c\nd\",7\n,-1\n";
        assert_eq!(printed(Format::Csv, None), csv);
        let tsv = "channel\tn\n#en\t11549\n\"a,\"\"b\"\"|c\nd\"\t7\n\t-1\n";
        assert_eq!(printed(Format::Tsv, None), tsv);
        let json = "[\n{\"channel\":\"#en\",\"n\":11549},\n{\"channel\":\"a,\\\"b\\\"|c\\nd\",\"n\":7},\n\
                    {\"channel\":null,\"n\":-1}\n]\n";
        assert_eq!(printed(Format::Json, None), json);
        let lines = "{\"channel\":\"#en\",\"n\":11549}\n{\"channel\":\"a,\\\"b\\\"|c\\nd\",\"n\":7}\n\
                     {\"channel\":null,\"n\":-1}\n";
        assert_eq!(printed(Format::Jsonl, None), lines);
        let markdown = "| channel | n |\n| --- | ---: |\n| #en | 11549 |\n| a,\"b\"\\|c\\nd | 7 |\n| NULL | -1 |\n";
        assert_eq!(printed(Format::Markdown, None), markdown);
        let records = "─ 1 ─\nchannel  #en\nn        11549\n─ 2 ─\nchannel  a,\"b\"|c\\nd\nn        7\n\
                       ─ 3 ─\nchannel  NULL\nn        -1\n";
        assert_eq!(printed(Format::Records, None), records);
    }

    #[test]
    fn golden_table() {
        let expected = "\
┌────────────┬───────┐
│ channel    ┆     n │
╞════════════╪═══════╡
│ #en        ┆ 11549 │
│ a,\"b\"|c\\nd ┆     7 │
│ NULL       ┆    -1 │
└────────────┴───────┘
";
        assert_eq!(printed(Format::Table, None), expected);
        assert_eq!(printed(Format::Table, Some(80)), expected);
        // What is too wide is broken into lines.
        let narrow = printed(Format::Table, Some(18));
        assert!(narrow.lines().all(|line| line.chars().count() <= 18), "{narrow}");
        // Where nothing fits, values stand below each other.
        assert!(printed(Format::Table, Some(8)).starts_with("─ 1 ─\n"));
    }

    #[test]
    fn what_would_change_the_terminal_is_shown_and_not_done() {
        assert_eq!(printable(&json!("\u{1b}[2Jx\ty")), "\\u{1b}[2Jx\\ty");
    }
}
