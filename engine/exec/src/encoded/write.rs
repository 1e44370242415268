//! Partials to bytes.

use henge_scan::{ExecError, Result};
use henge_vector::{Column, Text, encode};
use xxhash_rust::xxh3::xxh3_64;

use super::{About, HEADER_BYTES, MAGIC, VERSION};
use crate::bucket_starts::BucketStarts;
use crate::partial::{GroupedPartial, Partial};
use crate::partial_rows::{RowBatch, SearchPartial};

impl Partial {
    /// The partial as bytes. Ids of the node's dictionaries become text.
    ///
    /// # Errors
    /// When keys still are ids of a segment's dictionary, which a merger makes text of.
    pub fn encode(&self) -> Result<Vec<u8>> {
        match self {
            Self::Grouped(groups) => groups.encode(),
            Self::Rows(rows) => {
                let mut out = begun();
                append(&mut out, &[], &About::Rows { batches: rows.batches.len() })?;
                rows.batches.iter().try_for_each(|batch| append_batch(&mut out, batch))?;
                Ok(sealed(out))
            }
            Self::Search(search) => {
                alone(&hits(search), &About::Hits { data_start_ms: search.data_start_ms })
            }
            Self::TimeBoundary { min_ms, max_ms } => {
                alone(&[], &About::TimeBoundary { min_ms: *min_ms, max_ms: *max_ms })
            }
            Self::SegmentMetadata(analyses) => {
                alone(&[], &About::Analyses { analyses: analyses.clone() })
            }
            Self::DataSourceMetadata { max_ingested_event_time_ms } => {
                let max_ingested_event_time_ms = *max_ingested_event_time_ms;
                alone(&[], &About::NewestEvent { max_ingested_event_time_ms })
            }
        }
    }
}

impl GroupedPartial {
    /// As [`Partial::encode`].
    ///
    /// # Errors
    /// As [`Partial::encode`].
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut columns = vec![("bucket", bucket_column(&self.bucket_starts))];
        columns.extend(self.keys.iter().map(|keys| ("key", travelling(keys))));
        columns.extend(self.states.iter().map(|states| ("state", states.clone())));
        let data_range_ms = self.data_range_ms.clone();
        alone(&columns, &About::Groups { keys: self.keys.len(), data_range_ms })
    }
}

/// Nulls for granularity `all`.
fn bucket_column(starts: &BucketStarts) -> Column {
    match starts {
        BucketStarts::All(count) => Column::Null(*count),
        BucketStarts::At(starts) => Column::longs(starts.clone(), None),
    }
}

/// Keys that mean something elsewhere.
fn travelling(keys: &Column) -> Column {
    if let Column::NodeIds(keys) = keys { Column::Text(keys.to_text()) } else { keys.clone() }
}

fn append_batch(out: &mut Vec<u8>, batch: &RowBatch) -> Result<()> {
    let is_ordered = !batch.time_ms.is_empty();
    let times = is_ordered.then(|| ("time", Column::longs(batch.time_ms.clone(), None)));
    let rows = batch.columns.iter().map(|column| (&*column.name, column.values.clone()));
    let columns: Vec<(&str, Column)> = times.into_iter().chain(rows).collect();
    let types = batch.columns.iter().map(|column| column.column_type.clone()).collect();
    append(out, &columns, &About::Batch { segment: batch.segment.clone(), is_ordered, types })
}

fn hits(search: &SearchPartial) -> Vec<(&'static str, Column)> {
    let hits = || search.hits.iter();
    vec![
        ("bucket", Column::longs(hits().map(|hit| hit.bucket_start_ms).collect(), None)),
        ("dimension", Column::Text(Text::of(hits().map(|hit| Some(&*hit.dimension))))),
        ("value", Column::Text(Text::of(hits().map(|hit| hit.value.as_deref())))),
        ("count", Column::longs(hits().map(|hit| hit.count.cast_signed()).collect(), None)),
    ]
}

fn alone(columns: &[(&str, Column)], about: &About) -> Result<Vec<u8>> {
    let mut out = begun();
    append(&mut out, columns, about)?;
    Ok(sealed(out))
}

fn append(out: &mut Vec<u8>, columns: &[(&str, Column)], about: &About) -> Result<()> {
    let about = serde_json::to_string(about)
        .map_err(|error| ExecError::Internal(format!("writing a partial: {error}")))?;
    out.extend(encode(columns.iter().map(|(name, column)| (*name, column)), &about)?);
    Ok(())
}

/// Room for the header.
fn begun() -> Vec<u8> {
    vec![0; HEADER_BYTES]
}

fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    let checksum = xxh3_64(&out[HEADER_BYTES..]);
    out[..4].copy_from_slice(MAGIC);
    out[4..8].copy_from_slice(&VERSION.to_le_bytes());
    out[8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    out
}
