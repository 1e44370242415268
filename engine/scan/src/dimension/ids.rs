//! From a window's values to a dimension's ids.

use henge_expr::ExprValue;
use henge_segment::{
    IdBlock, NULL_ID, NumericBlock, NumericColumn, NumericValues, PackedBlock, PackedInts,
};
use henge_types::ValueType;
use henge_types::number::equality_bits;

use super::DimensionIds;
use super::mapped::Mapped;
use super::values::{LocalValues, round};
use crate::column::{ExpressionReader, Loaded, Window, widen_ids};
use crate::error::{ExecError, Result};
use crate::id_table::IdTable;
use crate::key_space::PartIds;
use crate::selection::Selection;

pub(super) fn not_loaded() -> ExecError {
    ExecError::Internal("a dimension's column was not loaded".to_owned())
}

/// Ids of any width as 32-bit ids.
pub(super) fn widen<'b>(
    block: IdBlock<'b>,
    selection: Selection<'_>,
    capacity: usize,
    scratch: &'b mut Vec<u32>,
) -> DimensionIds<'b> {
    // The widest need no copy.
    if let IdBlock::U32(ids) = block {
        return DimensionIds::Rows(ids);
    }
    scratch.resize(capacity, NULL_ID);
    match widen_ids(block, selection, scratch) {
        Some(id) => DimensionIds::Constant(id),
        None => DimensionIds::Rows(scratch),
    }
}

pub(super) fn map_ids<'b>(
    loaded: Loaded<'_>,
    window: Window,
    selection: Selection<'_>,
    map: &mut Mapped<'_>,
    multi: bool,
    ids: &'b mut Vec<u32>,
    offsets: &'b mut Vec<u32>,
) -> Result<DimensionIds<'b>> {
    match loaded {
        Loaded::Ids(block) => {
            ids.resize(window.capacity(), NULL_ID);
            let constant = map.map_block(block, selection, ids)?;
            Ok(constant.map_or(DimensionIds::Rows(ids), DimensionIds::Constant))
        }
        Loaded::Multi(lists) if multi => {
            map.start_window();
            let mut builder = ListBuilder::new(ids, offsets);
            selection.try_for_each(|row| {
                builder.start(row);
                for &id in lists.row(row) {
                    builder.push(map.id(id)?);
                }
                if lists.row(row).is_empty() {
                    builder.push(map.id(NULL_ID)?);
                }
                Ok::<_, ExecError>(())
            })?;
            Ok(builder.finish())
        }
        _ => Err(not_loaded()),
    }
}

/// Builds lists of ids row by row, ascending; rows that are skipped have no ids.
struct ListBuilder<'b> {
    ids: &'b mut Vec<u32>,
    offsets: &'b mut Vec<u32>,
}

impl<'b> ListBuilder<'b> {
    fn new(ids: &'b mut Vec<u32>, offsets: &'b mut Vec<u32>) -> Self {
        ids.clear();
        offsets.clear();
        Self { ids, offsets }
    }

    fn start(&mut self, row: usize) {
        self.offsets.resize(row + 1, self.ids.len() as u32);
    }

    fn push(&mut self, id: u32) {
        self.ids.push(id);
    }

    fn finish(self) -> DimensionIds<'b> {
        self.offsets.push(self.ids.len() as u32);
        DimensionIds::Lists { offsets: self.offsets, ids: self.ids }
    }
}

/// The ids of integers: their distances from the smallest, plus one.
pub(super) fn direct_longs(
    block: &NumericBlock<'_, i64>,
    selection: Selection<'_>,
    min: i64,
    id_count: u32,
    ids: &mut [u32],
) -> Result<()> {
    let (span, mut outside) = (u64::from(id_count) - 1, false);
    let mut id_of = |value: i64| {
        let offset = value.wrapping_sub(min) as u64;
        outside |= offset >= span;
        offset as u32 + 1
    };
    match (block.values, block.nulls, selection) {
        (NumericValues::Slice(values), None, Selection::Range { start, end }) => {
            for (id, &value) in ids[start..end].iter_mut().zip(&values[start..end]) {
                *id = id_of(value);
            }
        }
        (values, nulls, selection) => selection.for_each(|row| {
            let null = nulls.is_some_and(|nulls| nulls.is_null(row));
            ids[row] = if null { NULL_ID } else { id_of(values.get(row)) };
        }),
    }
    if outside {
        return Err(outside_statistics());
    }
    Ok(())
}

/// A block of packed integers whose residuals become ids without decoding.
pub(super) struct FramedIds<'a> {
    ints: PackedInts<'a>,
    first: u32,
    unit: u32,
}

impl<'a> FramedIds<'a> {
    /// `None` when the block is not packed, has nulls, or its integers do not fit 32 bits.
    pub(super) fn of(
        column: &'a dyn NumericColumn<i64>,
        block: usize,
        min: i64,
    ) -> Result<Option<Self>> {
        let Some(PackedBlock { ints, nulls: None, .. }) = column.packed(block)? else {
            return Ok(None);
        };
        let most = u32::MAX.checked_shr(32 - ints.width()).unwrap_or(0);
        let first = i128::from(ints.base()) - i128::from(min) + 1;
        let last = first + i128::from(ints.unit()) * i128::from(most);
        let fits = first > 0 && last <= i128::from(u32::MAX);
        Ok(fits.then(|| Self { ints, first: first as u32, unit: ints.unit() as u32 }))
    }

