//! `tidy`: what no compiler checks about the text of the sources.
//!
//! Fails on files and functions that are too long, files without module docs, and markers of
//! unfinished work. What is longest is listed.

use anyhow::bail;

use crate::rust::{self, Function};
use crate::sources::{self, Source};

/// Markers of unfinished work, spelt so that this file does not hold them.
const MARKERS: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("db", "g!")];
const LISTED: usize = 10;
/// Most lines of a file.
const MAX_FILE_LINES: usize = 500;
/// Most lines of a function, its signature included.
const MAX_FUNCTION_LINES: usize = 80;

/// A file with its functions.
struct Measured {
    file: Source,
    functions: Vec<Function>,
}

/// Fails when a Rust file is too long, lacks module docs or holds a marker.
pub(crate) fn run() -> anyhow::Result<()> {
    let measured = |file: Source| {
        let functions = rust::functions(&rust::parse(&file.path, &file.text)?);
        Ok(Measured { file, functions })
    };
    let files = sources::read_all("", &["rs"])?;
    // What a program wrote is as long as it is.
    let files = files.into_iter().filter(|file| !file.path.contains("/generated/"));
    let files = files.map(measured).collect::<anyhow::Result<Vec<_>>>()?;
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

fn faults_of(Measured { file, functions }: &Measured) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = file.text.lines().count();
    if lines > MAX_FILE_LINES {
        faults.push(format!("{}: {lines} lines, at most {MAX_FILE_LINES}: split it", file.path));
    }
    for Function { name, line, lines, .. } in functions {
        if *lines > MAX_FUNCTION_LINES {
            let limit = format!("{lines} lines, at most {MAX_FUNCTION_LINES}: split it");
            faults.push(format!("{}:{line}: {name} has {limit}", file.path));
        }
    }
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

fn print_longest(files: &[Measured]) {
    let lengths =
        files.iter().map(|Measured { file, .. }| (file.text.lines().count(), file.path.clone()));
    print_top("longest files", &mut lengths.collect::<Vec<_>>());
    let functions = files.iter().flat_map(|Measured { file, functions }| {
        functions.iter().map(|function| {
            let place = format!("{} ({}:{})", function.name, file.path, function.line);
            (function.lines, place)
        })
    });
    print_top("longest functions", &mut functions.collect::<Vec<_>>());
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
