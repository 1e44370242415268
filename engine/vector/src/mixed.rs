//! Values of expressions as bytes: a tag, then the value; arrays nest.

use std::sync::Arc;

use henge_expr::ExprValue;

use crate::error::{Result, VectorError};

/// Arrays within arrays that are read: expressions make two levels at most.
const MAX_DEPTH: usize = 16;

const LONG: u8 = 1;
const DOUBLE: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const NULL: u8 = 0;

/// Appends a value.
pub(crate) fn write(out: &mut Vec<u8>, value: &ExprValue) {
    match value {
        ExprValue::Null => out.push(NULL),
        ExprValue::Long(value) => {
            out.push(LONG);
            out.extend_from_slice(&value.to_le_bytes());
        }
        ExprValue::Double(value) => {
            out.push(DOUBLE);
            out.extend_from_slice(&value.to_le_bytes());
        }
        ExprValue::String(text) => {
            out.push(TEXT);
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        ExprValue::Array(items) => {
            out.push(ARRAY);
            out.extend_from_slice(&(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| write(out, item));
        }
    }
}

/// The value that all of some bytes are.
pub(crate) fn read(mut bytes: &[u8]) -> Result<ExprValue> {
    let value = read_one(&mut bytes, 0)?;
    if bytes.is_empty() { Ok(value) } else { Err(corrupt()) }
}

fn read_one(bytes: &mut &[u8], depth: usize) -> Result<ExprValue> {
    Ok(match head::<1>(bytes)? {
        [NULL] => ExprValue::Null,
        [LONG] => ExprValue::Long(i64::from_le_bytes(head(bytes)?)),
        [DOUBLE] => ExprValue::Double(f64::from_le_bytes(head(bytes)?)),
        [TEXT] => {
            let length = length(bytes)?;
            let (text, rest) = bytes.split_at_checked(length).ok_or_else(corrupt)?;
            *bytes = rest;
            ExprValue::String(Arc::from(std::str::from_utf8(text).map_err(|_| corrupt())?))
        }
        [ARRAY] if depth < MAX_DEPTH => {
            let count = length(bytes)?;
            // Every item takes a byte at least, so a wrong length cannot ask for much.
            if count > bytes.len() {
                return Err(corrupt());
            }
            let items: Vec<ExprValue> =
                (0..count).map(|_| read_one(bytes, depth + 1)).collect::<Result<_>>()?;
            items.into()
        }
        _ => return Err(corrupt()),
    })
}

fn length(bytes: &mut &[u8]) -> Result<usize> {
    usize::try_from(u64::from_le_bytes(head(bytes)?)).map_err(|_| corrupt())
}

fn head<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or_else(corrupt)?;
    *bytes = rest;
    Ok(*head)
}

fn corrupt() -> VectorError {
    VectorError::Corrupt("a value of an expression is malformed".to_owned())
}
