//! Leaves over string columns: rows whose dictionary ids are in a set.

use henge_query::comparison::Truth;
use henge_segment::{
    BLOCK_ROWS, IdBlock, MultiScratch, NULL_ID, PackedInts, SegmentView, StringColumn,
};
use roaring::RoaringBitmap;

use crate::error::Result;
use crate::id_test::{IdTest, set_contains};
use crate::selection::BlockBits;

/// Most ids whose bitmaps are worth uniting.
const MAX_BITMAP_IDS: usize = 32;
/// Scanning packed ids is cheaper than a bitmap that holds more than one of so many rows.
const BITMAP_ROWS_OF: usize = 32;
/// The same for rows of several values, whose ids are dear to decode.
const MULTI_BITMAP_ROWS_OF: usize = 4;
/// Ids are looked at one by one when only one of so many rows is a candidate.
const SPARSE_CANDIDATES_OF: usize = 256;

/// A single-value string column.
pub(crate) struct IdLeaf<'a> {
    column: &'a dyn StringColumn,
    test: IdTest,
    bitmap: Option<RoaringBitmap>,
    row_count: usize,
    scratch: Vec<u32>,
}

impl std::fmt::Debug for IdLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdLeaf").field("test", &self.test).finish_non_exhaustive()
    }
}

/// The rows that hold one of a few ids, when there is an index and they are less than one of
/// `rows_of`: beyond that, scanning ids is cheaper.
fn sparse_bitmap(
    view: &dyn SegmentView,
    column: &dyn StringColumn,
    test: &IdTest,
    rows_of: usize,
) -> Result<Option<RoaringBitmap>> {
    let Some(ids) = test.few(MAX_BITMAP_IDS) else { return Ok(None) };
    // Of a small dictionary the share of the ids tells enough: bitmaps need not be read.
    if test.share(column.dictionary().len()) * rows_of as f64 > 2.0 {
        return Ok(None);
    }
    let mut union = RoaringBitmap::new();
    for id in ids {
        match column.bitmap(id)? {
            Some(rows) => union |= rows.as_ref(),
            None => return Ok(None),
        }
        if union.len() as usize > view.row_count() / rows_of {
            return Ok(None);
        }
    }
    Ok(Some(union))
}

/// A block's rows in the segment.
fn block_rows(block: usize) -> std::ops::RangeInclusive<u32> {
    let start = (block * BLOCK_ROWS) as u32;
    start..=start + (BLOCK_ROWS as u32 - 1)
}

/// Narrows by the bitmap's rows of a block.
fn narrow_by_bitmap(
    bitmap: &RoaringBitmap,
    block: usize,
    candidates: &mut BlockBits,
    spare: &mut Vec<BlockBits>,
) {
    let rows = block_rows(block);
    let start = *rows.start();
    if bitmap.range_cardinality(rows.clone()) == 0 {
        candidates.clear();
        return;
    }
    let mut found = spare.pop().unwrap_or_default();
    found.clear();
    bitmap.range(rows).for_each(|row| found.insert((row - start) as usize));
    candidates.intersect(&found);
    spare.push(found);
}

impl<'a> IdLeaf<'a> {
    pub(crate) fn new(
        view: &dyn SegmentView,
        column: &'a dyn StringColumn,
        test: IdTest,
    ) -> Result<Self> {
        let bitmap = sparse_bitmap(view, column, &test, BITMAP_ROWS_OF)?;
        Ok(Self { column, test, bitmap, row_count: view.row_count(), scratch: Vec::new() })
    }

    /// About which part of the rows passes.
    pub(crate) fn selectivity(&self) -> f64 {
        match &self.bitmap {
            Some(rows) => rows.len() as f64 / self.row_count.max(1) as f64,
            None => self.test.share(self.column.dictionary().len()),
        }
    }

    pub(crate) fn has_bitmap(&self) -> bool {
        self.bitmap.is_some()
    }

    /// What holds of all rows of a block.
    pub(crate) fn verdict(&self, block: usize) -> Result<Option<bool>> {
        if let Some(bitmap) = &self.bitmap {
            return Ok((bitmap.range_cardinality(block_rows(block)) == 0).then_some(false));
        }
        let range = self.column.id_range(block)?;
        Ok(range.and_then(|(min, max)| self.test.of_all_between(min, max)))
    }

