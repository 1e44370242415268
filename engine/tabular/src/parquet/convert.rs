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
            return texts_of(&values, |value, text| decimal_text(i128::from(value), scale, text));
        }
        Kind::Decimal(scale) => {
            let values = values.into_iter().map(|value| decimal(i128::from(value), scale));
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

/// The double next to an unscaled decimal: the digits are read as text, so that it is the nearest.
fn decimal(unscaled: i128, scale: i32) -> f64 {
    // Both are exact in a double, and so their quotient is the nearest one.
    if unscaled.unsigned_abs() < 1 << 53 && (0..=22).contains(&scale) {
        return unscaled as f64 / 10_f64.powi(scale);
    }
    let mut text = String::new();
    decimal_text(unscaled, scale, &mut text);
    text.parse().unwrap_or(f64::NAN)
}

fn decimal_text(unscaled: i128, scale: i32, text: &mut String) {
    if unscaled < 0 {
        text.push('-');
    }
    let digits = unscaled.unsigned_abs().to_string();
    // The standard allows scales from 0 to the precision, which is at most 38 here.
    let scale = usize::try_from(scale).unwrap_or(0).min(MAX_SCALE);
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    text.push_str(whole);
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
}

const MAX_SCALE: usize = 1_000;

/// Big-endian two's complement of at most 16 bytes; more are cut to NaN, which no column takes.
pub(super) fn decimal_bytes(bytes: &[u8], scale: i32) -> f64 {
    unscaled(bytes).map_or(f64::NAN, |unscaled| decimal(unscaled, scale))
}

fn unscaled(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|byte| byte >> 7 == 1);
    let mut wide = if negative { [0xff; 16] } else { [0; 16] };
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
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
        Kind::Decimal(scale) => {
            let mut text = String::new();
            if let Some(unscaled) = unscaled(bytes) {
                decimal_text(unscaled, scale, &mut text);
            }
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
