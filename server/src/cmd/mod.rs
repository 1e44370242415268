//! The commands, one a file.

mod server;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

/// Real-time analytics: push events, query them at once, keep them for ever.
#[derive(Debug, Parser)]
#[command(name = "henge", version, about, max_term_width = 100)]
pub(crate) enum Command {
    /// Run a server with all roles in this process.
    Server(server::ServerArgs),
}

impl Command {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Server(args) => on_runtime(server::run(args)),
        }
    }
}

/// Errors go to standard error, with their causes, one a line.
#[allow(clippy::print_stderr)]
pub(crate) fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

fn on_runtime(
    work: impl Future<Output = Result<ExitCode>>,
) -> Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(work)
}
