//! Text to tokens.

use crate::error::{ExprError, Result};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// Unsigned integer literal.
    Integer(u64),
    /// Literal with a dot or an exponent, `NaN` or `Infinity`.
    Double(f64),
    /// `'text'`
    Text(String),
    /// A bare word.
    Word(String),
    /// `"identifier"`
    Quoted(String),
    /// Punctuation and operators.
    Symbol(&'static str),
}

/// A token and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) position: usize,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 23] = [
    "->", "&&", "||", "<=", ">=", "==", "!=", "<", ">", "!", "^", "*", "/", "%", "+", "-", "(",
    ")", "[", "]", ",", "=", "&",
];

/// Splits the whole text.
pub(crate) fn tokenize(text: &str) -> Result<Vec<Spanned>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        let position = at;
        let token = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'\'' => Token::Text(quoted(text, &mut at)?),
            b'"' => Token::Quoted(quoted(text, &mut at)?),
            b'0'..=b'9' => number(text, &mut at)?,
            b'_' | b'$' | b'a'..=b'z' | b'A'..=b'Z' => word(text, &mut at),
            _ => symbol(text, &mut at)?,
        };
        tokens.push(Spanned { token, position });
    }
    Ok(tokens)
}

/// The text with another name in the place of an identifier: what is called by that name stays.
pub(crate) fn renamed(text: &str, from: &str, to: &str) -> Result<String> {
    let tokens = tokenize(text)?;
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (index, Spanned { token, position }) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        let called = next.is_some_and(|next| next.token == Token::Symbol("("));
        match token {
            Token::Word(name) if name == from && !called => {}
            Token::Quoted(name) if name == from => {}
            _ => continue,
        }
        let end = next.map_or(text.len(), |next| next.position);
        out.push_str(&text[copied..*position]);
        out.push('"');
        out.push_str(&to.replace('\\', "\\\\").replace('"', "\\\""));
        out.push('"');
        copied = position + text[*position..end].trim_end().len();
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

fn syntax(position: usize, message: impl Into<String>) -> ExprError {
    ExprError::Syntax { position, message: message.into() }
}

fn symbol(text: &str, at: &mut usize) -> Result<Token> {
    let rest = &text[*at..];
    match SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
        Some(&"=") => Err(syntax(*at, "'=' is no operator: compare with '=='")),
        Some(&"&") => Err(syntax(*at, "'&' is no operator: use '&&' or bitwiseAnd(a, b)")),
        Some(found) => {
            *at += found.len();
            Ok(Token::Symbol(found))
        }
        None => {
            let shown = rest.chars().next().unwrap_or(' ');
            Err(syntax(*at, format!("unexpected character '{}'", shown.escape_default())))
        }
    }
}

fn word(text: &str, at: &mut usize) -> Token {
    let rest = &text.as_bytes()[*at..];
    let length = rest
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$')))
        .unwrap_or(rest.len());
    let found = &text[*at..*at + length];
    *at += length;
    match found {
        "NaN" => Token::Double(f64::NAN),
        "Infinity" => Token::Double(f64::INFINITY),
        _ => Token::Word(found.to_owned()),
    }
}

fn number(text: &str, at: &mut usize) -> Result<Token> {
    let bytes = text.as_bytes();
    let start = *at;
    let digits = |from: usize| {
        bytes[from..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |n| from + n)
    };
    let mut end = digits(start);
    let mut is_double = false;
    if bytes.get(end) == Some(&b'.') {
        is_double = true;
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent_end = digits(end + 1 + sign);
        if exponent_end > end + 1 + sign {
            is_double = true;
            end = exponent_end;
        }
    }
    *at = end;
    let literal = &text[start..end];
    if is_double {
        let value = literal.parse().map_err(|_| syntax(start, "malformed number"))?;
        Ok(Token::Double(value))
    } else {
        let value = literal
            .parse()
            .map_err(|_| syntax(start, format!("'{literal}' is over the range of LONG")))?;
        Ok(Token::Integer(value))
    }
}

/// Reads `'..'` or `".."` with backslash escapes.
fn quoted(text: &str, at: &mut usize) -> Result<String> {
    let start = *at;
    let quote = text.as_bytes()[start];
    let mut out = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        if c == char::from(quote) {
            *at = start + 1 + offset + 1;
            return Ok(out);
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let position = start + 1 + offset;
        match chars.next().map(|(_, escaped)| escaped) {
            Some(plain @ ('\'' | '"' | '\\' | '/')) => out.push(plain),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => out.push(unicode_escape(&mut chars, position)?),
            Some(other) => {
                return Err(syntax(
                    position,
                    format!("unknown escape '\\{other}': write a backslash as '\\\\'"),
                ));
            }
            None => break,
        }
    }
    Err(syntax(start, format!("missing closing {}", char::from(quote))))
}

/// Reads the rest of `\uXXXX`, joining surrogate pairs.
fn unicode_escape(chars: &mut std::str::CharIndices<'_>, position: usize) -> Result<char> {
    let bad = || syntax(position, "\\u needs four hexadecimal digits, surrogates in pairs");
    let unit = |chars: &mut std::str::CharIndices<'_>| {
        let mut value = 0;
        for _ in 0..4 {
            let digit = chars.next().and_then(|(_, c)| c.to_digit(16)).ok_or_else(bad)?;
            value = value * 16 + digit;
        }
        Ok::<u32, ExprError>(value)
    };
    let high = unit(chars)?;
    if (0xD800..0xDC00).contains(&high) {
        let paired = chars.next().is_some_and(|(_, c)| c == '\\')
            && chars.next().is_some_and(|(_, c)| c == 'u');
        let low = if paired { unit(chars)? } else { 0 };
        if !(0xDC00..0xE000).contains(&low) {
            return Err(bad());
        }
        let joined = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        return char::from_u32(joined).ok_or_else(bad);
    }
    char::from_u32(high).ok_or_else(bad)
}
