//! A growing column of a time chunk.

use std::fmt::Write;
use std::ops::Range;

use henge_expr::number::{double_to_long, is_kept_by_float, write_double};
use henge_index::{DimensionSchema, MultiValueHandling};
use henge_types::{ColumnType, ValueRef, ValueType};
use rustc_hash::FxHashMap;

use super::interner::Interner;
use crate::batch::{BatchColumn, Values};

/// The id of null; texts have ids from 1.
pub(super) const NULL: u32 = 0;

/// Numbers with their null mask, which exists once there is a null.
#[derive(Debug, Default)]
pub(super) struct Numbers<T> {
    pub(super) values: Vec<T>,
    nulls: Vec<u64>,
    has_nulls: bool,
}

/// Texts by id; `ends` once a row has several: row `r` then holds `ids[ends[r - 1]..ends[r]]`.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) interner: Interner,
    pub(super) ids: Vec<u32>,
    pub(super) ends: Option<Vec<u32>>,
    /// Ids of numbers stored as text, by their bits.
    numbers: FxHashMap<u64, u32>,
    scratch: String,
}

/// The values by the column's type.
#[derive(Debug)]
pub(super) enum Data {
    Long(Numbers<i64>),
    Float(Numbers<f32>),
    Double(Numbers<f64>),
    Text(Texts),
}

/// What became of the texts of a batch, by their position there.
#[derive(Debug, Default)]
pub(super) struct TextMemo(Vec<u32>);

impl<T: Copy + Default> Numbers<T> {
    fn push(&mut self, value: Option<T>) {
        if value.is_none() {
            self.set_null(self.values.len());
        }
        self.values.push(value.unwrap_or_default());
    }

    fn set_null(&mut self, row: usize) {
        if self.nulls.len() <= row / 64 {
            self.nulls.resize(row / 64 + 1, 0);
        }
        self.nulls[row / 64] |= 1 << (row % 64);
        self.has_nulls = true;
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.has_nulls && self.nulls.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub(super) fn has_nulls(&self) -> bool {
        self.has_nulls
    }

    fn extend<V: Copy>(
        &mut self,
        column: &BatchColumn,
        values: &[V],
        rows: Range<usize>,
        convert: impl Fn(V) -> T,
    ) {
        let start = self.values.len();
        self.values.extend(values[rows.clone()].iter().map(|value| convert(*value)));
        if column.nulls.is_some() {
            for (at, row) in rows.enumerate() {
                if column.is_null(row) {
                    self.set_null(start + at);
                }
            }
        }
    }

    fn extend_null(&mut self, rows: usize) {
        (0..rows).for_each(|_| self.push(None));
    }

    fn memory_bytes(&self) -> usize {
        self.values.len() * size_of::<T>() + self.nulls.len() * 8
    }
}

impl Texts {
    fn push(&mut self, id: u32) {
        if let Some(ends) = &mut self.ends {
            if id != NULL {
                self.ids.push(id);
            }
            ends.push(self.ids.len() as u32);
        } else {
            self.ids.push(id);
        }
    }

    fn push_text(&mut self, text: &str) {
        let id = self.interner.intern(text) + 1;
        self.push(id);
    }

    fn push_list(&mut self, parts: &[Option<&str>], handling: MultiValueHandling) {
        let mut parts = parts.to_vec();
        match handling {
            MultiValueHandling::Array => {}
            MultiValueHandling::SortedArray => parts.sort_unstable(),
            MultiValueHandling::SortedSet => {
                parts.sort_unstable();
                parts.dedup();
            }
        }
        match parts[..] {
            [] | [None] => return self.push(NULL),
            [Some(only)] => return self.push_text(only),
            _ => {}
        }
        if self.ends.is_none() {
            self.become_lists();
        }
        for part in parts {
            let id = part.map_or(NULL, |text| self.interner.intern(text) + 1);
            self.ids.push(id);
        }
        let end = self.ids.len() as u32;
        self.ends.get_or_insert_default().push(end);
    }

    /// From one value a row to lists: null becomes the empty list.
    fn become_lists(&mut self) {
        let mut ends = Vec::with_capacity(self.ids.len());
        let mut end = 0;
        for id in &self.ids {
            end += u32::from(*id != NULL);
            ends.push(end);
        }
        self.ids.retain(|id| *id != NULL);
        self.ends = Some(ends);
    }

    /// The id of a number's text, which is made once.
    fn number_id(&mut self, bits: u64, write: impl FnOnce(&mut String)) -> u32 {
        if let Some(id) = self.numbers.get(&bits) {
            return *id;
        }
        self.scratch.clear();
        write(&mut self.scratch);
        let id = self.interner.intern(&self.scratch) + 1;
        self.numbers.insert(bits, id);
        id
    }

    /// One id a row, null where the batch is null.
    fn extend(
        &mut self,
        column: &BatchColumn,
        rows: Range<usize>,
        mut id_of: impl FnMut(&mut Self, usize) -> u32,
    ) {
        for row in rows {
            let id = if column.is_null(row) { NULL } else { id_of(self, row) };
            self.push(id);
        }
    }

    fn memory_bytes(&self) -> usize {
        let ends = self.ends.as_ref().map_or(0, Vec::len);
        self.interner.memory_bytes() + 4 * (self.ids.len() + ends) + 24 * self.numbers.len()
    }
}

impl Data {
    pub(super) fn new(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::Long => Self::Long(Numbers::default()),
            ColumnType::Float => Self::Float(Numbers::default()),
            ColumnType::Double => Self::Double(Numbers::default()),
            ColumnType::String | ColumnType::Complex(_) => Self::Text(Texts::default()),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Long(numbers) => numbers.memory_bytes(),
            Self::Float(numbers) => numbers.memory_bytes(),
            Self::Double(numbers) => numbers.memory_bytes(),
            Self::Text(texts) => texts.memory_bytes(),
        }
    }

