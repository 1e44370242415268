//! Which files the command line means: files, folders with all that is below them, globs that the shell
//! did not expand, `-` for standard input, and URLs. What is no file yet becomes one for the time of the
//! load.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use henge_platform::storage::{fetch_url, is_fetched_url};
use tempfile::TempDir;

use super::glob;

/// A file to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What it is called: as it was given, or by its path.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// It goes with this process.
    pub(super) is_temporary: bool,
}

/// The files to load, in order.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) files: Vec<Source>,
    /// Where temporary files are, as long as this lives.
    folder: Option<TempDir>,
}

/// Finds what the command line names; standard input and URLs are read to their end.
///
/// # Errors
/// When something is not there or cannot be read, or nothing matches.
pub(super) fn find(given: &[PathBuf]) -> Result<Sources> {
    let mut sources = Sources::default();
    for one in given {
        let text = one.to_str().unwrap_or_default();
        if text == "-" {
            sources.add_stdin()?;
        } else if is_fetched_url(text) {
            sources.add_url(text)?;
        } else if text.contains("://") {
            bail!("'{text}': only http://, https://, s3://, gs:// and az:// are read");
        } else if one.is_dir() {
            sources.add_folder(one)?;
        } else if !one.exists() && glob::is_glob(text) {
            let found = glob::expand(text).with_context(|| format!("look for {text}"))?;
            if found.is_empty() {
                bail!("no file matches {text}");
            }
            found.into_iter().for_each(|path| sources.add_file(path));
        } else {
            sources.add_file(one.clone());
        }
    }
    Ok(sources)
}

impl Sources {
    fn add_file(&mut self, path: PathBuf) {
        let name = path.display().to_string();
        if !self.files.iter().any(|known| known.path == path) {
            self.files.push(Source { name, path, is_temporary: false });
        }
    }

    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let before = self.files.len();
        for path in files_below(folder).with_context(|| format!("read {}", folder.display()))? {
            self.add_file(path);
        }
        if self.files.len() == before {
            bail!(
                "{} holds no files (those whose names begin with . or _ do not count)",
                folder.display()
            );
        }
        Ok(())
    }

    fn add_stdin(&mut self) -> Result<()> {
        let path = self.temporary("stdin")?;
        let mut file = File::create(&path).with_context(|| format!("write {}", path.display()))?;
        io::copy(&mut io::stdin().lock(), &mut file).context("read standard input")?;
        self.files.push(Source { name: "standard input".to_owned(), path, is_temporary: true });
        Ok(())
    }

    fn add_url(&mut self, url: &str) -> Result<()> {
        let name = url.rsplit('/').find(|part| !part.is_empty()).unwrap_or("download");
        let path = self.temporary(name)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("start the runtime")?;
        runtime.block_on(fetch_url(url, &path)).with_context(|| format!("fetch {url}"))?;
        self.files.push(Source { name: url.to_owned(), path, is_temporary: true });
        Ok(())
    }

    /// A path for a file of this name, in a folder of its own: names say what formats are.
    fn temporary(&mut self, name: &str) -> Result<PathBuf> {
        if self.folder.is_none() {
            let folder = tempfile::Builder::new().prefix("henge-ingest-").tempdir();
            self.folder = Some(folder.context("make a temporary folder")?);
        }
        let folder = self.folder.as_ref().context("there is no temporary folder")?.path();
        let folder = folder.join(self.files.len().to_string());
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(folder.join(name))
    }
}

/// All files below a folder by name, but those whose names begin with `.` or `_`, which are no data.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else if entry.path().is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&Path]) -> Result<Vec<String>> {
        let given: Vec<PathBuf> = given.iter().map(PathBuf::from).collect();
        let name = |source: Source| {
            source.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
        };
        Ok(find(&given)?.files.into_iter().map(name).collect())
    }

    #[test]
    fn folders_globs_and_files_are_found_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("below")).unwrap();
        for name in ["b.csv", "a.csv", "below/c.csv", ".hidden", "_SUCCESS"] {
            fs::write(path(name), "x").unwrap();
        }
        assert_eq!(names(&[folder.path()]).unwrap(), ["a.csv", "b.csv", "c.csv"]);
        assert_eq!(names(&[&path("*.csv"), &path("a.csv")]).unwrap(), ["a.csv", "b.csv"]);
        let refused = |given: &Path| names(&[given]).unwrap_err().to_string();
        assert!(refused(&path("*.tsv")).starts_with("no file matches"));
        fs::create_dir(path("empty")).unwrap();
        assert!(refused(&path("empty")).contains("holds no files"));
        assert!(refused(Path::new("ftp://host/a.csv")).contains("only http://"));
    }
}
