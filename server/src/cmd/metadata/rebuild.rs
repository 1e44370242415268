//! `henge metadata rebuild`.

use std::process::ExitCode;

use anyhow::Result;
use henge_server::integrity::{Rebuilt, rebuild};
use henge_server::open_existing_deep_storage;
use serde_json::json;

use super::{FolderArgs, as_json, table};
use crate::cmd::output::{counted, say};

/// Objects that are named one by one.
const NAMED: usize = 20;

pub(super) async fn run(args: &FolderArgs) -> Result<ExitCode> {
    let config = args.place.config()?;
    let folder = args.place.folder_of(&config)?;
    folder.must_be_there()?;
    let storage = open_existing_deep_storage(&config.storage, &folder).await?;
    let _lock = folder.own()?;
    let rebuilt = rebuild(&folder, &*storage).await?;
    if args.json {
        print_json(&rebuilt)?;
    } else {
        print(&rebuilt)?;
    }
    let fits = rebuilt.report.fits();
    Ok(if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(rebuilt: &Rebuilt) -> Result<()> {
    let Rebuilt { all, manifests, kept, objects, report, copies } = rebuilt;
    let read = counted(*manifests as u64, "manifest");
    say(format!("restored the metadata of cluster {} from {read}", all.cluster_uuid))?;
    say(table(all))?;
    if let Some(kept) = kept {
        say(format!("the old metadata are kept as {}", kept.display()))?;
    }
    for (number, of) in copies {
        say(format!("left out and removed: manifest {number}, which was a copy of manifest {of}"))?;
    }
    for missing in &objects.missing {
        say(format!("not available: {missing}"))?;
    }
    if !objects.unnamed.is_empty() {
        let count = counted(objects.unnamed.len() as u64, "object");
        say(format!("{count} that no manifest names; not adopted:"))?;
        for key in objects.unnamed.iter().take(NAMED) {
            say(format!("  {key}"))?;
        }
    }
    for finding in report.all_findings() {
        say(format!("still does not fit: {finding}"))?;
    }
    for note in &report.notes {
        say(format!("note: {note}"))?;
    }
    say("tasks and refused events are not in manifests: those of before are not listed any more")?;
    Ok(())
}

fn print_json(rebuilt: &Rebuilt) -> Result<()> {
    let shown = json!({
        "metadata": as_json(&rebuilt.all),
        "manifests": rebuilt.manifests,
        "copies": rebuilt.copies,
        "kept": rebuilt.kept,
        "missingObjects": rebuilt.objects.missing,
        "unnamedObjects": rebuilt.objects.unnamed,
        "findings": rebuilt.report.all_findings().collect::<Vec<_>>(),
        "notes": rebuilt.report.notes,
    });
    say(serde_json::to_string_pretty(&shown)?)?;
    Ok(())
}
