//! Does what lies in a data folder belong together? Metadata, logs, cache and deep storage each say
//! whose they are and how far they are; a server starts only when that fits, so that lost metadata
//! are never taken for an empty server.

mod content;
mod give_up;
mod identity;
mod logs;
mod manifests;
mod marks;
mod open;
mod rebuild;
mod restore;
mod uses;

use std::fmt;

use henge_platform::metadata::SqlMetadataStore;
use henge_platform::storage::DeepStorage;

pub use give_up::give_up_log_losses;
use manifests::Listing;
pub use marks::open_marks;
pub use open::open_metadata_copy;
pub(crate) use open::{open_metadata, refuse_damaged_logs};
pub use rebuild::{Rebuilt, rebuild};
pub use restore::{Restored, restore};
pub use uses::{ObjectUse, object_use};

use crate::data_folder::DataFolder;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What does not fit: no server starts on it.
    pub findings: Vec<String>,
    /// What is missing and written down nowhere else: no server starts without it, and only an operator
    /// gives it up.
    pub losses: Vec<String>,
    /// What an operator may want to know.
    pub notes: Vec<String>,
    /// Logs whose damages are among the losses.
    pub damaged_logs: usize,
}

impl Report {
    /// True when a server may start.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.findings.is_empty() && self.losses.is_empty()
    }

    /// The command that gives up the losses of all logs at once, when there are several.
    #[must_use]
    pub fn give_up_all(&self, folder: &DataFolder) -> Option<String> {
        let command = || format!("{} --all", folder.command("accept-log-loss"));
        (self.damaged_logs > 1).then(command)
    }

    /// Everything that does not fit.
    pub fn all_findings(&self) -> impl Iterator<Item = &String> {
        self.findings.iter().chain(&self.losses)
    }

    pub(crate) fn finding(&mut self, text: impl Into<String>) {
        self.findings.push(text.into());
    }

    pub(crate) fn loss(&mut self, text: impl Into<String>) {
        self.losses.push(text.into());
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// A data folder that does not fit together.
#[derive(Debug, Clone)]
pub struct DoesNotFit {
    folder: DataFolder,
    report: Report,
}

impl DoesNotFit {
    pub(crate) fn new(folder: &DataFolder, report: Report) -> Self {
        Self { folder: folder.clone(), report }
    }
}

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.root().display();
        writeln!(f, "the data folder '{folder}' does not fit together, so nothing is started:")?;
        for finding in self.report.all_findings() {
            writeln!(f, "  - {finding}")?;
        }
        if let Some(command) = self.report.give_up_all(&self.folder) {
            writeln!(f, "`{command}` gives up what is missing of all these logs at once")?;
        }
        let (check, rebuild) = (self.folder.command("check"), self.folder.command("rebuild"));
        write!(f, "`{check}` says this without starting")?;
        if self.report.findings.is_empty() {
            return Ok(());
        }
        write!(f, "; `{rebuild}` restores the metadata from the manifests in deep storage")
    }
}

impl std::error::Error for DoesNotFit {}

/// Compares what the folders say; `None` for metadata that are not there. Reads all of the logs.
/// Nothing is changed.
///
/// # Errors
/// When something cannot be read.
pub async fn examine(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    metadata: Option<&SqlMetadataStore>,
) -> anyhow::Result<Report> {
    let mut report = Report::default();
    match metadata {
        Some(metadata) => {
            let listed = Listing::of(storage, metadata).await?;
            identity::compare(folder, storage, metadata, &listed, &mut report).await?;
            manifests::compare(storage, metadata, &listed, &mut report).await?;
            if report.findings.is_empty() {
                content::compare(storage, metadata, &mut report).await?;
            }
            marks::compare(folder, metadata, &mut report).await?;
            logs::compare(folder, metadata, &mut report).await?;
        }
        None => identity::look_for_leftovers(folder, storage, &mut report).await?,
    }
    Ok(report)
}
