//! The document of requirements: the statements are kept, the lists of tests below them replaced.

use std::fmt::Write;

use anyhow::bail;

use super::Quotes;
use super::ids::{Id, KINDS};

/// The document with the tests of `quotes` under each statement.
///
/// # Errors
/// When a statement is missing, is there twice, or has an id that does not exist.
pub(super) fn with_tests(document: &str, quotes: &Quotes) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut stated = Vec::new();
    for line in document.lines().filter(|line| !line.starts_with("  - ")) {
        text.push_str(line);
        text.push('\n');
        if let Some(id) = stated_id(line) {
            stated.push(id);
            text.push_str(&tests_of(id, quotes));
        }
    }
    stated.sort_unstable();
    let all: Vec<Id> = KINDS
        .iter()
        .flat_map(|kind| (1..=kind.total).map(|number| (kind.letter, number)))
        .collect();
    if let Some((letter, number)) = all.iter().find(|id| !stated.contains(id)) {
        bail!("{letter}-{number:02} is not stated");
    }
    if stated.len() != all.len() {
        bail!("{} statements for {} ids: one is there twice or unknown", stated.len(), all.len());
    }
    Ok(text)
}

/// The id that a line `- **F-01** …` states.
fn stated_id(line: &str) -> Option<Id> {
    let (id, _) = line.strip_prefix("- **")?.split_once("**")?;
    let (letter, number) = id.split_once('-')?;
    Some((letter.chars().next()?, number.parse().ok()?))
}

fn tests_of(id: Id, quotes: &Quotes) -> String {
    let mut text = String::new();
    for (file, names) in quotes.get(&id).into_iter().flatten() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let separator = if names.is_empty() { "" } else { ": " };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - {file}{separator}{}", names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::{KINDS, Quotes, with_tests};

    fn document() -> String {
        let mut text = "# Requirements\n\n".to_owned();
        for kind in KINDS {
            for number in 1..=kind.total {
                let _ = writeln!(text, "- **{}-{number:02}** holds", kind.letter);
            }
        }
        text
    }

    #[test]
    fn lists_are_replaced_and_statements_kept() {
        let mut quotes = Quotes::new();
        let files = quotes.entry(('F', 2)).or_default();
        files.entry("a.rs".to_owned()).or_default().insert("f_02_holds".to_owned());
        files.entry("tests/b.py".to_owned()).or_default();
        let before =
            document().replace("- **F-01** holds\n", "- **F-01** holds\n  - old.rs: `x`\n");
        let after = with_tests(&before, &quotes).unwrap();
        let expected = document().replace(
            "- **F-02** holds\n",
            "- **F-02** holds\n  - a.rs: `f_02_holds`\n  - tests/b.py\n",
        );
        assert_eq!(after, expected);
    }

    #[test]
    fn a_missing_and_a_doubled_statement_are_refused() {
        let missing = document().replace("- **I-16** holds\n", "");
        assert!(with_tests(&missing, &Quotes::new()).unwrap_err().to_string().contains("I-16"));
        let doubled = document() + "- **I-16** again\n";
        assert!(with_tests(&doubled, &Quotes::new()).is_err());
    }
}
