//! Globs that the shell left as they are: `*`, `?` and `[a-z]` within a name, `**` for folders at any depth.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whether a path that is not there may be meant as a glob.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The files that a glob means, by name.
///
/// # Errors
/// When a folder cannot be read.
pub(super) fn expand(glob: &str) -> io::Result<Vec<PathBuf>> {
    let (root, rest) = match glob.strip_prefix('/') {
        Some(rest) => (PathBuf::from("/"), rest),
        None => (PathBuf::new(), glob),
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let mut found = Vec::new();
    walk(&root, &parts, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(folder: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        if folder.is_file() {
            found.push(folder.to_owned());
        }
        return Ok(());
    };
    if !is_glob(part) {
        let next = folder.join(part);
        return if next.exists() { walk(&next, rest, found) } else { Ok(()) };
    }
    if *part == "**" {
        walk(folder, rest, found)?;
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in fs::read_dir(here)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let next = folder.join(name);
        match *part {
            "**" if next.is_dir() => walk(&next, parts, found)?,
            "**" => {}
            part if matches(part, name) && (rest.is_empty() || next.is_dir()) => {
                walk(&next, rest, found)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a name fits a pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    fits(&pattern, &name)
}

fn fits(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        '*' => (0..=name.len()).any(|taken| fits(rest, &name[taken..])),
        '?' => name.split_first().is_some_and(|(_, behind)| fits(rest, behind)),
        '[' => match (rest.iter().position(|c| *c == ']'), name.split_first()) {
            (Some(end), Some((letter, behind))) => {
                is_of(&rest[..end], *letter) && fits(&rest[end + 1..], behind)
            }
            _ => false,
        },
        letter => name.split_first().is_some_and(|(c, behind)| c == letter && fits(rest, behind)),
    }
}

/// Whether a letter is one of a class such as `a-z0-9` or `!x`.
fn is_of(class: &[char], letter: char) -> bool {
    let (is_inverse, mut class) = match class {
        ['!' | '^', rest @ ..] => (true, rest),
        class => (false, class),
    };
    let mut is_in = false;
    loop {
        class = match class {
            [from, '-', to, rest @ ..] => {
                is_in |= (*from..=*to).contains(&letter);
                rest
            }
            [one, rest @ ..] => {
                is_in |= *one == letter;
                rest
            }
            [] => return is_in != is_inverse,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, is_fit) in [
            ("*", "a.csv", true),
            ("*.csv", "a.csv.gz", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[0-9x]*", "x1", true),
            ("[!a]*", "a", false),
            ("a*b*c", "a1b2b3c", true),
            ("[", "[", false),
        ] {
            assert_eq!(matches(pattern, name), is_fit, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_are_walked_as_far_as_the_glob_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        for name in ["1.csv", "a/2.csv", "a/b/3.csv", "a/b/3.txt"] {
            fs::write(path(name), "").unwrap();
        }
        let found = |glob: &str| -> Vec<PathBuf> {
            let found = expand(path(glob).to_str().unwrap()).unwrap();
            found.iter().map(|p| p.strip_prefix(folder.path()).unwrap().to_owned()).collect()
        };
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(found("*.csv"), paths(&["1.csv"]));
        assert_eq!(found("*/*.csv"), paths(&["a/2.csv"]));
        assert_eq!(found("**/*.csv"), paths(&["1.csv", "a/2.csv", "a/b/3.csv"]));
        assert_eq!(found("none/*.csv"), paths(&[]));
    }
}
