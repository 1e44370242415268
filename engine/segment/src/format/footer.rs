//! The footer: a list of typed, versioned sections.
//!
//! A reader skips sections it does not know unless they are marked as required, so that later
//! versions can add some without a new format version.

use std::io::Write;
use std::ops::Range;

use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Interval, SegmentId, SegmentSchema, TIME_COLUMN, Version,
};

use crate::error::{Result, SegmentError};
use crate::format::bytes::{ByteReader, ByteWriter};
use crate::format::codec::{self, BlockCodec};
use crate::format::projection::StoredProjection;
use crate::format::sink::FileSink;
use crate::format::trailer::Trailer;
use crate::format::{SMALL_ALIGNMENT, checksum, corrupt};

/// Kinds of sections.
pub(crate) const IDENTITY: u64 = 1;
const SCHEMA: u64 = 2;
const ROWS: u64 = 3;
const COLUMNS: u64 = 4;
pub(crate) const PROJECTIONS: u64 = 5;

const SECTION_VERSION: u8 = 1;
const REQUIRED: u8 = 1;

/// What is known of the rows as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowSummary {
    pub(crate) row_count: usize,
    pub(crate) time_sorted: bool,
    pub(crate) time_range: Option<(i64, i64)>,
}

/// The parsed footer; `directories` are positions in its raw bytes, one a column.
#[derive(Debug)]
pub(crate) struct Footer {
    pub(crate) id: SegmentId,
    pub(crate) schema: SegmentSchema,
    pub(crate) rows: RowSummary,
    pub(crate) directories: Vec<Range<usize>>,
    pub(crate) projections: Vec<StoredProjection>,
}

/// A section as it lies in the raw footer.
pub(crate) struct Section<'a> {
    pub(crate) kind: u64,
    version: u8,
    flags: u8,
    body: ByteReader<'a>,
}

/// The sections of a raw footer.
pub(crate) fn sections(raw: &[u8]) -> Result<Vec<Section<'_>>> {
    let mut reader = ByteReader::new(raw);
    let mut sections = Vec::new();
    while reader.remaining() > 0 {
        let kind = reader.varint()?;
        let (version, flags) = (reader.u8()?, reader.u8()?);
        let length = reader.varint_usize()?;
        sections.push(Section { kind, version, flags, body: reader.sub(length)? });
    }
    Ok(sections)
}

impl Section<'_> {
    /// Appends the section unchanged.
    pub(crate) fn copy(mut self, out: &mut Vec<u8>) {
        write_section(out, self.kind, self.version, self.flags, self.body.rest());
    }
}

fn write_section(out: &mut Vec<u8>, kind: u64, version: u8, flags: u8, body: &[u8]) {
    out.put_varint(kind);
    out.extend([version, flags]);
    out.put_varint(body.len() as u64);
    out.extend_from_slice(body);
}

/// Appends the section of the identity.
pub(crate) fn write_identity(out: &mut Vec<u8>, id: &SegmentId) {
    let mut body = Vec::new();
    body.put_text(&id.datasource);
    body.put_zigzag(id.interval.start_ms);
    body.put_zigzag(id.interval.end_ms);
    body.put_varint(id.version.0);
    body.put_varint(u64::from(id.partition));
    write_section(out, IDENTITY, SECTION_VERSION, REQUIRED, &body);
}

/// Appends the section of the projections, if there are any.
pub(crate) fn write_projections(out: &mut Vec<u8>, projections: &[StoredProjection]) -> Result<()> {
    if !projections.is_empty() {
        let body = StoredProjection::write_all(projections)?;
        // Not required: whoever does not know projections answers from the rows.
        write_section(out, PROJECTIONS, SECTION_VERSION, 0, &body);
    }
    Ok(())
}

