//! Counting rows by dimension value, for searches that cannot use bitmaps.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_expr::ExprValue;
use henge_expr::number::format_double;
use henge_query::SearchMatch;
use henge_query::comparison::widen_shortest;
use henge_scan::{Columns, ExpressionReader, Result, Selection, Source, Window, time_column};
use henge_segment::{
    MultiScratch, NULL_ID, NumericBlock, NumericColumn, SegmentView, StringColumn,
};
use henge_types::Granularity;
use henge_types::narrow::{narrow, row_of_block};
use rustc_hash::FxHashMap;

use crate::partial_rows::SearchHit;
use crate::rows::search::{bucket_start, matches_value};

/// Splits the selected rows of a block by time bucket.
pub(crate) struct Buckets<'a> {
    granularity: &'a Granularity,
    time: Option<&'a dyn NumericColumn<i64>>,
    scratch: Vec<i64>,
}

/// Some rows of a block.
pub(crate) enum BucketRows<'s> {
    /// The whole selection.
    All(Selection<'s>),
    /// The rows of one bucket.
    Some(Vec<u16>),
}

impl BucketRows<'_> {
    /// The rows.
    pub(crate) fn selection(&self) -> Selection<'_> {
        match self {
            Self::All(selection) => *selection,
            Self::Some(rows) => Selection::Rows(rows),
        }
    }
}

impl<'a> Buckets<'a> {
    /// Buckets of a granularity; `all` does not read the time.
    pub(crate) fn new(granularity: &'a Granularity, view: &'a dyn SegmentView) -> Result<Self> {
        let all = *granularity == Granularity::All;
        let time = if all { None } else { time_column(view)? };
        Ok(Self { granularity, time, scratch: Vec::new() })
    }

    /// The buckets that occur among some rows of a block, with their rows.
    pub(crate) fn split<'s>(
        &mut self,
        block: usize,
        rows: Selection<'s>,
    ) -> Result<Vec<(i64, BucketRows<'s>)>> {
        let Some(time) = self.time else {
            return Ok(vec![(bucket_start(self.granularity, 0), BucketRows::All(rows))]);
        };
        let values = time.block(block, &mut self.scratch)?.values;
        let mut buckets: BTreeMap<i64, Vec<u16>> = BTreeMap::new();
        let mut last: Option<(i64, i64)> = None;
        rows.for_each(|row| {
            let ms = values.get(row);
            let start = match last {
                Some((start, end)) if (start..end).contains(&ms) => start,
                _ => {
                    let start = self.granularity.bucket_start(ms);
                    last = Some((start, self.granularity.next_bucket(start)));
                    start
                }
            };
            buckets.entry(start).or_default().push(row_of_block(row));
        });
        Ok(buckets.into_iter().map(|(start, rows)| (start, BucketRows::Some(rows))).collect())
    }
}

/// Counts of one dimension by bucket and value.
pub(crate) struct DimensionCounter<'a> {
    name: Arc<str>,
    reader: Reader<'a>,
}

