//! Parquet's types and what becomes of them.
//!
//! | Parquet                                    | becomes                                     |
//! |--------------------------------------------|---------------------------------------------|
//! | BOOLEAN                                    | true, false                                 |
//! | INT8 to INT64, UINT8 to UINT64, TIME       | whole number (above 2^63 - 1: its digits)   |
//! | TIMESTAMP of any unit, INT96, DATE         | milliseconds since 1970, rounded down       |
//! | FLOAT16, FLOAT, DOUBLE                     | decimal                                     |
//! | DECIMAL                                    | decimal; in a STRING column all its digits  |
//! | STRING, ENUM, JSON                         | text                                        |
//! | other bytes, BSON, GEOMETRY                | Base64 of them, or text with binaryAsString |
//! | UUID                                       | its usual text                              |
//! | INTERVAL                                   | ISO 8601: `P14M3DT1.500S`                   |
//! | list of these, repeated field              | several values                              |
//! | struct, map, list of lists or of structs   | JSON text (see `nested`)                    |
//!
//! Where no type is declared, a column is STRING when another would lose digits: whole numbers above
//! 2^63 - 1 and decimals of more digits than a double holds (see `needs`).

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Long,
    UnsignedInt,
    UnsignedLong,
    /// Divided by this, milliseconds since 1970.
    Timestamp(i64),
    /// Times this, milliseconds since 1970.
    Days,
    Int96,
    Float16,
    Float,
    Double,
    /// Digits behind the point.
    Decimal(i32),
    Text,
    Binary,
    Uuid,
    Interval,
    /// Fields within: JSON text.
    Nested,
}

/// A field of the file that is taken.
#[derive(Debug, Clone)]
pub struct ParquetField {
    /// Its name.
    pub name: String,
    /// Its position among the fields of the file.
    pub(super) root: usize,
    /// Its first column.
    pub(super) leaf: usize,
    pub(super) kind: Kind,
    /// Definition level of a value that is there.
    pub(super) max_definition: i16,
    /// Definition level from which on a list has an element, which may be null.
    pub(super) item_definition: i16,
    pub(super) is_list: bool,
}

impl ParquetField {
    /// True for points in time: they are milliseconds whatever the timestampSpec says.
    #[must_use]
    pub fn is_time(&self) -> bool {
        matches!(self.kind, Kind::Timestamp(_) | Kind::Days | Kind::Int96) && !self.is_list
    }

    /// True for a field with fields within: its values are JSON text.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.kind == Kind::Nested
    }
}

/// The fields of a file, one a field of the root.
pub(super) fn fields(schema: &SchemaDescriptor) -> Vec<ParquetField> {
    let mut fields: Vec<ParquetField> = Vec::new();
    let mut last_root = None;
    for leaf in 0..schema.num_columns() {
        let root = schema.get_column_root_idx(leaf);
        if last_root == Some(root) {
            // Only structs and maps have more than one leaf.
            if let Some(field) = fields.last_mut() {
                (field.kind, field.is_list) = (Kind::Nested, false);
            }
            continue;
        }
        last_root = Some(root);
        let column = schema.column(leaf);
        fields.push(field(schema.get_column_root(leaf).name(), root, leaf, &column));
    }
    fields
}

fn field(name: &str, root: usize, leaf: usize, column: &ColumnDescriptor) -> ParquetField {
    let is_optional = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
    let is_flat = match (column.path().parts().len(), column.max_rep_level()) {
        (1, 0 | 1) => true,
        // list (LIST) > repeated group > element, or the older list > repeated element.
        (2 | 3, 1) if column.self_type().get_basic_info().has_repetition() => is_element(column),
        _ => false,
    };
    ParquetField {
        name: name.to_owned(),
        root,
        leaf,
        kind: if is_flat { kind(column) } else { Kind::Nested },
        max_definition: column.max_def_level(),
        item_definition: column.max_def_level() - i16::from(is_optional),
        is_list: is_flat && column.max_rep_level() == 1,
    }
}

/// A struct within a list has a field of any name; the element of a list is alone and optional or
/// required, never repeated unless it is the list's own repetition.
fn is_element(column: &ColumnDescriptor) -> bool {
    let repetition = column.self_type().get_basic_info().repetition();
    let depth = column.path().parts().len();
    let known = ["element", "array", "item", "list", "array_element", "bag"];
    let last = column.path().parts().last().map_or("", String::as_str);
    depth == 2 && repetition == Repetition::REPEATED
        || depth == 3 && repetition != Repetition::REPEATED && known.contains(&last)
}

fn kind(column: &ColumnDescriptor) -> Kind {
    match (column.physical_type(), column.logical_type_ref()) {
        (_, Some(LogicalType::Decimal(decimal))) => Kind::Decimal(decimal.scale),
        (Type::INT64, Some(LogicalType::Timestamp(time))) => match time.unit {
            TimeUnit::MILLIS => Kind::Timestamp(1),
            TimeUnit::MICROS => Kind::Timestamp(1_000),
            TimeUnit::NANOS => Kind::Timestamp(1_000_000),
        },
        (Type::INT32, Some(LogicalType::Date)) => Kind::Days,
        (Type::INT32, Some(LogicalType::Integer(int))) if !int.is_signed => Kind::UnsignedInt,
        (Type::INT64, Some(LogicalType::Integer(int))) if !int.is_signed => Kind::UnsignedLong,
        (Type::BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)) => {
            Kind::Text
        }
        (Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) => Kind::Float16,
        (Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)) => Kind::Uuid,
        (physical_type, _) => converted(physical_type, column),
    }
}

/// By the older annotations.
fn converted(physical_type: Type, column: &ColumnDescriptor) -> Kind {
    match (physical_type, column.converted_type()) {
        (_, ConvertedType::DECIMAL) => Kind::Decimal(column.type_scale()),
        (Type::FIXED_LEN_BYTE_ARRAY, ConvertedType::INTERVAL) => Kind::Interval,
        (Type::BYTE_ARRAY, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => {
            Kind::Text
        }
        (Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY, _) => Kind::Binary,
        (Type::INT64, ConvertedType::TIMESTAMP_MILLIS) => Kind::Timestamp(1),
        (Type::INT64, ConvertedType::TIMESTAMP_MICROS) => Kind::Timestamp(1_000),
        (Type::INT64, ConvertedType::UINT_64) => Kind::UnsignedLong,
        (Type::INT32, ConvertedType::DATE) => Kind::Days,
        (Type::INT32, ConvertedType::UINT_32 | ConvertedType::UINT_16 | ConvertedType::UINT_8) => {
            Kind::UnsignedInt
        }
        (Type::INT32 | Type::INT64, _) => Kind::Long,
        (Type::BOOLEAN, _) => Kind::Bool,
        (Type::INT96, _) => Kind::Int96,
        (Type::FLOAT, _) => Kind::Float,
        (Type::DOUBLE, _) => Kind::Double,
    }
}
