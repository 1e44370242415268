//! Loading one STRING column of all views under one sorted dictionary.

use std::io::Write;
use std::ops::Range;

use henge_types::ColumnSchema;
use rustc_hash::FxHashMap;

use crate::block::{MultiScratch, NULL_ID};
use crate::dictionary::table::StringTable;
use crate::error::{Result, SegmentError};
use crate::format::corrupt;
use crate::merge::order::RowOrder;
use crate::view::{ColumnView, Dictionary, NumericColumn, SegmentView, StringColumn};
use crate::writer::{ColumnData, SegmentWriter};
use henge_types::narrow::narrow;

/// Ids of all rows; `offsets` for multi-value columns, where row `r` holds
/// `ids[offsets[r]..offsets[r + 1]]`.
#[derive(Debug, Default)]
pub(super) struct StringRows {
    table: StringTable,
    pub(super) offsets: Option<Vec<u32>>,
    pub(super) ids: Vec<u32>,
}

/// Where the texts of a view's own ids come from.
enum Texts<'a> {
    Dictionary(&'a dyn Dictionary),
    Table(StringTable),
}

/// A view's part of the ids, still in its own numbering.
struct Part<'a> {
    ids: Range<usize>,
    texts: Texts<'a>,
}

impl StringRows {
    pub(super) fn load(views: &[&dyn SegmentView], column: &ColumnSchema) -> Result<Self> {
        let offsets = column.multi_value.then(|| vec![0]);
        let mut rows = Self { offsets, ..Self::default() };
        let mut parts = Vec::new();
        for view in views {
            let start = rows.ids.len();
            let texts = rows.append(*view, &column.name)?;
            parts.push(Part { ids: start..rows.ids.len(), texts });
        }
        rows.unite(&parts)?;
        Ok(rows)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        4 * (self.ids.len() + self.offsets.as_ref().map_or(0, Vec::len))
    }

    /// The values of a row of a multi-value column.
    pub(super) fn list(&self, row: usize) -> &[u32] {
        let offsets = self.offsets.as_deref().unwrap_or_default();
        match offsets.get(row..row + 2) {
            Some([start, end]) => &self.ids[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// The rows of the target: one of each group.
    pub(super) fn arrange(self, order: &RowOrder) -> Result<Self> {
        let Some(_) = self.offsets else {
            let ids = order.heads().map(|row| self.ids[row]).collect();
            return Ok(Self { table: self.table, offsets: None, ids });
        };
        let mut offsets = vec![0];
        let mut ids = Vec::new();
        for row in order.heads() {
            ids.extend_from_slice(self.list(row));
            offsets.push(offset(ids.len())?);
        }
        Ok(Self { table: self.table, offsets: Some(offsets), ids })
    }

    pub(super) fn write<W: Write>(
        &self,
        writer: &mut SegmentWriter<W>,
        name: &str,
        bitmaps: bool,
    ) -> Result<()> {
        let (dictionary, ids) = (&self.table, self.ids.as_slice());
        match &self.offsets {
            None => writer.write_column(name, ColumnData::String { dictionary, ids, bitmaps }),
            Some(offsets) => writer
                .write_column(name, ColumnData::MultiString { dictionary, offsets, ids, bitmaps }),
        }
    }

    /// Appends a view's rows with the view's own ids.
    fn append<'a>(&mut self, view: &'a dyn SegmentView, name: &str) -> Result<Texts<'a>> {
        match view.column(name)? {
            None => {
                for _ in 0..view.row_count() {
                    self.push(NULL_ID)?;
                }
                Ok(Texts::Table(StringTable::new()))
            }
            Some(ColumnView::String(column)) => {
                match (column.is_multi_value(), self.offsets.is_some()) {
                    (true, true) => self.append_lists(view, column)?,
                    (false, _) => self.append_ids(view, column)?,
                    (true, false) => {
                        return Err(SegmentError::Invalid(format!(
                            "column '{name}' has several values a row, the target only one"
                        )));
                    }
                }
                Ok(Texts::Dictionary(column.dictionary()))
            }
            Some(ColumnView::Long(column)) => {
                self.append_numbers(view, column, |v| (v.cast_unsigned(), v))
            }
            Some(ColumnView::Float(column)) => {
                self.append_numbers(view, column, |v| (u64::from(v.to_bits()), v))
            }
            Some(ColumnView::Double(column)) => {
                self.append_numbers(view, column, |v| (v.to_bits(), v))
            }
            Some(ColumnView::Complex(_)) => Err(SegmentError::Invalid(format!(
                "column '{name}' is a sketch in one segment and text in another"
            ))),
        }
    }

    /// Appends a row of one value; null is an empty list in a multi-value column.
    fn push(&mut self, id: u32) -> Result<()> {
        let Some(offsets) = &mut self.offsets else {
            self.ids.push(id);
            return Ok(());
        };
        if id != NULL_ID {
            self.ids.push(id);
        }
        offsets.push(offset(self.ids.len())?);
        Ok(())
    }

    fn append_ids(&mut self, view: &dyn SegmentView, column: &dyn StringColumn) -> Result<()> {
        let mut scratch = Vec::new();
        for block in 0..view.block_count() {
            let ids = column.id_block(block, &mut scratch)?;
            for row in 0..view.block_rows(block) {
                self.push(ids.get(row))?;
            }
        }
        Ok(())
    }

    fn append_lists(&mut self, view: &dyn SegmentView, column: &dyn StringColumn) -> Result<()> {
        let mut scratch = MultiScratch::default();
        for block in 0..view.block_count() {
            let lists = column.multi_block(block, &mut scratch)?;
            for row in 0..view.block_rows(block) {
                self.ids.extend_from_slice(lists.row(row));
                if let Some(offsets) = &mut self.offsets {
                    offsets.push(offset(self.ids.len())?);
                }
            }
        }
        Ok(())
    }

    /// Appends numbers as text, under a dictionary made on the way.
    fn append_numbers<T: Copy, V: std::fmt::Display>(
        &mut self,
        view: &dyn SegmentView,
        column: &dyn NumericColumn<T>,
        parts: impl Fn(T) -> (u64, V),
    ) -> Result<Texts<'static>> {
        let mut known = FxHashMap::<u64, u32>::default();
        let mut table = StringTable::new();
        let mut scratch = Vec::new();
        for block in 0..view.block_count() {
            let numbers = column.block(block, &mut scratch)?;
            for row in 0..view.block_rows(block) {
                if numbers.nulls.is_some_and(|mask| mask.is_null(row)) {
                    self.push(NULL_ID)?;
                    continue;
                }
                let (bits, number) = parts(numbers.values.get(row));
                let id = *known.entry(bits).or_insert_with(|| {
                    table.push(&number.to_string());
                    narrow(table.len())
                });
                self.push(id)?;
            }
        }
        Ok(Texts::Table(table))
    }

