//! What was started: names and process ids, a line each, so that exactly those are ended.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) name: String,
    pub(super) pid: u32,
    /// When the system says that it began: a process id is given out again.
    pub(super) began: String,
}

impl Started {
    /// The process as it is now.
    pub(super) fn of(name: &str, pid: u32) -> Option<Self> {
        Some(Self { name: name.to_owned(), pid, began: began(pid)? })
    }

    /// Whether it still runs.
    pub(super) fn runs(&self) -> bool {
        began(self.pid).is_some_and(|began| began == self.began)
    }
}

/// The field of `/proc/PID/stat` that says when a process began; `None` once it ended.
fn began(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    (*fields.first()? != "Z").then(|| fields.get(19).map(|field| (*field).to_owned()))?
}

fn file(folder: &Path) -> PathBuf {
    folder.join("processes")
}

/// Writes down a process at once: whatever comes after may fail.
pub(super) fn add(folder: &Path, started: &Started) -> Result<()> {
    let mut all = read(folder)?;
    all.retain(|known| known.name != started.name);
    all.push(started.clone());
    write(folder, &all)
}

/// All that were started, in that order.
pub(super) fn read(folder: &Path) -> Result<Vec<Started>> {
    let path = file(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("read '{}'", path.display()))?;
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (name, pid) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        Some(Started { name, pid, began: words.next()?.to_owned() })
    };
    Ok(text.lines().filter_map(line).collect())
}

/// Writes down which are left.
pub(super) fn write(folder: &Path, all: &[Started]) -> Result<()> {
    let line = |started: &Started| format!("{} {} {}\n", started.name, started.pid, started.began);
    let path = file(folder);
    fs::write(&path, all.iter().map(line).collect::<String>())
        .with_context(|| format!("write '{}'", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let this = Started::of("this", std::process::id()).unwrap();
        assert!(this.runs());
        assert!(!Started { began: "0".into(), ..this.clone() }.runs());
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        add(folder.path(), &this).unwrap();
        add(folder.path(), &this).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [this]);
    }
}
