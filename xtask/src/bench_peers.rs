//! `bench-peers`: Henge beside DuckDB, ClickHouse and DataFusion, as a Markdown table.
//!
//! The peers have Python packages and the comparison is Python; this finds an interpreter and passes
//! the arguments on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::sources;

/// Runs the comparison with the arguments after the command's name.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    run_script(&script(), arguments)
}

/// Runs a script with these arguments.
pub(crate) fn run_script(
    script: &Path,
    arguments: impl Iterator<Item = String>,
) -> anyhow::Result<()> {
    let interpreter = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let status =
        Command::new(&interpreter).arg(script).args(arguments).status().with_context(|| {
            format!("starting '{interpreter}'; name a Python 3.10 or later in PYTHON")
        })?;
    if !status.success() {
        bail!("{} ended with {status}", script.display());
    }
    Ok(())
}

fn script() -> PathBuf {
    sources::root().join("benches/peers/report.py")
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn the_script_is_where_it_is_looked_for() {
        assert!(script().is_file());
    }
}
