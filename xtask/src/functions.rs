//! Finding the functions of a Rust file.
//!
//! The files are formatted by rustfmt, so a function ends at the first line that is its own
//! indentation and a closing brace; no parser is needed.

/// A function of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The number of its first line, from 1.
    pub(crate) line: usize,
    /// How many lines it has.
    pub(crate) lines: usize,
    /// True when a test attribute precedes it.
    pub(crate) is_test: bool,
}

/// All functions of a file, nested ones too, in order.
pub(crate) fn find(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    let mut is_test = false;
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if code.starts_with("#[") {
            is_test |= is_test_attribute(code);
            continue;
        }
        if let Some(name) = function_name(code) {
            let indentation = &line[..line.len() - code.len()];
            let lines = length(&lines[index..], indentation);
            functions.push(Function { name, line: index + 1, lines, is_test });
        }
        if !code.is_empty() && !code.starts_with("//") {
            is_test = false;
        }
    }
    functions
}

fn is_test_attribute(code: &str) -> bool {
    let inside = code.trim_start_matches("#[");
    let path = inside.split(['(', ']']).next().unwrap_or_default().trim();
    path == "test" || path.ends_with("::test")
}

/// The name, when a line begins a function.
fn function_name(code: &str) -> Option<&str> {
    const QUALIFIERS: [&str; 4] = ["const ", "async ", "unsafe ", "extern \"C\" "];
    let mut rest = code;
    if let Some(after) = rest.strip_prefix("pub") {
        rest = match after.strip_prefix('(') {
            Some(scope) => scope.split_once(") ")?.1,
            None => after.strip_prefix(' ')?,
        };
    }
    while let Some(after) = QUALIFIERS.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = after;
    }
    let name = rest.strip_prefix("fn ")?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| &name[..end])
}

/// The number of lines up to the closing brace, or to the semicolon of a declaration without body.
fn length(lines: &[&str], indentation: &str) -> usize {
    let first = lines.first().map_or("", |line| line.trim_end());
    if first.ends_with(['}', ';']) {
        return 1;
    }
    let is_end = |line: &&str| match line.strip_prefix(indentation) {
        Some("}") => true,
        Some(rest) => rest.starts_with(')') && rest.ends_with(';'),
        None => false,
    };
    lines.iter().position(is_end).map_or(lines.len(), |position| position + 1)
}

#[cfg(test)]
mod tests {
    use super::{Function, find};

    const FILE: &str = "\
//! Docs.
pub(crate) const fn first() -> u8 { 1 }

impl Thing {
    /// Does.
    pub async fn second(
        &self,
    ) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic]
    // A comment between.
    fn h_03_third() {
        if x {
        }
    }

    #[tokio::test(flavor = \"current_thread\")]
    async fn fourth() {
        fn helper() {}
    }

    fn not_a_test() {}
}
";

    #[test]
    fn functions_have_names_lengths_and_test_marks() {
        let function = |name, line, lines, is_test| Function { name, line, lines, is_test };
        assert_eq!(
            find(FILE),
            [
                function("first", 2, 1, false),
                function("second", 6, 5, false),
                function("h_03_third", 18, 4, true),
                function("fourth", 24, 3, true),
                function("helper", 25, 1, false),
                function("not_a_test", 28, 1, false),
            ]
        );
    }

    #[test]
    fn words_that_only_look_like_functions_are_not() {
        assert_eq!(find("let fn_pointer: fn (u8) = f;\nimpl Fn for X {}\n// fn no() {}\n"), []);
    }
}
