//! Rewriting a segment's footer: under another identity, or with projections.

use std::io::Write;

use henge_types::SegmentId;

use crate::error::{Result, SegmentError};
use crate::format::footer::{self, Footer, IDENTITY, RowSummary};
use crate::format::projection::{ProjectionFile, StoredProjection};
use crate::format::sink::FileSink;
use crate::format::trailer::Trailer;
use crate::writer::SegmentSummary;
use henge_types::narrow::place;

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
    let mut sink = FileSink::new(out, trailer.version);
    sink.append(&file[..place(trailer.footer_offset)])?;
    finish(sink, &rewritten, &rows)
}

/// Copies a segment and embeds projections of its rows behind the columns, which stay as they are.
///
/// # Errors
/// `Corrupt` when header, trailer or footer are damaged, `Invalid` when the segment has projections
/// already or two have the same name, `Io`.
pub fn add_projections<W: Write>(
    file: &[u8],
    projections: &[ProjectionFile],
    out: W,
) -> Result<SegmentSummary> {
    let trailer = Trailer::read(file)?;
    let mut raw = trailer.footer(file)?;
    let footer = Footer::parse(&raw)?;
    if !footer.projections.is_empty() {
        return Err(SegmentError::Invalid("the segment has projections already".into()));
    }
    let mut sink = FileSink::new(out, trailer.version);
    sink.append(&file[..place(trailer.footer_offset)])?;
    let mut stored: Vec<StoredProjection> = Vec::with_capacity(projections.len());
    for projection in projections {
        let name = &projection.definition.name;
        if stored.iter().any(|known| known.definition.name == *name) {
            return Err(SegmentError::Invalid(format!("two projections are named '{name}'")));
        }
        stored.push(StoredProjection::write(&mut sink, projection)?);
    }
    footer::write_projections(&mut raw, &stored)?;
    finish(sink, &raw, &footer.rows)
}

fn finish<W: Write>(
    mut sink: FileSink<W>,
    raw: &[u8],
    rows: &RowSummary,
) -> Result<SegmentSummary> {
    footer::append(&mut sink, raw)?;
    let summary = SegmentSummary {
        size_bytes: sink.position(),
        checksum: sink.checksum(),
        row_count: rows.row_count,
        time_range: rows.time_range,
    };
    sink.finish()?;
    Ok(summary)
}
