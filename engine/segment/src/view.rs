//! `SegmentView`: the one read interface of mapped segments and of snapshots of the write-optimised
//! index. Query execution sees nothing else.
//!
//! Rows come in blocks of [`BLOCK_ROWS`], so that block *i* of a column meets container *i* of a
//! roaring bitmap. Dispatch is dynamic once a block, never once a row: a block hands out slices.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use henge_types::{ProjectionDefinition, SegmentId, SegmentSchema};
use roaring::RoaringBitmap;

use crate::block::{BLOCK_ROWS, IdBlock, MultiBlock, MultiScratch, NumericBlock, NumericStats};
use crate::error::{Result, SegmentError};
use crate::packed::{PackedBlock, PackedInts};
use crate::text_search::TextSearch;

/// A readable set of rows: a mapped segment or a snapshot of the index.
pub trait SegmentView: Send + Sync + std::fmt::Debug {
    /// Identity.
    fn id(&self) -> &SegmentId;
    /// Columns, metrics, roll-up.
    fn schema(&self) -> &SegmentSchema;
    /// Number of rows; at most `u32::MAX`.
    fn row_count(&self) -> usize;
    /// Smallest and largest `__time`, both inclusive; `None` when there are no rows.
    fn time_range(&self) -> Option<(i64, i64)>;
    /// True when rows are sorted by `__time` ascending.
    fn is_time_sorted(&self) -> bool;
    /// Bytes of the segment, or of the memory the snapshot holds.
    fn size_bytes(&self) -> u64;
    /// A column by name (`__time` is a [`ColumnView::Long`]); `None` when the segment lacks it.
    fn column(&self, name: &str) -> Result<Option<ColumnView<'_>>>;

    /// Opens the segment, if it is not: whoever is about to read it asks for this first. Its identity, size,
    /// number of rows and time range are known before.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn ready(&self) -> Result<()> {
        Ok(())
    }

    /// The same error with the column and the block that it is in, when the view can find out.
    fn locate(&self, error: SegmentError) -> SegmentError {
        error
    }

    /// Rolled-up copies of the rows that can answer some queries in their place.
    fn projections(&self) -> &[Projection] {
        &[]
    }

    /// Number of blocks.
    fn block_count(&self) -> usize {
        self.row_count().div_ceil(BLOCK_ROWS)
    }

    /// Rows of one block: all full but the last.
    fn block_rows(&self, block: usize) -> usize {
        self.row_count().saturating_sub(block * BLOCK_ROWS).min(BLOCK_ROWS)
    }
}

/// A rolled-up copy of a segment's rows, which can answer some queries in their place.
#[derive(Debug, Clone)]
pub struct Projection {
    /// What it holds.
    pub definition: ProjectionDefinition,
    rows: Arc<dyn SegmentView>,
}

impl Projection {
    /// The projection that these rows are.
    #[must_use]
    pub fn new(definition: ProjectionDefinition, rows: Arc<dyn SegmentView>) -> Self {
        Self { definition, rows }
    }

    /// Its rows. The identity is the one that the segment had when the projection was built.
    #[must_use]
    pub fn view(&self) -> &dyn SegmentView {
        self.rows.as_ref()
    }
}

/// A column, by type.
#[derive(Clone, Copy)]
pub enum ColumnView<'a> {
    /// LONG
    Long(&'a dyn NumericColumn<i64>),
    /// FLOAT
    Float(&'a dyn NumericColumn<f32>),
    /// DOUBLE
    Double(&'a dyn NumericColumn<f64>),
    /// STRING
    String(&'a dyn StringColumn),
    /// COMPLEX
    Complex(&'a dyn ComplexColumn),
}

impl std::fmt::Debug for ColumnView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Long(_) => "Long",
            Self::Float(_) => "Float",
            Self::Double(_) => "Double",
            Self::String(_) => "String",
            Self::Complex(_) => "Complex",
        })
    }
}

/// A LONG, FLOAT or DOUBLE column.
pub trait NumericColumn<T: Copy>: Send + Sync {
    /// One block's values. `scratch` is used when they must be decoded; its content is overwritten.
    fn block<'s>(&'s self, block: usize, scratch: &'s mut Vec<T>) -> Result<NumericBlock<'s, T>>;
    /// The values of some rows of a block, decoding little else. `rows` starts at a multiple of
    /// 1,024; values and nulls of the result count from there, and null bits beyond its end mean
    /// nothing.
    fn rows<'s>(
        &'s self,
        block: usize,
        rows: Range<usize>,
        scratch: &'s mut Vec<T>,
    ) -> Result<NumericBlock<'s, T>> {
        self.block(block, scratch)?.cut(rows)
    }
    /// The block as packed integers, to be summed or filtered without decoding; `None` when it is
    /// stored in another way.
    fn packed(&self, _block: usize) -> Result<Option<PackedBlock<'_>>> {
        Ok(None)
    }
    /// One block's statistics, when they are kept (segments do, the index does not).
    fn stats(&self, block: usize) -> Result<Option<NumericStats<T>>>;
    /// False only when no row is null.
    fn has_nulls(&self) -> bool;
}

