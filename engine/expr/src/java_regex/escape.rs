//! What a backslash introduces.

use super::flags::Flags;
use super::translate::{Cursor, Result};

/// What an escape stands for, inside a class and outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// A character.
    Char(char),
    /// The inside of a class, and whether it is negated.
    Class(String, bool),
    /// Something that only stands outside of classes, by its letter.
    Other(char),
    /// `\Q`: what follows up to `\E` is itself.
    Quote,
}

const HORIZONTAL: &str = r"\t \x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";
const VERTICAL: &str = r"\n\x0B\x0C\r\x{85}\x{2028}\x{2029}";

/// Reads the escape behind a backslash that was taken.
pub(super) fn escape(cursor: &mut Cursor, flags: Flags) -> Result<Escape> {
    let at = cursor.at;
    let Some(letter) = cursor.take() else {
        return Err(cursor.error(at - 1, "the pattern ends in a backslash"));
    };
    let class = |inside: &str, negated: bool| Ok(Escape::Class(inside.to_owned(), negated));
    let unicode = flags.unicode_classes;
    match letter {
        'd' | 'D' => class(if unicode { r"\p{Nd}" } else { "0-9" }, letter == 'D'),
        'w' | 'W' => class(if unicode { r"\w" } else { "a-zA-Z_0-9" }, letter == 'W'),
        's' | 'S' => {
            class(if unicode { r"\p{White_Space}" } else { r" \t\n\x0B\x0C\r" }, letter == 'S')
        }
        'h' | 'H' => class(HORIZONTAL, letter == 'H'),
        'v' | 'V' => class(VERTICAL, letter == 'V'),
        'p' | 'P' => property(cursor, flags, letter == 'P'),
        't' => Ok(Escape::Char('\t')),
        'n' => Ok(Escape::Char('\n')),
        'r' => Ok(Escape::Char('\r')),
        'f' => Ok(Escape::Char('\x0C')),
        'a' => Ok(Escape::Char('\x07')),
        'e' => Ok(Escape::Char('\x1B')),
        '0' => octal(cursor),
        'x' => hexadecimal(cursor),
        'u' => utf16(cursor),
        'c' => match cursor.take() {
            Some(control) => code_point(cursor, at, control as u32 ^ 64),
            None => Err(cursor.error(at, "\\c needs a control character")),
        },
        'Q' => Ok(Escape::Quote),
        'A' | 'Z' | 'z' | 'b' | 'B' | 'R' => Ok(Escape::Other(letter)),
        'G' => Err(cursor.error(at, "\\G (the end of the match before) is not supported")),
        'X' => Err(cursor.error(at, "\\X (a grapheme cluster) is not supported")),
        'N' => Err(cursor.error(at, "\\N (a character by name) is not supported; use \\x{…}")),
        'k' | '1'..='9' => Err(cursor
            .error(at, "back-references are not supported: this engine is linear in the text")),
        letter if letter.is_ascii_alphabetic() => {
            Err(cursor.error(at, &format!("unknown escape \\{letter}")))
        }
        other => Ok(Escape::Char(other)),
    }
}

fn property(cursor: &mut Cursor, flags: Flags, negated: bool) -> Result<Escape> {
    let at = cursor.at;
    let name = match cursor.take() {
        Some('{') => {
            let mut name = String::new();
            loop {
                match cursor.take() {
                    Some('}') => break name,
                    Some(c) => name.push(c),
                    None => return Err(cursor.error(at, "\\p{ without }")),
                }
            }
        }
        Some(short) => short.to_string(),
        None => return Err(cursor.error(at, "\\p needs the name of a property")),
    };
    match super::property::inside(&name, flags) {
        Ok(inside) => Ok(Escape::Class(inside, negated)),
        Err(message) => Err(cursor.error(at, &message)),
    }
}

/// `\0n`, `\0nn`, `\0mnn` with m up to 3.
fn octal(cursor: &mut Cursor) -> Result<Escape> {
    let at = cursor.at;
    let mut value = None;
    for _ in 0..3 {
        let Some(digit) = cursor.peek().and_then(|c| c.to_digit(8)) else { break };
        let longer = value.unwrap_or(0) * 8 + digit;
        if longer > 0o377 {
            break;
        }
        value = Some(longer);
        cursor.take();
    }
    match value {
        Some(value) => code_point(cursor, at, value),
        None => Err(cursor.error(at, "\\0 needs octal digits")),
    }
}

/// `\xhh` or `\x{h…h}`.
fn hexadecimal(cursor: &mut Cursor) -> Result<Escape> {
    let at = cursor.at;
    if cursor.peek() != Some('{') {
        let value = digits(cursor, 2).ok_or_else(|| {
            cursor.error(at, "\\x needs two hexadecimal digits, or any number in braces")
        })?;
        return code_point(cursor, at, value);
    }
    cursor.take();
    let mut value: u32 = 0;
    let mut count = 0;
    loop {
        match cursor.take() {
            Some('}') if count > 0 => return code_point(cursor, at, value),
            Some(c) if c.is_ascii_hexdigit() && value < 1 << 24 => {
                value = value * 16 + c.to_digit(16).unwrap_or(0);
                count += 1;
            }
            _ => return Err(cursor.error(at, "\\x{…} needs hexadecimal digits up to 10FFFF")),
        }
    }
}

/// `\uhhhh`, of which two may make one character.
fn utf16(cursor: &mut Cursor) -> Result<Escape> {
    let at = cursor.at;
    let missing = "\\u needs four hexadecimal digits";
    let Some(first) = digits(cursor, 4) else { return Err(cursor.error(at, missing)) };
    if (0xD800..0xDC00).contains(&first) && cursor.takes("\\u") {
        let second = digits(cursor, 4).ok_or_else(|| cursor.error(at, missing))?;
        if (0xDC00..0xE000).contains(&second) {
            return code_point(cursor, at, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        }
    }
    code_point(cursor, at, first)
}

fn digits(cursor: &mut Cursor, count: usize) -> Option<u32> {
    let mut value = 0;
    for _ in 0..count {
        value = value * 16 + cursor.peek()?.to_digit(16)?;
        cursor.take();
    }
    Some(value)
}

fn code_point(cursor: &Cursor, at: usize, value: u32) -> Result<Escape> {
    char::from_u32(value)
        .map(Escape::Char)
        .ok_or_else(|| cursor.error(at, "no character: half of a surrogate pair, or beyond 10FFFF"))
}
