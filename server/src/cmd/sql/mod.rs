//! `henge sql`: statements to a server, one or a shell of them.

mod ask;
mod command;
mod embedded;
mod explain;
mod helper;
mod interrupt;
mod names;
mod print;
mod progress;
mod session;
mod setting;
mod shell;
mod split;

use std::io::{IsTerminal, Read, Write, stderr, stdin};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Map, Value, json};

use self::embedded::{Embedded, named_files};
use self::interrupt::{INTERRUPTED, Interrupts};
use self::print::Format;
use self::session::{Ended, Session};
use super::output::UsageError;
use super::server_at::ServerAt;

/// Options of `henge sql`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without a statement and without --file statements are read from standard input; from a \
terminal by a shell with history, completion and \\? for help.

Examples:
  henge sql \"SELECT channel, COUNT(*) FROM wikipedia GROUP BY 1 ORDER BY 2 DESC LIMIT 5\"
  henge sql --from trips.parquet \"SELECT COUNT(*) FROM trips\"
  henge sql --format csv --file report.sql > report.csv
  henge sql --explain \"SELECT COUNT(*) FROM wikipedia\"
  henge sql --set sqlTimeZone=Asia/Tokyo \"SELECT MAX(__time) FROM wikipedia\"
  henge sql --parameter '#en.wikipedia' \"SELECT COUNT(*) FROM wikipedia WHERE channel = ?\"
  henge sql

Exit codes: 0 done, 1 a statement failed, 2 wrong usage, 130 stopped by Ctrl-C."
)]
pub(crate) struct SqlArgs {
    /// Statements, separated by semicolons.
    #[arg(value_name = "STATEMENT")]
    statement: Option<String>,
    /// Run the statements of a file.
    #[arg(long, short, value_name = "FILE", conflicts_with = "statement")]
    file: Option<PathBuf>,
    /// What answers are printed as.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Print how statements would be answered, and do not answer them.
    #[arg(long)]
    explain: bool,
    /// Say how long each statement took.
    #[arg(long)]
    timing: bool,
    /// A setting of all statements, such as sqlTimeZone=Asia/Tokyo.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The value of a `?`, as often as there are some: a whole number, a decimal, or else a text.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    parameter: Vec<String>,
    /// Ask the folder of a server that does not run, in this process.
    #[arg(long, value_name = "DIR", conflicts_with = "from")]
    data_dir: Option<PathBuf>,
    /// Ask a Parquet, CSV, TSV or JSON file, in this process: a table with the name of the file, or with
    /// another one.
    #[arg(long, value_name = "[TABLE=]FILE")]
    from: Vec<String>,
    #[command(flatten)]
    at: ServerAt,
}

/// Runs the command.
///
/// # Errors
/// When a statement fails.
pub(crate) fn run(args: &SqlArgs) -> Result<ExitCode> {
    // Ends after the last statement.
    let embedded = embedded(args)?;
    let client = match &embedded {
        Some(embedded) => embedded.client()?,
        None => args.at.cluster()?.client().clone(),
    };
    let refused = embedded.as_ref().map(Embedded::refused).unwrap_or_default();
    for line in refused {
        writeln!(stderr().lock(), "{line}")?;
    }
    let mut session = Session {
        interrupts: Interrupts::listen(client.clone())?,
        client,
        context: context(&args.set)?,
        parameters: args.parameter.iter().map(|text| parameter(text)).collect(),
        format: if args.at.json { Format::Json } else { args.format },
        shows_time: args.timing,
        explains: args.explain,
    };
    let ended = match (&args.statement, &args.file) {
        (Some(text), _) => shell::statements(&mut session, text)?,
        (None, Some(file)) => shell::file(&mut session, file)?,
        (None, None) if stdin().is_terminal() => return shell::run(session),
        (None, None) => {
            let mut text = String::new();
            stdin().lock().read_to_string(&mut text).context("read standard input")?;
            shell::statements(&mut session, &text)?
        }
    };
    Ok(match ended {
        // As of `henge ingest`: what follows is to know that the answer is not of all lines.
        Ended::Done if !refused.is_empty() => ExitCode::FAILURE,
        Ended::Done => ExitCode::SUCCESS,
        Ended::Interrupted => ExitCode::from(INTERRUPTED),
    })
}