/// A STRING column: ids into a dictionary. Id 0 ([`NULL_ID`](crate::NULL_ID)) is null.
pub trait StringColumn: Send + Sync {
    /// The values.
    fn dictionary(&self) -> &dyn Dictionary;
    /// True when rows may hold several values: then [`StringColumn::multi_block`] is to be used
    /// (and works); `id_block` fails.
    fn is_multi_value(&self) -> bool;
    /// One block's ids (single-value columns).
    fn id_block<'s>(&'s self, block: usize, scratch: &'s mut Vec<u32>) -> Result<IdBlock<'s>>;
    /// The ids of some rows of a block (single-value columns), decoding little else. `rows` starts
    /// at a multiple of 1,024; the ids of the result count from there.
    fn id_rows<'s>(
        &'s self,
        block: usize,
        rows: Range<usize>,
        scratch: &'s mut Vec<u32>,
    ) -> Result<IdBlock<'s>> {
        self.id_block(block, scratch)?.cut(rows)
    }
    /// The block's ids packed (single-value columns), to be filtered without decoding; `None` when
    /// they are stored in another way.
    fn packed_ids(&self, _block: usize) -> Result<Option<PackedInts<'_>>> {
        Ok(None)
    }
    /// One block's lists of ids (multi-value columns). An empty list reads as null.
    fn multi_block<'s>(
        &'s self,
        block: usize,
        scratch: &'s mut MultiScratch,
    ) -> Result<MultiBlock<'s>>;
    /// The rows that hold the id (for multi-value columns: hold it among others), over the whole
    /// segment; `None` when the column has no bitmap index.
    fn bitmap(&self, id: u32) -> Result<Option<Cow<'_, RoaringBitmap>>>;
    /// Smallest and largest id in a block, when kept. Only for single-value columns.
    fn id_range(&self, block: usize) -> Result<Option<(u32, u32)>>;
    /// False only when no row is null.
    fn has_nulls(&self) -> bool;
}

/// Tells the dictionaries of this process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DictionaryInstance {
    /// Of the segment: a number that is given once, when it is opened.
    pub segment: u64,
    /// Position of the column.
    pub column: u32,
}

/// The distinct values of a STRING column. Id 0 is null, values have ids `1..len`.
pub trait Dictionary: Send + Sync {
    /// Number of ids, null's included: at least 1.
    fn len(&self) -> u32;
    /// True when ids ascend with the values' UTF-8 bytes.
    fn is_sorted(&self) -> bool;
    /// The value of an id; `None` is null. Fails for ids out of range and corrupt bytes.
    fn get(&self, id: u32) -> Result<Option<Cow<'_, str>>>;
    /// The id of a value, if present: O(log n) when sorted, O(1) by hash in the index.
    fn lookup(&self, value: &str) -> Result<Option<u32>>;
    /// For sorted dictionaries: the first id (1 or more) whose value is not less than `value`
    /// (`len()` when there is none).
    fn lower_bound(&self, value: &str) -> Result<u32>;
    /// Calls `visit` for each id in `ids`, in order: the cheap way to see many values. Null is
    /// visited as `None` when the range includes id 0.
    fn for_each(
        &self,
        ids: std::ops::Range<u32>,
        visit: &mut dyn FnMut(u32, Option<&str>),
    ) -> Result<()>;
    /// Calls `visit` with those of `ids`, in order, whose values hold what is looked for: cheaper than
    /// the values. Null holds nothing.
    fn for_each_holding(
        &self,
        ids: std::ops::Range<u32>,
        search: &TextSearch<'_>,
        visit: &mut dyn FnMut(u32),
    ) -> Result<()> {
        self.for_each(ids, &mut |id, text| {
            if text.is_some_and(|text| search.finds(text)) {
                visit(id);
            }
        })
    }
    /// Calls `visit` with the number of characters of each value of `ids`, in order: cheaper than the
    /// values. Null is passed over.
    fn for_each_length(
        &self,
        ids: std::ops::Range<u32>,
        visit: &mut dyn FnMut(u32, usize),
    ) -> Result<()> {
        self.for_each(ids, &mut |id, text| {
            if let Some(text) = text {
                visit(id, text.chars().count());
            }
        })
    }
    /// Calls `visit` with the values of some ids, which ascend: the cheap way to see few values.
    /// Null is passed over.
    fn for_ids(&self, ids: &[u32], visit: &mut dyn FnMut(u32, &str)) -> Result<()> {
        for &id in ids {
            if let Some(text) = self.get(id)? {
                visit(id, &text);
            }
        }
        Ok(())
    }
    /// What no other dictionary of this process has: what is derived from the values may be kept
    /// under it. `None` when values may still be added.
    fn instance(&self) -> Option<DictionaryInstance> {
        None
    }
    /// True when only null exists.
    fn is_empty(&self) -> bool {
        self.len() <= 1
    }
}

/// A COMPLEX column: one serialised sketch a row.
pub trait ComplexColumn: Send + Sync {
    /// The sketch's name, for example `HLLSketch`.
    fn type_name(&self) -> &str;
    /// The bytes of a row (an absolute row of the segment); `None` is null.
    fn get(&self, row: usize) -> Result<Option<Cow<'_, [u8]>>>;
}