    pub(super) fn extend_null(&mut self, rows: usize) {
        match self {
            Self::Long(numbers) => numbers.extend_null(rows),
            Self::Float(numbers) => numbers.extend_null(rows),
            Self::Double(numbers) => numbers.extend_null(rows),
            Self::Text(texts) => (0..rows).for_each(|_| texts.push(NULL)),
        }
    }

    /// Appends a value of a row that was coerced to the column's type.
    pub(super) fn push(&mut self, value: &ValueRef<'_>, schema: &DimensionSchema) {
        match self {
            Self::Long(numbers) => numbers.push(match value {
                ValueRef::Long(value) => Some(*value),
                _ => None,
            }),
            Self::Float(numbers) => numbers.push(match value {
                ValueRef::Double(value) => Some(*value as f32),
                _ => None,
            }),
            Self::Double(numbers) => numbers.push(match value {
                ValueRef::Double(value) => Some(*value),
                _ => None,
            }),
            Self::Text(texts) => match value {
                ValueRef::String(text) => texts.push_text(text),
                ValueRef::Multi(parts) => texts.push_list(parts, schema.multi_value),
                _ => texts.push(NULL),
            },
        }
    }

    /// Appends rows of a batch that [`fits`] said can be taken as they are.
    pub(super) fn extend(&mut self, column: &BatchColumn, rows: Range<usize>, memo: &mut TextMemo) {
        match (self, &column.values) {
            (Self::Long(to), Values::Long(from)) => to.extend(column, from, rows, |v| v),
            (Self::Long(to), Values::Bool(from)) => to.extend(column, from, rows, i64::from),
            (Self::Long(to), Values::Double(from)) => {
                to.extend(column, from, rows, |v| double_to_long(v).unwrap_or_default());
            }
            (Self::Double(to), Values::Long(from)) => to.extend(column, from, rows, |v| v as f64),
            (Self::Double(to), Values::Bool(from)) => {
                to.extend(column, from, rows, |v| f64::from(u8::from(v)));
            }
            (Self::Double(to), Values::Double(from)) => to.extend(column, from, rows, canonical),
            (Self::Float(to), Values::Long(from)) => {
                to.extend(column, from, rows, |v| v as f64 as f32);
            }
            (Self::Float(to), Values::Bool(from)) => {
                to.extend(column, from, rows, |v| f32::from(u8::from(v)));
            }
            (Self::Float(to), Values::Double(from)) => {
                to.extend(column, from, rows, |v| canonical(v) as f32);
            }
            (Self::Text(to), Values::Long(from)) => to.extend(column, rows, |to, row| {
                let value = from[row];
                to.number_id(value as u64, |text| {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{value}");
                })
            }),
            (Self::Text(to), Values::Double(from)) => to.extend(column, rows, |to, row| {
                to.number_id(from[row].to_bits(), |text| write_double(text, from[row]))
            }),
            (Self::Text(to), Values::Bool(from)) => to.extend(column, rows, |to, row| {
                to.interner.intern(if from[row] { "true" } else { "false" }) + 1
            }),
            (Self::Text(to), Values::Text { texts, ids, repeats: true }) => {
                if memo.0.is_empty() {
                    memo.0.resize(texts.len(), NULL);
                }
                to.extend(column, rows, |to, row| {
                    let known = &mut memo.0[ids[row] as usize];
                    if *known == NULL {
                        *known = to.interner.intern(texts.get(ids[row] as usize)) + 1;
                    }
                    *known
                });
            }
            (Self::Text(to), Values::Text { texts, ids, repeats: false }) => {
                to.extend(column, rows, |to, row| {
                    to.interner.intern(texts.get(ids[row] as usize)) + 1
                });
            }
            (data, _) => data.extend_null(rows.len()),
        }
    }
}

/// Whether a column of a batch can be taken as it is: every value fits the type, so that no row
/// would be refused and no value nulled or stored as another.
pub(super) fn fits(column: &BatchColumn, column_type: &ColumnType, max_text_bytes: usize) -> bool {
    let present = |row: usize| !column.is_null(row);
    match (&column.values, column_type.value_type()) {
        (Values::Null, _) => true,
        // Objects are made of values one by one.
        (_, None) | (Values::List { .. }, _) => false,
        (Values::Long(values), Some(ValueType::Double)) => {
            all(values, present, |value: i64| value as f64 as i128 == i128::from(value))
        }
        (Values::Long(values), Some(ValueType::Float)) => {
            all(values, present, |value: i64| value as f64 as f32 as i128 == i128::from(value))
        }
        (Values::Long(_), Some(ValueType::Long | ValueType::String)) | (Values::Bool(_), _) => true,
        (Values::Double(_), Some(ValueType::Double | ValueType::String)) => true,
        (Values::Double(values), Some(ValueType::Float)) => all(values, present, |value: f64| {
            !value.is_finite() || ((value as f32).is_finite() && is_kept_by_float(value))
        }),
        (Values::Double(values), Some(ValueType::Long)) => all(values, present, |value: f64| {
            value.fract() == 0.0 && double_to_long(value).is_some()
        }),
        (Values::Text { texts, .. }, Some(ValueType::String)) => {
            texts.iter().all(|text| text.len() <= max_text_bytes)
        }
        (Values::Text { .. }, Some(ValueType::Long | ValueType::Float | ValueType::Double)) => {
            false
        }
    }
}

/// One zero and one NaN, so that equal values are one group.
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

fn all<T: Copy>(values: &[T], present: impl Fn(usize) -> bool, fits: impl Fn(T) -> bool) -> bool {
    values.iter().enumerate().all(|(row, value)| fits(*value) || !present(row))
}
