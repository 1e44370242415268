//! `scan`: rows in batches. Unordered scans keep one entry a segment and batch; ordered ones merge
//! the segments' rows by time and name no segment.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use henge_query::{ResultFormat, ScanOrder, ScanQuery};
use henge_scan::Result;
use henge_types::ColumnType;
use rustc_hash::FxHashMap;

use crate::context::ExecContext;
use crate::finalise::{Grow, json};
use crate::partial_rows::{RowBatch, RowsPartial};

/// The finished answer.
#[derive(Debug, Clone)]
pub(crate) struct ScanResult {
    format: ResultFormat,
    batches: Vec<RowBatch>,
    layouts: Vec<Layout>,
    entries: Vec<Entry>,
}

/// The columns of an entry.
#[derive(Debug, Clone)]
struct Layout {
    columns: Vec<(Arc<str>, Option<ColumnType>)>,
    /// For each batch that uses the layout: where it keeps each column.
    positions: FxHashMap<usize, Vec<Option<usize>>>,
}

/// One element of the result array.
#[derive(Debug, Clone)]
struct Entry {
    layout: usize,
    /// False for rows merged from several segments.
    names_segment: bool,
    /// Batch and row.
    rows: Vec<(u32, u32)>,
}

/// Finishes a scan.
pub(crate) fn finalise(
    query: &ScanQuery,
    partial: RowsPartial,
    context: &ExecContext,
) -> Result<ScanResult> {
    let mut batches = partial.batches;
    batches.sort_by(|a, b| a.segment.cmp(&b.segment));
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
    let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let batch_size = usize::try_from(query.batch_size).unwrap_or(usize::MAX).max(1);
    let ordered = query.order != ScanOrder::None;
    let rows: Vec<(u32, u32)> = if ordered {
        merged_rows(&batches, query.order).skip(offset).take(limit).collect()
    } else {
        all_rows(&batches).skip(offset).take(limit).collect()
    };
    context.cancel.check()?;

    let layouts = if ordered {
        vec![Layout::of(&batches, 0..batches.len())]
    } else {
        (0..batches.len()).map(|batch| Layout::of(&batches, batch..batch + 1)).collect()
    };
    let mut entries = Vec::new();
    for run in rows.chunk_by(|a, b| ordered || a.0 == b.0) {
        let layout = if ordered { 0 } else { run[0].0 as usize };
        entries.extend(run.chunks(batch_size).map(|rows| Entry {
            layout,
            names_segment: !ordered,
            rows: rows.to_vec(),
        }));
    }
    Ok(ScanResult { format: query.result_format, batches, layouts, entries })
}

fn all_rows(batches: &[RowBatch]) -> impl Iterator<Item = (u32, u32)> {
    batches
        .iter()
        .enumerate()
        .flat_map(|(batch, rows)| (0..rows.row_count as u32).map(move |row| (batch as u32, row)))
}

/// Rows by time; ties by segment, then as stored.
fn merged_rows(batches: &[RowBatch], order: ScanOrder) -> impl Iterator<Item = (u32, u32)> {
    // The bitwise complement reverses the order of all integers.
    let key = move |ms: i64| if order == ScanOrder::Descending { !ms } else { ms };
    let head = move |batch: usize, row: usize| {
        let ms = *batches[batch].time_ms.get(row)?;
        Some(Reverse((key(ms), batch as u32, row as u32)))
    };
    let mut heap: BinaryHeap<_> = (0..batches.len()).filter_map(|batch| head(batch, 0)).collect();
    std::iter::from_fn(move || {
        let Reverse((_, batch, row)) = heap.pop()?;
        heap.extend(head(batch as usize, row as usize + 1));
        Some((batch, row))
    })
}

impl Layout {
    /// All columns of some batches, in the order in which they first occur.
    fn of(batches: &[RowBatch], used: std::ops::Range<usize>) -> Self {
        let mut columns: Vec<(Arc<str>, Option<ColumnType>)> = Vec::new();
        let mut known: FxHashMap<Arc<str>, usize> = FxHashMap::default();
        for column in batches[used.clone()].iter().flat_map(|batch| &batch.columns) {
            let at = *known.entry(column.name.clone()).or_insert_with(|| {
                columns.push((column.name.clone(), None));
                columns.len() - 1
            });
            if columns[at].1.is_none() {
                columns[at].1.clone_from(&column.column_type);
            }
        }
        let positions = used.map(|batch| {
            let mut positions = vec![None; columns.len()];
            for (position, column) in batches[batch].columns.iter().enumerate() {
                positions[known[&column.name]] = Some(position);
            }
            (batch, positions)
        });
        let positions = positions.collect();
        Self { columns, positions }
    }
}

impl ScanResult {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.entries.iter().map(|entry| entry.rows.len()).sum()
    }

    /// `[{"segmentId":..,"columns":[..],"events":[..],"rowSignature":[..]},..]`
    pub(crate) fn write_json(&self, out: &mut Vec<u8>, grow: &mut Grow<'_>) -> Result<()> {
        json::try_write_list(out, &self.entries, |out, entry| self.write_entry(out, entry, grow))
    }

    fn write_entry(&self, out: &mut Vec<u8>, entry: &Entry, grow: &mut Grow<'_>) -> Result<()> {
        let layout = &self.layouts[entry.layout];
        out.extend_from_slice(b"{\"segmentId\":");
        match entry.rows.first() {
            Some(&(batch, _)) if entry.names_segment => {
                json::write_string(out, &self.batches[batch as usize].segment.to_string());
            }
            _ => json::write_null(out),
        }
        out.extend_from_slice(b",\"columns\":");
        json::write_list(out, &layout.columns, |out, (name, _)| json::write_string(out, name));
        out.extend_from_slice(b",\"events\":");
        let keys: Vec<Vec<u8>> = match self.format {
            ResultFormat::List => layout
                .columns
                .iter()
                .map(|(name, _)| {
                    let mut key = Vec::new();
                    json::write_key(&mut key, name);
                    key
                })
                .collect(),
            ResultFormat::CompactedList => vec![Vec::new(); layout.columns.len()],
        };
        let (open, close) = match self.format {
            ResultFormat::List => (b'{', b'}'),
            ResultFormat::CompactedList => (b'[', b']'),
        };
        json::try_write_list(out, &entry.rows, |out, &(batch, row)| {
            let batch = batch as usize;
            let columns = &self.batches[batch].columns;
            out.push(open);
            for (at, (key, position)) in keys.iter().zip(&layout.positions[&batch]).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(key);
                match position {
                    Some(position) => {
                        json::write_value(out, &columns[*position].values, row as usize);
                    }
                    None => json::write_null(out),
                }
            }
            out.push(close);
            grow(out.len())
        })?;
        out.extend_from_slice(b",\"rowSignature\":");
        json::write_list(out, &layout.columns, |out, (name, column_type)| {
            out.extend_from_slice(b"{\"name\":");
            json::write_string(out, name);
            if let Some(column_type) = column_type {
                out.extend_from_slice(b",\"type\":");
                json::write_string(out, &column_type.to_string());
            }
            out.push(b'}');
        });
        out.push(b'}');
        Ok(())
    }
}
