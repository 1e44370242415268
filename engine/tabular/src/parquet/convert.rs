//! From Parquet's physical values to those of a batch.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use henge_segment::StringTable;
use rustc_hash::FxHashMap;

use super::column::ReadColumn;
use super::schema::Kind;
use crate::batch::Values;
use crate::error::{Result, TabularError};

const MS_PER_DAY: i64 = 86_400_000;

/// Columns of INT32 and INT64.
pub(super) fn longs(mut values: Vec<i64>, column: &ReadColumn) -> Values {
    match column.field.kind {
        Kind::Timestamp(1) => {}
        // One division for each unit, so that it becomes a multiplication.
        Kind::Timestamp(1_000) => values.iter_mut().for_each(|v| *v = v.div_euclid(1_000)),
        Kind::Timestamp(unit) => values.iter_mut().for_each(|v| *v = v.div_euclid(unit)),
        Kind::Days => values.iter_mut().for_each(|v| *v = v.saturating_mul(MS_PER_DAY)),
        Kind::UnsignedLong if values.iter().any(|v| *v < 0) => {
            return texts_of(&values, |value, text| {
                let _ = write!(text, "{}", value as u64);
            });
        }
        Kind::Decimal(scale) if column.as_text => {
            return texts_of(&values, |value, text| {
                decimal_text(&value.to_be_bytes(), scale, text);
            });
        }
        Kind::Decimal(scale) => {
            let values = values.iter().map(|value| decimal_bytes(&value.to_be_bytes(), scale));
            return Values::Double(values.collect());
        }
        _ => {}
    }
    Values::Long(values)
}

/// Columns of FLOAT. As text they are the shortest decimal that reads back as the same FLOAT.
pub(super) fn floats(values: &[f32], column: &ReadColumn) -> Values {
    if !column.as_text {
        return Values::Double(values.iter().map(|value| f64::from(*value)).collect());
    }
    let shortest = |value: &f32| value.to_string().parse().unwrap_or(f64::from(*value));
    Values::Double(values.iter().map(shortest).collect())
}

fn texts_of(values: &[i64], write: impl Fn(i64, &mut String)) -> Values {
    let mut known = FxHashMap::default();
    let mut texts = StringTable::new();
    let mut text = String::new();
    let ids = values.iter().map(|value| {
        *known.entry(*value).or_insert_with(|| {
            text.clear();
            write(*value, &mut text);
            texts.push(&text);
            texts.len() as u32 - 1
        })
    });
    let ids = ids.collect();
    Values::Text { texts, ids, repeats: true }
}

/// The double next to an unscaled decimal where both that and the power of ten are exact in a
/// double: so their quotient is the nearest one.
fn small_decimal(bytes: &[u8], scale: i32) -> Option<f64> {
    let unscaled = unscaled(bytes)?;
    let exact = unscaled.unsigned_abs() < 1 << 53 && (0..=22).contains(&scale);
    exact.then(|| unscaled as f64 / 10_f64.powi(scale))
}

/// Big-endian two's complement; `None` of more than 16 bytes.
pub(super) fn unscaled(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|byte| byte >> 7 == 1);
    let mut wide = if negative { [0xff; 16] } else { [0; 16] };
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// The double next to an unscaled decimal in big-endian two's complement. The digits are read as
/// text, so that it is the nearest.
pub(super) fn decimal_bytes(bytes: &[u8], scale: i32) -> f64 {
    if let Some(small) = small_decimal(bytes, scale) {
        return small;
    }
    let mut text = String::new();
    decimal_text(bytes, scale, &mut text);
    text.parse().unwrap_or(f64::NAN)
}

/// All digits of an unscaled decimal in big-endian two's complement of any length.
pub(super) fn decimal_text(bytes: &[u8], scale: i32, text: &mut String) {
    let negative = bytes.first().is_some_and(|byte| byte >> 7 == 1);
    let digits = magnitude_digits(bytes, negative);
    // The standard allows scales from 0 to the precision.
    let scale = usize::try_from(scale).unwrap_or(0).min(MAX_SCALE);
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    if negative {
        text.push('-');
    }
    text.push_str(whole);
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
}

const MAX_SCALE: usize = 1_000;

/// The decimal digits of a number without its sign.
fn magnitude_digits(bytes: &[u8], negative: bool) -> String {
    if let Some(unscaled) = unscaled(bytes) {
        return unscaled.unsigned_abs().to_string();
    }
    // Longer ones by division, nine digits at a time.
    let mut magnitude: Vec<u8> = bytes.iter().map(|b| if negative { !b } else { *b }).collect();
    if negative {
        for byte in magnitude.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }
    let mut groups = Vec::new();
    while magnitude.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u64;
        for byte in &mut magnitude {
            let value = rest << 8 | u64::from(*byte);
            *byte = (value / 1_000_000_000) as u8;
            rest = value % 1_000_000_000;
        }
        groups.push(rest);
    }
    let mut digits = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{group:09}");
    }
    digits
}

/// A FLOAT16, little-endian.
pub(super) fn half(bytes: &[u8]) -> f64 {
    let [low, high] = *bytes else { return f64::NAN };
    let bits = u16::from_le_bytes([low, high]);
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// Adds the text of some bytes.
pub(super) fn push_text(texts: &mut StringTable, bytes: &[u8], column: &ReadColumn) -> Result<()> {
    match column.field.kind {
        Kind::Binary if !column.binary_as_text => texts.push(&STANDARD.encode(bytes)),
        Kind::Binary => texts.push(&String::from_utf8_lossy(bytes)),
        Kind::Uuid => texts.push(&uuid(bytes)),
        Kind::Interval => texts.push(&interval(bytes)),
        Kind::Decimal(scale) => {
            let mut text = String::new();
            decimal_text(bytes, scale, &mut text);
            texts.push(&text);
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => texts.push(text),
            Err(_) => {
                let name = &column.field.name;
                return Err(TabularError::Corrupt(format!(
                    "column '{name}' of the Parquet file holds text that is not UTF-8"
                )));
            }
        },
    }
    Ok(())
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Months, days and milliseconds, each a little-endian number of four bytes, as ISO 8601 has them.
fn interval(bytes: &[u8]) -> String {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    let (months, days, ms) = (number(0), number(4), number(8));
    format!("P{months}M{days}DT{}.{:03}S", ms / 1_000, ms % 1_000)
}
