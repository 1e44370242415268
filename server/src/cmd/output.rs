//! What commands print: lines, tables and numbers for people.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use serde_json::Value;

/// The exit code of a command that did what it was to do and found something that somebody should look at.
const FOUND: u8 = 3;
/// The exit code of a command that was given wrongly, as clap has it.
const USAGE: u8 = 2;

/// A command that was given wrongly, in a way that clap does not see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// The exit code of a command that failed.
pub(crate) fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<UsageError>() {
        Some(_) => ExitCode::from(USAGE),
        None => ExitCode::FAILURE,
    }
}

/// What a command has to say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// To people.
    pub(crate) text: String,
    /// To programs.
    pub(crate) json: Value,
    /// True when somebody should look at it.
    pub(crate) is_alarming: bool,
}

impl Report {
    /// All is well.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, is_alarming: false }
    }

    /// Says it.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn show(&self, as_json: bool) -> anyhow::Result<ExitCode> {
        match as_json {
            true => say(serde_json::to_string_pretty(&self.json)?)?,
            false => say(self.text.trim_end())?,
        }
        Ok(if self.is_alarming { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
    }
}

/// Writes a line to standard output. Unlike `println!` it does not panic when nobody reads any
/// more, as behind `| head`.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table of texts under a header.
#[derive(Debug)]
pub(crate) struct TextTable {
    table: Table,
    alignments: Vec<CellAlignment>,
}

impl TextTable {
    /// An empty table.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let alignments: Vec<CellAlignment> = columns
            .iter()
            .map(|(_, align)| match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            })
            .collect();
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        let heads = columns.iter().zip(&alignments);
        table.set_header(heads.map(|((name, _), align)| Cell::new(name).set_alignment(*align)));
        Self { table, alignments }
    }

    /// Adds a row.
    pub(crate) fn row<T: ToString>(&mut self, values: impl IntoIterator<Item = T>) {
        let cells = values.into_iter().zip(&self.alignments);
        let cells = cells.map(|(value, align)| Cell::new(value.to_string()).set_alignment(*align));
        self.table.add_row(cells);
    }

    /// Breaks values into lines where the table would be wider than so many letters.
    pub(crate) fn fit(&mut self, width: u16) {
        self.table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
}

impl TextTable {
    /// The table, or these words when it has no rows.
    pub(crate) fn or(&self, words: &str) -> String {
        if self.table.is_empty() { words.to_owned() } else { self.to_string() }
    }
}

impl Display for TextTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table.fmt(f)
    }
}

/// 1234567 as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 segment`, `2 segments`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(number))
}

/// Bytes in the unit that leaves three or four digits.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A share from 0 to 1 as a bar of so many letters.
pub(crate) fn bar(share: f64, width: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let full = (share * width as f64).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

/// A share from 0 to 1 in percent.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        whole => format!("{:.0} %", part as f64 / whole as f64 * 100.0),
    }
}

/// How long ago something was: `now`, `12 s`, `5 min`, `3 h`.
pub(crate) fn ago(ms: u64) -> String {
    match ms / 1_000 {
        0..3 => "now".to_owned(),
        seconds @ 3..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

/// `12.3 ms`, or seconds from one on.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let numbers = [0, 12, 999, 1_000, 39_244, 1_234_567];
        let shown = ["0", "12", "999", "1,000", "39,244", "1,234,567"];
        assert_eq!(numbers.map(grouped), shown);
        assert_eq!((counted(1, "event"), counted(0, "event")), {
            ("1 event".into(), "0 events".into())
        });
        assert_eq!(
            [0, 1_023, 1_024, 2_366_222, u64::MAX].map(size),
            ["0 B", "1023 B", "1.0 KiB", "2.3 MiB", "16777216.0 TiB"]
        );
    }

    #[test]
    fn durations_are_in_fitting_units() {
        assert_eq!(duration(Duration::from_micros(12_345)), "12.3 ms");
        assert_eq!(duration(Duration::from_millis(10_695)), "10.7 s");
    }

    #[test]
    fn shares_and_ages_for_people() {
        assert_eq!(
            [0.0, 0.5, 1.5, f64::NAN].map(|share| bar(share, 4)),
            ["░░░░", "██░░", "████", "░░░░"]
        );
        assert_eq!((percent(1, 3), percent(1, 0)), ("33 %".into(), String::new()));
        assert_eq!([0, 3_000, 130_000, 7_300_000].map(ago), ["now", "3 s", "2 min", "2 h"]);
    }

    #[test]
    fn tables_align_numbers_to_the_right() {
        let mut table = TextTable::new(&[("name", Align::Left), ("rows", Align::Right)]);
        table.row(["a", "1"]);
        let shown = table.to_string();
        assert!(shown.contains("│ a    ┆    1 │"), "{shown}");
    }
}
