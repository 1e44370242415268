//! Dimension specs: a column to group by and the name and type it has in the result.

use henge_types::ValueType;

/// `{"type":"default"}` or a bare string.
#[derive(Debug, Clone, PartialEq)]
pub struct DimensionSpec {
    /// The column read (a stored or a virtual column).
    pub dimension: String,
    /// Its name in the result.
    pub output_name: String,
    /// Its type in the result: STRING (default), LONG, FLOAT or DOUBLE. A stored LONG grouped with
    /// output type STRING yields its decimal text.
    pub output_type: ValueType,
}
