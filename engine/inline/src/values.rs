//! Values of a column in memory, by kind.

use std::sync::Arc;

use henge_expr::ExprValue;
use henge_query::InlineType;
use henge_types::ColumnType;
use henge_vector::{ARRAY_TYPE, read_array};
use rustc_hash::FxHashMap;

/// In place of a row's number: no row, so all its values are null.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// One value a row.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Long(Numbers<i64>),
    Float(Numbers<f32>),
    Double(Numbers<f64>),
    Text(Texts),
    Lists(Lists),
    Objects(Objects),
}

/// Numbers, and which rows are null: bit `row % 64` of word `row / 64`.
#[derive(Debug, Clone)]
pub(crate) struct Numbers<T> {
    pub(crate) values: Vec<T>,
    pub(crate) nulls: Option<Vec<u64>>,
}

/// Texts as ids of distinct words; 0 is null.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    pub(crate) ids: Vec<u32>,
    pub(crate) words: Arc<Words>,
}

/// Several texts a row: row `r` has the ids from `offsets[r]` to `offsets[r + 1]`.
#[derive(Debug, Clone)]
pub(crate) struct Lists {
    pub(crate) offsets: Vec<u32>,
    pub(crate) ids: Vec<u32>,
    pub(crate) words: Arc<Words>,
}

/// Serialised objects; lists that count as one value are JSON.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) type_name: String,
    pub(crate) values: Vec<Option<Arc<[u8]>>>,
}

/// Distinct texts with ids from 1.
#[derive(Debug, Default)]
pub(crate) struct Words {
    texts: Vec<Arc<str>>,
    ids: FxHashMap<Arc<str>, u32>,
    bytes: usize,
}

impl Words {
    /// The id of a text, a new one when it is not known.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let shared: Arc<str> = text.into();
        self.texts.push(Arc::clone(&shared));
        self.bytes += text.len() + 3 * size_of::<Arc<str>>();
        let id = u32::try_from(self.texts.len()).unwrap_or(NO_ROW);
        self.ids.insert(shared, id);
        id
    }

    /// The text of an id; `None` is null.
    pub(crate) fn get(&self, id: u32) -> Option<&str> {
        let at = (id as usize).checked_sub(1)?;
        self.texts.get(at).map(|text| &**text)
    }

    /// The id of a text that is known.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// Number of ids, null's included.
    pub(crate) fn len(&self) -> usize {
        self.texts.len() + 1
    }
}

impl<T: Copy + Default> Numbers<T> {
    pub(crate) fn of(values: impl Iterator<Item = Option<T>>) -> Self {
        let mut numbers = Self { values: Vec::new(), nulls: None };
        values.for_each(|value| numbers.push(value));
        numbers.pad();
        numbers
    }

    /// To be followed by [`Numbers::pad`] after the last one.
    pub(crate) fn push(&mut self, value: Option<T>) {
        let row = self.values.len();
        if value.is_none() {
            let nulls = self.nulls.get_or_insert_default();
            nulls.resize(nulls.len().max(row / 64 + 1), 0);
            nulls[row / 64] |= 1 << (row % 64);
        }
        self.values.push(value.unwrap_or_default());
    }

    /// Words of nulls for all rows.
    pub(crate) fn pad(&mut self) {
        let words = self.values.len().div_ceil(64);
        if let Some(nulls) = &mut self.nulls {
            nulls.resize(words, 0);
        }
    }

    pub(crate) fn get(&self, row: usize) -> Option<T> {
        let is_null = |nulls: &Vec<u64>| nulls[row / 64] >> (row % 64) & 1 == 1;
        (!self.nulls.as_ref().is_some_and(is_null)).then(|| self.values[row])
    }

    fn gather(&self, rows: &[u32]) -> Self {
        Self::of(rows.iter().map(|&row| if row == NO_ROW { None } else { self.get(row as usize) }))
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(self.values.as_slice()) + self.nulls.as_ref().map_or(0, |nulls| nulls.len() * 8)
    }
}

