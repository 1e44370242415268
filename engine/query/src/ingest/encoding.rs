//! How the letters of text files are written.

use encoding_rs::Encoding;

use crate::error::Result;
use crate::node::{Node, excerpt};

/// An encoding of text; UTF-8 unless something else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// The encoding that the web knows by a name, of whatever case: `windows-1252`, `latin1` (which is the same
    /// there), `utf-16le`, `shift_jis` and so on. `None` when there is none, or it cannot be read safely.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Encoding::for_label_no_replacement(name.as_bytes()).map(Self)
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// True for UTF-8.
    #[must_use]
    pub fn is_utf8(self) -> bool {
        self.0 == encoding_rs::UTF_8
    }

    /// As the library has it, which knows how it is read.
    #[must_use]
    pub fn encoding(self) -> &'static Encoding {
        self.0
    }

    /// The `encoding` of an input format. Ours.
    pub(super) fn read(format: &Node<'_>) -> Result<Self> {
        let Some(node) = format.get("encoding") else { return Ok(Self::default()) };
        let name = node.text()?;
        Self::named(name).ok_or_else(|| {
            let message = "is unknown: use utf-8, utf-16le, utf-16be, windows-1252 (Latin-1), or another name that \
                           the web has for an encoding";
            node.invalid(format!("'{}' {message}", excerpt(name)))
        })
    }
}

impl Default for TextEncoding {
    fn default() -> Self {
        Self(encoding_rs::UTF_8)
    }
}

#[cfg(test)]
mod tests {
    use super::TextEncoding;

    #[test]
    fn encodings_have_the_names_of_the_web() {
        for (name, known) in [
            ("latin1", Some("windows-1252")),
            ("ISO-8859-1", Some("windows-1252")),
            ("UTF-16", Some("UTF-16LE")),
            ("utf8", Some("UTF-8")),
            ("Shift_JIS", Some("Shift_JIS")),
            ("utf-7", None),
            ("", None),
        ] {
            assert_eq!(TextEncoding::named(name).map(TextEncoding::name), known, "{name}");
        }
        assert!(TextEncoding::default().is_utf8());
    }
}
