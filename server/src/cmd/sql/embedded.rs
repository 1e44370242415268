//! A server within this process: over a data folder that no other server has, or over files alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use henge_platform::config::ServerConfig;
use henge_server::Running;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::cmd::http::Client;
use crate::cmd::ingest;
use crate::cmd::output::UsageError;

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Embedded {
    runtime: Runtime,
    running: Option<Running>,
    /// What is to be said of lines of files that are no rows.
    refused: Vec<String>,
    /// Goes away with it.
    _folder: Option<TempDir>,
}

impl Embedded {
    /// Over the folder of a server that does not run.
    ///
    /// # Errors
    /// When it is none, or a server runs over it.
    pub(super) fn over(folder: &Path) -> Result<Self> {
        // A wrong name is not to make a folder.
        let is_one = folder.join("metadata.sqlite").is_file();
        ensure!(is_one, "{} is no data folder: there are no metadata in it", folder.display());
        Self::start(folder, None)
    }

    /// Over files, each of which becomes a table.
    ///
    /// # Errors
    /// When one of them cannot be loaded.
    pub(super) fn over_files(files: &[NamedFile]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("henge-sql-").tempdir();
        let folder = folder.context("make a temporary folder")?;
        let path = folder.path().to_owned();
        let mut server = Self::start(&path, Some(folder))?;
        let client = server.client()?;
        for NamedFile { table, file } in files {
            let refused = ingest::load(&client, file, table)
                .with_context(|| format!("load {}", file.display()))?;
            server.refused.extend(refused);
        }
        Ok(server)
    }

    fn start(data_dir: &Path, folder: Option<TempDir>) -> Result<Self> {
        let mut config = ServerConfig::load(None)?;
        config.data_dir = data_dir.to_owned();
        config.host = "127.0.0.1".to_owned();
        config.port = 0;
        config.grpc.listen = "off".to_owned();
        config.validate()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.context("start the runtime")?;
        let running = runtime.block_on(henge_server::start(&config, None))?;
        Ok(Self { runtime, running: Some(running), refused: Vec::new(), _folder: folder })
    }

    /// What is to be said of lines of files that are no rows: they are missing in every answer.
    pub(super) fn refused(&self) -> &[String] {
        &self.refused
    }

    /// A client of it.
    ///
    /// # Errors
    /// Never while it runs.
    pub(super) fn client(&self) -> Result<Client> {
        let running = self.running.as_ref().context("the server has ended")?;
        Ok(Client::new(&running.url)?)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            drop(self.runtime.block_on(running.stop()));
        }
    }
}

/// A file and the table that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFile {
    table: String,
    file: PathBuf,
}

/// Reads `FILE` or `TABLE=FILE`; a table has the name of its file up to the first point.
///
/// # Errors
/// When two of them have the same name.
pub(super) fn named_files(texts: &[String]) -> Result<Vec<NamedFile>> {
    let mut named: Vec<NamedFile> = Vec::new();
    for text in texts {
        let (table, file) = match text.split_once('=') {
            // A file may have such a letter in its name.
            Some((table, file)) if !Path::new(text).exists() => (table.to_owned(), file),
            _ => (stem(Path::new(text)), &**text),
        };
        if table.is_empty() {
            bail!(UsageError(format!("'{text}' gives no name to a table: write TABLE=FILE")));
        }
        if named.iter().any(|other| other.table == table) {
            bail!(UsageError(format!("two files are called '{table}': write TABLE=FILE")));
        }
        named.push(NamedFile { table, file: file.into() });
    }
    Ok(named)
}

fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_names_of_their_files_or_those_that_are_given() {
        let named = |texts: &[&str]| {
            named_files(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        let tables = |texts: &[&str]| -> Vec<String> {
            named(texts).unwrap().into_iter().map(|one| one.table).collect()
        };
        assert_eq!(tables(&["data/trips.csv.gz", "other=data/trips.csv.gz"]), ["trips", "other"]);
        assert!(named(&["a/t.csv", "b/t.parquet"]).is_err());
        assert!(named(&["=x.csv"]).is_err());
    }

    #[test]
    fn a_wrong_name_makes_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = folder.path().join("nothing");
        let error = Embedded::over(&wrong).unwrap_err().to_string();
        assert!(error.contains("is no data folder"), "{error}");
        assert!(!wrong.exists());
    }
}
