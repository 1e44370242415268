//! One column of one row group, a slice of rows at a time.

use henge_segment::StringTable;
use henge_types::ChangeReport;
use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, ByteArray, DataType, FixedLenByteArray, Int96};
use rustc_hash::FxHashMap;

use super::convert;
use super::guard::ListBudget;
use super::losses::Losses;
use super::schema::{Kind, ParquetField};
use crate::batch::{BatchColumn, Values};
use crate::error::{Result, TabularError};

/// How a column is to be read.
#[derive(Debug, Clone)]
pub(super) struct ReadColumn {
    pub(super) field: ParquetField,
    /// The column is stored as text: decimals keep their digits.
    pub(super) as_text: bool,
    pub(super) binary_as_text: bool,
}

/// A column of the row group that is being read.
pub(super) struct OpenColumn {
    reader: ColumnReader,
    has_dictionary: bool,
    budget: ListBudget,
    /// What reading took from the latest values, and the row of the first of them.
    losses: Option<(Losses, u64)>,
}

/// Values that are there, and the levels that say where.
struct Decoded<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl OpenColumn {
    pub(super) fn new(reader: ColumnReader, has_dictionary: bool, budget: ListBudget) -> Self {
        Self { reader, has_dictionary, budget, losses: None }
    }

    /// The next `rows` rows.
    pub(super) fn read(&mut self, column: &ReadColumn, rows: usize) -> Result<BatchColumn> {
        let has_dictionary = self.has_dictionary;
        self.budget.reset();
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                decode(reader, column, rows)?.assemble(column, rows, Values::Bool)
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let kind = column.field.kind;
                let decoded = decode(reader, column, rows)?;
                let unsigned = kind == Kind::UnsignedInt;
                let widen = |v: i32| if unsigned { i64::from(v as u32) } else { i64::from(v) };
                decoded.map(widen).assemble(column, rows, |values| convert::longs(values, column))
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let decoded = decode(reader, column, rows)?;
                let losses = match column.field.kind {
                    Kind::Timestamp(unit) if unit > 1 => Losses::of_times(&decoded.values, unit),
                    Kind::Decimal(scale) if !column.as_text => {
                        let values = decoded.values.iter().map(|value| value.to_be_bytes());
                        let nearest = |bytes: &[u8]| convert::decimal_bytes(bytes, scale);
                        Losses::of_decimals(values, scale, nearest)
                    }
                    _ => None,
                };
                self.losses = decoded.place(losses, column);
                decoded.assemble(column, rows, |values| convert::longs(values, column))
            }
            ColumnReader::Int96ColumnReader(reader) => {
                let decoded = decode(reader, column, rows)?;
                let parts = |time: &Int96| {
                    let [low, high, day] = *time.data() else { return (0, 0) };
                    let nanos = u64::from(high) << 32 | u64::from(low);
                    (i64::from(day as i32), nanos as i64)
                };
                let losses = Losses::of_julian_times(decoded.values.iter().map(parts));
                self.losses = decoded.place(losses, column);
                decoded.map(|time: Int96| time.to_millis()).assemble(column, rows, Values::Long)
            }
            ColumnReader::FloatColumnReader(reader) => {
                let decoded = decode(reader, column, rows)?;
                decoded.assemble(column, rows, |values| convert::floats(&values, column))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                decode(reader, column, rows)?.assemble(column, rows, Values::Double)
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let decoded = decode(reader, column, rows)?;
                let decoded = decoded.map(|value: ByteArray| value);
                self.losses = decimal_losses(&decoded, column);
                bytes(decoded, column, rows, has_dictionary)
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let decoded = decode(reader, column, rows)?;
                let decoded = decoded.map(|value: FixedLenByteArray| ByteArray::from(value));
                self.losses = decimal_losses(&decoded, column);
                bytes(decoded, column, rows, has_dictionary)
            }
        }
    }

    /// Adds what reading the latest values took from them.
    pub(super) fn report_losses(&mut self, name: &str, report: &mut ChangeReport) {
        if let Some((losses, row)) = self.losses.take() {
            losses.report(name, row, report);
        }
    }
}

