//! The shell's own commands, which begin with a backslash.

use clap::ValueEnum;

use super::print::Format;

/// A command of the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `\q`
    Quit,
    /// `\?`
    Help,
    /// `\d`
    Tables,
    /// `\d TABLE`
    Columns { schema: String, table: String },
    /// `\timing`
    Timing,
    /// `\x`
    Records,
    /// `\format NAME`
    Format(Format),
    /// `\explain STATEMENT`
    Explain(String),
    /// `\i FILE`
    File(String),
    /// `\set`
    Settings,
    /// `\reset`
    Reset,
}

/// What there is, for `\?`.
pub(super) const HELP: &str = "\
Statements end with a semicolon and may take several lines. Tab completes names; Ctrl-C stops a statement
or gives up what was typed; Ctrl-D ends the shell.

  \\d                  tables
  \\d TABLE            columns of a table; \\d sys.segments for another schema
  \\explain STATEMENT  how a statement would be answered
  \\timing             show what statements take, or no longer
  \\x                  a line for each value, or tables again
  \\format NAME        table, records, csv, tsv, json, jsonl, markdown
  \\i FILE             run the statements of a file
  SET name = value;   a setting for all statements that follow, such as SET sqlTimeZone = 'Asia/Tokyo';
  \\set                what is set
  \\reset              nothing is set any more
  \\q                  end the shell";

/// Reads a command; `None` when the line is none.
///
/// # Errors
/// When it is one that is not known or said wrongly.
pub(super) fn command(line: &str) -> Result<Option<Command>, String> {
    let Some(rest) = line.trim().strip_prefix('\\') else { return Ok(None) };
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let argument = argument.trim().trim_end_matches(';').trim_end();
    Ok(Some(match (name, argument) {
        ("q" | "quit", _) => Command::Quit,
        ("?" | "h" | "help", _) => Command::Help,
        ("d" | "dt", "") => Command::Tables,
        ("d", table) => of_table(table),
        ("timing", _) => Command::Timing,
        ("x", _) => Command::Records,
        ("format" | "f", name) => {
            let all: Vec<String> = names_of_formats().collect();
            let format = Format::from_str(name, true);
            Command::Format(
                format.map_err(|_| format!("\\format takes one of: {}", all.join(", ")))?,
            )
        }
        ("explain", "") => return Err("\\explain takes a statement".to_owned()),
        ("explain", statement) => Command::Explain(statement.to_owned()),
        ("i", "") => return Err("\\i takes a file".to_owned()),
        ("i", file) => Command::File(file.to_owned()),
        ("set", "") => Command::Settings,
        ("set", _) => return Err("settings are written SET name = value;".to_owned()),
        ("reset", _) => Command::Reset,
        _ => return Err(format!("\\{name} is not known; \\? lists the commands")),
    }))
}

fn names_of_formats() -> impl Iterator<Item = String> {
    let values = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    values.map(|value| value.get_name().to_owned())
}

/// `TABLE`, `SCHEMA.TABLE`, with quotes or without.
fn of_table(text: &str) -> Command {
    let mut parts: Vec<String> = vec![String::new()];
    let mut in_quotes = false;
    for letter in text.chars() {
        match letter {
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => parts.push(String::new()),
            letter => parts.last_mut().unwrap_or(&mut String::new()).push(letter),
        }
    }
    let table = parts.pop().unwrap_or_default();
    let schema = parts.pop().unwrap_or_else(|| "druid".to_owned());
    Command::Columns { schema, table }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let read = |line| command(line).unwrap().unwrap();
        assert_eq!(read("\\q"), Command::Quit);
        assert_eq!(read("\\d"), Command::Tables);
        let columns = |schema: &str, table: &str| Command::Columns {
            schema: schema.to_owned(),
            table: table.to_owned(),
        };
        assert_eq!(read("\\d wikipedia;"), columns("druid", "wikipedia"));
        assert_eq!(read("\\d sys.segments"), columns("sys", "segments"));
        assert_eq!(read("\\d \"a.b\""), columns("druid", "a.b"));
        assert_eq!(read("\\format CSV"), Command::Format(Format::Csv));
        assert_eq!(read("\\explain SELECT 1;"), Command::Explain("SELECT 1".to_owned()));
        assert_eq!(command("SELECT 1"), Ok(None));
        for wrong in ["\\nothing", "\\format xml", "\\i", "\\explain"] {
            assert!(command(wrong).is_err(), "{wrong}");
        }
    }
}
