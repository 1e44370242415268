//! `format` and the `human_readable_*` functions.

use std::fmt::Write;

use super::{Function, STRING, argument, plain};
use crate::MAX_RESULT_BYTES;
use crate::error::{ExprError, Result};
use crate::types::as_index;
use crate::value::ExprValue;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("format", 1, usize::MAX, STRING, format),
    plain("human_readable_binary_byte_format", 1, 2, STRING, |a| {
        human_readable("human_readable_binary_byte_format", a, 1024.0, "B", "KMGTPE", "iB")
    }),
    plain("human_readable_decimal_byte_format", 1, 2, STRING, |a| {
        human_readable("human_readable_decimal_byte_format", a, 1000.0, "B", "KMGTPE", "B")
    }),
    plain("human_readable_decimal_format", 1, 2, STRING, |a| {
        human_readable("human_readable_decimal_format", a, 1000.0, "", "KMGTPE", "")
    }),
];

/// The widest field of `format` and its largest precision.
const MAX_WIDTH: usize = 1000;

/// `%[-0+,][width][.precision]conversion`
#[derive(Default)]
struct Specifier {
    left: bool,
    zero: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

/// Java's `String.format` with the conversions `%s %d %f %e %x %X %o %b %%`.
fn format(arguments: &[ExprValue]) -> Result<ExprValue> {
    let Some(template) = arguments[0].as_text() else { return Ok(ExprValue::Null) };
    let mut values = arguments[1..].iter();
    let mut out = String::with_capacity(template.len() + 16);
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
        } else if chars.next_if_eq(&'%').is_some() {
            out.push('%');
        } else {
            let specifier = specifier(&mut chars)?;
            let value = values
                .next()
                .ok_or_else(|| ExprError::argument("format", "there are fewer values than '%'"))?;
            let text = convert(chars.next(), &specifier, value)?;
            pad(&mut out, &text, &specifier);
        }
        if out.len() > MAX_RESULT_BYTES {
            return Err(ExprError::ResultTooLarge { function: "format", limit: MAX_RESULT_BYTES });
        }
    }
    Ok(out.into())
}

fn specifier(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Specifier> {
    let mut specifier = Specifier::default();
    while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '0' | '+')) {
        match flag {
            '-' => specifier.left = true,
            '0' => specifier.zero = true,
            _ => specifier.plus = true,
        }
    }
    specifier.width = digits(chars)?.unwrap_or(0);
    if chars.next_if_eq(&'.').is_some() {
        specifier.precision = Some(digits(chars)?.unwrap_or(0));
    }
    Ok(specifier)
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>> {
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let next = value.unwrap_or(0) * 10 + digit as usize;
        if next > MAX_WIDTH {
            return Err(ExprError::argument("format", "a width or precision is over 1000"));
        }
        value = Some(next);
    }
    Ok(value)
}

fn convert(kind: Option<char>, specifier: &Specifier, value: &ExprValue) -> Result<String> {
    let Some(kind) = kind else {
        return Err(ExprError::argument("format", "the template ends in '%'"));
    };
    if value.is_null() {
        return Ok("null".to_owned());
    }
    let precision = specifier.precision.unwrap_or(6);
    let number = match kind {
        's' => {
            let text = value.as_text().unwrap_or_default();
            return Ok(match specifier.precision {
                Some(limit) => text.chars().take(limit).collect(),
                None => text.into_owned(),
            });
        }
        'b' => return Ok(value.is_true().to_string()),
        'd' => value.as_long().map(|v| v.to_string()),
        'x' => value.as_long().map(|v| format!("{v:x}")),
        'X' => value.as_long().map(|v| format!("{v:X}")),
        'o' => value.as_long().map(|v| format!("{v:o}")),
        'f' => value.as_double().map(|v| format!("{v:.precision$}")),
        'e' => value.as_double().map(|v| format!("{v:.precision$e}")),
        other => {
            return Err(ExprError::argument("format", format!("unknown conversion '%{other}'")));
        }
    };
    let text = number.unwrap_or_else(|| "null".to_owned());
    let signed = specifier.plus && text.starts_with(|c: char| c.is_ascii_digit());
    Ok(if signed { format!("+{text}") } else { text })
}

fn pad(out: &mut String, text: &str, specifier: &Specifier) {
    let missing = specifier.width.saturating_sub(text.chars().count());
    if specifier.left {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if specifier.zero {
        let sign = text.len() - text.trim_start_matches(['-', '+']).len();
        out.push_str(&text[..sign]);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(&text[sign..]);
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}

/// Writes a count with a unit prefix and up to three decimals (two when not given).
fn human_readable(
    function: &'static str,
    arguments: &[ExprValue],
    base: f64,
    plain_unit: &str,
    prefixes: &str,
    suffix: &str,
) -> Result<ExprValue> {
    let precision = match argument(arguments, 1) {
        ExprValue::Null => 2,
        value => match as_index(value).and_then(|p| usize::try_from(p).ok()) {
            Some(precision) if precision <= 3 => precision,
            _ => return Err(ExprError::argument(function, "the precision must be 0 to 3")),
        },
    };
    let Some(value) = arguments[0].as_double().filter(|v| v.is_finite()).map(f64::trunc) else {
        return Ok(ExprValue::Null);
    };
    let mut scaled = value;
    let mut prefix = None;
    for next in prefixes.chars() {
        if scaled.abs() < base {
            break;
        }
        scaled /= base;
        prefix = Some(next);
    }
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = match prefix {
        None if plain_unit.is_empty() => write!(out, "{value}"),
        None => write!(out, "{value} {plain_unit}"),
        Some(prefix) => write!(out, "{scaled:.precision$} {prefix}{suffix}"),
    };
    Ok(out.into())
}
