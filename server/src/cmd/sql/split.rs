//! Statements in a text: where one ends, whatever its quotes and comments hold.

/// A text that is read letter by letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    /// `'…'` or `"…"`
    Quotes(char),
    /// `-- …`
    LineComment,
    /// `/* … */`
    BlockComment,
}

/// What is in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// The statements that a semicolon ends, without it.
    pub(super) statements: Vec<String>,
    /// What follows the last of them; empty when it is but space and comments.
    pub(super) rest: String,
    /// True when the text ends within quotes or a comment of several lines.
    pub(super) is_open: bool,
}

/// Splits a text.
pub(super) fn split(text: &str) -> Split {
    let mut found = Split::default();
    let (mut within, mut begin, mut has_code) = (Within::Code, 0, false);
    let mut letters = text.char_indices().peekable();
    while let Some((place, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        match (within, letter, next) {
            (Within::Code, '\'' | '"', _) => (within, has_code) = (Within::Quotes(letter), true),
            (Within::Code, '-', Some('-')) => within = Within::LineComment,
            (Within::Code, '/', Some('*')) => {
                // `/*/` opens and does not close.
                letters.next();
                within = Within::BlockComment;
            }
            (Within::Code, ';', _) => {
                if has_code {
                    found.statements.push(text[begin..place].trim().to_owned());
                }
                (begin, has_code) = (place + 1, false);
            }
            (Within::Code, letter, _) => has_code |= !letter.is_whitespace(),
            // A quote that is doubled closes and opens.
            (Within::Quotes(quote), letter, _) if letter == quote => within = Within::Code,
            (Within::LineComment, '\n', _) => within = Within::Code,
            (Within::BlockComment, '*', Some('/')) => {
                letters.next();
                within = Within::Code;
            }
            _ => {}
        }
    }
    if has_code {
        found.rest = text[begin..].trim().to_owned();
    }
    found.is_open = matches!(within, Within::Quotes(_) | Within::BlockComment);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> (Vec<String>, String) {
        let Split { statements, rest, .. } = split(text);
        (statements, rest)
    }

    #[test]
    fn a_semicolon_ends_a_statement_but_not_within_quotes_and_comments() {
        let text =
            "SELECT ';' AS \"a;\"\"b\", 'it''s' -- not; here\nFROM t /* nor; here */; SELECT 2";
        let first = &text[..text.rfind(';').unwrap()];
        assert_eq!(statements(text), (vec![first.to_owned()], "SELECT 2".to_owned()));
        assert_eq!(
            statements("SELECT 1;;  ; -- nothing\n;"),
            (vec!["SELECT 1".into()], String::new())
        );
        assert_eq!(statements("  -- a comment"), (vec![], String::new()));
        assert_eq!(statements("SELECT 1 /*/ ; */ + 1;").0.len(), 1);
    }

    #[test]
    fn what_is_not_closed_goes_on() {
        assert!(split("SELECT 'a;").is_open);
        assert!(split("SELECT 1 /* ; ").is_open);
        assert!(!split("SELECT 1 -- ;").is_open);
        assert!(!split("SELECT 'it''s'").is_open);
    }
}