/// The raw footer.
pub(crate) fn write(
    id: &SegmentId,
    schema: &SegmentSchema,
    rows: &RowSummary,
    directories: &[Vec<u8>],
) -> Result<Vec<u8>> {
    let mut raw = Vec::new();
    write_identity(&mut raw, id);
    write_section(&mut raw, SCHEMA, SECTION_VERSION, REQUIRED, &schema_bytes(schema)?);
    let mut body = Vec::new();
    body.put_varint(rows.row_count as u64);
    body.push(u8::from(rows.time_sorted));
    let (min, max) = rows.time_range.unwrap_or((0, 0));
    body.put_zigzag(min);
    body.put_zigzag(max);
    write_section(&mut raw, ROWS, SECTION_VERSION, REQUIRED, &body);
    body.clear();
    for directory in directories {
        body.put_varint(directory.len() as u64);
        body.extend_from_slice(directory);
    }
    write_section(&mut raw, COLUMNS, SECTION_VERSION, REQUIRED, &body);
    Ok(raw)
}

/// Appends footer and trailer to a file.
pub(crate) fn append<W: Write>(sink: &mut FileSink<W>, raw: &[u8]) -> Result<()> {
    sink.align(SMALL_ALIGNMENT)?;
    let footer_offset = sink.position();
    // LZ4 whatever the codec of the pieces: every open pays for it, and ZSTD has a long start.
    let compressed = codec::compress(BlockCodec::Lz4, 0, raw, &[]);
    let (stored, codec) = match &compressed {
        Some(compressed) => (compressed.as_slice(), BlockCodec::Lz4),
        None => (raw, BlockCodec::None),
    };
    let length = |bytes: &[u8]| {
        u32::try_from(bytes.len())
            .map_err(|_| SegmentError::Limit(format!("a footer of {} bytes", bytes.len())))
    };
    let trailer = Trailer {
        footer_offset,
        stored_length: length(stored)?,
        raw_length: length(raw)?,
        codec,
        footer_checksum: checksum(stored),
        version: sink.version(),
    };
    sink.append(stored)?;
    sink.append(&trailer.to_bytes())
}

impl Footer {
    pub(crate) fn parse(raw: &[u8]) -> Result<Self> {
        let (mut id, mut schema, mut rows, mut columns) = (None, None, None, None);
        let mut projections = None;
        for section in sections(raw)? {
            let known = section.version == SECTION_VERSION;
            let repeated = match section.kind {
                IDENTITY if known => id.replace(read_identity(section.body)?).is_some(),
                SCHEMA if known => schema.replace(read_schema(section.body)?).is_some(),
                ROWS if known => rows.replace(read_rows(section.body)?).is_some(),
                COLUMNS if known => columns.replace(section.body).is_some(),
                PROJECTIONS if known => {
                    projections.replace(StoredProjection::read_all(section.body)?).is_some()
                }
                kind if section.flags & REQUIRED != 0 => {
                    return Err(corrupt(format!(
                        "footer section {kind} version {} is required and unknown",
                        section.version
                    )));
                }
                _ => false,
            };
            if repeated {
                return Err(corrupt("a footer section appears twice"));
            }
        }
        match (id, schema, rows, columns) {
            (Some(id), Some(schema), Some(rows), Some(columns)) => {
                check_rows(&id, &rows)?;
                let directories = read_directories(columns, schema.columns.len())?;
                let projections = projections.unwrap_or_default();
                Ok(Self { id, schema, rows, directories, projections })
            }
            _ => Err(corrupt("the footer lacks a section")),
        }
    }
}

fn read_identity(mut body: ByteReader<'_>) -> Result<SegmentId> {
    let datasource = body.text()?.into();
    let (start_ms, end_ms) = (body.zigzag()?, body.zigzag()?);
    let interval = Interval::new(start_ms, end_ms)
        .map_err(|error| corrupt(format!("the segment's interval: {error}")))?;
    let id = SegmentId {
        datasource,
        interval,
        version: Version(body.varint()?),
        partition: body.varint_u32()?,
    };
    body.finish("the identity")?;
    Ok(id)
}

