//! [`Session`]: statements one after the other, with what was set before.

use std::io::{self, BufWriter, IsTerminal, Write, stdout};
use std::time::Instant;

use anyhow::{Result, anyhow};
use serde_json::{Map, Value};

use super::super::http::{Client, HttpError};
use super::super::output::{counted, duration, say};
use super::ask::{Column, Question, ask, new_id};
use super::explain;
use super::interrupt::Interrupts;
use super::print::Format;
use super::progress::Progress;
use super::setting::setting;

/// Statements one after the other.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) interrupts: Interrupts,
    pub(super) context: Map<String, Value>,
    pub(super) parameters: Vec<Value>,
    pub(super) format: Format,
    pub(super) shows_time: bool,
    pub(super) explains: bool,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Interrupted,
}

impl Session {
    /// Runs a statement and prints its answer, or keeps what it sets.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub(super) fn run(&mut self, statement: &str) -> Result<Ended> {
        if let Some((name, value)) = setting(statement).map_err(|wrong| anyhow!(wrong))? {
            self.context.insert(name, value);
            return Ok(Ended::Done);
        }
        match self.explains {
            true => self.explain(statement),
            false => self.answer(statement, self.format),
        }
    }

    /// Prints how a statement would be answered.
    ///
    /// # Errors
    /// When it is refused.
    pub(super) fn explain(&self, statement: &str) -> Result<Ended> {
        let text = format!("{}{statement}", explain::PREFIX);
        let id = new_id();
        let running = self.interrupts.running(&id);
        let answer = self.rows(&text, &id);
        if running.was_interrupted() {
            return Ok(Ended::Interrupted);
        }
        let (columns, rows) = answer.map_err(|error| placed(error, &text))?;
        say(explain::shown(&columns, &rows))?;
        Ok(Ended::Done)
    }

    /// Prints the answer of a statement.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub(super) fn answer(&self, statement: &str, format: Format) -> Result<Ended> {
        let (id, started) = (new_id(), Instant::now());
        let running = self.interrupts.running(&id);
        let progress = Progress::begin();
        let printed = self.print(statement, &id, format, &progress, &|| running.was_interrupted());
        progress.end();
        if running.was_interrupted() {
            return Ok(Ended::Interrupted);
        }
        let rows = printed.map_err(|error| match error.downcast::<HttpError>() {
            Ok(error) => placed(error, statement),
            Err(error) => error,
        })?;
        match (self.shows_time, format.is_for_people()) {
            (true, _) => {
                told(&format!("{}, {}", counted(rows, "row"), duration(started.elapsed())))?;
            }
            (false, true) => told(&counted(rows, "row"))?,
            (false, false) => {}
        }
        Ok(Ended::Done)
    }

    fn print(
        &self,
        statement: &str,
        id: &str,
        format: Format,
        progress: &Progress,
        is_over: &dyn Fn() -> bool,
    ) -> Result<u64> {
        let mut rows = ask(&self.client, self.question(statement), id)?;
        let mut out = BufWriter::new(stdout().lock());
        let mut printer = format.printer(terminal_width());
        let mut count = 0;
        printer.begin(&rows.columns, &mut out)?;
        while let Some(row) = rows.next()? {
            if is_over() {
                break;
            }
            count += 1;
            progress.row();
            printer.row(row, &mut out)?;
        }
        progress.end();
        printer.end(&mut out)?;
        out.flush()?;
        Ok(count)
    }

    /// All rows of a statement that has few.
    pub(super) fn rows(
        &self,
        statement: &str,
        id: &str,
    ) -> Result<(Vec<Column>, Vec<Vec<Value>>), HttpError> {
        let mut answer = ask(&self.client, self.question(statement), id)?;
        let mut rows = Vec::new();
        while let Some(row) = answer.next()? {
            rows.push(row);
        }
        Ok((answer.columns, rows))
    }

    fn question<'a>(&'a self, text: &'a str) -> Question<'a> {
        Question { text, context: self.context.clone(), parameters: &self.parameters }
    }
}

/// Says something beside the answer: rows that another program reads are left alone.
fn told(text: &str) -> io::Result<()> {
    match stdout().is_terminal() {
        true => say(text),
        false => writeln!(io::stderr().lock(), "{text}"),
    }
}

/// How wide the terminal is, if there is one.
fn terminal_width() -> Option<u16> {
    let out = stdout();
    if !out.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&out).ok().map(|size| size.ws_col).filter(|width| *width > 0)
}

/// An error of the server with the line that it is about.
fn placed(error: HttpError, statement: &str) -> anyhow::Error {
    let shown = match &error {
        HttpError::Refused { message, .. } => marked(message, statement),
        _ => None,
    };
    match shown {
        Some(shown) => anyhow!(shown),
        None => error.into(),
    }
}

/// The message, and below it the line with a mark where it is wrong.
fn marked(message: &str, statement: &str) -> Option<String> {
    let place = &message[message.rfind("(line ")?..];
    let (line, column) = place.strip_prefix("(line ")?.split_once(", column ")?;
    let (line, column) = (line.parse::<usize>().ok()?, column.split_once(')')?.0.parse().ok()?);
    let text = statement.lines().nth(line.checked_sub(1)?)?;
    let column: usize = column;
    let before: String = text.chars().take(column.checked_sub(1)?).collect();
    let space: String =
        before.chars().map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
    Some(format!("{message}\n  {text}\n  {space}^"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_where_it_is() {
        let message = "column 'nope' is not known (line 2, column 3)";
        let shown = marked(message, "SELECT 1,\n  nope\nFROM t").unwrap();
        assert_eq!(shown, format!("{message}\n    nope\n    ^"));
        assert_eq!(marked("no place", "SELECT 1"), None);
        assert_eq!(marked("beyond (line 9, column 1)", "SELECT 1"), None);
    }
}
