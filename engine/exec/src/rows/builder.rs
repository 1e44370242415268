//! Columns of scanned rows, filled from blocks of a segment.

use std::sync::Arc;

use henge_expr::ExprValue;
use henge_segment::{
    BLOCK_ROWS, ComplexColumn, MultiScratch, NULL_ID, NumericBlock, NumericColumn, StringColumn,
};
use henge_types::ColumnType;
use rustc_hash::FxHashMap;

use crate::column::{Columns, ExpressionReader, Source, Window};
use crate::error::Result;
use crate::filter::Selection;
use crate::partial::StringKeys;
use crate::partial_rows::{RowColumn, RowValues, complex_bytes, expr_bytes};

/// One column under construction.
pub(crate) struct ColumnBuilder<'a> {
    name: Arc<str>,
    column_type: Option<ColumnType>,
    values: RowValues,
    reader: Reader<'a>,
    /// Bytes of values that have their own memory each: too many to add up again and again.
    heap_bytes: usize,
}

enum Reader<'a> {
    Missing,
    Long(&'a dyn NumericColumn<i64>, Vec<i64>),
    Float(&'a dyn NumericColumn<f32>, Vec<f32>),
    Double(&'a dyn NumericColumn<f64>, Vec<f64>),
    Ids(&'a dyn StringColumn, LocalIds, Vec<u32>),
    Multi(&'a dyn StringColumn, LocalIds, MultiScratch),
    Complex(&'a dyn ComplexColumn),
    Expression(ExpressionReader<'a>),
}

/// The batch's own ids for the segment's ids that occur.
type LocalIds = FxHashMap<u32, u32>;

impl<'a> ColumnBuilder<'a> {
    /// A column of the view or of the query's virtual columns.
    pub(crate) fn new(name: &str, columns: &Columns<'a>) -> Result<Self> {
        let no_keys =
            || StringKeys { ids: vec![], ends: vec![], bytes: String::new(), sorted: false };
        let (reader, column_type, values) = match columns.resolve(name)? {
            Source::Missing => (Reader::Missing, None, RowValues::Null),
            Source::Long(column) => {
                (Reader::Long(column, vec![]), Some(ColumnType::Long), no_longs())
            }
            Source::Float(column) => {
                (Reader::Float(column, vec![]), Some(ColumnType::Float), no_floats())
            }
            Source::Double(column) => {
                (Reader::Double(column, vec![]), Some(ColumnType::Double), no_doubles())
            }
            Source::String(column) if column.is_multi_value() => (
                Reader::Multi(column, LocalIds::default(), MultiScratch::default()),
                Some(ColumnType::String),
                RowValues::Multi { offsets: vec![0], keys: no_keys() },
            ),
            Source::String(column) => (
                Reader::Ids(column, LocalIds::default(), vec![]),
                Some(ColumnType::String),
                RowValues::String(no_keys()),
            ),
            Source::Complex(column) => (
                Reader::Complex(column),
                Some(ColumnType::Complex(column.type_name().to_owned())),
                RowValues::Complex(vec![]),
            ),
            Source::Expression(source) => {
                let column_type = source.output_type().cloned();
                let values = match column_type {
                    Some(ColumnType::Long) => no_longs(),
                    Some(ColumnType::Float) => no_floats(),
                    Some(ColumnType::Double) => no_doubles(),
                    _ => RowValues::Mixed(vec![]),
                };
                (Reader::Expression(ExpressionReader::new(source)), column_type, values)
            }
        };
        Ok(Self { name: Arc::from(name), column_type, values, reader, heap_bytes: 0 })
    }

    /// Appends the selected rows of a block.
    pub(crate) fn append(&mut self, block: usize, rows: Selection<'_>) -> Result<()> {
        let heap_bytes = &mut self.heap_bytes;
        match (&mut self.reader, &mut self.values) {
            (Reader::Long(column, scratch), RowValues::Long { values, valid }) => {
                append_numbers(&column.block(block, scratch)?, rows, values, valid);
            }
            (Reader::Float(column, scratch), RowValues::Float { values, valid }) => {
                append_numbers(&column.block(block, scratch)?, rows, values, valid);
            }
            (Reader::Double(column, scratch), RowValues::Double { values, valid }) => {
                append_numbers(&column.block(block, scratch)?, rows, values, valid);
            }
            (Reader::Ids(column, local, scratch), RowValues::String(keys)) => {
                let ids = column.id_block(block, scratch)?;
                rows.try_for_each(|row| push_id(*column, local, keys, ids.get(row)))?;
            }
            (Reader::Multi(column, local, scratch), RowValues::Multi { offsets, keys }) => {
                let lists = column.multi_block(block, scratch)?;
                rows.try_for_each(|row| {
                    lists.row(row).iter().try_for_each(|&id| push_id(*column, local, keys, id))?;
                    offsets.push(keys.ids.len());
                    Ok::<_, crate::error::ExecError>(())
                })?;
            }
            (Reader::Complex(column), RowValues::Complex(values)) => {
                rows.try_for_each(|row| {
                    let bytes = column.get(block * BLOCK_ROWS + row)?;
                    *heap_bytes += complex_bytes(bytes.as_deref());
                    values.push(bytes.map(std::borrow::Cow::into_owned));
                    Ok::<_, crate::error::ExecError>(())
                })?;
            }
            (Reader::Expression(reader), values) => {
                reader.for_each(Window::whole(block), rows, &mut |_, value| {
                    *heap_bytes += expr_bytes(value);
                    push_value(values, value);
                    Ok(())
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.values {
            RowValues::Complex(_) | RowValues::Mixed(_) => self.heap_bytes,
            values => values.memory_bytes(),
        }
    }

    /// The finished column, its rows in another order: row `i` is row `order[i]` of those appended.
    pub(crate) fn finish(mut self, order: Option<&[u32]>) -> RowColumn {
        if let Some(order) = order {
            self.values = reordered(&self.values, order);
        }
        RowColumn { name: self.name, column_type: self.column_type, values: self.values }
    }
}

fn no_longs() -> RowValues {
    RowValues::Long { values: vec![], valid: None }
}

fn no_floats() -> RowValues {
    RowValues::Float { values: vec![], valid: None }
}

fn no_doubles() -> RowValues {
    RowValues::Double { values: vec![], valid: None }
}

fn append_numbers<T: Copy>(
    block: &NumericBlock<'_, T>,
    rows: Selection<'_>,
    values: &mut Vec<T>,
    valid: &mut Option<Vec<bool>>,
) {
    match (block.nulls, &mut *valid) {
        (None, None) => {}
        (nulls, valid) => {
            let valid = valid.get_or_insert_with(|| vec![true; values.len()]);
            rows.for_each(|row| valid.push(!nulls.is_some_and(|nulls| nulls.is_null(row))));
        }
    }
    rows.for_each(|row| values.push(block.values.get(row)));
}

fn push_id(
    column: &dyn StringColumn,
    local: &mut LocalIds,
    keys: &mut StringKeys,
    id: u32,
) -> Result<()> {
    if id == NULL_ID {
        keys.ids.push(NULL_ID);
        return Ok(());
    }
    let local_id = match local.get(&id) {
        Some(local_id) => *local_id,
        None => {
            if let Some(text) = column.dictionary().get(id)? {
                keys.bytes.push_str(&text);
            }
            keys.ends.push(keys.bytes.len());
            let local_id = keys.ends.len() as u32;
            local.insert(id, local_id);
            local_id
        }
    };
    keys.ids.push(local_id);
    Ok(())
}

fn push_value(to: &mut RowValues, value: &ExprValue) {
    match to {
        RowValues::Long { values, valid } => push_number(values, valid, value.as_long()),
        RowValues::Double { values, valid } => push_number(values, valid, value.as_double()),
        RowValues::Float { values, valid } => {
            push_number(values, valid, value.as_double().map(|value| value as f32));
        }
        RowValues::Mixed(values) => values.push(value.clone()),
        _ => {}
    }
}

fn push_number<T: Default>(values: &mut Vec<T>, valid: &mut Option<Vec<bool>>, value: Option<T>) {
    if value.is_none() || valid.is_some() {
        valid.get_or_insert_with(|| vec![true; values.len()]).push(value.is_some());
    }
    values.push(value.unwrap_or_default());
}

fn reordered(values: &RowValues, order: &[u32]) -> RowValues {
    fn pick<T: Clone>(values: &[T], order: &[u32]) -> Vec<T> {
        order.iter().map(|&row| values[row as usize].clone()).collect()
    }
    fn pick_valid(valid: &Option<Vec<bool>>, order: &[u32]) -> Option<Vec<bool>> {
        valid.as_ref().map(|valid| pick(valid, order))
    }
    match values {
        RowValues::Null => RowValues::Null,
        RowValues::Long { values, valid } => {
            RowValues::Long { values: pick(values, order), valid: pick_valid(valid, order) }
        }
        RowValues::Float { values, valid } => {
            RowValues::Float { values: pick(values, order), valid: pick_valid(valid, order) }
        }
        RowValues::Double { values, valid } => {
            RowValues::Double { values: pick(values, order), valid: pick_valid(valid, order) }
        }
        RowValues::String(keys) => {
            RowValues::String(StringKeys { ids: pick(&keys.ids, order), ..keys.clone() })
        }
        RowValues::Multi { offsets, keys } => {
            let mut new_offsets = vec![0];
            let mut ids = Vec::with_capacity(keys.ids.len());
            for &row in order {
                let row = row as usize;
                ids.extend_from_slice(&keys.ids[offsets[row]..offsets[row + 1]]);
                new_offsets.push(ids.len());
            }
            RowValues::Multi { offsets: new_offsets, keys: StringKeys { ids, ..keys.clone() } }
        }
        RowValues::Complex(values) => RowValues::Complex(pick(values, order)),
        RowValues::Mixed(values) => RowValues::Mixed(pick(values, order)),
    }
}