fn schema_bytes(schema: &SegmentSchema) -> Result<Vec<u8>> {
    let json = |error: serde_json::Error| SegmentError::Invalid(format!("write schema: {error}"));
    let mut body = Vec::new();
    body.put_varint(schema.columns.len() as u64);
    for column in &schema.columns {
        body.put_text(&column.name);
        let role = match column.role {
            ColumnRole::Time => 0,
            ColumnRole::Dimension => 1,
            ColumnRole::Metric => 2,
        };
        let flags = u8::from(column.multi_value) | u8::from(column.has_nulls) << 1;
        let column_type = match &column.column_type {
            ColumnType::Long => 1,
            ColumnType::Float => 2,
            ColumnType::Double => 3,
            ColumnType::String => 4,
            ColumnType::Complex(_) => 5,
        };
        body.extend([role, flags, column_type]);
        if let ColumnType::Complex(name) = &column.column_type {
            body.put_text(name);
        }
    }
    body.push(u8::from(schema.rollup));
    body.put_text(&serde_json::to_string(&schema.query_granularity).map_err(json)?);
    body.put_text(&serde_json::to_string(&schema.metrics).map_err(json)?);
    Ok(body)
}

fn read_schema(mut body: ByteReader<'_>) -> Result<SegmentSchema> {
    let json = |error: serde_json::Error| corrupt(format!("the schema: {error}"));
    let count = body.count(4)?;
    let mut columns: Vec<ColumnSchema> = Vec::with_capacity(count);
    let mut names = rustc_hash::FxHashSet::default();
    for _ in 0..count {
        let name = body.text()?;
        if !names.insert(name) {
            return Err(corrupt(format!("column '{name}' appears twice")));
        }
        let role = match body.u8()? {
            0 => ColumnRole::Time,
            1 => ColumnRole::Dimension,
            2 => ColumnRole::Metric,
            role => return Err(corrupt(format!("unknown column role {role}"))),
        };
        let flags = body.u8()?;
        let column_type = match body.u8()? {
            1 => ColumnType::Long,
            2 => ColumnType::Float,
            3 => ColumnType::Double,
            4 => ColumnType::String,
            5 => ColumnType::Complex(body.text()?.to_owned()),
            code => return Err(corrupt(format!("unknown column type {code}"))),
        };
        if flags > 3 || (flags & 1 == 1 && column_type != ColumnType::String) {
            return Err(corrupt(format!("column '{name}' has unknown flags {flags}")));
        }
        let (multi_value, has_nulls) = (flags & 1 == 1, flags & 2 == 2);
        let name = name.to_owned();
        columns.push(ColumnSchema { name, column_type, role, multi_value, has_nulls });
    }
    let time = columns.iter().find(|column| column.name == TIME_COLUMN);
    if time.is_none_or(|time| time.column_type != ColumnType::Long || time.has_nulls) {
        return Err(corrupt("the schema lacks a LONG column __time without nulls"));
    }
    let rollup = body.u8()? != 0;
    let query_granularity = serde_json::from_str(body.text()?).map_err(json)?;
    let metrics = serde_json::from_str(body.text()?).map_err(json)?;
    body.finish("the schema")?;
    Ok(SegmentSchema { columns, metrics, rollup, query_granularity })
}

fn read_rows(mut body: ByteReader<'_>) -> Result<RowSummary> {
    let row_count = body.varint_u32()? as usize;
    let time_sorted = body.u8()? != 0;
    let range = (body.zigzag()?, body.zigzag()?);
    body.finish("the row summary")?;
    let time_range = (row_count > 0).then_some(range);
    Ok(RowSummary { row_count, time_sorted, time_range })
}

fn check_rows(id: &SegmentId, rows: &RowSummary) -> Result<()> {
    match rows.time_range {
        Some((min, max)) if min > max => Err(corrupt("the time range is reversed")),
        Some((min, max)) if !id.interval.contains(min) || !id.interval.contains(max) => {
            Err(corrupt("the time range lies outside the segment's interval"))
        }
        _ => Ok(()),
    }
}

fn read_directories(mut body: ByteReader<'_>, columns: usize) -> Result<Vec<Range<usize>>> {
    let mut directories = Vec::with_capacity(columns);
    for _ in 0..columns {
        let length = body.varint_usize()?;
        let start = body.position();
        body.take(length)?;
        directories.push(start..start + length);
    }
    body.finish("the columns")?;
    Ok(directories)
}