    /// Writes the ids of the rows from `start` on.
    pub(super) fn read(&self, start: usize, id_count: u32, ids: &mut [u32]) -> Result<()> {
        let (mut group, mut largest) = ([0; 1024], 0);
        for (index, ids) in ids.chunks_mut(1024).enumerate() {
            let residuals = self.ints.unpack_group(start / 1024 + index, &mut group);
            for (id, residual) in ids.iter_mut().zip(residuals) {
                *id = self.first + self.unit.wrapping_mul(*residual);
                largest = largest.max(*id);
            }
        }
        if largest >= id_count {
            return Err(outside_statistics());
        }
        Ok(())
    }
}

pub(super) fn outside_statistics() -> ExecError {
    let reason = "a value lies outside its block's statistics".to_owned();
    henge_segment::SegmentError::corrupt(reason).into()
}

/// The ids of numbers in a table.
pub(super) fn number_ids(
    loaded: Loaded<'_>,
    selection: Selection<'_>,
    values: &mut LocalValues,
    output: ValueType,
    ids: &mut [u32],
) -> Result<()> {
    match (loaded, values) {
        (Loaded::Long(block), LocalValues::Long(table)) => {
            fill(&block, selection, ids, table, |value| value as u64);
        }
        (Loaded::Long(block), LocalValues::Double(table)) => {
            fill(&block, selection, ids, table, |value| equality_bits(round(value as f64, output)));
        }
        (Loaded::Float(block), LocalValues::Double(table)) => {
            fill(&block, selection, ids, table, |value| equality_bits(f64::from(value)));
        }
        (Loaded::Double(block), LocalValues::Double(table)) => {
            fill(&block, selection, ids, table, |value| equality_bits(round(value, output)));
        }
        (Loaded::Float(block), LocalValues::Long(table)) => {
            fill(&block, selection, ids, table, |value| value as i64 as u64);
        }
        (Loaded::Double(block), LocalValues::Long(table)) => {
            fill(&block, selection, ids, table, |value| value as i64 as u64);
        }
        _ => return Err(not_loaded()),
    }
    Ok(())
}

/// Rows whose keys are looked up together.
const FILLED: usize = 256;

/// Gives ids to a block's values by their keys in a table.
#[inline]
fn fill<T: Copy>(
    block: &NumericBlock<'_, T>,
    selection: Selection<'_>,
    ids: &mut [u32],
    table: &mut IdTable,
    key_of: impl Fn(T) -> u64,
) {
    let (mut keys, mut found) = ([0; FILLED], [0; FILLED]);
    match (block.values, block.nulls, selection) {
        (NumericValues::Slice(values), None, Selection::Range { start, end }) => {
            let values = values[start..end].chunks(FILLED);
            for (ids, values) in ids[start..end].chunks_mut(FILLED).zip(values) {
                keys.iter_mut().zip(values).for_each(|(key, value)| *key = key_of(*value));
                table.ids_of(&keys[..values.len()], ids);
                ids.iter_mut().for_each(|id| *id += 1);
            }
        }
        (NumericValues::Slice(values), None, Selection::Rows(rows)) => {
            for rows in rows.chunks(FILLED) {
                let all = keys.iter_mut().zip(rows);
                all.for_each(|(key, row)| *key = key_of(values[usize::from(*row)]));
                table.ids_of(&keys[..rows.len()], &mut found);
                let all = rows.iter().zip(&found);
                all.for_each(|(row, id)| ids[usize::from(*row)] = id + 1);
            }
        }
        (values, nulls, selection) => selection.for_each(|row| {
            let null = nulls.is_some_and(|nulls| nulls.is_null(row));
            ids[row] = if null { NULL_ID } else { table.id_of(key_of(values.get(row))) + 1 };
        }),
    }
}

pub(super) fn computed_ids<'b>(
    reader: &'b mut ExpressionReader<'_>,
    window: Window,
    selection: Selection<'_>,
    values: &mut LocalValues,
    output: ValueType,
    ids: &'b mut Vec<u32>,
    offsets: &'b mut Vec<u32>,
) -> Result<DimensionIds<'b>> {
    if reader.number(window, selection, &mut |value| values.id_of(value, output))? {
        return Ok(match reader.numbers() {
            PartIds::Constant(id) => DimensionIds::Constant(id),
            PartIds::Rows(ids) => DimensionIds::Rows(ids),
        });
    }
    let mut builder = ListBuilder::new(ids, offsets);
    let mut lists = false;
    reader.for_each(window, selection, &mut |row, value| {
        builder.start(row);
        match value {
            ExprValue::Array(items) if !items.is_empty() => {
                lists = true;
                items.iter().for_each(|item| builder.push(values.id_of(item, output)));
            }
            ExprValue::Array(_) => builder.push(NULL_ID),
            value => builder.push(values.id_of(value, output)),
        }
        Ok(())
    })?;
    if lists {
        return Ok(builder.finish());
    }
    // One id a row: spread them from the back, so that the list becomes the row's slot.
    let ListBuilder { ids, .. } = builder;
    let mut next = ids.len();
    ids.resize(ids.len().max(window.capacity()), NULL_ID);
    let mut place = |row: usize| {
        next -= 1;
        ids[row] = ids[next];
    };
    match selection {
        Selection::Range { start, end } => (start..end).rev().for_each(&mut place),
        Selection::Rows(rows) => rows.iter().rev().for_each(|&row| place(row as usize)),
    }
    Ok(DimensionIds::Rows(ids))
}
