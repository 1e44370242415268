//! What lies within fields that hold fields: which type a column for it has to have. The values themselves are read
//! of the field's JSON text, as those of JSON events are; this table says what its writer makes of each type.
//!
//! | within a field                        | in its JSON text  | a column for it |
//! |---------------------------------------|-------------------|-----------------|
//! | BOOLEAN                               | true, false       | LONG            |
//! | whole numbers, TIME                   | number            | LONG            |
//! | UINT64                                | number            | STRING          |
//! | FLOAT16, FLOAT, DOUBLE                | number            | DOUBLE          |
//! | DECIMAL of at most 15 digits          | number            | DOUBLE          |
//! | other DECIMAL, all else               | number, text      | STRING          |

use henge_ingest::DiscoveredType;
use henge_query::ingest::FlattenStep;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::schema::types::Type;

use super::ParquetTable;
use super::schema::{Kind, ParquetField};

/// A double holds decimals of so many digits.
const DIGITS_OF_A_DOUBLE: i32 = 15;

impl ParquetTable {
    /// What a column for the values has to hold that some steps lead to, from the row; `None` where they lead to
    /// nothing. For what is within fields: a whole field has [`ParquetTable::needs`].
    #[must_use]
    pub fn needs_within(&self, steps: &[FlattenStep]) -> Option<DiscoveredType> {
        let (first, rest) = steps.split_first()?;
        match first {
            FlattenStep::Field(name) => {
                let field = self.fields().iter().find(|field| field.name == *name)?;
                self.needs_within_field(field, rest)
            }
            FlattenStep::All => {
                let mut fields = self.fields().iter();
                // Several values are text, whatever they are.
                let is_any = fields.any(|field| self.needs_within_field(field, rest).is_some());
                is_any.then_some(DiscoveredType::String)
            }
            FlattenStep::Element(_) => None,
        }
    }

    fn needs_within_field(
        &self,
        field: &ParquetField,
        steps: &[FlattenStep],
    ) -> Option<DiscoveredType> {
        if field.is_nested() {
            let root = self.metadata.file_metadata().schema_descr().root_schema();
            let place = Place::of(root.get_fields().get(field.root)?);
            return place.needs(steps);
        }
        match steps {
            [] if !field.is_list => Some(needs_of_kind(field.kind)),
            [] | [FlattenStep::All] if field.is_list => Some(DiscoveredType::String),
            [FlattenStep::Element(_)] if field.is_list => Some(needs_of_kind(field.kind)),
            _ => None,
        }
    }
}

/// What a value of a flat field needs, when nobody looks at the values.
fn needs_of_kind(kind: Kind) -> DiscoveredType {
    match kind {
        Kind::Bool | Kind::UnsignedInt => DiscoveredType::Long,
        Kind::Long | Kind::Timestamp(_) | Kind::Days | Kind::Int96 => DiscoveredType::WideLong,
        Kind::Float16 | Kind::Float | Kind::Double => DiscoveredType::Double,
        Kind::UnsignedLong
        | Kind::Decimal(_)
        | Kind::Text
        | Kind::Binary
        | Kind::Uuid
        | Kind::Interval
        | Kind::Nested => DiscoveredType::String,
    }
}

/// A place of the schema, as the rows of it are written.
#[derive(Clone, Copy)]
enum Place<'a> {
    Value(&'a Type),
    /// With these fields.
    Struct(&'a Type),
    /// With elements of this type.
    List(&'a Type),
    /// With values of this type.
    Map(&'a Type),
}

impl<'a> Place<'a> {
    /// As the library makes rows: a repeated field is a list even where nothing says so.
    fn of(field: &'a Type) -> Self {
        match is_repeated(field) {
            true => Self::List(field),
            false => Self::once(field),
        }
    }

    fn once(field: &'a Type) -> Self {
        if !field.is_group() {
            return Self::Value(field);
        }
        let Some(repeated) = field.get_fields().first() else { return Self::Struct(field) };
        let inner = |at: usize| repeated.get_fields().get(at).map(AsRef::as_ref);
        // Only the older annotations count for the library.
        let found = match field.get_basic_info().converted_type() {
            ConvertedType::LIST if is_element(repeated) => Some(Self::List(repeated)),
            ConvertedType::LIST => inner(0).map(Self::List),
            ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE if repeated.is_group() => {
                inner(1).map(Self::Map)
            }
            _ => None,
        };
        found.unwrap_or(Self::Struct(field))
    }

    fn needs(self, steps: &[FlattenStep]) -> Option<DiscoveredType> {
        let Some((step, rest)) = steps.split_first() else { return Some(self.needs_whole()) };
        match (self, step) {
            (Self::Struct(group), FlattenStep::Field(name)) => {
                let field = group.get_fields().iter().find(|field| field.name() == name)?;
                Place::of(field).needs(rest)
            }
            (Self::Map(value), FlattenStep::Field(_)) => Place::of(value).needs(rest),
            (Self::List(element), FlattenStep::Element(_)) => Place::once(element).needs(rest),
            // Several values are text, whatever they are.
            (Self::List(element), FlattenStep::All) => {
                Place::once(element).needs(rest).map(|_| DiscoveredType::String)
            }
            (Self::Map(value), FlattenStep::All) => {
                Place::of(value).needs(rest).map(|_| DiscoveredType::String)
            }
            (Self::Struct(group), FlattenStep::All) => {
                let mut fields = group.get_fields().iter();
                let is_any = fields.any(|field| Place::of(field).needs(rest).is_some());
                is_any.then_some(DiscoveredType::String)
            }
            _ => None,
        }
    }

    fn needs_whole(self) -> DiscoveredType {
        match self {
            Self::Value(value) => needs_of_value(value),
            Self::Struct(_) | Self::List(_) | Self::Map(_) => DiscoveredType::String,
        }
    }
}

/// Older lists have no group around their elements.
fn is_element(repeated: &Type) -> bool {
    if !repeated.is_group() {
        return true;
    }
    match repeated.get_fields() {
        [only] if is_repeated(only) => false,
        [_] => repeated.name() == "array" || repeated.name().ends_with("_tuple"),
        _ => true,
    }
}

fn is_repeated(field: &Type) -> bool {
    let info = field.get_basic_info();
    info.has_repetition() && info.repetition() == Repetition::REPEATED
}

fn needs_of_value(value: &Type) -> DiscoveredType {
    let info = value.get_basic_info();
    match (value.get_physical_type(), info.logical_type_ref(), info.converted_type()) {
        (_, Some(LogicalType::Decimal(_)), _) | (_, _, ConvertedType::DECIMAL) => {
            match value.get_precision() <= DIGITS_OF_A_DOUBLE {
                true => DiscoveredType::Double,
                false => DiscoveredType::String,
            }
        }
        (_, _, ConvertedType::DATE | ConvertedType::TIMESTAMP_MILLIS)
        | (_, _, ConvertedType::TIMESTAMP_MICROS | ConvertedType::UINT_64) => {
            DiscoveredType::String
        }
        (_, Some(LogicalType::Date | LogicalType::Timestamp(_)), _) => DiscoveredType::String,
        (Physical::BOOLEAN, ..) => DiscoveredType::Long,
        (Physical::INT32 | Physical::INT64, ..) => DiscoveredType::WideLong,
        (Physical::FLOAT | Physical::DOUBLE, ..) => DiscoveredType::Double,
        (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16), _) => DiscoveredType::Double,
        (Physical::INT96 | Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, ..) => {
            DiscoveredType::String
        }
    }
}
