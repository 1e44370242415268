//! Stored pairs of a time and a value, read as the values: what first and last keep as metrics.

use std::sync::Arc;

use henge_expr::ExprValue;
use henge_segment::ComplexColumn;
use henge_segment::metric::pair_of_bytes;
use henge_types::{ValueType, pair_value_type};

use crate::error::{ExecError, Result};

/// A stored column of pairs.
pub struct Pairs<'a> {
    name: String,
    column: &'a dyn ComplexColumn,
    value_type: ValueType,
}

impl std::fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pairs").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Pairs<'a> {
    /// The pairs of a column; `None` when it holds something else.
    pub(super) fn of(name: &str, column: &'a dyn ComplexColumn) -> Option<Self> {
        let value_type = pair_value_type(column.type_name())?;
        Some(Self { name: name.to_owned(), column, value_type })
    }

    /// The column as it is stored.
    #[must_use]
    pub fn column(&self) -> &'a dyn ComplexColumn {
        self.column
    }

    /// LONG, FLOAT, DOUBLE or STRING.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// The time in milliseconds and the value of a row of the segment; `None` where none was seen.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn get(&self, row: usize) -> Result<Option<(i64, ExprValue)>> {
        let Some(bytes) = self.column.get(row)? else { return Ok(None) };
        let pair = match self.value_type {
            ValueType::Long => pair_of_bytes::<i64>(&bytes).map(|(time, v)| (time, v.into())),
            ValueType::Float => {
                pair_of_bytes::<f32>(&bytes).map(|(time, v)| (time, v.map(f64::from).into()))
            }
            ValueType::Double => pair_of_bytes::<f64>(&bytes).map(|(time, v)| (time, v.into())),
            ValueType::String => pair_of_bytes::<Arc<str>>(&bytes)
                .map(|(time, v)| (time, v.as_deref().map(ExprValue::from).into())),
        };
        pair.map(Some).ok_or_else(|| ExecError::Sketch {
            column: self.name.clone(),
            reason: "neither a time nor a value of the type".to_owned(),
        })
    }
}
