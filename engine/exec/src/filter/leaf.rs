//! The leaves of compiled filters: each narrows a block's candidates over one column.

use henge_expr::ExprValue;
use henge_segment::{
    BLOCK_ROWS, IdBlock, MultiScratch, NULL_ID, NumericColumn, NumericValues, SegmentView,
    StringColumn,
};
use roaring::RoaringBitmap;

use super::bits::BlockBits;
use super::comparison::{Truth, any};
use super::id_test::{IdTest, set_contains};
use super::numeric_test::{NumericTest, NumericValue, in_ranges};
use super::selection::Selection;
use crate::column::ExpressionReader;
use crate::error::Result;

/// Most ids whose bitmaps are worth uniting.
const MAX_BITMAP_IDS: usize = 32;

/// A single-value string column.
pub(crate) struct IdLeaf<'a> {
    column: &'a dyn StringColumn,
    test: IdTest,
    bitmap: Option<RoaringBitmap>,
    scratch: Vec<u32>,
}

impl std::fmt::Debug for IdLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdLeaf").field("test", &self.test).finish_non_exhaustive()
    }
}

/// The rows that hold one of a few ids, when there is an index and they are less than a quarter of
/// all rows: beyond that, scanning ids is cheaper.
fn sparse_bitmap(
    view: &dyn SegmentView,
    column: &dyn StringColumn,
    test: &IdTest,
) -> Result<Option<RoaringBitmap>> {
    let Some(ids) = test.few(MAX_BITMAP_IDS) else { return Ok(None) };
    let mut union = RoaringBitmap::new();
    for id in ids {
        match column.bitmap(id)? {
            Some(rows) => union |= rows.as_ref(),
            None => return Ok(None),
        }
        if union.len() as usize > view.row_count() / 4 {
            return Ok(None);
        }
    }
    Ok(Some(union))
}

/// Narrows by the bitmap's rows of a block.
fn narrow_by_bitmap(
    bitmap: &RoaringBitmap,
    block: usize,
    candidates: &mut BlockBits,
    spare: &mut Vec<BlockBits>,
) {
    let start = (block * BLOCK_ROWS) as u32;
    let rows = start..=start + (BLOCK_ROWS as u32 - 1);
    if bitmap.range_cardinality(rows.clone()) == 0 {
        candidates.clear();
        return;
    }
    let mut found = spare.pop().unwrap_or_else(BlockBits::new);
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
        let bitmap = sparse_bitmap(view, column, &test)?;
        Ok(Self { column, test, bitmap, scratch: Vec::new() })
    }

    pub(crate) fn has_bitmap(&self) -> bool {
        self.bitmap.is_some()
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
        if let Some((min, max)) = self.column.id_range(block)? {
            match self.test.of_all_between(min, max) {
                Some(true) => return Ok(()),
                Some(false) => {
                    candidates.clear();
                    return Ok(());
                }
                None => {}
            }
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
        let bitmap = if all { None } else { sparse_bitmap(view, column, &test)? };
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

/// A numeric column.
pub(crate) struct NumericLeaf<'a, T> {
    column: &'a dyn NumericColumn<T>,
    test: NumericTest<T>,
    /// True keeps the rows that do not pass the test.
    inverted: bool,
    /// True keeps null rows.
    null: bool,
    scratch: Vec<T>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for NumericLeaf<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NumericLeaf").field("test", &self.test).finish_non_exhaustive()
    }
}

impl<'a, T: NumericValue> NumericLeaf<'a, T> {
    pub(crate) fn new(
        column: &'a dyn NumericColumn<T>,
        test: NumericTest<T>,
        wanted: Truth,
        null: bool,
    ) -> Self {
        Self { column, test, inverted: wanted == Truth::False, null, scratch: Vec::new() }
    }

    pub(crate) fn narrow(&mut self, block: usize, candidates: &mut BlockBits) -> Result<()> {
        if let Some(stats) = self.column.stats(block)? {
            match self.test.of_all_between(stats.min, stats.max) {
                // What statistics overlook (NaN) fails every range: they can be trusted that far.
                Some(true) if !T::STATS_SEE_ALL => {}
                Some(verdict) if verdict == self.inverted && !self.null => {
                    candidates.clear();
                    return Ok(());
                }
                Some(verdict) if verdict != self.inverted && stats.null_count == 0 => {
                    return Ok(());
                }
                _ => {}
            }
        }
        let loaded = self.column.block(block, &mut self.scratch)?;
        let nulls = loaded.nulls;
        let kept_nulls = match (nulls, self.null) {
            (Some(nulls), true) => {
                let mut kept = candidates.clone();
                kept.intersect_mask(nulls.words, false);
                Some(kept)
            }
            _ => None,
        };
        if let Some(nulls) = nulls {
            candidates.intersect_mask(nulls.words, true);
        }
        match loaded.values {
            NumericValues::Constant(value) => {
                if self.test.matches(value) == self.inverted {
                    candidates.clear();
                }
            }
            NumericValues::Slice(values) => {
                scan_values(&self.test, self.inverted, values, candidates);
            }
        }
        if let Some(kept) = kept_nulls {
            candidates.union(&kept);
        }
        Ok(())
    }
}

