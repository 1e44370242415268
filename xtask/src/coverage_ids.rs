//! `coverage-ids`: which faults (F), hostile inputs (H) and invariants (I) tests quote by id, and
//! whether `docs/requirements.md` lists those tests.
//!
//! In Rust the names of test functions count (`h_03_deep_nesting_is_rejected`); in the scripts of
//! `tests/`, which have no test functions of their own, any id counts (`f_17`, `F-17`).

mod document;
mod ids;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use crate::rust;
use crate::sources;
use ids::{Id, KINDS};

const DOCUMENT: &str = "docs/requirements.md";

/// The tests that quote an id, by file; a script has no names of tests.
type Quotes = BTreeMap<Id, BTreeMap<String, BTreeSet<String>>>;

/// Prints how many ids are quoted; with `--write` writes the lists of tests into the document,
/// without it fails when they are not what the document says.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let write = match arguments.next().as_deref() {
        None => false,
        Some("--write") => true,
        Some(other) => bail!("unknown argument '{other}': only --write is known"),
    };
    let quotes = collect()?;
    print_counts(&quotes);
    let path = sources::root().join(DOCUMENT);
    let before = std::fs::read_to_string(&path).context(DOCUMENT)?;
    let after = document::with_tests(&before, &quotes)?;
    if write {
        std::fs::write(&path, after).context(DOCUMENT)?;
    } else if before != after {
        bail!("{DOCUMENT} is out of date: run `cargo xtask coverage-ids --write`");
    }
    Ok(())
}

fn collect() -> anyhow::Result<Quotes> {
    let mut quotes = Quotes::new();
    for file in sources::read_all("", &["rs"])? {
        let functions = rust::functions(&rust::parse(&file.path, &file.text)?);
        for test in functions.into_iter().filter(|function| function.is_test) {
            for id in ids::find(&test.name) {
                let names = quotes.entry(id).or_default().entry(file.path.clone()).or_default();
                names.insert(test.name.clone());
            }
        }
    }
    for file in sources::read_all("tests", &["py", "sh"])? {
        for id in ids::find(&file.text) {
            quotes.entry(id).or_default().entry(file.path.clone()).or_default();
        }
    }
    Ok(quotes)
}

fn print_counts(quotes: &Quotes) {
    for kind in KINDS {
        let quoted = quotes.keys().filter(|(letter, _)| *letter == kind.letter).count();
        println!("{}: {quoted} of {} quoted by tests", kind.title, kind.total);
    }
}