/// The server within this process, where one is wanted.
fn embedded(args: &SqlArgs) -> Result<Option<Embedded>> {
    if let Some(folder) = &args.data_dir {
        return Embedded::over(folder).map(Some);
    }
    match named_files(&args.from)? {
        files if files.is_empty() => Ok(None),
        files => Embedded::over_files(&files).map(Some),
    }
}

fn context(settings: &[String]) -> Result<Map<String, Value>> {
    let mut context = Map::new();
    for setting in settings {
        let wrong = || UsageError(format!("--set takes NAME=VALUE, not '{setting}'"));
        let (name, text) = setting.split_once('=').ok_or_else(wrong)?;
        let value = match text {
            "true" => true.into(),
            "false" => false.into(),
            text => setting::number_of(text).unwrap_or_else(|| text.into()),
        };
        context.insert(name.to_owned(), value);
    }
    Ok(context)
}

/// A value as the server takes it.
fn parameter(text: &str) -> Value {
    match setting::number_of(text) {
        Some(number) if number.is_i64() => json!({"type": "BIGINT", "value": number}),
        Some(number) => json!({"type": "DOUBLE", "value": number}),
        None => json!({"type": "VARCHAR", "value": text}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake_server::FakeServer;
    use super::*;

    fn session(server: &FakeServer) -> Session {
        let client = server.client();
        Session {
            interrupts: Interrupts::listen(client.clone()).unwrap(),
            client,
            context: context(&["timeout=3000".to_owned(), "useCache=false".to_owned()]).unwrap(),
            parameters: vec![parameter("#en"), parameter("-1"), parameter("0.5")],
            format: Format::Csv,
            shows_time: false,
            explains: false,
        }
    }

    #[test]
    fn settings_and_parameters_go_with_each_statement() {
        let server = FakeServer::start();
        server.on("POST /druid/v2/sql", json!("[\"n\"]\n[\"BIGINT\"]\n[1]\n\n"));
        let mut session = session(&server);
        let text = "SET sqlTimeZone = 'Asia/Tokyo'; SELECT 1; SELECT ';' -- last";
        assert_eq!(shell::statements(&mut session, text).unwrap(), Ended::Done);
        let bodies = server.bodies_of("POST /druid/v2/sql");
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[0]["query"], "SELECT 1");
        assert_eq!(bodies[1]["query"], "SELECT ';' -- last");
        let context = &bodies[1]["context"];
        assert_eq!(context["sqlTimeZone"], "Asia/Tokyo");
        assert_eq!((&context["timeout"], &context["useCache"]), (&json!(3_000), &json!(false)));
        let given = json!([
            {"type": "VARCHAR", "value": "#en"},
            {"type": "BIGINT", "value": -1},
            {"type": "DOUBLE", "value": 0.5},
        ]);
        assert_eq!(bodies[0]["parameters"], given);
        // Each has a name of its own, by which it is stopped.
        assert_ne!(bodies[0]["context"]["sqlQueryId"], context["sqlQueryId"]);
    }

    #[test]
    fn the_first_statement_that_fails_ends_a_text() {
        let server = FakeServer::start();
        let refused = json!({"errorMessage": "no table 'nope' (line 1, column 15)"});
        server.on_status("POST /druid/v2/sql", 400, refused);
        let error = shell::statements(&mut session(&server), "SELECT * FROM nope; SELECT 2");
        let error = error.unwrap_err().to_string();
        let expected =
            "no table 'nope' (line 1, column 15)\n  SELECT * FROM nope\n                ^";
        assert_eq!(error, expected);
        assert_eq!(server.bodies_of("POST /druid/v2/sql").len(), 1);
    }

    #[test]
    fn explain_asks_for_the_plan() {
        let server = FakeServer::start();
        server.on("POST /druid/v2/sql", json!("[\"PLAN\"]\n[\"VARCHAR\"]\n[\"[]\"]\n\n"));
        let mut session = Session { explains: true, ..session(&server) };
        shell::statements(&mut session, "SELECT 1").unwrap();
        let body = &server.bodies_of("POST /druid/v2/sql")[0];
        assert_eq!(body["query"], "EXPLAIN PLAN FOR\nSELECT 1");
    }
}
