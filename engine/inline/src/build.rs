//! Values of columns that come in parts, each of a kind of its own.

use std::sync::Arc;

use henge_exec::{ExecError, Result};
use henge_expr::ExprValue;
use henge_query::InlineType;
use henge_types::narrow::to_float;
use henge_types::{ColumnType, ValueType};
use henge_vector::{Column, write_array};

use crate::values::{Lists, Numbers, Objects, Texts, Values, Words};

/// What values are held as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Long,
    Float,
    Double,
    Text,
    Lists,
    Array(ValueType),
    Objects(String),
}

impl Kind {
    /// What values of a type are held as; texts when rows may have several.
    pub(crate) fn of_type(column_type: &InlineType) -> Self {
        match column_type {
            InlineType::Array(element) => Self::Array(*element),
            InlineType::Stored(ColumnType::Long) => Self::Long,
            InlineType::Stored(ColumnType::Float) => Self::Float,
            InlineType::Stored(ColumnType::Double) => Self::Double,
            InlineType::Stored(ColumnType::String) => Self::Text,
            InlineType::Stored(ColumnType::Complex(name)) => Self::Objects(name.clone()),
        }
    }

    /// The kind of a single value.
    pub(crate) fn of_value(value: &ExprValue) -> Option<Self> {
        Some(match value {
            ExprValue::Null => return None,
            ExprValue::Long(_) => Self::Long,
            ExprValue::Double(_) => Self::Double,
            ExprValue::String(_) => Self::Text,
            ExprValue::Array(items) => {
                let elements = items.iter().filter_map(Self::of_value);
                match elements.reduce(Self::or).unwrap_or(Self::Text) {
                    Self::Long => Self::Array(ValueType::Long),
                    Self::Float | Self::Double => Self::Array(ValueType::Double),
                    _ => Self::Lists,
                }
            }
        })
    }

    /// What values of two kinds are held as together.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::Long | Self::Float | Self::Double, Self::Long | Self::Float | Self::Double) => {
                Self::Double
            }
            (Self::Array(_), Self::Array(_)) => Self::Array(ValueType::Double),
            (kind @ Self::Objects(_), _) | (_, kind @ Self::Objects(_)) => kind,
            (Self::Lists | Self::Array(_), _) | (_, Self::Lists | Self::Array(_)) => Self::Lists,
            (Self::Text, _) | (_, Self::Text) => Self::Text,
        }
    }

    /// The kind of a part; `None` when all its values are null. `type_name` names objects.
    fn of_part(part: &Column, type_name: Option<&str>) -> Result<Option<Self>> {
        Ok(Some(match part {
            Column::Null(_) => return Ok(None),
            Column::Long(_) => Self::Long,
            Column::Float(_) | Column::WideFloat(_) => Self::Float,
            Column::Double(_) => Self::Double,
            Column::Text(_) | Column::NodeIds(_) => Self::Text,
            Column::Lists(_) => Self::Lists,
            Column::Timed(timed) => return Self::of_part(timed.values(), type_name),
            Column::Mixed(values) => {
                return Ok(values.iter().filter_map(Self::of_value).reduce(Self::or));
            }
            Column::Objects(_) => Self::Objects(type_name.unwrap_or("object").to_owned()),
            Column::Wide(_) => {
                return Err(ExecError::Invalid(
                    "a sum of whole numbers is beyond 64 bits: use doubleSum".to_owned(),
                ));
            }
            Column::SegmentIds(_) => {
                return Err(ExecError::Internal("ids of a segment left it".to_owned()));
            }
        }))
    }
}

/// The values of a column from its parts, `rows` in all. `type_name` names objects; without values the
/// column is text.
pub(crate) fn values_of(parts: &[Column], type_name: Option<&str>) -> Result<Values> {
    let mut kind: Option<Kind> = None;
    for part in parts {
        if let Some(found) = Kind::of_part(part, type_name)? {
            kind = Some(kind.take().map_or(found.clone(), |kind| kind.or(found)));
        }
    }
    let kind = kind.unwrap_or(Kind::Text);
    let rows = || parts.iter().flat_map(|part| (0..part.len()).map(move |row| (part, row)));
    Ok(match kind {
        Kind::Long => Values::Long(Numbers::of(rows().map(|(part, row)| part.long(row)))),
        Kind::Float => {
            Values::Float(Numbers::of(rows().map(|(part, row)| part.double(row).map(to_float))))
        }
        Kind::Double => Values::Double(Numbers::of(rows().map(|(part, row)| part.double(row)))),
        Kind::Text => {
            let mut words = Words::default();
            let id = |(part, row): (&Column, usize)| {
                part.text(row).map_or(0, |text| words.intern(&text))
            };
            let ids = rows().map(id).collect();
            Values::Text(Texts { ids, words: Arc::new(words) })
        }
        Kind::Lists | Kind::Array(_) => {
            of_values(kind, rows().map(|(part, row)| part.expr_value(row)))
        }
        Kind::Objects(type_name) => {
            let image = |(part, row): (&Column, usize)| match part {
                Column::Objects(objects) => objects.image(row).map(|image| image.as_ref().into()),
                _ => None,
            };
            Values::Objects(Objects { type_name, values: rows().map(image).collect() })
        }
    })
}

/// The values of a column one by one.
pub(crate) fn of_values(kind: Kind, values: impl Iterator<Item = ExprValue>) -> Values {
    match kind {
        Kind::Long => Values::Long(Numbers::of(values.map(|value| value.as_long()))),
        Kind::Float => {
            Values::Float(Numbers::of(values.map(|value| value.as_double().map(to_float))))
        }
        Kind::Double => Values::Double(Numbers::of(values.map(|value| value.as_double()))),
        Kind::Text => {
            let mut words = Words::default();
            let id = |value: ExprValue| value.as_text().map_or(0, |text| words.intern(&text));
            let ids = values.map(id).collect();
            Values::Text(Texts { ids, words: Arc::new(words) })
        }
        Kind::Lists => lists_of(values),
        Kind::Array(element) => {
            let image = |value: ExprValue| match value {
                ExprValue::Null => None,
                value => Some(write_array(&array_of(&value, element)).into()),
            };
            let type_name = InlineType::Array(element).to_string();
            Values::Objects(Objects { type_name, values: values.map(image).collect() })
        }
        Kind::Objects(type_name) => {
            Values::Objects(Objects { type_name, values: values.map(|_| None).collect() })
        }
    }
}

/// A value as a list of elements of a type.
fn array_of(value: &ExprValue, element: ValueType) -> ExprValue {
    let cast = |item: &ExprValue| match element {
        ValueType::Long => item.as_long().into(),
        ValueType::Float | ValueType::Double => item.as_double().into(),
        ValueType::String => item.as_text().as_deref().into(),
    };
    match value {
        ExprValue::Array(items) => items.iter().map(cast).collect::<Vec<_>>().into(),
        single => vec![cast(single)].into(),
    }
}

fn lists_of(values: impl Iterator<Item = ExprValue>) -> Values {
    let (mut offsets, mut ids, mut words) = (vec![0], Vec::new(), Words::default());
    for value in values {
        let mut push = |item: &ExprValue| {
            ids.push(item.as_text().map_or(0, |text| words.intern(&text)));
        };
        match &value {
            ExprValue::Null => {}
            ExprValue::Array(items) => items.iter().for_each(push),
            single => push(single),
        }
        offsets.push(henge_types::narrow::narrow(ids.len()));
    }
    Values::Lists(Lists { offsets, ids, words: Arc::new(words) })
}
