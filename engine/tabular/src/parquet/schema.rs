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
//! | other bytes, BSON                          | Base64 of them, or text with binaryAsString |
//! | UUID                                       | its usual text                              |
//! | list of these, repeated field              | several values                              |
//! | struct, map, list of lists, INTERVAL, VARIANT, GEOMETRY | refused by name                |

use henge_types::ColumnType;
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
    Unsupported,
}

/// A field of the file that is taken.
#[derive(Debug, Clone)]
pub struct ParquetField {
    /// Its name.
    pub name: String,
    pub(super) leaf: usize,
    pub(super) kind: Kind,
    /// Definition level of a value that is there.
    pub(super) max_definition: i16,
    /// Definition level from which on a list has an element, which may be null.
    pub(super) item_definition: i16,
    pub(super) is_list: bool,
    /// What it is, for messages, when it cannot be taken.
    pub(super) refused: Option<String>,
}

impl ParquetField {
    /// The type a column for it would have.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        match self.kind {
            _ if self.is_list => ColumnType::String,
            Kind::Bool | Kind::Long | Kind::UnsignedInt | Kind::UnsignedLong => ColumnType::Long,
            Kind::Timestamp(_) | Kind::Days | Kind::Int96 => ColumnType::Long,
            Kind::Float16 | Kind::Float | Kind::Double | Kind::Decimal(_) => ColumnType::Double,
            Kind::Text | Kind::Binary | Kind::Uuid | Kind::Unsupported => ColumnType::String,
        }
    }

    /// True for points in time: they are milliseconds whatever the timestampSpec says.
    #[must_use]
    pub fn is_time(&self) -> bool {
        matches!(self.kind, Kind::Timestamp(_) | Kind::Days | Kind::Int96) && !self.is_list
    }

    /// What it is when it cannot become a column.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }
}

/// The fields of a file, one a field of the root.
pub(super) fn fields(schema: &SchemaDescriptor) -> Vec<ParquetField> {
    let root = schema.root_schema().get_fields();
    let mut fields: Vec<ParquetField> = Vec::with_capacity(root.len());
    let mut last_root = None;
    for leaf in 0..schema.num_columns() {
        let position = schema.get_column_root_idx(leaf);
        if last_root == Some(position) {
            // Only structs and maps have more than one leaf.
            if let Some(field) = fields.last_mut() {
                field.refused = Some("a struct or a map".to_owned());
            }
            continue;
        }
        last_root = Some(position);
        let column = schema.column(leaf);
        fields.push(field(schema.get_column_root(leaf).name(), leaf, &column));
    }
    fields
}

fn field(name: &str, leaf: usize, column: &ColumnDescriptor) -> ParquetField {
    let kind = kind(column);
    let is_optional = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
    let depth = column.path().parts().len();
    let refused = match (depth, column.max_rep_level()) {
        _ if kind == Kind::Unsupported => Some(type_name(column)),
        (1, 0 | 1) => None,
        // list (LIST) > repeated group > element, or the older list > repeated element.
        (2 | 3, 1) if column.self_type().get_basic_info().has_repetition() => {
            is_struct_list(column)
        }
        (_, 0) => Some("a struct".to_owned()),
        _ => Some("a list of lists or of structs".to_owned()),
    };
    ParquetField {
        name: name.to_owned(),
        leaf,
        kind,
        max_definition: column.max_def_level(),
        item_definition: column.max_def_level() - i16::from(is_optional),
        is_list: column.max_rep_level() == 1,
        refused,
    }
}

/// A struct within a list has a field of any name; the element of a list is alone and optional or
/// required, never repeated unless it is the list's own repetition.
fn is_struct_list(column: &ColumnDescriptor) -> Option<String> {
    let repetition = column.self_type().get_basic_info().repetition();
    let depth = column.path().parts().len();
    let known = ["element", "array", "item", "list", "array_element", "bag"];
    let last = column.path().parts().last().map_or("", String::as_str);
    let is_element = depth == 2 && repetition == Repetition::REPEATED
        || depth == 3 && repetition != Repetition::REPEATED && known.contains(&last);
    (!is_element).then(|| "a list of structs".to_owned())
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
        (
            _,
            Some(LogicalType::Variant(_) | LogicalType::Geometry(_) | LogicalType::Geography(_)),
        ) => Kind::Unsupported,
        (physical_type, _) => converted(physical_type, column),
    }
}

/// By the older annotations.
fn converted(physical_type: Type, column: &ColumnDescriptor) -> Kind {
    match (physical_type, column.converted_type()) {
        (_, ConvertedType::DECIMAL) => Kind::Decimal(column.type_scale()),
        (Type::FIXED_LEN_BYTE_ARRAY, ConvertedType::INTERVAL) => Kind::Unsupported,
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

fn type_name(column: &ColumnDescriptor) -> String {
    match column.logical_type_ref() {
        Some(logical) => format!("of the type {logical:?}"),
        None => format!("of the type {}", column.converted_type()),
    }
}
