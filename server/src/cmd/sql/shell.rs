//! The shell: a line after the other, until its end.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::ask::new_id;
use super::command::{Command, HELP, command};
use super::helper::{LineHelper, is_farewell};
use super::names::{TABLES, columns_of};
use super::print::Format;
use super::session::{Ended, Session};
use super::split::split;
use crate::cmd::output::say;
use crate::cmd::print_error;

const PROMPT: &str = "henge> ";
const MAX_HISTORY: usize = 10_000;

/// What the shell does after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    Leave,
}

/// Reads lines until the end. Errors are shown, and the shell goes on.
///
/// # Errors
/// When the terminal cannot be read.
pub(super) fn run(mut session: Session) -> Result<ExitCode> {
    let config = Config::builder()
        .max_history_size(MAX_HISTORY)
        .and_then(|config| config.history_ignore_dups(true))
        .context("set up the line")?
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .build();
    let mut editor: Editor<LineHelper, FileHistory> =
        Editor::with_config(config).context("open the terminal")?;
    editor.set_helper(Some(LineHelper::of(session.client.clone())));
    let history = history_file();
    if let Some(history) = &history {
        // There is none before the first time.
        let _ = editor.load_history(history);
    }
    session.interrupts.of_shell();
    greet(&session)?;
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                let _ = editor.add_history_entry(line.trim());
                if let Some(history) = &history {
                    // A history that cannot be kept is missed, and nothing else.
                    let _ = editor.append_history(history);
                }
                if take(&mut session, &line) == Next::Leave {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            // What was typed is given up.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error).context("read the line"),
        }
    }
}

fn greet(session: &Session) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let url = session.client.base_url();
    say(format_args!("henge {version}, {url}; \\? for help, \\q to leave"))?;
    if let Err(error) = session.client.get("/status") {
        print_error(&error.into());
    }
    Ok(())
}

fn take(session: &mut Session, line: &str) -> Next {
    if is_farewell(line) {
        return Next::Leave;
    }
    let done = match command(line) {
        Err(wrong) => Err(anyhow!(wrong)),
        Ok(Some(Command::Quit)) => return Next::Leave,
        Ok(Some(command)) => obey(session, command),
        Ok(None) => statements(session, line),
    };
    match done {
        Ok(Ended::Done) => {}
        Ok(Ended::Interrupted) => print_error(&anyhow!("the statement was stopped")),
        Err(error) => print_error(&error),
    }
    Next::Read
}

/// Runs the statements of a text until one fails or is stopped.
///
/// # Errors
/// When one fails.
pub(super) fn statements(session: &mut Session, text: &str) -> Result<Ended> {
    let found = split(text);
    let rest = Some(found.rest).filter(|rest| !rest.is_empty());
    for statement in found.statements.into_iter().chain(rest) {
        if session.run(&statement)? == Ended::Interrupted {
            return Ok(Ended::Interrupted);
        }
    }
    Ok(Ended::Done)
}

/// Runs the statements of a file.
///
/// # Errors
/// When it cannot be read, or one of them fails.
pub(super) fn file(session: &mut Session, path: &Path) -> Result<Ended> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    statements(session, &text)
}

fn obey(session: &mut Session, command: Command) -> Result<Ended> {
    match command {
        // Both ends of the shell were seen before.
        Command::Quit => {}
        Command::Help => say(HELP)?,
        Command::Tables => return session.answer(TABLES, session.format),
        Command::Columns { schema, table } => return columns(session, &schema, &table),
        Command::Timing => {
            session.shows_time = !session.shows_time;
            say(if session.shows_time { "timing is shown" } else { "timing is not shown" })?;
        }
        Command::Records => {
            let is_on = session.format == Format::Records;
            session.format = if is_on { Format::Table } else { Format::Records };
            say(if is_on { "tables" } else { "a line for each value" })?;
        }
        Command::Format(format) => session.format = format,
        Command::Explain(statement) => return session.explain(&statement),
        Command::File(path) => return file(session, Path::new(&path)),
        Command::Settings => {
            for (name, value) in &session.context {
                say(format_args!("{name} = {value}"))?;
            }
        }
        Command::Reset => session.context.clear(),
    }
    Ok(Ended::Done)
}

fn columns(session: &Session, schema: &str, table: &str) -> Result<Ended> {
    let statement = columns_of(schema, table);
    let (_, rows) = session.rows(&statement, &new_id())?;
    if rows.is_empty() {
        return Err(anyhow!("there is no table '{table}' in schema '{schema}'; \\d lists them"));
    }
    session.answer(&statement, session.format)
}

/// Where lines are kept: in the folder for states of programs. Its folder is made.
fn history_file() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".local").join("state"));
    let folder = state.filter(|path| path.is_absolute()).or_else(home)?.join("henge");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sql_history"))
}
