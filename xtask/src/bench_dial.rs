//! `bench-dial`: how long dashboards wait when a server may hold only so much memory, as a Markdown table: in
//! each form of its segments, with and without reading ahead, beside another binary and DuckDB.
//!
//! DuckDB has a Python package and the measurement is Python, as that of [`crate::bench_peers`].

use std::path::PathBuf;

use crate::bench_peers;
use crate::sources;

/// Runs the measurement with the arguments after the command's name.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    bench_peers::run_script(&script(), arguments)
}

fn script() -> PathBuf {
    sources::root().join("benches/dial/report.py")
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn the_script_is_where_it_is_looked_for() {
        assert!(script().is_file());
    }
}
