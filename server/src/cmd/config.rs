//! `henge config`: the settings a server would run with.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use henge_platform::config::ServerConfig;

use super::output::say;

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the settings and print them as they take effect, as TOML.
    ///
    /// Settings come from the defaults, then the file, then HENGE_... variables; the later one
    /// wins. Unknown names are errors. Bounds on memory that are 0 follow from the machine, and are
    /// printed as they are on this one.
    Check(CheckArgs),
    /// Print the reference of all settings as Markdown, with defaults and units.
    Reference,
}

/// Options of `henge config check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge config check                          the defaults, and how a file looks
  henge config check --config henge.toml
  HENGE_QUERY__TIMEOUT_MS=60000 henge config check")]
pub(crate) struct CheckArgs {
    /// The TOML file to check.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(command: &ConfigCommand) -> Result<ExitCode> {
    match command {
        ConfigCommand::Check(args) => {
            let config = ServerConfig::load(args.config.as_deref())?;
            say(henge_server::fitted(&config).render().trim_end())?;
        }
        ConfigCommand::Reference => say(ServerConfig::reference_markdown().trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}
