//! PostgreSQL's texts hold every character but NUL, which may stand in an event that was refused, or in the
//! words of a source. It is written as two other characters, so that texts differ after it as before.

/// Says that what follows stands for another character; from Unicode's private use, so nobody means it.
const ESCAPE: char = '\u{e000}';
/// Stands for NUL after the escape, and for the escape itself when it is doubled.
const NUL: char = '0';

/// A text as it is stored.
pub(in crate::metadata) fn written(text: &str) -> String {
    if !text.contains(['\0', ESCAPE]) {
        return text.to_owned();
    }
    let mut written = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => written.extend([ESCAPE, NUL]),
            ESCAPE => written.extend([ESCAPE, ESCAPE]),
            other => written.push(other),
        }
    }
    written
}

/// The text that was stored.
pub(in crate::metadata) fn read(written: String) -> String {
    if !written.contains(ESCAPE) {
        return written;
    }
    let mut text = String::with_capacity(written.len());
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => match characters.next() {
                Some(NUL) => text.push('\0'),
                Some(other) => text.push(other),
                None => text.push(ESCAPE),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn h_38_every_text_comes_back_as_it_was(text in "[a0\u{e000}\0\u{1F600}]{0,12}") {
            let stored = written(&text);
            prop_assert!(!stored.contains('\0'));
            prop_assert_eq!(read(stored), text);
        }
    }
}
