//! Finding and reading the files of the repository.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file of the repository.
pub(crate) struct Source {
    /// Its path from the root of the repository.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// All files below a folder of the repository whose name ends in one of the extensions, by path.
/// Build output, data and hidden folders are left out. A folder that is missing has no files.
pub(crate) fn read_all(folder: &str, extensions: &[&str]) -> anyhow::Result<Vec<Source>> {
    let root = root();
    let mut paths = Vec::new();
    let start = root.join(folder);
    if start.is_dir() {
        collect(&start, extensions, &mut paths)?;
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let path = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        Ok(Source { path, text })
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, extensions: &[&str], paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?
    {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            let skipped = ["target", "data", "node_modules", "__pycache__"].contains(&&*name);
            if !skipped && !name.starts_with('.') {
                collect(&path, extensions, paths)?;
            }
        } else if path.extension().is_some_and(|found| extensions.iter().any(|e| found == *e)) {
            paths.push(path);
        }
    }
    Ok(())
}
