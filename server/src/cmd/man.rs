//! `henge man`: manual pages, written from the command line as it is.

use std::fs::create_dir_all;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_mangen::Man;

use super::output::say;

/// Options of `henge man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge man | man -l -
  henge man --dir ~/.local/share/man/man1 && man henge-ingest")]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder, which is made.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the command, for the command line `line`.
///
/// # Errors
/// When the pages cannot be written.
pub(crate) fn run(args: &ManArgs, line: Command) -> Result<ExitCode> {
    match &args.dir {
        None => {
            let mut page = Vec::new();
            Man::new(line).render(&mut page).context("write the manual page")?;
            stdout().lock().write_all(&page)?;
        }
        Some(folder) => {
            let in_folder = || format!("write manual pages into {}", folder.display());
            create_dir_all(folder).with_context(in_folder)?;
            clap_mangen::generate_to(line, folder).with_context(in_folder)?;
            say(format!("manual pages are in {0}: man -l {0}/henge.1", folder.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let args = ManArgs { dir: Some(folder.path().join("man1")) };
        run(&args, crate::cmd::Command::command()).unwrap();
        let page = |name: &str| std::fs::read_to_string(folder.path().join("man1").join(name));
        assert!(page("henge.1").unwrap().contains("ingest"));
        let ingest = page("henge-ingest.1").unwrap();
        assert!(ingest.contains("datasource"), "{ingest}");
        assert!(page("henge-cluster-decommission.1").is_ok());
    }
}
