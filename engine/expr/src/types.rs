//! The types of expression values, casts, and the common type of an array's elements.

use crate::MAX_RESULT_BYTES;
use crate::error::{ExprError, Result};
use crate::number::{double_to_long, parse_double};
use crate::value::{ELEMENT_BYTES, ExprValue};

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExprType {
    /// 64-bit integer, booleans included.
    Long,
    /// 64-bit float.
    Double,
    /// Text.
    String,
    /// Array of LONG.
    LongArray,
    /// Array of DOUBLE.
    DoubleArray,
    /// Array of STRING.
    StringArray,
}

impl ExprType {
    /// Reads `LONG`, `DOUBLE`, `FLOAT` (a double), `STRING`, `LONG_ARRAY`, `ARRAY<LONG>`, ... in
    /// any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let upper = name.trim().to_ascii_uppercase();
        let element = upper
            .strip_suffix("_ARRAY")
            .or_else(|| upper.strip_prefix("ARRAY<").and_then(|rest| rest.strip_suffix('>')));
        let scalar = match element.unwrap_or(&upper) {
            "LONG" => Self::Long,
            "DOUBLE" | "FLOAT" => Self::Double,
            "STRING" => Self::String,
            _ => return None,
        };
        Some(if element.is_some() { scalar.array_of() } else { scalar })
    }

    /// The array type with this element type.
    #[must_use]
    pub fn array_of(self) -> Self {
        match self {
            Self::Long | Self::LongArray => Self::LongArray,
            Self::Double | Self::DoubleArray => Self::DoubleArray,
            Self::String | Self::StringArray => Self::StringArray,
        }
    }

    /// The type of an array's elements; a scalar type is its own.
    #[must_use]
    pub fn element(self) -> Self {
        match self {
            Self::LongArray => Self::Long,
            Self::DoubleArray => Self::Double,
            Self::StringArray => Self::String,
            scalar => scalar,
        }
    }

    /// True for array types.
    #[must_use]
    pub fn is_array(self) -> bool {
        matches!(self, Self::LongArray | Self::DoubleArray | Self::StringArray)
    }

    /// The narrowest type both fit: text over double over long.
    #[must_use]
    pub fn widest(self, other: Self) -> Self {
        let element = match (self.element(), other.element()) {
            (Self::Long, Self::Long) => Self::Long,
            (Self::String, _) | (_, Self::String) => Self::String,
            _ => Self::Double,
        };
        if self.is_array() || other.is_array() { element.array_of() } else { element }
    }
}

/// The type of a value; unknown for null and for arrays without values.
pub(crate) fn type_of(value: &ExprValue) -> Option<ExprType> {
    match value {
        ExprValue::Null => None,
        ExprValue::Long(_) => Some(ExprType::Long),
        ExprValue::Double(_) => Some(ExprType::Double),
        ExprValue::String(_) => Some(ExprType::String),
        ExprValue::Array(items) => items.iter().find_map(type_of).map(ExprType::array_of),
    }
}

/// Converts a value; null when it cannot be read as the target.
pub(crate) fn cast(value: &ExprValue, target: ExprType) -> ExprValue {
    if target.is_array() {
        return match value.elements() {
            None => ExprValue::Null,
            Some(items) => {
                items.iter().map(|item| cast(item, target.element())).collect::<Vec<_>>().into()
            }
        };
    }
    match target {
        ExprType::Long => value.as_long().into(),
        ExprType::Double => value.as_double().into(),
        _ => value.to_shared_text().into(),
    }
}

/// Converts the leaves of nested arrays to a scalar type.
pub(crate) fn cast_leaves(value: ExprValue, target: ExprType) -> ExprValue {
    match value {
        ExprValue::Array(items) => {
            items.iter().map(|item| cast_leaves(item.clone(), target)).collect::<Vec<_>>().into()
        }
        scalar => cast(&scalar, target),
    }
}

/// Arrays within arrays at most: what walks a value recurses.
const MAX_ARRAY_DEPTH: usize = 8;

/// Refuses elements of an array that would be over the cap of a result. Arrays are shared, so that a
/// few steps could otherwise make one whose text has no end.
pub(crate) fn check_array(function: &'static str, items: &[ExprValue]) -> Result<()> {
    let bytes: u64 = items.iter().map(|item| ELEMENT_BYTES + item.bytes()).sum();
    if bytes > MAX_RESULT_BYTES as u64 {
        return Err(ExprError::ResultTooLarge { function, limit: MAX_RESULT_BYTES });
    }
    if items.iter().any(|item| item.array_depth() >= MAX_ARRAY_DEPTH) {
        let what = "arrays within arrays";
        return Err(ExprError::TooComplex { what, limit: MAX_ARRAY_DEPTH });
    }
    Ok(())
}

/// An array that a function gives.
pub(crate) fn array_result(function: &'static str, items: Vec<ExprValue>) -> Result<ExprValue> {
    check_array(function, &items)?;
    Ok(unify_array(items))
}

/// Makes an array whose elements share one type: any text makes all text, any double all doubles.
pub(crate) fn unify_array(items: Vec<ExprValue>) -> ExprValue {
    let mut types = items.iter().filter_map(type_of);
    let Some(first) = types.next() else { return items.into() };
    let common = types.fold(first, ExprType::widest).element();
    if items.iter().all(|item| item.is_null() || type_of(item) == Some(common)) {
        return items.into();
    }
    items.into_iter().map(|item| cast_leaves(item, common)).collect::<Vec<_>>().into()
}

/// Reads text as a LONG when it is one, else as a DOUBLE.
pub(crate) fn parse_number(text: &str) -> Option<ExprValue> {
    match text.parse() {
        Ok(value) => Some(ExprValue::Long(value)),
        Err(_) => parse_double(text).map(ExprValue::Double),
    }
}

/// A count argument (length, position): null stays unknown, doubles truncate.
pub(crate) fn as_index(value: &ExprValue) -> Option<i64> {
    match value {
        ExprValue::Double(value) => double_to_long(*value),
        other => other.as_long(),
    }
}
