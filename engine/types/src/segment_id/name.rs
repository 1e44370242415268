//! Which names a datasource may have, and how any name becomes one directory name.

use std::borrow::Cow;

use crate::error::{TypeError, excerpt};

/// The longest file name that common file systems take.
const MAX_COMPONENT_BYTES: usize = 255;
/// Escaped forms longer than this are written in base 32, which is shorter for non-ASCII text.
const MAX_ESCAPED_BYTES: usize = 160;

/// Checks that a datasource may have this name.
///
/// Letters, digits and symbols of any script are fine, emoji too, and blanks inside. Refused are
/// names that are empty or over 255 bytes (also in their stored form); that begin with a dot or a
/// blank, or end with a blank; that hold `/`, `\`, control characters, line separators or invisible
/// marks (other than the joiners that emoji and some scripts need); and that hold `%`, because such
/// a name has nearly always been URL-encoded once too often and would read as another one.
///
/// # Errors
/// When the name is one of those; the message says what to change.
pub fn validate_datasource_name(name: &str) -> Result<(), TypeError> {
    let refuse = |reason: &'static str| {
        Err(TypeError::DatasourceName { text: excerpt(name), reason: Cow::Borrowed(reason) })
    };
    if name.is_empty() {
        return refuse("it is empty: use at least one letter or digit");
    }
    if name.len() > MAX_COMPONENT_BYTES {
        return refuse("it is longer than 255 bytes: shorten it");
    }
    if name.contains(['/', '\\']) {
        return refuse("it holds a slash or backslash: use - or _ instead");
    }
    if name.contains('%') {
        return refuse("it holds a percent sign: send the name without URL encoding");
    }
    if name.starts_with('.') {
        return refuse("it begins with a dot: remove the dot");
    }
    if name.chars().any(is_invisible) {
        return refuse("it holds a control, separator or invisible character: remove it");
    }
    if name.starts_with(' ') || name.ends_with(' ') {
        return refuse("it begins or ends with a blank: trim it");
    }
    if encode_path_component(name).len() > MAX_COMPONENT_BYTES {
        return refuse("its stored form is longer than 255 bytes: shorten it to 150 bytes or less");
    }
    Ok(())
}

/// Control characters, white space other than the plain blank, and marks that change how the text
/// around them looks without being seen.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Turns any text into one safe path component, distinct texts into distinct ones.
///
/// The result is lower-case ASCII (`a-z 0-9 _ - ~`), so that neither case folding nor Unicode
/// normalisation by a file system can make two of them equal. Other bytes are written `~` and two
/// hex digits; when that gets long, the whole name is written as `~~` and base 32.
#[must_use]
pub fn encode_path_component(text: &str) -> String {
    if text.is_empty() {
        return "~".to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => escaped.push(char::from(byte)),
            // A leading dash would read as an option on a command line.
            b'-' if position > 0 => escaped.push('-'),
            _ => {
                escaped.push('~');
                escaped.push(hex_digit(byte >> 4));
                escaped.push(hex_digit(byte & 15));
            }
        }
    }
    let is_plain = escaped.len() == text.len();
    if is_plain || escaped.len() <= MAX_ESCAPED_BYTES { escaped } else { base32(text.as_bytes()) }
}

/// The text that [`encode_path_component`] made this of; `None` when it made this of none.
#[must_use]
pub fn decode_path_component(component: &str) -> Option<String> {
    let bytes = match component.strip_prefix("~~") {
        Some(digits) => of_base32(digits)?,
        None if component == "~" => Vec::new(),
        None => of_escaped(component)?,
    };
    let text = String::from_utf8(bytes).ok()?;
    (encode_path_component(&text) == component).then_some(text)
}

fn of_escaped(component: &str) -> Option<Vec<u8>> {
    let mut parts = component.split('~');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    Some(bytes)
}

fn of_base32(digits: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut pending, mut pending_bits) = (Vec::new(), 0_u32, 0);
    for digit in digits.bytes() {
        let five_bits = match digit {
            b'a'..=b'z' => digit - b'a',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        pending = (pending << 5 | u32::from(five_bits)) & 0xffff;
        pending_bits += 5;
        if pending_bits >= 8 {
            pending_bits -= 8;
            bytes.push((pending >> pending_bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::from("~~");
    let mut pending = 0_u32;
    let mut pending_bits = 0;
    let digit = |five_bits: u32| {
        let five_bits = (five_bits & 31) as u8;
        char::from(if five_bits < 26 { b'a' + five_bits } else { b'2' + five_bits - 26 })
    };
    for byte in bytes {
        pending = (pending << 8 | u32::from(*byte)) & 0xfff;
        pending_bits += 8;
        while pending_bits >= 5 {
            pending_bits -= 5;
            out.push(digit(pending >> pending_bits));
        }
    }
    if pending_bits > 0 {
        out.push(digit(pending << (5 - pending_bits)));
    }
    out
}
