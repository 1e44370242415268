//! What commands print: lines, tables and numbers for people.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};

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
        let alignments = columns
            .iter()
            .map(|(_, align)| match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            })
            .collect();
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(columns.iter().map(|(name, _)| *name));
        Self { table, alignments }
    }

    /// Adds a row.
    pub(crate) fn row<T: ToString>(&mut self, values: impl IntoIterator<Item = T>) {
        let cells = values.into_iter().zip(&self.alignments);
        let cells = cells.map(|(value, align)| Cell::new(value.to_string()).set_alignment(*align));
        self.table.add_row(cells);
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
    fn tables_align_numbers_to_the_right() {
        let mut table = TextTable::new(&[("name", Align::Left), ("rows", Align::Right)]);
        table.row(["a", "1"]);
        let shown = table.to_string();
        assert!(shown.contains("│ a    ┆    1 │"), "{shown}");
    }
}