/// Tests the values of a block; one loop a kind of test.
fn scan_values<T: NumericValue>(
    test: &NumericTest<T>,
    inverted: bool,
    values: &[T],
    candidates: &mut BlockBits,
) {
    match test {
        NumericTest::Nothing if inverted => {}
        NumericTest::Everything if !inverted => {}
        NumericTest::Nothing | NumericTest::Everything => candidates.clear(),
        NumericTest::Range(low, high) => {
            let (low, high) = (*low, *high);
            if inverted {
                candidates.retain_values(values, |v| !((v >= low) & (v <= high)));
            } else {
                candidates.retain_values(values, |v| (v >= low) & (v <= high));
            }
        }
        NumericTest::Ranges(ranges) => {
            candidates.retain(|row| in_ranges(ranges, values[row]) != inverted);
        }
        NumericTest::OneOf(keys) => {
            candidates.retain(|row| keys.binary_search(&values[row].key()).is_ok() != inverted);
        }
    }
}

/// Says whether a value's text passes.
pub(crate) type TextTest<'a> = Box<dyn Fn(&ExprValue) -> Truth + 'a>;

/// A numeric column seen as text (LIKE over a LONG column): slow, and rare.
pub(crate) struct TextLeaf<'a> {
    values: RowValues<'a>,
    test: TextTest<'a>,
    wanted: Truth,
}

/// A numeric column of any type.
pub(crate) enum RowValues<'a> {
    Long(&'a dyn NumericColumn<i64>),
    Float(&'a dyn NumericColumn<f32>),
    Double(&'a dyn NumericColumn<f64>),
}

impl std::fmt::Debug for TextLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TextLeaf")
    }
}

impl<'a> TextLeaf<'a> {
    pub(crate) fn new(values: RowValues<'a>, test: TextTest<'a>, wanted: Truth) -> Self {
        Self { values, test, wanted }
    }

    pub(crate) fn narrow(&mut self, block: usize, candidates: &mut BlockBits) -> Result<()> {
        let (test, wanted) = (&self.test, self.wanted);
        match self.values {
            RowValues::Long(column) => {
                narrow_text(column, block, candidates, ExprValue::Long, |v| test(&v) == wanted)
            }
            RowValues::Float(column) => {
                let widen = |v| ExprValue::Double(widen_shortest(v));
                narrow_text(column, block, candidates, widen, |v| test(&v) == wanted)
            }
            RowValues::Double(column) => {
                narrow_text(column, block, candidates, ExprValue::Double, |v| test(&v) == wanted)
            }
        }
    }
}

/// The double whose shortest decimal form is the float's: `1.1f32` becomes 1.1.
pub(crate) fn widen_shortest(value: f32) -> f64 {
    if value.is_finite() {
        value.to_string().parse().unwrap_or(f64::from(value))
    } else {
        f64::from(value)
    }
}

fn narrow_text<T: NumericValue>(
    column: &dyn NumericColumn<T>,
    block: usize,
    candidates: &mut BlockBits,
    wrap: impl Fn(T) -> ExprValue,
    keep: impl Fn(ExprValue) -> bool,
) -> Result<()> {
    let mut scratch = Vec::new();
    let loaded = column.block(block, &mut scratch)?;
    let mut last: Option<(T, bool)> = None;
    let of_null = keep(ExprValue::Null);
    candidates.retain(|row| {
        if loaded.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return of_null;
        }
        let value = loaded.values.get(row);
        match last {
            Some((seen, kept)) if seen == value => kept,
            _ => {
                let kept = keep(wrap(value));
                last = Some((value, kept));
                kept
            }
        }
    });
    Ok(())
}

/// An expression, or a comparison of a virtual column, evaluated by row.
pub(crate) struct ExpressionLeaf<'a> {
    reader: ExpressionReader<'a>,
    test: TextTest<'a>,
    wanted: Truth,
    rows: Vec<u16>,
}

impl std::fmt::Debug for ExpressionLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExpressionLeaf").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl<'a> ExpressionLeaf<'a> {
    pub(crate) fn new(reader: ExpressionReader<'a>, test: TextTest<'a>, wanted: Truth) -> Self {
        Self { reader, test, wanted, rows: Vec::new() }
    }

    pub(crate) fn narrow(&mut self, block: usize, candidates: &mut BlockBits) -> Result<()> {
        let Self { reader, test, wanted, rows } = self;
        candidates.positions(rows);
        candidates.clear();
        reader.for_each(block, Selection::Rows(rows), &mut |row, value| {
            if test(value) == *wanted {
                candidates.insert(row);
            }
            Ok(())
        })
    }
}

/// The truth of an expression's value. An array is true when an element is.
pub(crate) fn truth_of(value: &ExprValue) -> Truth {
    match value {
        ExprValue::Array(items) => any(items.iter().map(truth_of)),
        value => value.truth().map_or(Truth::Unknown, Truth::from),
    }
}
