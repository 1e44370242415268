//! Partials from bytes, whoever wrote them.

use std::sync::Arc;

use henge_scan::{ExecError, Result};
use henge_types::{ColumnType, SegmentId};
use henge_vector::{Array, Column, Table, decode};
use xxhash_rust::xxh3::xxh3_64;

use super::{About, HEADER_BYTES, MAGIC, VERSION};
use crate::bucket_starts::BucketStarts;
use crate::partial::{GroupedPartial, Partial};
use crate::partial_rows::{RowBatch, RowColumn, RowsPartial, SearchHit, SearchPartial};

impl Partial {
    /// Reads what [`Partial::encode`] wrote.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not as they were written, `Unsupported` when a later version wrote
    /// them.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut rest = body_of(bytes)?;
        let (table, about) = next(&mut rest)?;
        let partial = match about {
            About::Groups { keys, data_range_ms } => {
                Self::Grouped(groups(table, keys, data_range_ms)?)
            }
            About::Rows { batches } => {
                // Each has bytes of its own, so a wrong number cannot ask for much.
                let batches = (0..batches).map(|_| batch(&mut rest)).collect::<Result<_>>()?;
                Self::Rows(RowsPartial { batches })
            }
            About::Hits { data_start_ms } => {
                Self::Search(SearchPartial { hits: hits(&table)?, data_start_ms })
            }
            About::TimeBoundary { min_ms, max_ms } => Self::TimeBoundary { min_ms, max_ms },
            About::Analyses { analyses } => Self::SegmentMetadata(analyses),
            About::NewestEvent { max_ingested_event_time_ms } => {
                Self::DataSourceMetadata { max_ingested_event_time_ms }
            }
            About::Batch { .. } => return Err(corrupt("rows of a segment begin it")),
        };
        if rest.is_empty() { Ok(partial) } else { Err(corrupt("something follows it")) }
    }
}

impl GroupedPartial {
    /// Reads what [`GroupedPartial::encode`] wrote.
    ///
    /// # Errors
    /// As [`Partial::decode`], and when the bytes are another kind of partial.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        match Partial::decode(bytes)? {
            Partial::Grouped(groups) => Ok(groups),
            _other_kinds => Err(corrupt("it does not hold groups")),
        }
    }
}

fn corrupt(reason: &str) -> ExecError {
    ExecError::Corrupt(format!("an encoded partial is damaged: {reason}"))
}

/// What follows the header, which must fit it.
fn body_of(bytes: &[u8]) -> Result<&[u8]> {
    let (header, body) =
        bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(|| corrupt("it is cut short"))?;
    let [m0, m1, m2, m3, v0, v1, v2, v3, checksum @ ..] = *header;
    if [m0, m1, m2, m3] != *MAGIC {
        return Err(corrupt("it does not begin as one"));
    }
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    if version != VERSION {
        return Err(ExecError::Unsupported(format!(
            "an encoded partial has version {version}, this server reads {VERSION}"
        )));
    }
    if xxh3_64(body) != u64::from_le_bytes(checksum) {
        return Err(corrupt("its checksum does not fit"));
    }
    Ok(body)
}

fn next(rest: &mut &[u8]) -> Result<(Table, About)> {
    let (table, after) = decode(rest)?;
    *rest = after;
    let about = serde_json::from_str(&table.about);
    Ok((table, about.map_err(|error| corrupt(&error.to_string()))?))
}

fn groups(
    table: Table,
    keys: usize,
    data_range_ms: Vec<Option<(i64, i64)>>,
) -> Result<GroupedPartial> {
    let mut columns = table.columns.into_iter().map(|(_, column)| column);
    let bucket_starts = match columns.next() {
        Some(Column::Null(count)) => BucketStarts::All(count),
        starts => BucketStarts::At(longs(starts)?),
    };
    let keys_read: Vec<Column> = columns.by_ref().take(keys).collect();
    if keys_read.len() != keys {
        return Err(corrupt("keys are missing"));
    }
    Ok(GroupedPartial { bucket_starts, keys: keys_read, states: columns.collect(), data_range_ms })
}

/// Longs, none of them null.
fn longs(column: Option<Column>) -> Result<Vec<i64>> {
    match column {
        Some(Column::Long(values)) if values.null_count() == 0 => Ok(values.values().to_vec()),
        _other_kinds => Err(corrupt("whole numbers are missing")),
    }
}

fn batch(rest: &mut &[u8]) -> Result<RowBatch> {
    let (table, About::Batch { segment, is_ordered, types }) = next(rest)? else {
        return Err(corrupt("rows of a segment are missing"));
    };
    rows(table, segment, is_ordered, types)
}

fn rows(
    table: Table,
    segment: SegmentId,
    is_ordered: bool,
    types: Vec<Option<ColumnType>>,
) -> Result<RowBatch> {
    let row_count = table.columns.first().map_or(0, |(_, column)| column.len());
    let mut columns = table.columns.into_iter();
    let times = is_ordered.then(|| longs(columns.next().map(|(_, column)| column)));
    let time_ms = times.transpose()?.unwrap_or_default();
    if columns.len() != types.len() {
        return Err(corrupt("columns have no types"));
    }
    let columns = columns.zip(types).map(|((name, values), column_type)| RowColumn {
        name: Arc::from(name),
        column_type,
        values,
    });
    Ok(RowBatch { segment, columns: columns.collect(), row_count, time_ms })
}

fn hits(table: &Table) -> Result<Vec<SearchHit>> {
    let columns: Vec<&Column> = table.columns.iter().map(|(_, column)| column).collect();
    let [
        Column::Long(buckets),
        Column::Text(dimensions),
        Column::Text(values),
        Column::Long(counts),
    ] = columns[..]
    else {
        return Err(corrupt("it does not hold hits"));
    };
    let mut names: Vec<Option<Arc<str>>> = vec![None; dimensions.id_count()];
    let hits = (0..buckets.len()).map(|row| {
        let name = &mut names[dimensions.ids()[row] as usize];
        let dimension = name.get_or_insert_with(|| dimensions.get(row).unwrap_or_default().into());
        SearchHit {
            bucket_start_ms: buckets.value(row),
            dimension: Arc::clone(dimension),
            value: values.get(row).map(str::to_owned),
            count: counts.value(row).cast_unsigned(),
        }
    });
    Ok(hits.collect())
}
