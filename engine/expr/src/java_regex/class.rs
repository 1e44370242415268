//! Character classes: unions, intersections, negations, and case that does not count.

use super::escape::{Escape, escape};
use super::flags::Flags;
use super::translate::{Cursor, MAX_DEPTH, Result};

/// Reads a class behind its `[` and writes it for the engine.
pub(super) fn class(cursor: &mut Cursor, flags: Flags, depth: usize) -> Result<String> {
    let at = cursor.at.saturating_sub(1);
    if depth > MAX_DEPTH {
        return Err(cursor.error(at, "nested too deep"));
    }
    skip_blanks(cursor, flags);
    let negated = cursor.takes("^");
    let mut whole: Option<String> = None;
    let mut part = String::new();
    let mut is_first = true;
    loop {
        skip_blanks(cursor, flags);
        let start = cursor.at;
        let Some(c) = cursor.take() else {
            return Err(cursor.error(at, "a class without its ]"));
        };
        match c {
            ']' if !is_first => break,
            '[' => part.push_str(&class(cursor, flags, depth + 1)?),
            '&' if cursor.peek() == Some('&') => {
                cursor.take();
                let left = std::mem::take(&mut part);
                whole = Some(intersection(whole, left));
            }
            '\\' => match escape(cursor, flags)? {
                Escape::Quote => quoted(cursor, flags, &mut part),
                Escape::Char(low) => range(cursor, flags, low, start, &mut part)?,
                Escape::Class(inside, negated) => part.push_str(&bracketed(&inside, negated)),
                Escape::Other(letter) => {
                    return Err(cursor.error(start, &format!("\\{letter} cannot be in a class")));
                }
            },
            low => range(cursor, flags, low, start, &mut part)?,
        }
        is_first = false;
    }
    let inside = match whole {
        Some(left) if part.is_empty() => left,
        Some(left) => intersection(Some(left), part),
        None => part,
    };
    Ok(bracketed(&inside, negated))
}

/// A class of its own.
pub(super) fn bracketed(inside: &str, negated: bool) -> String {
    format!("[{}{inside}]", if negated { "^" } else { "" })
}

fn intersection(left: Option<String>, right: String) -> String {
    match (left, right.is_empty()) {
        (None, _) => right,
        (Some(left), true) => left,
        (Some(left), false) if left.is_empty() => right,
        (Some(left), false) => format!("[{left}]&&[{right}]"),
    }
}

/// A character, or the range that it begins.
fn range(
    cursor: &mut Cursor,
    flags: Flags,
    low: char,
    start: usize,
    out: &mut String,
) -> Result<()> {
    skip_blanks(cursor, flags);
    let is_range =
        cursor.peek() == Some('-') && !matches!(cursor.peek_second(), Some(']' | '[') | None);
    if !is_range {
        push_range(low, low, flags, out);
        return Ok(());
    }
    cursor.take();
    skip_blanks(cursor, flags);
    let high = match cursor.take() {
        Some('\\') => match escape(cursor, flags)? {
            Escape::Char(high) => high,
            _ => return Err(cursor.error(start, "a range ends in a character, not in a class")),
        },
        Some(high) => high,
        None => return Err(cursor.error(start, "a class without its ]")),
    };
    if high < low {
        return Err(cursor.error(start, "a range from the larger to the smaller character"));
    }
    push_range(low, high, flags, out);
    Ok(())
}

fn quoted(cursor: &mut Cursor, flags: Flags, out: &mut String) {
    while !cursor.takes("\\E") {
        match cursor.take() {
            Some(c) => push_range(c, c, flags, out),
            None => return,
        }
    }
}

/// Adds a range, in both cases where the case of ASCII does not count. Beyond ASCII, the engine sees
/// to it for the class as a whole.
fn push_range(low: char, high: char, flags: Flags, out: &mut String) {
    let span = format!("{}-{}", char_text(low), char_text(high));
    out.push_str(&span);
    if !flags.ignores_case || flags.unicode_case {
        return;
    }
    let shifted = |from: char, to: char, by: i32| {
        let (low, high) = (low.max(from), high.min(to));
        let other = |c: char| char::from_u32((c as i32 + by) as u32).unwrap_or(c);
        (low <= high).then(|| format!("{}-{}", char_text(other(low)), char_text(other(high))))
    };
    out.extend(shifted('a', 'z', -32));
    out.extend(shifted('A', 'Z', 32));
}

/// A character inside or outside of a class, as itself.
pub(super) fn char_text(c: char) -> String {
    if c.is_alphanumeric() || c == '_' { c.to_string() } else { format!("\\x{{{:X}}}", c as u32) }
}

/// Comments and blanks, which `x` leaves out inside classes too.
pub(super) fn skip_blanks(cursor: &mut Cursor, flags: Flags) {
    if !flags.comments {
        return;
    }
    while let Some(c) = cursor.peek() {
        match c {
            ' ' | '\t' | '\n' | '\x0B' | '\x0C' | '\r' => {
                cursor.take();
            }
            '#' => {
                while cursor.peek().is_some_and(|c| !is_line_end(c, flags)) {
                    cursor.take();
                }
            }
            _ => return,
        }
    }
}

fn is_line_end(c: char, flags: Flags) -> bool {
    c == '\n' || (!flags.unix_lines && matches!(c, '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'))
}
