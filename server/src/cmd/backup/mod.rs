//! `henge backup`: the metadata in one file, and back.

mod create;
mod restore;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use henge_platform::config::ServerConfig;
use henge_server::data_folder::DataFolder;

use super::metadata::folder_settings;

/// What to do with backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Write the metadata into one file: segments, schemas, rules, positions; a server may be running.
    ///
    /// Deep storage is the data: back it up, or version it, by its own means. Tasks and refused events are not
    /// in the file, nor are pushes that are still in logs.
    Create(create::CreateArgs),
    /// Make the metadata anew from such a file, where there are none.
    ///
    /// Where deep storage is whole, `henge metadata rebuild` restores more: every change up to the last one.
    Restore(restore::RestoreArgs),
}

/// Where the metadata and the objects are.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// The data folder of a server; the one of the settings by default.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The server's settings, of which `[metadata]` and `[storage]` are read.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The PostgreSQL database of metadata that are not in the data folder, as in `metadata.url`.
    #[arg(long, value_name = "URL", env = "HENGE_METADATA__URL", hide_env_values = true)]
    metadata_url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl PlaceArgs {
    fn config(&self) -> Result<ServerConfig> {
        let url = self.metadata_url.as_deref();
        folder_settings(self.config.as_deref(), self.data_dir.as_deref(), url)
    }

    fn folder(&self, config: &ServerConfig) -> Result<DataFolder> {
        Ok(DataFolder::of(config)?.with_settings(self.config.as_deref()))
    }
}

/// Runs the command.
pub(crate) async fn run(command: BackupCommand) -> Result<ExitCode> {
    match command {
        BackupCommand::Create(args) => create::run(&args).await,
        BackupCommand::Restore(args) => restore::run(&args).await,
    }
}