enum Reader<'a> {
    Ids(&'a dyn StringColumn, IdCounts, Vec<u32>),
    Multi(&'a dyn StringColumn, Counts<u32>, MultiScratch),
    Long(&'a dyn NumericColumn<i64>, Counts<Option<i64>>, Vec<i64>),
    Float(&'a dyn NumericColumn<f32>, Counts<Option<u32>>, Vec<f32>),
    Double(&'a dyn NumericColumn<f64>, Counts<Option<u64>>, Vec<f64>),
    Expression(Box<ExpressionReader<'a>>, TextCounts),
    Nothing,
}

/// Rows by bucket and value.
type Counts<K> = FxHashMap<(i64, K), u64>;

/// Dictionaries up to this size are counted by position.
const MAX_DENSE_VALUES: usize = 1 << 16;

/// Rows by bucket and id. Those of the bucket at hand are in an array where the dictionary is small: a table
/// that is hashed takes five times as long for each row.
struct IdCounts {
    bucket: Option<i64>,
    /// By id, nulls last; empty where the dictionary is large.
    dense: Vec<u64>,
    counts: Counts<u32>,
}

impl IdCounts {
    fn new(values: usize) -> Self {
        let slots = if values <= MAX_DENSE_VALUES { values + 1 } else { 0 };
        Self { bucket: None, dense: vec![0; slots], counts: Counts::default() }
    }

    fn count(&mut self, bucket: i64, rows: Selection<'_>, id_of: impl Fn(usize) -> u32) {
        if self.bucket != Some(bucket) {
            self.flush();
            self.bucket = Some(bucket);
        }
        let Some(nulls) = self.dense.len().checked_sub(1) else {
            return rows.for_each(|row| add(&mut self.counts, bucket, id_of(row)));
        };
        rows.for_each(|row| self.dense[(id_of(row) as usize).min(nulls)] += 1);
    }

    fn flush(&mut self) {
        let Some(bucket) = self.bucket else { return };
        let nulls = self.dense.len().saturating_sub(1);
        for (slot, count) in self.dense.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            let id = if slot == nulls { NULL_ID } else { narrow(slot) };
            *self.counts.entry((bucket, id)).or_default() += std::mem::take(count);
        }
    }

    fn finish(mut self) -> Counts<u32> {
        self.flush();
        self.counts
    }
}

/// Rows by bucket and text, and the bytes of the texts.
#[derive(Default)]
struct TextCounts {
    counts: Counts<Option<String>>,
    text_bytes: usize,
}

impl TextCounts {
    fn add(&mut self, bucket: i64, value: &ExprValue) {
        let text = value.as_text().map(String::from);
        let bytes = text.as_ref().map_or(0, String::len);
        let known = self.counts.len();
        add(&mut self.counts, bucket, text);
        if self.counts.len() > known {
            self.text_bytes += bytes;
        }
    }
}

impl<'a> DimensionCounter<'a> {
    /// Nothing counted yet.
    pub(crate) fn new(name: Arc<str>, source: Source<'a>, columns: &Columns<'a>) -> Result<Self> {
        let reader = match source {
            Source::String(column) if column.is_multi_value() => {
                Reader::Multi(column, Counts::default(), MultiScratch::default())
            }
            Source::String(column) => {
                Reader::Ids(column, IdCounts::new(column.dictionary().len() as usize), vec![])
            }
            Source::Long(column) => Reader::Long(column, Counts::default(), vec![]),
            Source::Float(column) => Reader::Float(column, Counts::default(), vec![]),
            Source::Double(column) => Reader::Double(column, Counts::default(), vec![]),
            Source::Expression(source) => {
                Reader::Expression(Box::new(ExpressionReader::new(source)), TextCounts::default())
            }
            Source::Pairs(pairs) => {
                let reader = ExpressionReader::new(columns.values_of(pairs)?);
                Reader::Expression(Box::new(reader), TextCounts::default())
            }
            Source::Missing | Source::Complex(_) => Reader::Nothing,
        };
        Ok(Self { name, reader })
    }

    /// Counts some rows of a block, all of one bucket.
    pub(crate) fn count(&mut self, block: usize, rows: Selection<'_>, bucket: i64) -> Result<()> {
        match &mut self.reader {
            Reader::Ids(column, counts, scratch) => {
                let ids = column.id_block(block, scratch)?;
                counts.count(bucket, rows, |row| ids.get(row));
            }
            Reader::Multi(column, counts, scratch) => {
                let lists = column.multi_block(block, scratch)?;
                rows.for_each(|row| match lists.row(row) {
                    [] => add(counts, bucket, NULL_ID),
                    ids => {
                        for (position, id) in ids.iter().enumerate() {
                            // A row that holds a value twice is one row.
                            if !ids[..position].contains(id) {
                                add(counts, bucket, *id);
                            }
                        }
                    }
                });
            }
            Reader::Long(column, counts, scratch) => {
                let values = column.block(block, scratch)?;
                rows.for_each(|row| add(counts, bucket, number(&values, row)));
            }
            Reader::Float(column, counts, scratch) => {
                let values = column.block(block, scratch)?;
                rows.for_each(|row| {
                    add(counts, bucket, number(&values, row).map(f32::to_bits));
                });
            }
            Reader::Double(column, counts, scratch) => {
                let values = column.block(block, scratch)?;
                rows.for_each(|row| {
                    add(counts, bucket, number(&values, row).map(f64::to_bits));
                });
            }
            Reader::Expression(reader, counts) => {
                reader.for_each(Window::whole(block), rows, &mut |_, value| {
                    match value {
                        ExprValue::Array(items) => {
                            items.iter().for_each(|item| counts.add(bucket, item));
                        }
                        value => counts.add(bucket, value),
                    }
                    Ok(())
                })?;
            }
            Reader::Nothing => {}
        }
        Ok(())
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        const ENTRY_BYTES: usize = 32;
        match &self.reader {
            Reader::Ids(_, ids, _) => ids.counts.len() * ENTRY_BYTES + ids.dense.len() * 8,
            Reader::Multi(_, counts, _) => counts.len() * ENTRY_BYTES,
            Reader::Long(_, counts, _) => counts.len() * ENTRY_BYTES,
            Reader::Float(_, counts, _) => counts.len() * ENTRY_BYTES,
            Reader::Double(_, counts, _) => counts.len() * ENTRY_BYTES,
            Reader::Expression(_, texts) => texts.counts.len() * 2 * ENTRY_BYTES + texts.text_bytes,
            Reader::Nothing => 0,
        }
    }

    /// The counted values that match.
    pub(crate) fn finish(self, query: &SearchMatch, hits: &mut Vec<SearchHit>) -> Result<()> {
        let dimension = self.name;
        let mut push = |bucket_start_ms: i64, value: Option<String>, count: u64| {
            if matches_value(query, value.as_deref()) {
                let dimension = dimension.clone();
                hits.push(SearchHit { bucket_start_ms, dimension, value, count });
            }
        };
        match self.reader {
            Reader::Ids(column, counts, _) => push_ids(column, counts.finish(), push)?,
            Reader::Multi(column, counts, _) => push_ids(column, counts, push)?,
            Reader::Long(_, counts, _) => {
                counts.into_iter().for_each(|((bucket, value), count)| {
                    push(bucket, value.map(|value| value.to_string()), count);
                });
            }
            Reader::Float(_, counts, _) => {
                counts.into_iter().for_each(|((bucket, bits), count)| {
                    let text = bits.map(|bits| format_double(widen_shortest(f32::from_bits(bits))));
                    push(bucket, text, count);
                });
            }
            Reader::Double(_, counts, _) => {
                counts.into_iter().for_each(|((bucket, bits), count)| {
                    push(bucket, bits.map(|bits| format_double(f64::from_bits(bits))), count);
                });
            }
            Reader::Expression(_, texts) => {
                texts
                    .counts
                    .into_iter()
                    .for_each(|((bucket, text), count)| push(bucket, text, count));
            }
            Reader::Nothing => {}
        }
        Ok(())
    }
}

fn push_ids(
    column: &dyn StringColumn,
    counts: Counts<u32>,
    mut push: impl FnMut(i64, Option<String>, u64),
) -> Result<()> {
    for ((bucket, id), count) in counts {
        push(bucket, column.dictionary().get(id)?.map(String::from), count);
    }
    Ok(())
}

fn add<K: std::hash::Hash + Eq>(counts: &mut Counts<K>, bucket: i64, key: K) {
    *counts.entry((bucket, key)).or_default() += 1;
}

fn number<T: Copy>(block: &NumericBlock<'_, T>, row: usize) -> Option<T> {
    let null = block.nulls.is_some_and(|nulls| nulls.is_null(row));
    (!null).then(|| block.values.get(row))
}
