//! Values as the columns of a segment, block by block.

use std::borrow::Cow;
use std::ops::Range;

use henge_segment::{
    BLOCK_ROWS, ColumnView, ComplexColumn, Dictionary, IdBlock, MultiBlock, MultiScratch, NullMask,
    NumericBlock, NumericColumn, NumericStats, NumericValues, Result, SegmentError, StringColumn,
};
use henge_types::narrow::narrow;
use roaring::RoaringBitmap;

use crate::values::{Lists, Numbers, Objects, Texts, Values, Words};

impl Values {
    /// The column that they are.
    pub(crate) fn view(&self) -> ColumnView<'_> {
        match self {
            Self::Long(numbers) => ColumnView::Long(numbers),
            Self::Float(numbers) => ColumnView::Float(numbers),
            Self::Double(numbers) => ColumnView::Double(numbers),
            Self::Text(texts) => ColumnView::String(texts),
            Self::Lists(lists) => ColumnView::String(lists),
            Self::Objects(objects) => ColumnView::Complex(objects),
        }
    }
}

/// The rows of a block among so many.
fn rows_of(block: usize, rows: usize) -> Range<usize> {
    let start = (block * BLOCK_ROWS).min(rows);
    start..(start + BLOCK_ROWS).min(rows)
}

impl<T: Copy + Default + Send + Sync> NumericColumn<T> for Numbers<T> {
    fn block<'s>(&'s self, block: usize, _: &'s mut Vec<T>) -> Result<NumericBlock<'s, T>> {
        let rows = rows_of(block, self.values.len());
        let words = rows.start / 64..rows.end.div_ceil(64);
        let nulls = self.nulls.as_ref().map(|nulls| NullMask { words: &nulls[words] });
        Ok(NumericBlock { values: NumericValues::Slice(&self.values[rows]), nulls })
    }

    fn stats(&self, _: usize) -> Result<Option<NumericStats<T>>> {
        Ok(None)
    }

    fn has_nulls(&self) -> bool {
        self.nulls.is_some()
    }
}

impl StringColumn for Texts {
    fn dictionary(&self) -> &dyn Dictionary {
        &*self.words
    }

    fn is_multi_value(&self) -> bool {
        false
    }

    fn id_block<'s>(&'s self, block: usize, _: &'s mut Vec<u32>) -> Result<IdBlock<'s>> {
        Ok(IdBlock::U32(&self.ids[rows_of(block, self.ids.len())]))
    }

    fn multi_block<'s>(&'s self, _: usize, _: &'s mut MultiScratch) -> Result<MultiBlock<'s>> {
        Err(SegmentError::Invalid("a row has one value".into()))
    }

    fn bitmap(&self, _: u32) -> Result<Option<Cow<'_, RoaringBitmap>>> {
        Ok(None)
    }

    fn id_range(&self, _: usize) -> Result<Option<(u32, u32)>> {
        Ok(None)
    }

    fn has_nulls(&self) -> bool {
        true
    }
}

impl StringColumn for Lists {
    fn dictionary(&self) -> &dyn Dictionary {
        &*self.words
    }

    fn is_multi_value(&self) -> bool {
        true
    }

    fn id_block<'s>(&'s self, _: usize, _: &'s mut Vec<u32>) -> Result<IdBlock<'s>> {
        Err(SegmentError::Invalid("a row may have several values".into()))
    }

    fn multi_block<'s>(
        &'s self,
        block: usize,
        scratch: &'s mut MultiScratch,
    ) -> Result<MultiBlock<'s>> {
        let rows = rows_of(block, self.offsets.len() - 1);
        let offsets = &self.offsets[rows.start..=rows.end];
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        scratch.offsets.clear();
        scratch.offsets.extend(offsets.iter().map(|offset| offset - first));
        let ids = &self.ids[first as usize..last as usize];
        Ok(MultiBlock { offsets: &scratch.offsets, ids })
    }

    fn bitmap(&self, _: u32) -> Result<Option<Cow<'_, RoaringBitmap>>> {
        Ok(None)
    }

    fn id_range(&self, _: usize) -> Result<Option<(u32, u32)>> {
        Ok(None)
    }

    fn has_nulls(&self) -> bool {
        true
    }
}

impl Dictionary for Words {
    fn len(&self) -> u32 {
        narrow(Self::len(self))
    }

    fn is_sorted(&self) -> bool {
        false
    }

    fn get(&self, id: u32) -> Result<Option<Cow<'_, str>>> {
        Ok(Self::get(self, id).map(Cow::Borrowed))
    }

    fn lookup(&self, value: &str) -> Result<Option<u32>> {
        Ok(self.find(value))
    }

    fn lower_bound(&self, _: &str) -> Result<u32> {
        Err(SegmentError::Invalid("dictionaries of rows at hand are not sorted".into()))
    }

    fn for_each(&self, ids: Range<u32>, visit: &mut dyn FnMut(u32, Option<&str>)) -> Result<()> {
        ids.for_each(|id| visit(id, Self::get(self, id)));
        Ok(())
    }
}

impl ComplexColumn for Objects {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn get(&self, row: usize) -> Result<Option<Cow<'_, [u8]>>> {
        Ok(self.values.get(row).and_then(|value| value.as_deref()).map(Cow::Borrowed))
    }
}
