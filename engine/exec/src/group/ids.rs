//! From a block's values to a dimension's ids.

use henge_expr::ExprValue;
use henge_segment::{BLOCK_ROWS, IdBlock, NULL_ID, NumericBlock};

use super::dimension::{DimensionIds, Mapped};
use super::values::{KeyType, LocalValues, round};
use crate::column::{ExpressionReader, Loaded, double_key};
use crate::error::{ExecError, Result};
use crate::filter::Selection;

pub(super) fn not_loaded() -> ExecError {
    ExecError::Internal("a dimension's column was not loaded".to_owned())
}

/// Ids of any width as 32-bit ids.
pub(super) fn widen<'b>(
    block: IdBlock<'b>,
    selection: Selection<'_>,
    scratch: &'b mut Vec<u32>,
) -> DimensionIds<'b> {
    fn copy<T: Copy + Into<u32>>(ids: &[T], selection: Selection<'_>, scratch: &mut Vec<u32>) {
        scratch.resize(BLOCK_ROWS, NULL_ID);
        match selection {
            Selection::Range { start, end } => {
                for (wide, &id) in scratch[start..end].iter_mut().zip(&ids[start..end]) {
                    *wide = id.into();
                }
            }
            Selection::Rows(rows) => {
                for &row in rows {
                    scratch[row as usize] = ids[row as usize].into();
                }
            }
        }
    }
    match block {
        IdBlock::Constant(id) => return DimensionIds::Constant(id),
        IdBlock::U32(ids) => return DimensionIds::Rows(ids),
        IdBlock::U8(ids) => copy(ids, selection, scratch),
        IdBlock::U16(ids) => copy(ids, selection, scratch),
    }
    DimensionIds::Rows(scratch)
}

pub(super) fn map_ids<'b>(
    loaded: Loaded<'_>,
    selection: Selection<'_>,
    map: &mut Mapped<'_>,
    multi: bool,
    ids: &'b mut Vec<u32>,
    offsets: &'b mut Vec<u32>,
) -> Result<DimensionIds<'b>> {
    match loaded {
        Loaded::Ids(IdBlock::Constant(id)) => Ok(DimensionIds::Constant(map.id(id)?)),
        Loaded::Ids(block) => {
            ids.resize(BLOCK_ROWS, NULL_ID);
            selection.try_for_each(|row| {
                ids[row] = map.id(block.get(row))?;
                Ok::<_, ExecError>(())
            })?;
            Ok(DimensionIds::Rows(ids))
        }
        Loaded::Multi(lists) if multi => {
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

pub(super) fn direct_longs<'b>(
    block: &NumericBlock<'_, i64>,
    selection: Selection<'_>,
    min: i64,
    id_count: u32,
    ids: &'b mut Vec<u32>,
) -> Result<DimensionIds<'b>> {
    let (span, mut outside) = (u64::from(id_count) - 1, false);
    ids.resize(BLOCK_ROWS, NULL_ID);
    selection.for_each(|row| {
        ids[row] = if block.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            NULL_ID
        } else {
            let offset = block.values.get(row).wrapping_sub(min) as u64;
            outside |= offset >= span;
            offset as u32 + 1
        };
    });
    if outside {
        let reason = "a value lies outside its block's statistics".to_owned();
        return Err(henge_segment::SegmentError::Corrupt(reason).into());
    }
    Ok(DimensionIds::Rows(ids))
}

pub(super) fn number_ids<'b>(
    loaded: Loaded<'_>,
    selection: Selection<'_>,
    values: &mut LocalValues,
    output: KeyType,
    ids: &'b mut Vec<u32>,
) -> Result<DimensionIds<'b>> {
    ids.resize(BLOCK_ROWS, NULL_ID);
    match (loaded, values) {
        (Loaded::Long(block), LocalValues::Long(table)) => {
            fill(&block, selection, ids, |value| table.id_of(value as u64));
        }
        (Loaded::Long(block), LocalValues::Double(table)) => {
            fill(&block, selection, ids, |value| {
                table.id_of(double_key(round(value as f64, output)))
            });
        }
        (Loaded::Float(block), LocalValues::Double(table)) => {
            fill(&block, selection, ids, |value| table.id_of(double_key(f64::from(value))));
        }
        (Loaded::Double(block), LocalValues::Double(table)) => {
            fill(&block, selection, ids, |value| table.id_of(double_key(round(value, output))));
        }
        (Loaded::Float(block), LocalValues::Long(table)) => {
            fill(&block, selection, ids, |value| table.id_of(value as i64 as u64));
        }
        (Loaded::Double(block), LocalValues::Long(table)) => {
            fill(&block, selection, ids, |value| table.id_of(value as i64 as u64));
        }
        _ => return Err(not_loaded()),
    }
    Ok(DimensionIds::Rows(ids))
}

/// Gives ids to a block's values; repeats of the last value are not looked up again.
#[inline]
fn fill<T: Copy + PartialEq>(
    block: &NumericBlock<'_, T>,
    selection: Selection<'_>,
    ids: &mut [u32],
    mut id_of: impl FnMut(T) -> u32,
) {
    let mut last: Option<(T, u32)> = None;
    selection.for_each(|row| {
        ids[row] = if block.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            NULL_ID
        } else {
            let value = block.values.get(row);
            match last {
                Some((seen, id)) if seen == value => id,
                _ => {
                    let id = id_of(value) + 1;
                    last = Some((value, id));
                    id
                }
            }
        };
    });
}

pub(super) fn computed_ids<'b>(
    reader: &mut ExpressionReader<'_>,
    block: usize,
    selection: Selection<'_>,
    values: &mut LocalValues,
    output: KeyType,
    ids: &'b mut Vec<u32>,
    offsets: &'b mut Vec<u32>,
) -> Result<DimensionIds<'b>> {
    let mut builder = ListBuilder::new(ids, offsets);
    let mut lists = false;
    reader.for_each(block, selection, &mut |row, value| {
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
    ids.resize(ids.len().max(BLOCK_ROWS), NULL_ID);
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
