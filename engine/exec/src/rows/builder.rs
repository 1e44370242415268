//! Columns of scanned rows, filled from blocks of a segment.

use std::sync::Arc;

use henge_expr::ExprValue;
use henge_scan::{Columns, ExecError, ExpressionReader, Pairs, Result, Selection, Source, Window};
use henge_segment::{
    ComplexColumn, MultiScratch, NULL_ID, NumericBlock, NumericColumn, StringColumn,
};
use henge_types::narrow::to_float;
use henge_types::{ColumnType, ValueType};
use henge_vector::{
    ARRAY_TYPE, Bytes, Column, Int64Array, ListsBuilder, NullBuffer, TextValues, Timed, read_array,
    value_bytes,
};
use rustc_hash::FxHashMap;

use crate::partial_rows::RowColumn;

/// One column under construction.
pub(crate) struct ColumnBuilder<'a> {
    name: Arc<str>,
    column_type: Option<ColumnType>,
    reader: Reader<'a>,
}

/// Where values come from, and those that came.
enum Reader<'a> {
    /// So many rows of a column that the segment lacks.
    Missing(usize),
    Long(&'a dyn NumericColumn<i64>, Vec<i64>, Numbers<i64>),
    Float(&'a dyn NumericColumn<f32>, Vec<f32>, Numbers<f32>),
    Double(&'a dyn NumericColumn<f64>, Vec<f64>, Numbers<f64>),
    Text(LocalText<'a>, Vec<u32>, Vec<u32>),
    Lists(LocalText<'a>, MultiScratch, ListsBuilder),
    Complex(&'a dyn ComplexColumn, Vec<Option<Vec<u8>>>, usize),
    /// Lists that count as one value.
    Arrays(&'a dyn ComplexColumn, Computed),
    Pairs(Pairs<'a>, Vec<Option<i64>>, Computed),
    Expression(ExpressionReader<'a>, Computed),
}

impl<'a> ColumnBuilder<'a> {
    /// A column of the view or of the query's virtual columns.
    pub(crate) fn new(name: &str, columns: &Columns<'a>) -> Result<Self> {
        let (reader, column_type) = match columns.resolve(name)? {
            Source::Missing => (Reader::Missing(0), None),
            Source::Long(column) => {
                (Reader::Long(column, vec![], Numbers::default()), Some(ColumnType::Long))
            }
            Source::Float(column) => {
                (Reader::Float(column, vec![], Numbers::default()), Some(ColumnType::Float))
            }
            Source::Double(column) => {
                (Reader::Double(column, vec![], Numbers::default()), Some(ColumnType::Double))
            }
            Source::String(column) => {
                let text = LocalText::new(column);
                let reader = match column.is_multi_value() {
                    true => Reader::Lists(text, MultiScratch::default(), ListsBuilder::default()),
                    false => Reader::Text(text, vec![], vec![]),
                };
                (reader, Some(ColumnType::String))
            }
            Source::Pairs(pairs) => {
                let column_type = ColumnType::Complex(pairs.column().type_name().to_owned());
                let values = Computed::new(Some(pairs.value_type()));
                (Reader::Pairs(pairs, vec![], values), Some(column_type))
            }
            Source::Complex(column) if column.type_name().starts_with(ARRAY_TYPE) => {
                (Reader::Arrays(column, Computed::new(None)), None)
            }
            Source::Complex(column) => {
                let column_type = ColumnType::Complex(column.type_name().to_owned());
                (Reader::Complex(column, vec![], 0), Some(column_type))
            }
            Source::Expression(source) => {
                let value_type = source.output_type();
                let values = Computed::new(value_type);
                let reader = Reader::Expression(ExpressionReader::new(source), values);
                (reader, value_type.map(ColumnType::from))
            }
        };
        Ok(Self { name: Arc::from(name), column_type, reader })
    }

    /// Appends the selected rows of a window.
    pub(crate) fn append(&mut self, window: Window, rows: Selection<'_>) -> Result<()> {
        match &mut self.reader {
            Reader::Missing(count) => *count += rows.len(),
            Reader::Long(column, scratch, values) => {
                values.append(&window.numbers(*column, scratch)?, rows);
            }
            Reader::Float(column, scratch, values) => {
                values.append(&window.numbers(*column, scratch)?, rows);
            }
            Reader::Double(column, scratch, values) => {
                values.append(&window.numbers(*column, scratch)?, rows);
            }
            Reader::Text(text, scratch, ids) => {
                let read = window.ids(text.column, scratch)?;
                rows.try_for_each(|row| {
                    ids.push(text.id_of(read.get(row))?);
                    Ok::<_, ExecError>(())
                })?;
            }
            Reader::Lists(text, scratch, lists) => {
                let read = window.lists(text.column, scratch)?;
                rows.try_for_each(|row| {
                    for &id in read.row(row) {
                        lists.push(text.id_of(id)?);
                    }
                    lists.end_row();
                    Ok::<_, ExecError>(())
                })?;
            }
            Reader::Complex(column, images, held_bytes) => {
                rows.try_for_each(|row| {
                    let image = column.get(window.absolute(row))?;
                    *held_bytes += image.as_deref().map_or(0, <[u8]>::len);
                    images.push(image.map(std::borrow::Cow::into_owned));
                    Ok::<_, ExecError>(())
                })?;
            }
            Reader::Arrays(column, values) => {
                rows.try_for_each(|row| {
                    let image = column.get(window.absolute(row))?;
                    values.push(&image.map_or(ExprValue::Null, |image| read_array(&image)));
                    Ok::<_, ExecError>(())
                })?;
            }
            Reader::Pairs(pairs, times, values) => {
                rows.try_for_each(|row| {
                    let pair = pairs.get(window.absolute(row))?;
                    let (time_ms, value) = pair.unzip();
                    times.push(time_ms);
                    values.push(&value.unwrap_or_default());
                    Ok::<_, ExecError>(())
                })?;
            }
            Reader::Expression(reader, values) => {
                reader.for_each(window, rows, &mut |_, value| {
                    values.push(value);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.reader {
            Reader::Missing(_) => 0,
            Reader::Long(_, _, values) => values.memory_bytes(),
            Reader::Float(_, _, values) => values.memory_bytes(),
            Reader::Double(_, _, values) => values.memory_bytes(),
            Reader::Text(text, _, ids) => size_of_val(ids.as_slice()) + text.memory_bytes(),
            Reader::Lists(text, _, lists) => lists.memory_bytes() + text.memory_bytes(),
            Reader::Complex(_, images, held_bytes) => size_of_val(images.as_slice()) + held_bytes,
            Reader::Pairs(_, times, values) => {
                size_of_val(times.as_slice()) + values.memory_bytes()
            }
            Reader::Arrays(_, values) | Reader::Expression(_, values) => values.memory_bytes(),
        }
    }

    /// The finished column, its rows in another order: row `i` is row `order[i]` of those appended.
    pub(crate) fn finish(self, order: Option<&[u32]>) -> RowColumn {
        let values = match self.reader {
            Reader::Missing(rows) => Column::Null(rows),
            Reader::Long(_, _, values) => values.finish(Column::longs),
            Reader::Float(_, _, values) => values.finish(Column::floats),
            Reader::Double(_, _, values) => values.finish(Column::doubles),
            Reader::Text(text, _, ids) => Column::Text(text.values.into_text(ids, false)),
            Reader::Lists(text, _, lists) => Column::Lists(lists.finish(text.values)),
            Reader::Complex(_, images, _) => Column::from(Bytes::of(images.into_iter())),
            Reader::Pairs(_, times, values) => {
                Column::Timed(Timed::new(Int64Array::from(times), values.finish()))
            }
            Reader::Arrays(_, values) | Reader::Expression(_, values) => values.finish(),
        };
        let values = match order {
            Some(order) => values.into_taken(order),
            None => values,
        };
        RowColumn { name: self.name, column_type: self.column_type, values }
    }
}

/// Numbers of rows, null where one was.
struct Numbers<T> {
    values: Vec<T>,
    /// `None` until a null comes.
    valid: Option<Vec<bool>>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { values: Vec::new(), valid: None }
    }
}

impl<T: Copy + Default> Numbers<T> {
    fn append(&mut self, block: &NumericBlock<'_, T>, rows: Selection<'_>) {
        let Self { values, valid } = self;
        if block.nulls.is_some() || valid.is_some() {
            let valid = valid.get_or_insert_with(|| vec![true; values.len()]);
            rows.for_each(|row| valid.push(!block.nulls.is_some_and(|nulls| nulls.is_null(row))));
        }
        rows.for_each(|row| values.push(block.values.get(row)));
    }

    fn push(&mut self, value: Option<T>) {
        let Self { values, valid } = self;
        if value.is_none() || valid.is_some() {
            valid.get_or_insert_with(|| vec![true; values.len()]).push(value.is_some());
        }
        values.push(value.unwrap_or_default());
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(self.values.as_slice()) + self.valid.as_ref().map_or(0, Vec::len)
    }

    fn finish(self, column: impl FnOnce(Vec<T>, Option<NullBuffer>) -> Column) -> Column {
        column(self.values, self.valid.map(NullBuffer::from))
    }
}

/// The texts of a segment's column that occur, numbered as they come.
struct LocalText<'a> {
    column: &'a dyn StringColumn,
    local: FxHashMap<u32, u32>,
    values: TextValues,
}

impl<'a> LocalText<'a> {
    fn new(column: &'a dyn StringColumn) -> Self {
        Self { column, local: FxHashMap::default(), values: TextValues::default() }
    }

    fn memory_bytes(&self) -> usize {
        /// Two ids and a byte of the table's own.
        const ENTRY_BYTES: usize = 9;
        self.values.memory_bytes() + self.local.capacity() * ENTRY_BYTES
    }

    /// The own id of one of the segment's.
    fn id_of(&mut self, id: u32) -> Result<u32> {
        if id == NULL_ID {
            return Ok(NULL_ID);
        }
        if let Some(local) = self.local.get(&id) {
            return Ok(*local);
        }
        let text = self.column.dictionary().get(id)?;
        let local = self.values.push(text.as_deref().unwrap_or_default());
        self.local.insert(id, local);
        Ok(local)
    }
}

/// Values of an expression.
enum Computed {
    Long(Numbers<i64>),
    Float(Numbers<f32>),
    Double(Numbers<f64>),
    /// Each of its own type, and the bytes of all.
    Mixed(Vec<ExprValue>, usize),
}

impl Computed {
    fn new(value_type: Option<ValueType>) -> Self {
        match value_type {
            Some(ValueType::Long) => Self::Long(Numbers::default()),
            Some(ValueType::Float) => Self::Float(Numbers::default()),
            Some(ValueType::Double) => Self::Double(Numbers::default()),
            Some(ValueType::String) | None => Self::Mixed(vec![], 0),
        }
    }

    fn push(&mut self, value: &ExprValue) {
        match self {
            Self::Long(values) => values.push(value.as_long()),
            Self::Float(values) => values.push(value.as_double().map(to_float)),
            Self::Double(values) => values.push(value.as_double()),
            Self::Mixed(values, bytes) => {
                *bytes += value_bytes(value);
                values.push(value.clone());
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Long(values) => values.memory_bytes(),
            Self::Float(values) => values.memory_bytes(),
            Self::Double(values) => values.memory_bytes(),
            Self::Mixed(_, bytes) => *bytes,
        }
    }

    fn finish(self) -> Column {
        match self {
            Self::Long(values) => values.finish(Column::longs),
            Self::Float(values) => values.finish(Column::floats),
            Self::Double(values) => values.finish(Column::doubles),
            Self::Mixed(values, _) => Column::Mixed(values),
        }
    }
}
