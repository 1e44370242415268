//! A stored column as a part of what an expression's result depends on: its rows as small ids, of
//! which each stands for inputs that give the same result.

use henge_expr::{ExprValue, TimePieces};
use henge_segment::{NULL_ID, NumericBlock, NumericColumn, NumericValues, StringColumn};

use super::pieces::PieceIds;
use super::{Window, widen_ids};
use crate::error::Result;
use crate::id_table::IdTable;
use crate::key_space::{PartIds, PartSize};
use crate::selection::Selection;

/// Numbers and pieces of time are expected to be about so many.
const EXPECTED_IDS: usize = 1 << 10;
/// Numbers are seldom worth numbering when they are more.
const MAX_NUMBERS: usize = 1 << 16;
/// The same for pieces of time.
const MAX_PIECES: usize = 1 << 20;

/// A part.
pub(super) struct Part<'a> {
    kind: Kind<'a>,
    /// The id of all rows of the window, when it is the same.
    constant: Option<u32>,
    ids: Vec<u32>,
}

enum Kind<'a> {
    Text(&'a dyn StringColumn, Vec<u32>),
    /// Instants of which only the piece matters.
    Pieces(&'a dyn NumericColumn<i64>, Vec<i64>, PieceIds),
    Long(&'a dyn NumericColumn<i64>, Vec<i64>, IdTable),
    Float(&'a dyn NumericColumn<f32>, Vec<f32>, IdTable),
    Double(&'a dyn NumericColumn<f64>, Vec<f64>, IdTable),
}

impl std::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("id_count", &self.id_count()).finish_non_exhaustive()
    }
}

impl<'a> Part<'a> {
    pub(super) fn text(column: &'a dyn StringColumn) -> Self {
        Self::new(Kind::Text(column, Vec::new()))
    }

    pub(super) fn long(column: &'a dyn NumericColumn<i64>, pieces: Option<TimePieces>) -> Self {
        Self::new(match pieces {
            Some(pieces) => Kind::Pieces(column, Vec::new(), PieceIds::new(pieces)),
            None => Kind::Long(column, Vec::new(), IdTable::default()),
        })
    }

    pub(super) fn float(column: &'a dyn NumericColumn<f32>) -> Self {
        Self::new(Kind::Float(column, Vec::new(), IdTable::default()))
    }

    pub(super) fn double(column: &'a dyn NumericColumn<f64>) -> Self {
        Self::new(Kind::Double(column, Vec::new(), IdTable::default()))
    }

    fn new(kind: Kind<'a>) -> Self {
        Self { kind, constant: None, ids: Vec::new() }
    }

    pub(super) fn size(&self) -> PartSize {
        match &self.kind {
            Kind::Text(column, _) => PartSize::Fixed(column.dictionary().len()),
            _ => PartSize::Growing(EXPECTED_IDS),
        }
    }

    /// Ids are below this.
    pub(super) fn id_count(&self) -> usize {
        match &self.kind {
            Kind::Text(column, _) => column.dictionary().len() as usize,
            Kind::Pieces(_, _, pieces) => pieces.id_count(),
            Kind::Long(_, _, table) | Kind::Float(_, _, table) | Kind::Double(_, _, table) => {
                table.len() + 1
            }
        }
    }

    /// True when there are so many ids that rows had better be evaluated one by one.
    pub(super) fn is_full(&self) -> bool {
        match &self.kind {
            Kind::Text(..) => false,
            Kind::Pieces(..) => self.id_count() > MAX_PIECES,
            _ => self.id_count() > MAX_NUMBERS,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match &self.kind {
            Kind::Text(..) => 0,
            Kind::Pieces(_, _, pieces) => pieces.memory_bytes(),
            Kind::Long(_, _, table) | Kind::Float(_, _, table) | Kind::Double(_, _, table) => {
                table.memory_bytes()
            }
        }
    }

    /// Finds the ids of a window's selected rows.
    pub(super) fn load(&mut self, window: Window, selection: Selection<'_>) -> Result<()> {
        let Self { kind, constant, ids } = self;
        ids.resize(ids.len().max(window.capacity()), NULL_ID);
        *constant = match kind {
            Kind::Text(column, scratch) => widen_ids(window.ids(*column, scratch)?, selection, ids),
            Kind::Pieces(column, scratch, pieces) => {
                let of_block = column.stats(window.block())?.filter(|stats| stats.null_count == 0);
                match of_block.and_then(|stats| pieces.id_of_range(stats.min, stats.max)) {
                    Some(id) => Some(id),
                    None => {
                        write_pieces(&window.numbers(*column, scratch)?, selection, pieces, ids)
                    }
                }
            }
            Kind::Long(column, scratch, table) => {
                let block = window.numbers(*column, scratch)?;
                write_numbers(&block, selection, ids, |value| table.id_of(value as u64))
            }
            // Numbers that are equal but differ in their bits may have different texts.
            Kind::Float(column, scratch, table) => {
                let block = window.numbers(*column, scratch)?;
                write_numbers(&block, selection, ids, |value| {
                    table.id_of(u64::from(value.to_bits()))
                })
            }
            Kind::Double(column, scratch, table) => {
                let block = window.numbers(*column, scratch)?;
                write_numbers(&block, selection, ids, |value| table.id_of(value.to_bits()))
            }
        };
        Ok(())
    }

    /// What [`Part::load`] found.
    pub(super) fn ids(&self) -> PartIds<'_> {
        self.constant.map_or(PartIds::Rows(&self.ids), PartIds::Constant)
    }

    /// An input that the id of a row stands for.
    pub(super) fn input(&self, row: usize) -> Result<ExprValue> {
        let id = self.constant.unwrap_or(self.ids[row]);
        let key = |table: &IdTable| {
            (id as usize).checked_sub(1).and_then(|index| table.keys().get(index).copied())
        };
        Ok(match &self.kind {
            Kind::Text(column, _) => match id {
                NULL_ID => ExprValue::Null,
                id => column.dictionary().get(id)?.as_deref().into(),
            },
            Kind::Pieces(_, _, pieces) => pieces.example(id).into(),
            Kind::Long(_, _, table) => key(table).map(|key| key as i64).into(),
            Kind::Float(_, _, table) => {
                key(table).map(|key| f64::from(f32::from_bits(key as u32))).into()
            }
            Kind::Double(_, _, table) => key(table).map(f64::from_bits).into(),
        })
    }
}

/// Writes the ids of instants' pieces, or finds that they all have the same.
fn write_pieces(
    block: &NumericBlock<'_, i64>,
    selection: Selection<'_>,
    pieces: &mut PieceIds,
    ids: &mut [u32],
) -> Option<u32> {
    match (block.values, block.nulls, selection) {
        (NumericValues::Constant(value), None, _) => return Some(pieces.id_of(value)),
        (NumericValues::Slice(values), None, Selection::Range { start, end }) => {
            return pieces.write_ids(&values[start..end], &mut ids[start..end]);
        }
        (values, nulls, selection) => selection.for_each(|row| {
            let null = nulls.is_some_and(|nulls| nulls.is_null(row));
            ids[row] = if null { NULL_ID } else { pieces.id_of(values.get(row)) };
        }),
    }
    None
}

/// Writes the ids of numbers, or finds that they all have the same.
#[inline]
fn write_numbers<T: Copy>(
    block: &NumericBlock<'_, T>,
    selection: Selection<'_>,
    ids: &mut [u32],
    mut id_of: impl FnMut(T) -> u32,
) -> Option<u32> {
    if let (NumericValues::Constant(value), None) = (block.values, block.nulls) {
        return Some(id_of(value) + 1);
    }
    selection.for_each(|row| {
        let null = block.nulls.is_some_and(|nulls| nulls.is_null(row));
        ids[row] = if null { NULL_ID } else { id_of(block.values.get(row)) + 1 };
    });
    None
}