/// What is lost of decimals that are to be doubles.
fn decimal_losses(decoded: &Decoded<ByteArray>, column: &ReadColumn) -> Option<(Losses, u64)> {
    let Kind::Decimal(scale) = column.field.kind else { return None };
    if column.as_text {
        return None;
    }
    let values = decoded.values.iter().filter(|value| !value.is_empty()).map(AsBytes::as_bytes);
    let losses = Losses::of_decimals(values, scale, |bytes| convert::decimal_bytes(bytes, scale));
    decoded.place(losses, column)
}

fn decode<D: DataType>(
    reader: &mut ColumnReaderImpl<D>,
    column: &ReadColumn,
    rows: usize,
) -> Result<Decoded<D::T>> {
    let mut decoded = Decoded {
        values: Vec::with_capacity(rows),
        definitions: Vec::new(),
        repetitions: Vec::new(),
    };
    let mut read = 0;
    while read < rows {
        let (records, _, levels) = reader.read_records(
            rows - read,
            Some(&mut decoded.definitions),
            Some(&mut decoded.repetitions),
            &mut decoded.values,
        )?;
        if records == 0 && levels == 0 {
            return Err(TabularError::Corrupt(format!(
                "column '{}' of the Parquet file ends after {read} of {rows} rows",
                column.field.name
            )));
        }
        read += records;
    }
    Ok(decoded)
}

impl<T> Decoded<T> {
    /// Losses with the row of the first value that lost something.
    fn place(&self, losses: Option<Losses>, column: &ReadColumn) -> Option<(Losses, u64)> {
        let losses = losses?;
        if self.definitions.is_empty() {
            let row = losses.first as u64;
            return Some((losses, row));
        }
        let is_there = |level: &i16| *level == column.field.max_definition;
        let there = self.definitions.iter().enumerate().filter(|(_, level)| is_there(level));
        let (level, _) = there.clone().nth(losses.first)?;
        // Of lists, a new row begins where nothing is repeated.
        let begins = self.repetitions.iter().take(level + 1).filter(|level| **level == 0).count();
        let row = if self.repetitions.is_empty() { level } else { begins.saturating_sub(1) };
        Some((losses, row as u64))
    }

    fn map<U>(self, convert: impl Fn(T) -> U) -> Decoded<U> {
        let Self { values, definitions, repetitions } = self;
        Decoded { values: values.into_iter().map(convert).collect(), definitions, repetitions }
    }
}

impl<T: Default + Clone> Decoded<T> {
    fn assemble(
        self,
        column: &ReadColumn,
        rows: usize,
        convert: impl FnOnce(Vec<T>) -> Values,
    ) -> Result<BatchColumn> {
        self.spread(column, rows, T::default(), |values| Ok(convert(values)))
    }

    /// Puts values where their rows are, with a filler in the rows without one.
    fn spread(
        self,
        column: &ReadColumn,
        rows: usize,
        filler: T,
        convert: impl FnOnce(Vec<T>) -> Result<Values>,
    ) -> Result<BatchColumn> {
        let field = &column.field;
        let Self { values, definitions, repetitions } = self;
        let wrong = || {
            let name = &field.name;
            TabularError::Corrupt(format!("column '{name}' of the Parquet file has wrong levels"))
        };
        if field.is_list {
            let offsets =
                list_offsets(field, rows, &definitions, &repetitions).ok_or_else(wrong)?;
            let present: Vec<i16> =
                definitions.into_iter().filter(|level| *level >= field.item_definition).collect();
            let (values, nulls) =
                fill(values, &present, field.max_definition, filler).ok_or_else(wrong)?;
            if offsets.last().map(|end| *end as usize) != Some(values.len()) {
                return Err(wrong());
            }
            let items = Box::new(BatchColumn { values: convert(values)?, nulls });
            return Ok(BatchColumn { values: Values::List { offsets, items }, nulls: None });
        }
        let (values, nulls) = match field.max_definition {
            0 => (values, None),
            max => fill(values, &definitions, max, filler).ok_or_else(wrong)?,
        };
        if values.len() != rows {
            return Err(wrong());
        }
        if nulls.as_deref().is_some_and(|words| count(words) == rows) {
            return Ok(BatchColumn::null());
        }
        Ok(BatchColumn { values: convert(values)?, nulls })
    }
}

