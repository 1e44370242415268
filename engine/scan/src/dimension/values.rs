//! A dimension's values when they do not come straight from a dictionary: ids are given as values
//! arrive, and turned back into keys at the end.

use std::borrow::Cow;

use henge_expr::ExprValue;
use henge_expr::number::format_double;
use henge_query::comparison::widen_shortest;
use henge_types::ValueType;
use henge_types::number::{equality_bits, of_equality_bits};
use henge_vector::{Column, Distinct};

use super::key_text::Wanted;
use crate::column::StringInterner;
use crate::id_table::IdTable;

/// Ids from 1 for values (0 is null) of one type.
#[derive(Debug)]
pub(crate) enum LocalValues {
    Text(StringInterner),
    Long(IdTable),
    Double(IdTable),
}

impl LocalValues {
    pub(crate) fn new(key_type: ValueType) -> Self {
        match key_type {
            ValueType::String => Self::Text(StringInterner::default()),
            ValueType::Long => Self::Long(IdTable::default()),
            ValueType::Double | ValueType::Float => Self::Double(IdTable::default()),
        }
    }

    pub(crate) fn id_count(&self) -> usize {
        match self {
            Self::Text(values) => values.id_count(),
            Self::Long(values) | Self::Double(values) => values.len() + 1,
        }
    }

    /// Makes room for so many numbers.
    pub(crate) fn reserve(&mut self, count: usize) {
        match self {
            Self::Text(_) => {}
            Self::Long(values) | Self::Double(values) => values.reserve(count),
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Text(values) => values.memory_bytes(),
            Self::Long(values) | Self::Double(values) => values.memory_bytes(),
        }
    }

    /// The id of a computed value, converted to the dimension's type.
    pub(crate) fn id_of(&mut self, value: &ExprValue, key_type: ValueType) -> u32 {
        match self {
            Self::Text(values) => values.id_of_nullable(value.as_text().as_deref()),
            Self::Long(values) => value.as_long().map_or(0, |v| values.id_of(v as u64) + 1),
            Self::Double(values) => {
                let value = value.as_double().map(|v| round(v, key_type));
                value.map_or(0, |v| values.id_of(equality_bits(v)) + 1)
            }
        }
    }

    /// Calls `visit` with the value of each wanted id, null's excluded.
    pub(crate) fn for_each(&self, ids: Option<&[u32]>, visit: &mut dyn FnMut(u32, Scalar<'_>)) {
        let mut wanted = Wanted::new(ids);
        for id in (1..self.id_count() as u32).filter(|&id| wanted.has(id)) {
            let index = id as usize - 1;
            visit(
                id,
                match self {
                    Self::Text(values) => Scalar::Text(values.value(id).unwrap_or_default()),
                    Self::Long(values) => Scalar::Long(values.keys()[index] as i64),
                    Self::Double(values) => Scalar::Double(of_equality_bits(values.keys()[index])),
                },
            );
        }
    }

    /// The keys of groups whose ids are these. Numbers become text when that is the output type.
    pub(crate) fn into_keys(self, ids: Vec<u32>, output: ValueType, source_float: bool) -> Column {
        let distinct = match (self, output) {
            (Self::Text(values), _) => return Column::Text(values.into_text(ids)),
            (Self::Long(values), ValueType::String) => {
                let text = texts(values.keys(), |key| (key as i64).to_string());
                return Column::Text(text.into_text(ids));
            }
            (Self::Double(values), ValueType::String) => {
                let text =
                    texts(values.keys(), |key| double_text(of_equality_bits(key), source_float));
                return Column::Text(text.into_text(ids));
            }
            (Self::Long(values), ValueType::Long | ValueType::Double | ValueType::Float) => {
                Distinct::Long(values.keys().iter().map(|key| *key as i64).collect())
            }
            (Self::Double(values), ValueType::Float) => Distinct::WideFloat(doubles(&values)),
            (Self::Double(values), ValueType::Long | ValueType::Double) => {
                Distinct::Double(doubles(&values))
            }
        };
        distinct.rows(ids)
    }
}

fn doubles(values: &IdTable) -> Vec<f64> {
    values.keys().iter().map(|key| of_equality_bits(*key)).collect()
}

/// A value that is not null.
#[derive(Debug, Clone, Copy)]
pub enum Scalar<'v> {
    /// A STRING.
    Text(&'v str),
    /// A LONG.
    Long(i64),
    /// A DOUBLE or a FLOAT.
    Double(f64),
}

impl<'v> Scalar<'v> {
    /// The value as text; `of_float` says that doubles are those of a FLOAT column.
    #[must_use]
    pub fn text(self, of_float: bool) -> Cow<'v, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Long(value) => Cow::Owned(value.to_string()),
            Self::Double(value) => Cow::Owned(double_text(value, of_float)),
        }
    }
}

/// A double as the dimension's type holds it.
#[inline]
pub(crate) fn round(value: f64, key_type: ValueType) -> f64 {
    if key_type == ValueType::Float { f64::from(value as f32) } else { value }
}

/// Texts of distinct numbers are distinct, so ids carry over.
fn texts(keys: &[u64], text: impl Fn(u64) -> String) -> StringInterner {
    let mut values = StringInterner::default();
    for &key in keys {
        values.id_of(&text(key));
    }
    values
}

fn double_text(value: f64, source_float: bool) -> String {
    format_double(if source_float { widen_shortest(value as f32) } else { value })
}
