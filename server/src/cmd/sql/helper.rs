//! What the shell's line does while one types: it goes on until a semicolon, and completes names.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::names::Names;
use super::split::split;
use crate::cmd::http::Client;

/// New tables and columns are completed after this time.
const NAMES_LAST: Duration = Duration::from_secs(30);

/// Completes, hints and validates.
pub(super) struct LineHelper {
    client: Client,
    names: RefCell<Option<(Instant, Names)>>,
    history: HistoryHinter,
}

impl LineHelper {
    /// For statements to a server.
    pub(super) fn of(client: Client) -> Self {
        Self { client, names: RefCell::default(), history: HistoryHinter::new() }
    }

    fn completions(&self, text: &str) -> (usize, Vec<String>) {
        let mut known = self.names.borrow_mut();
        let is_old = known.as_ref().is_none_or(|(read, _)| read.elapsed() > NAMES_LAST);
        // Where the server does not answer, what is known has to do.
        if is_old && let Ok(names) = Names::of(&self.client) {
            *known = Some((Instant::now(), names));
        }
        match &*known {
            Some((_, names)) => names.complete(text),
            None => Names::default().complete(text),
        }
    }
}

/// Whether what was typed is a command of the shell, or statements that are all ended.
pub(super) fn is_whole(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.starts_with('\\') {
        return true;
    }
    // `exit` and `quit` are what people type who know other shells.
    if is_farewell(text) {
        return true;
    }
    let found = split(text);
    found.rest.is_empty() && !found.is_open
}

/// Whether somebody wants to leave.
pub(super) fn is_farewell(text: &str) -> bool {
    let word = text.trim().trim_end_matches(';').trim_end();
    word.eq_ignore_ascii_case("exit") || word.eq_ignore_ascii_case("quit")
}

impl Helper for LineHelper {}

impl Highlighter for LineHelper {}

impl Completer for LineHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        place: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.completions(&line[..place]))
    }
}

impl Hinter for LineHelper {
    type Hint = String;

    fn hint(&self, line: &str, place: usize, context: &Context<'_>) -> Option<String> {
        // Hints of several lines move what is below them.
        let hint = self.history.hint(line, place, context)?;
        (!hint.contains('\n')).then_some(hint)
    }
}

impl Validator for LineHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_whole(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_until_its_semicolon() {
        for whole in ["SELECT 1;", "SELECT 1; -- one\n", "\\d", "", "exit", "quit;", "-- nothing"] {
            assert!(is_whole(whole), "{whole}");
        }
        for open in ["SELECT 1", "SELECT ';", "SELECT 1; SELECT", "SELECT 1 /* ;"] {
            assert!(!is_whole(open), "{open}");
        }
    }
}