fn count(words: &[u64]) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

/// Values and null mask by definition levels.
fn fill<T: Clone>(
    values: Vec<T>,
    definitions: &[i16],
    max: i16,
    filler: T,
) -> Option<(Vec<T>, Option<Vec<u64>>)> {
    if values.len() == definitions.len() {
        return Some((values, None));
    }
    let mut nulls = vec![0_u64; definitions.len().div_ceil(64)];
    let mut filled = Vec::with_capacity(definitions.len());
    let mut values = values.into_iter();
    for (row, level) in definitions.iter().enumerate() {
        if *level == max {
            filled.push(values.next()?);
        } else {
            nulls[row / 64] |= 1 << (row % 64);
            filled.push(filler.clone());
        }
    }
    values.next().is_none().then_some((filled, Some(nulls)))
}

/// Where the elements of each row begin. Below the level of elements the list is empty or null.
fn list_offsets(
    field: &ParquetField,
    rows: usize,
    definitions: &[i16],
    repetitions: &[i16],
) -> Option<Vec<u32>> {
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut items = 0;
    for (definition, repetition) in definitions.iter().zip(repetitions) {
        if *repetition == 0 {
            offsets.push(items);
        }
        items += u32::from(*definition >= field.item_definition);
    }
    offsets.push(items);
    (offsets.len() == rows + 1 && definitions.len() == repetitions.len()).then_some(offsets)
}

/// Columns of bytes. Values of a dictionary are slices of one buffer: the same place is the same
/// value, so that each is looked at once a batch.
fn bytes(
    decoded: Decoded<ByteArray>,
    column: &ReadColumn,
    rows: usize,
    has_dictionary: bool,
) -> Result<BatchColumn> {
    let kind = column.field.kind;
    match kind {
        Kind::Decimal(scale) if !column.as_text => {
            let decoded = decoded.map(|value| convert::decimal_bytes(value.as_bytes(), scale));
            return decoded.assemble(column, rows, Values::Double);
        }
        Kind::Float16 => {
            let decoded = decoded.map(|value| convert::half(value.as_bytes()));
            return decoded.assemble(column, rows, Values::Double);
        }
        _ => {}
    }
    let mut texts = StringTable::new();
    let mut known: FxHashMap<(usize, usize), u32> = FxHashMap::default();
    let mut ids = Vec::with_capacity(decoded.values.len());
    for value in &decoded.values {
        // Only a value that was never set has no data; the library gives none such.
        let data: &[u8] = if value.is_empty() { &[] } else { value.data() };
        let place = (data.as_ptr() as usize, data.len());
        if has_dictionary && let Some(id) = known.get(&place) {
            ids.push(*id);
            continue;
        }
        let id = texts.len() as u32;
        convert::push_text(&mut texts, data, column)?;
        if has_dictionary {
            known.insert(place, id);
        }
        ids.push(id);
    }
    let Decoded { definitions, repetitions, .. } = decoded;
    let ids = Decoded { values: ids, definitions, repetitions };
    ids.assemble(column, rows, |ids| Values::Text { texts, ids, repeats: has_dictionary })
}

/// Whether the library can read this column at all.
pub(super) fn is_readable(physical_type: Type, type_length: i32) -> bool {
    physical_type != Type::FIXED_LEN_BYTE_ARRAY || (1..=1 << 16).contains(&type_length)
}
