//! Rewriting a segment without sorting it again: under another identity, or under another codec.

use std::io::Write;

use henge_types::SegmentId;

use crate::error::{Result, SegmentError};
use crate::format::footer::{self, Footer, IDENTITY};
use crate::format::sink::FileSink;
use crate::format::trailer::Trailer;
use crate::merge::{MergeOptions, copy_rows};
use crate::view::{ColumnView, NULL_ID, SegmentView};
use crate::writer::{SegmentSummary, WriteOptions};

/// Copies a segment under another identity: pieces unchanged, a new footer. Published again under
/// another version or partition, a segment need not be encoded again. Damaged pieces stay detectable.
///
/// # Errors
/// `Corrupt` when header, trailer or footer are damaged, `Invalid` when rows lie outside the new
/// interval, `Io`.
pub fn rewrite_identity<W: Write>(file: &[u8], id: &SegmentId, out: W) -> Result<SegmentSummary> {
    let trailer = Trailer::read(file)?;
    let raw = trailer.footer(file)?;
    let rows = Footer::parse(&raw)?.rows;
    let outside = |ms: i64| !id.interval.contains(ms);
    if rows.time_range.is_some_and(|(min, max)| outside(min) || outside(max)) {
        return Err(SegmentError::Invalid(format!("rows lie outside {}", id.interval)));
    }
    let mut rewritten = Vec::with_capacity(raw.len());
    for section in footer::sections(&raw)? {
        match section.kind {
            IDENTITY => footer::write_identity(&mut rewritten, id),
            _ => section.copy(&mut rewritten),
        }
    }
    let mut sink = FileSink::new(out);
    sink.append(&file[..trailer.footer_offset as usize])?;
    footer::append(&mut sink, &rewritten)?;
    let summary = SegmentSummary {
        size_bytes: sink.position(),
        checksum: sink.checksum(),
        row_count: rows.row_count,
        time_range: rows.time_range,
    };
    sink.finish()?;
    Ok(summary)
}

/// Copies a view column by column under other write options: a hot tier turns the compact form into
/// one that is read in place. Rows keep their order, the segment its identity and schema.
///
/// # Errors
/// `Corrupt` from reading, `Io` from writing.
pub fn transcode<W: Write>(
    view: &dyn SegmentView,
    write: WriteOptions,
    out: W,
) -> Result<SegmentSummary> {
    let mut unindexed = Vec::new();
    for column in &view.schema().columns {
        if let Some(ColumnView::String(strings)) = view.column(&column.name)?
            && strings.bitmap(NULL_ID)?.is_none()
        {
            unindexed.push(column.name.clone());
        }
    }
    let options = MergeOptions { write, unindexed, ..MergeOptions::new(view.schema().clone()) };
    copy_rows(view, &options, out)
}
