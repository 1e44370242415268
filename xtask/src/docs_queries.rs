//! `cargo xtask docs-queries`: the reference of native queries, `docs/queries.md`, from what the parser does.

use anyhow::{Context, Result, bail, ensure};
use henge_query::reference::{gaps, markdown};

const PAGE: &str = "docs/queries.md";

/// Runs it with the words behind `docs-queries`.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let words: Vec<String> = words.collect();
    let is_check = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => bail!("usage: cargo xtask docs-queries [--check]"),
    };
    ensure!(
        gaps().is_empty(),
        "write these into engine/query/src/reference/words:\n  {}",
        gaps().join("\n  ")
    );
    let page = markdown();
    if is_check {
        let there = std::fs::read_to_string(PAGE).unwrap_or_default();
        ensure!(
            there == page,
            "{PAGE} is not what the parser does: cargo xtask docs-queries writes it"
        );
        println!("{PAGE} is what the parser does");
        return Ok(());
    }
    std::fs::write(PAGE, page).with_context(|| format!("write {PAGE}"))?;
    println!("wrote {PAGE}");
    Ok(())
}
