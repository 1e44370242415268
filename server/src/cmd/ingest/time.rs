//! Which column of a file is the time, and how it is written.

use anyhow::{Result, bail};

use super::columns::Column;
use super::trial::are_times;

/// Names of columns that are mostly the time, the likeliest first.
const TIME_NAMES: [&str; 11] = [
    "__time",
    "timestamp",
    "time",
    "ts",
    "event_time",
    "eventtime",
    "datetime",
    "date",
    "created_at",
    "createdat",
    "occurred_at",
];
/// Ways to write times that are tried where values are no times as they are. Those that differ in the
/// order of days and months stand beside each other.
const FORMATS: [&str; 18] = [
    "dd.MM.yyyy HH:mm:ss",
    "dd.MM.yyyy HH:mm",
    "dd.MM.yyyy",
    "MM/dd/yyyy HH:mm:ss",
    "dd/MM/yyyy HH:mm:ss",
    "MM/dd/yyyy HH:mm",
    "dd/MM/yyyy HH:mm",
    "MM/dd/yyyy",
    "dd/MM/yyyy",
    "dd-MM-yyyy HH:mm:ss",
    "dd-MM-yyyy",
    "yyyy/MM/dd HH:mm:ss",
    "yyyy/MM/dd",
    "yyyyMMdd HH:mm:ss",
    "dd-MMM-yyyy",
    "dd MMM yyyy",
    "dd/MMM/yyyy:HH:mm:ss Z",
    "EEE MMM dd HH:mm:ss yyyy",
];
/// The format that is told apart value by value.
const AUTO: &str = "auto";
/// The time of rows that have none.
const CONSTANT: &str = "2000-01-01T00:00:00.000Z";
/// A field that no file has.
const NO_COLUMN: &str = "(no time column)";

/// What the command line says of the time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimeHints<'a> {
    pub(super) column: Option<&'a str>,
    pub(super) format: Option<&'a str>,
    pub(super) constant: Option<&'a str>,
}

/// Where the time of rows comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Time {
    Column {
        name: String,
        format: String,
    },
    /// The same for all rows.
    Constant(String),
}

impl Time {
    /// The column that is asked for, or the likeliest one; a constant where none may be the time.
    ///
    /// # Errors
    /// When there is no such column, or how one is written cannot be told.
    pub(super) fn choose(columns: &[Column], hints: TimeHints<'_>) -> Result<Self> {
        if let Some(constant) = hints.constant {
            return Ok(Self::Constant(constant.to_owned()));
        }
        match (hints.column, hints.format) {
            (Some(name), format) => of_column(columns, name, format),
            (None, Some(format)) => of_format(columns, format),
            (None, None) => likeliest(columns),
        }
    }

    /// The `timestampSpec`'s column and format, and the time of events without it.
    pub(super) fn spec(&self) -> serde_json::Value {
        match self {
            Self::Column { name, format } => {
                serde_json::json!({ "column": name, "format": format })
            }
            Self::Constant(time) => serde_json::json!({
                "column": NO_COLUMN, "format": AUTO, "missingValue": time,
            }),
        }
    }

    /// What was decided, for people.
    pub(super) fn decided(&self) -> String {
        match self {
            Self::Column { name, format } if format == AUTO => format!("the time is in '{name}'"),
            Self::Column { name, format } => {
                format!("the time is in '{name}', written as {format} (--timestamp-format)")
            }
            Self::Constant(time) => format!(
                "NO COLUMN IS A TIME: every row gets the time {time} (--timestamp-column names one, \
                 --constant-time another time)"
            ),
        }
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn time(column: &Column, format: &str) -> Time {
    Time::Column { name: column.name.clone(), format: format.to_owned() }
}

fn of_column(columns: &[Column], name: &str, format: Option<&str>) -> Result<Time> {
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        bail!("--timestamp-column: there is no column '{name}', only {}", names(columns));
    };
    if let Some(format) = format {
        return Ok(time(column, format));
    }
    let found = if column.is_time { None } else { format_of(column)? };
    Ok(time(column, found.unwrap_or(AUTO)))
}

fn of_format(columns: &[Column], format: &str) -> Result<Time> {
    let mut likely = in_order(columns);
    let reads = |column: &&Column| match column.others.is_empty() {
        // Times as they are; of numbers the format says the unit.
        true => column.is_time,
        false => are_times(&column.others, format),
    };
    match likely.find(reads) {
        Some(column) => Ok(time(column, format)),
        None => bail!(
            "--timestamp-format '{format}' reads the values of no column; name the column with \
             --timestamp-column: {}",
            names(columns)
        ),
    }
}

fn likeliest(columns: &[Column]) -> Result<Time> {
    if let Some(column) = in_order(columns).find(|column| column.is_time) {
        return Ok(time(column, AUTO));
    }
    for column in in_order(columns) {
        if let Some(format) = format_of(column)? {
            return Ok(time(column, format));
        }
    }
    // A column that is called a time may hold times of a format that nobody guesses.
    let unread = |column: &&Column| !column.others.is_empty();
    if let Some(column) = named_like_times(columns).find(unread) {
        let (name, value) = (&column.name, &column.others[0]);
        bail!(
            "no column looks like a time: '{name}' holds '{value}': say how that is written \
             (--timestamp-column {name} --timestamp-format dd.MM.yyyy), name another column of {}, or \
             give all rows one time (--constant-time 2024-01-01)",
            names(columns)
        );
    }
    Ok(Time::Constant(CONSTANT.to_owned()))
}

/// The columns that are called like times, the likeliest first.
fn named_like_times(columns: &[Column]) -> impl Iterator<Item = &Column> {
    TIME_NAMES.into_iter().filter_map(move |name| {
        columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    })
}

/// All columns, those first that are called like times.
fn in_order(columns: &[Column]) -> impl Iterator<Item = &Column> {
    named_like_times(columns).chain(columns)
}

/// How the values of a column are written, if as times.
fn format_of(column: &Column) -> Result<Option<&'static str>> {
    let has_digits = |text: &String| text.bytes().any(|byte| byte.is_ascii_digit());
    if column.others.is_empty() || !column.others.iter().all(has_digits) {
        return Ok(None);
    }
    let mut fitting = FORMATS.into_iter().filter(|format| are_times(&column.others, format));
    let Some(first) = fitting.next() else { return Ok(None) };
    let other = fitting.next().filter(|other| day_and_month(other) != day_and_month(first));
    if let Some(other) = other.filter(|_| first.starts_with("MM/")) {
        bail!(
            "'{}' holds '{}', which may be {first} or {other}: say --timestamp-column {} \
             --timestamp-format with one of them",
            column.name,
            column.others[0],
            column.name
        );
    }
    Ok(Some(first))
}

