//! `henge metadata accept-log-loss` and `accept-metadata-loss`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use henge_platform::metadata::SqlMetadataStore;
use henge_server::integrity::{give_up_log_losses, open_marks};

use super::PlaceArgs;
use crate::cmd::output::{counted, say};

/// Which log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge metadata accept-log-loss --data-dir ./data --datasource events
  henge metadata accept-log-loss --data-dir ./data --config henge.toml --all")]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    folder: PlaceArgs,
    /// The datasource whose log is damaged, or whose log is there although the metadata do not know it.
    #[arg(long, value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    datasource: Option<String>,
    /// All damaged logs of the folder.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(args: &AcceptArgs) -> Result<ExitCode> {
    let folder = args.folder.folder()?;
    folder.must_be_there()?;
    let _lock = folder.own()?;
    let given_up = give_up_log_losses(&folder, args.datasource.as_deref()).await?;
    for (datasource, lost) in given_up.iter().filter(|(_, lost)| !lost.damages.is_empty()) {
        for damage in &lost.damages {
            say(format!("given up of '{datasource}': {damage}"))?;
        }
        say(format!("kept: {}", counted(lost.kept_records, "record")))?;
        if let Some(kept) = &lost.kept_aside {
            say(format!("the old files are in {}", kept.display()))?;
        }
    }
    if given_up.iter().all(|(_, lost)| lost.damages.is_empty()) {
        let which = if args.all { "any log" } else { "this log" };
        say(format!("nothing is missing from {which}; nothing was changed"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whose metadata are an older copy.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge metadata accept-metadata-loss --data-dir ./data")]
pub(crate) struct AcceptMetadataArgs {
    #[command(flatten)]
    folder: PlaceArgs,
}

pub(super) async fn run_metadata(args: &AcceptMetadataArgs) -> Result<ExitCode> {
    let folder = args.folder.folder()?;
    folder.must_be_there()?;
    let _lock = folder.own()?;
    let options = folder.metadata_store();
    anyhow::ensure!(
        !SqlMetadataStore::is_unmade(options.clone()).await?,
        "there are no metadata: see `henge metadata check`"
    );
    let store = SqlMetadataStore::open(options).await?;
    let marks = open_marks(&folder)?;
    let (made, marked) = store.unpublished_changes(&marks).await?;
    let missing = marked.saturating_sub(made);
    if missing > 0 {
        store.give_up_unpublished(&marks).await?;
    }
    store.close().await;
    match missing {
        0 => say("nothing is missing from these metadata; nothing was changed")?,
        _ => say(format!("given up: {} of tasks and refused events", counted(missing, "change")))?,
    }
    Ok(ExitCode::SUCCESS)
}
