//! `henge metadata accept-log-loss`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use henge_platform::wal::{LogMarks, accept_loss};
use henge_server::data_folder::DataFolder;
use henge_server::integrity::{known_logs, open_metadata_copy};

use crate::cmd::output::{counted, say};

/// Which log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge metadata accept-log-loss --data-dir ./data --datasource events")]
pub(crate) struct AcceptArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The datasource whose log is damaged.
    #[arg(long, value_name = "NAME")]
    datasource: String,
}

pub(super) async fn run(args: &AcceptArgs) -> Result<ExitCode> {
    let folder = DataFolder::new(&args.data_dir);
    let _lock = folder.own()?;
    let copy = tempfile::tempdir().context("make a temporary folder")?;
    let store = open_metadata_copy(&folder, copy.path()).await?;
    let store = store.context("there are no metadata: see `henge metadata check`")?;
    let known = known_logs(&folder, &store).await?;
    store.close().await;
    let log = known
        .get(&args.datasource)
        .with_context(|| format!("there is no datasource '{}'", args.datasource))?
        .clone();
    let path = folder.log_marks();
    let marks = LogMarks::open(&path).with_context(|| format!("open '{}'", path.display()))?;
    let work = move || accept_loss(&log.folder, log.expected, &marks);
    let given_up = tokio::task::spawn_blocking(work).await??;
    if given_up.damages.is_empty() {
        say("nothing is missing from this log; nothing was changed")?;
    }
    for damage in &given_up.damages {
        say(format!("given up: {damage}"))?;
    }
    if !given_up.damages.is_empty() {
        say(format!("kept: {}", counted(given_up.kept_records, "record")))?;
    }
    if let Some(kept) = &given_up.kept_aside {
        say(format!("the old files are in {}", kept.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