fn day_and_month(format: &str) -> &str {
    format.get(..5).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, is_time: bool, others: &[&str]) -> Column {
        let others = others.iter().map(|text| (*text).to_owned()).collect();
        Column { name: name.to_owned(), is_time, others }
    }

    fn chosen(columns: &[Column], hints: TimeHints<'_>) -> Result<(String, String)> {
        Ok(match Time::choose(columns, hints)? {
            Time::Column { name, format } => (name, format),
            Time::Constant(time) => (String::new(), time),
        })
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn times_are_found_by_name_then_by_value_then_by_format() {
        let none = TimeHints::default();
        let a = column("a", true, &[]);
        let ts = column("TS", true, &[]);
        assert_eq!(chosen(&[a.clone(), ts], none).unwrap(), pair("TS", "auto"));
        let text = column("x", false, &["b"]);
        assert_eq!(chosen(&[text.clone(), a], none).unwrap(), pair("a", "auto"));
        let german = column("tag", false, &["31.12.2024", "01.01.2025"]);
        assert_eq!(chosen(&[text.clone(), german], none).unwrap(), pair("tag", "dd.MM.yyyy"));
        let american = column("date", false, &["01/02/2024", "01/31/2024"]);
        assert_eq!(chosen(&[american], none).unwrap(), pair("date", "MM/dd/yyyy"));
        let british = column("date", false, &["01/02/2024", "31/01/2024"]);
        assert_eq!(chosen(&[british], none).unwrap(), pair("date", "dd/MM/yyyy"));
        assert_eq!(chosen(&[text], none).unwrap(), pair("", CONSTANT));
    }

    #[test]
    fn what_cannot_be_told_is_asked() {
        let refused = |column, hints| chosen(&[column], hints).unwrap_err().to_string();
        let none = TimeHints::default();
        let either = refused(column("date", false, &["01/02/2024"]), none);
        assert!(
            either.contains("MM/dd/yyyy or dd/MM/yyyy: say --timestamp-column date"),
            "{either}"
        );
        let odd = refused(column("time", false, &["half past 3"]), none);
        assert!(odd.contains("'time' holds 'half past 3'"), "{odd}");
        let missing = refused(column("a", false, &["x"]), TimeHints { column: Some("b"), ..none });
        assert!(missing.contains("no column 'b', only a"), "{missing}");
        let format = TimeHints { format: Some("yyyy"), ..none };
        let unread = refused(column("a", false, &["x"]), format);
        assert!(unread.contains("reads the values of no column"), "{unread}");
    }

    #[test]
    fn the_command_line_decides() {
        let column = column("a", false, &["01/02/2024"]);
        let hints = TimeHints { column: Some("a"), format: Some("dd/MM/yyyy"), constant: None };
        assert_eq!(chosen(std::slice::from_ref(&column), hints).unwrap(), pair("a", "dd/MM/yyyy"));
        let hints = TimeHints { constant: Some("2024-01-01"), ..TimeHints::default() };
        let time = Time::choose(&[column], hints).unwrap();
        assert!(time.decided().contains("every row gets the time 2024-01-01"));
        assert_eq!(time.spec()["missingValue"], "2024-01-01");
    }
}
