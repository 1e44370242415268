//! How the values of a CSV or TSV file are separated, whatever its name says.

use anyhow::{Result, bail};
use henge_tabular::first_lines;

/// Lines that are looked at.
const LINES: usize = 1_000;
/// Separators that are tried, the likeliest first.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// How lines are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) separator: char,
    /// Values may be quoted.
    pub(super) quoting: bool,
    /// Lines before the header: `sep=;`, which tells spreadsheets the separator.
    pub(super) lines_to_skip: u64,
}

impl Dialect {
    /// As the name of a file says.
    pub(super) fn named(is_csv: bool) -> Self {
        let separator = if is_csv { ',' } else { '\t' };
        Self { separator, quoting: is_csv, lines_to_skip: 0 }
    }

    /// The dialect of a text that begins so: the named one where it separates, else the one that
    /// separates all lines alike.
    ///
    /// # Errors
    /// When its lines end as none do today.
    pub(super) fn of(bytes: &[u8], named: Self) -> Result<Self> {
        if !bytes.contains(&b'\n') && bytes.iter().filter(|byte| **byte == b'\r').count() > 1 {
            bail!(
                "its lines end in CR alone, as on very old systems: convert it (tr '\\r' '\\n' < FILE > NEW)"
            );
        }
        if let Some(separator) = told_separator(bytes) {
            return Ok(Self { separator, quoting: true, lines_to_skip: 1 });
        }
        if separates(bytes, named) {
            return Ok(named);
        }
        let others = SEPARATORS.into_iter().filter(|separator| *separator != named.separator);
        let mut others = others.map(|separator| Self { separator, quoting: true, ..named });
        let found = others.find(|other| separates(bytes, *other));
        Ok(found.unwrap_or(named))
    }

    /// The separator for people.
    pub(super) fn separator_name(self) -> String {
        match self.separator {
            '\t' => "tabs".to_owned(),
            other => format!("'{other}'"),
        }
    }
}

/// What a first line `sep=;` says.
fn told_separator(bytes: &[u8]) -> Option<char> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line = text.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
    match line.strip_prefix(b"sep=") {
        Some(&[separator]) => Some(char::from(separator)),
        _ => None,
    }
}

/// Whether a separator makes several values of the first line, and as many of nearly all others.
fn separates(bytes: &[u8], dialect: Dialect) -> bool {
    let lines = first_lines(bytes, dialect.separator, dialect.quoting, LINES);
    let Some((first, later)) = lines.split_first() else { return false };
    // Some lines may be broken.
    let alike = later.iter().filter(|line| line.len() == first.len()).count();
    first.len() > 1 && alike * 10 >= later.len() * 9
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    fn separator(text: &str) -> char {
        Dialect::of(text.as_bytes(), Dialect::named(true)).unwrap().separator
    }

    #[test]
    fn separators_are_those_that_cut_all_lines_alike() {
        for (text, wanted) in [
            ("t,a\n1,2\n", ','),
            ("t;a;b\n1;2,5;x\n3;4,5;y\n", ';'),
            ("t;a, or b;c\n1;2;3\n", ';'),
            ("t\ta\n1\t2\n", '\t'),
            ("t|a\r\n1|2\r\n", '|'),
            ("t;a\n1;\"x;y\nz\"\n", ';'),
            ("t\n1\n2\n", ','),
            ("t,a,b\n1,2\n", ','),
            ("t,a\n1,x;y\n2,z\n", ','),
            ("sep=;\nt;a\n1;2\n", ';'),
            ("", ','),
        ] {
            assert_eq!(separator(text), wanted, "{text:?}");
        }
        let tsv = Dialect::of(b"t,a\n1,2\n", Dialect::named(false)).unwrap();
        assert_eq!((tsv.separator, tsv.quoting), (',', true));
        let skipped = Dialect::of(b"sep=|\r\nt|a\r\n", Dialect::named(true)).unwrap();
        assert_eq!((skipped.separator, skipped.lines_to_skip), ('|', 1));
        let old = Dialect::of(b"t,a\r1,2\r3,4", Dialect::named(true)).unwrap_err().to_string();
        assert!(old.contains("CR alone"), "{old}");
    }
}
