//! `tidy`: what no compiler checks about the text of the sources.
//!
//! Fails on files without module docs and on markers of unfinished work. Length is a matter of
//! judgement, so the longest files and functions are listed and never fail.

use anyhow::bail;

use crate::functions;
use crate::sources::{self, Source};

/// Markers of unfinished work, spelt so that this file does not hold them.
const MARKERS: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("db", "g!")];
const LISTED: usize = 10;

/// Fails when a Rust file lacks module docs or holds a marker.
pub(crate) fn run() -> anyhow::Result<()> {
    let files = sources::read_all("", &["rs"])?;
    let faults: Vec<String> = files.iter().flat_map(faults_of).collect();
    print_longest(&files);
    for fault in &faults {
        println!("{fault}");
    }
    if !faults.is_empty() {
        bail!("{} places are not tidy", faults.len());
    }
    println!("tidy: {} files", files.len());
    Ok(())
}

fn faults_of(file: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    if !has_module_docs(&file.text) {
        faults.push(format!("{}: begin with `//!` docs that say what and why", file.path));
    }
    for (index, line) in file.text.lines().enumerate() {
        for marker in MARKERS.iter().filter(|marker| holds_word(line, marker)) {
            faults.push(format!("{}:{}: remove {marker}", file.path, index + 1));
        }
    }
    faults
}

/// Inner attributes may come first, anything else may not.
fn has_module_docs(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines
        .find(|line| !line.is_empty() && !line.starts_with("#![") && !line.starts_with("// "))
        .is_some_and(|line| line.strip_prefix("//!").is_some_and(|docs| !docs.trim().is_empty()))
}

/// True when the word stands in the line by itself, not as a part of a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(position, _)| {
        let before = line[..position].chars().next_back();
        let after = line[position + word.len()..].chars().next();
        !before.is_some_and(is_part) && (word.ends_with('!') || !after.is_some_and(is_part))
    })
}

fn print_longest(files: &[Source]) {
    let mut by_length: Vec<(usize, String)> =
        files.iter().map(|file| (file.text.lines().count(), file.path.clone())).collect();
    print_top("longest files", &mut by_length);
    let mut by_length: Vec<(usize, String)> = Vec::new();
    for file in files {
        by_length.extend(functions::find(&file.text).into_iter().map(|function| {
            let place = format!("{} ({}:{})", function.name, file.path, function.line);
            (function.lines, place)
        }));
    }
    print_top("longest functions", &mut by_length);
}

fn print_top(title: &str, by_length: &mut [(usize, String)]) {
    by_length.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
    println!("{title} (lines):");
    for (lines, place) in by_length.iter().take(LISTED) {
        println!("  {lines:5}  {place}");
    }
}

#[cfg(test)]
mod tests {
    use super::{MARKERS, has_module_docs, holds_word};

    #[test]
    fn module_docs_come_first() {
        assert!(has_module_docs("//! What.\n\nuse x;\n"));
        assert!(has_module_docs("#![allow(x)]\n\n//! What.\n"));
        assert!(!has_module_docs("use x;\n//! What.\n"));
        assert!(!has_module_docs("//!\nuse x;\n"));
        assert!(!has_module_docs(""));
    }

    #[test]
    fn markers_are_found_as_words() {
        let [later, mend, think, debug] = MARKERS;
        for line in [
            format!("// {later}: write this"),
            format!("/* {mend} */"),
            think.to_owned(),
            format!("    {debug}(value);"),
        ] {
            assert!(MARKERS.iter().any(|marker| holds_word(&line, marker)), "{line}");
        }
        let inside = format!("{later}S a{think} {think}_1 my{debug}()");
        assert!(!MARKERS.iter().any(|marker| holds_word(&inside, marker)));
    }
}