impl Lists {
    /// The ids of a row.
    pub(crate) fn row(&self, row: usize) -> &[u32] {
        &self.ids[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    fn gather(&self, rows: &[u32]) -> Self {
        let (mut offsets, mut ids) = (vec![0], Vec::new());
        for &row in rows {
            if row != NO_ROW {
                ids.extend_from_slice(self.row(row as usize));
            }
            offsets.push(u32::try_from(ids.len()).unwrap_or(NO_ROW));
        }
        Self { offsets, ids, words: Arc::clone(&self.words) }
    }
}

impl Values {
    /// Its type.
    pub(crate) fn column_type(&self) -> InlineType {
        InlineType::Stored(match self {
            Self::Long(_) => ColumnType::Long,
            Self::Float(_) => ColumnType::Float,
            Self::Double(_) => ColumnType::Double,
            Self::Text(_) | Self::Lists(_) => ColumnType::String,
            Self::Objects(objects) => {
                let inner = objects.type_name.strip_prefix(ARRAY_TYPE);
                match inner.and_then(|inner| inner.strip_suffix('>')?.parse().ok()) {
                    Some(element) => return InlineType::Array(element),
                    None => ColumnType::Complex(objects.type_name.clone()),
                }
            }
        })
    }

    /// Some rows, in that order; a row may come more than once, and [`NO_ROW`] is nulls.
    pub(crate) fn gather(&self, rows: &[u32]) -> Self {
        match self {
            Self::Long(numbers) => Self::Long(numbers.gather(rows)),
            Self::Float(numbers) => Self::Float(numbers.gather(rows)),
            Self::Double(numbers) => Self::Double(numbers.gather(rows)),
            Self::Text(texts) => {
                let id = |row: &u32| if *row == NO_ROW { 0 } else { texts.ids[*row as usize] };
                let ids = rows.iter().map(id).collect();
                Self::Text(Texts { ids, words: Arc::clone(&texts.words) })
            }
            Self::Lists(lists) => Self::Lists(lists.gather(rows)),
            Self::Objects(objects) => {
                let value = |row: &u32| objects.values.get(*row as usize).cloned().flatten();
                let values = rows.iter().map(value).collect();
                Self::Objects(Objects { type_name: objects.type_name.clone(), values })
            }
        }
    }

    /// A row's value as an expression sees it.
    pub(crate) fn expr_value(&self, row: usize) -> ExprValue {
        match self {
            Self::Long(numbers) => numbers.get(row).into(),
            Self::Float(numbers) => numbers.get(row).map(f64::from).into(),
            Self::Double(numbers) => numbers.get(row).into(),
            Self::Text(texts) => texts.words.get(texts.ids[row]).into(),
            Self::Lists(lists) => match lists.row(row) {
                [] => ExprValue::Null,
                [id] => lists.words.get(*id).into(),
                ids => {
                    let texts = ids.iter().map(|id| lists.words.get(*id).into());
                    texts.collect::<Vec<ExprValue>>().into()
                }
            },
            Self::Objects(objects) => match &objects.values[row] {
                Some(image) if objects.type_name.starts_with(ARRAY_TYPE) => read_array(image),
                _ => ExprValue::Null,
            },
        }
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Long(numbers) => numbers.memory_bytes(),
            Self::Float(numbers) => numbers.memory_bytes(),
            Self::Double(numbers) => numbers.memory_bytes(),
            Self::Text(texts) => texts.ids.len() * 4 + texts.words.bytes,
            Self::Lists(lists) => (lists.offsets.len() + lists.ids.len()) * 4 + lists.words.bytes,
            Self::Objects(objects) => {
                let held = |value: &Option<Arc<[u8]>>| 32 + value.as_ref().map_or(0, |v| v.len());
                objects.values.iter().map(held).sum()
            }
        }
    }
}
