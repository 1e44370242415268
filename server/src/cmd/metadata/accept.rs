//! `henge metadata accept-log-loss` and `accept-metadata-loss`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use henge_platform::metadata::SqlMetadataStore;
use henge_server::integrity::{give_up_log_loss, open_marks};

use super::PlaceArgs;
use crate::cmd::output::{counted, say};

/// Which log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge metadata accept-log-loss --data-dir ./data --datasource events")]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    folder: PlaceArgs,
    /// The datasource whose log is damaged.
    #[arg(long, value_name = "NAME")]
    datasource: String,
}

pub(super) async fn run(args: &AcceptArgs) -> Result<ExitCode> {
    let folder = args.folder.folder()?;
    folder.must_be_there()?;
    let _lock = folder.own()?;
    let given_up = give_up_log_loss(&folder, &args.datasource).await?;
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