    pub(crate) fn narrow(
        &mut self,
        block: usize,
        candidates: &mut BlockBits,
        spare: &mut Vec<BlockBits>,
    ) -> Result<()> {
        if let Some(bitmap) = &self.bitmap {
            narrow_by_bitmap(bitmap, block, candidates, spare);
            return Ok(());
        }
        if let Some(ids) = self.column.packed_ids(block)? {
            narrow_packed(&self.test, &ids, candidates, spare);
            return Ok(());
        }
        match self.column.id_block(block, &mut self.scratch)? {
            IdBlock::Constant(id) => {
                if !self.test.contains(id) {
                    candidates.clear();
                }
            }
            IdBlock::U8(ids) => scan_ids(&self.test, ids, candidates),
            IdBlock::U16(ids) => scan_ids(&self.test, ids, candidates),
            IdBlock::U32(ids) => scan_ids(&self.test, ids, candidates),
        }
        Ok(())
    }
}

/// Tests packed ids where they are.
fn narrow_packed(
    test: &IdTest,
    ids: &PackedInts<'_>,
    candidates: &mut BlockBits,
    spare: &mut Vec<BlockBits>,
) {
    if candidates.count() * SPARSE_CANDIDATES_OF < ids.rows() || ids.base() != 0 || ids.unit() != 1
    {
        candidates.retain(|row| test.contains(ids.integer(ids.residual(row)) as u32));
        return;
    }
    let mut found = spare.pop().unwrap_or_default();
    let words = &mut found.words_mut()[..ids.rows().div_ceil(64)];
    match test {
        IdTest::Everything => {}
        IdTest::Nothing => candidates.clear(),
        IdTest::Range(start, end) => {
            if start < end {
                ids.select_range(*start..=end - 1, words);
                candidates.intersect_mask(words, false);
            } else {
                candidates.clear();
            }
        }
        IdTest::OutsideRange(start, end) => {
            if start < end {
                ids.select_range(*start..=end - 1, words);
                candidates.intersect_mask(words, true);
            }
            ids.select_range(NULL_ID..=NULL_ID, words);
            candidates.intersect_mask(words, true);
        }
        IdTest::Set(set) => {
            ids.select_in(set, words);
            candidates.intersect_mask(words, false);
        }
    }
    spare.push(found);
}

/// Tests the ids of a block; one loop a kind of test.
fn scan_ids<T: Copy + Into<u32>>(test: &IdTest, ids: &[T], candidates: &mut BlockBits) {
    match test {
        IdTest::Everything => {}
        IdTest::Nothing => candidates.clear(),
        IdTest::Range(start, end) => {
            let (start, length) = (*start, end - start);
            candidates.retain_values(ids, |id| id.into().wrapping_sub(start) < length);
        }
        IdTest::OutsideRange(start, end) => {
            let (start, length) = (*start, end - start);
            candidates.retain_values(ids, |id| {
                let id = id.into();
                (id != NULL_ID) & (id.wrapping_sub(start) >= length)
            });
        }
        IdTest::Set(words) => candidates.retain_values(ids, |id| set_contains(words, id.into())),
    }
}

/// A multi-value string column: true when any element is, false when all are.
pub(crate) struct MultiLeaf<'a> {
    column: &'a dyn StringColumn,
    test: IdTest,
    all: bool,
    bitmap: Option<RoaringBitmap>,
    scratch: MultiScratch,
}

impl std::fmt::Debug for MultiLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MultiLeaf").field("test", &self.test).finish_non_exhaustive()
    }
}

impl<'a> MultiLeaf<'a> {
    pub(crate) fn new(
        view: &dyn SegmentView,
        column: &'a dyn StringColumn,
        test: IdTest,
        wanted: Truth,
    ) -> Result<Self> {
        let all = wanted == Truth::False;
        let bitmap = match all {
            true => None,
            false => sparse_bitmap(view, column, &test, MULTI_BITMAP_ROWS_OF)?,
        };
        Ok(Self { column, test, all, bitmap, scratch: MultiScratch::default() })
    }

    pub(crate) fn narrow(
        &mut self,
        block: usize,
        candidates: &mut BlockBits,
        spare: &mut Vec<BlockBits>,
    ) -> Result<()> {
        if let Some(bitmap) = &self.bitmap {
            narrow_by_bitmap(bitmap, block, candidates, spare);
            return Ok(());
        }
        let lists = self.column.multi_block(block, &mut self.scratch)?;
        let (test, all) = (&self.test, self.all);
        candidates.retain(|row| match lists.row(row) {
            [] => test.contains(NULL_ID),
            ids if all => ids.iter().all(|&id| test.contains(id)),
            ids => ids.iter().any(|&id| test.contains(id)),
        });
        Ok(())
    }
}