    /// Renumbers all parts to one sorted dictionary of the values that occur.
    fn unite(&mut self, parts: &[Part<'_>]) -> Result<()> {
        let mut arena = StringTable::new();
        // Part and own id of each value of the arena.
        let mut occurring: Vec<(usize, u32)> = Vec::new();
        let mut maps: Vec<Vec<u32>> = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let used = self.used(part)?;
            part.texts.for_each(narrow(used.len()), &mut |id, text| {
                if used[id as usize] {
                    occurring.push((number, id));
                    arena.push(text);
                }
            })?;
            maps.push(vec![NULL_ID; used.len()]);
        }
        let (table, ids) = arena.sorted()?;
        self.table = table;
        for ((part, own), id) in occurring.into_iter().zip(ids) {
            maps[part][own as usize] = id;
        }
        for (part, map) in parts.iter().zip(&maps) {
            self.ids[part.ids.clone()].iter_mut().for_each(|id| *id = map[*id as usize]);
        }
        Ok(())
    }

    /// Which of its own ids a part uses.
    fn used(&self, part: &Part<'_>) -> Result<Vec<bool>> {
        let mut used = vec![false; part.texts.id_count()];
        for id in &self.ids[part.ids.clone()] {
            *used
                .get_mut(*id as usize)
                .ok_or_else(|| corrupt(format!("id {id} is not in its dictionary")))? = true;
        }
        Ok(used)
    }
}

impl Texts<'_> {
    fn id_count(&self) -> usize {
        match self {
            Self::Dictionary(dictionary) => dictionary.len() as usize,
            Self::Table(table) => table.len() + 1,
        }
    }

    /// Visits the texts of ids `1..id_count`.
    fn for_each(&self, id_count: u32, visit: &mut dyn FnMut(u32, &str)) -> Result<()> {
        match self {
            Self::Dictionary(dictionary) => {
                dictionary.for_each(1.min(id_count)..id_count, &mut |id, text| {
                    if let Some(text) = text {
                        visit(id, text);
                    }
                })
            }
            Self::Table(table) => {
                (1_u32..).zip(table.iter()).for_each(|(id, text)| visit(id, text));
                Ok(())
            }
        }
    }
}

fn offset(length: usize) -> Result<u32> {
    u32::try_from(length)
        .map_err(|_| SegmentError::Limit("a multi-value column of 2^32 values".into()))
}
