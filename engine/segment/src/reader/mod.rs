//! Reading a segment from bytes that the caller maps. Opening reads and verifies header, trailer and
//! footer; each piece is verified when it is first read, and the columns check what they decode.

pub(crate) mod complex;
pub(crate) mod numeric;
pub(crate) mod pieces;
pub(crate) mod stored;
pub(crate) mod string;

use std::ops::Range;
use std::sync::Arc;

use henge_types::{ColumnType, SegmentId, SegmentSchema, TIME_COLUMN};
use rustc_hash::FxHashMap;

use crate::block::BLOCK_ROWS;
use crate::error::{Result, SegmentError};
use crate::format::ahead::{Ahead, ReadAhead};
use crate::format::bytes::ByteReader;
use crate::format::footer::{Footer, RowSummary};
use crate::format::holes::{BlockPiece, FetchBytes, Holes};
use crate::format::piece::{Piece, SegmentBytes, Source, Supply};
use crate::format::projection::StoredProjection;
use crate::format::trailer::Trailer;
use crate::format::{HEADER_BYTES, LARGE_ALIGNMENT, corrupt};
use crate::reader::complex::ComplexReader;
use crate::reader::numeric::NumericReader;
use crate::reader::stored::StoredColumn;
use crate::reader::string::StringReader;
use crate::view::{ColumnView, Projection, SegmentView};
use henge_types::narrow::narrow;

/// What is fetched of a file's end before it is known how long its footer is.
const TAIL_BYTES: u64 = 8 << 10;

/// An open segment file.
#[derive(Debug)]
pub struct MappedSegment {
    pub(crate) source: Arc<Source>,
    id: SegmentId,
    schema: SegmentSchema,
    pub(crate) rows: RowSummary,
    pub(crate) columns: Vec<Box<dyn StoredColumn>>,
    positions: FxHashMap<String, usize>,
    directories: Vec<Range<usize>>,
    /// The segments of the projections.
    embedded: Vec<Arc<MappedSegment>>,
    projections: Vec<Projection>,
}

impl MappedSegment {
    /// The number in the [`crate::view::DictionaryInstance`] of all columns.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.source.instance
    }

    /// The segments that its projections are, in their order.
    pub fn embedded(&self) -> impl Iterator<Item = &MappedSegment> {
        self.embedded.iter().map(AsRef::as_ref)
    }

    /// Opens a segment.
    ///
    /// # Errors
    /// `UnknownVersion` for a file of another format version, `Corrupt` for anything else that is not
    /// a sound header, trailer and footer.
    pub fn open(bytes: SegmentBytes) -> Result<Self> {
        let supply = Supply::default();
        let footer = read_footer(&bytes, &supply)?;
        Self::from_footer(bytes, supply, footer)
    }

    /// As [`MappedSegment::open`], for a file that is mapped: `asks` is told what is about to be read of it.
    ///
    /// # Errors
    /// As [`MappedSegment::open`].
    pub fn open_ahead(bytes: SegmentBytes, asks: Arc<dyn ReadAhead>) -> Result<Self> {
        let ahead = Some(Ahead::new(asks, (*bytes).as_ref().len()));
        let supply = Supply { ahead, holes: None };
        let footer = read_footer(&bytes, &supply)?;
        Self::from_footer(bytes, supply, footer)
    }

    /// Opens a segment of which only a part may be here: `bytes` are as many as it has, zeros where nothing
    /// is, and `fetch` gets what is read of those and puts it there.
    ///
    /// # Errors
    /// As [`MappedSegment::open`], and `Fetch`.
    pub fn open_with_holes(bytes: SegmentBytes, fetch: Arc<dyn FetchBytes>) -> Result<Self> {
        let supply = Supply { holes: Some(Holes::new(fetch)), ahead: None };
        let footer = read_footer(&bytes, &supply)?;
        Self::from_footer(bytes, supply, footer)
    }

    fn from_footer(
        bytes: SegmentBytes,
        supply: Supply,
        (raw, footer): (Vec<u8>, Footer),
    ) -> Result<Self> {
        let Footer { id, schema, rows, directories, projections } = footer;
        let embedded = projections
            .iter()
            .map(|projection| open_projection(projection, &bytes, &supply).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        let projections = projections
            .into_iter()
            .zip(&embedded)
            .map(|(projection, rows)| Projection::new(projection.definition, Arc::clone(rows) as _))
            .collect();
        let source = Arc::new(Source::new(bytes, supply, raw, rows.row_count));
        let mut columns = Vec::with_capacity(schema.columns.len());
        let mut positions = FxHashMap::default();
        for (position, (column, directory)) in schema.columns.iter().zip(&directories).enumerate() {
            let mut reader = ByteReader::new(&source.footer[..directory.end]);
            reader.take(directory.start)?;
            let base = reader.varint()?.saturating_mul(LARGE_ALIGNMENT as u64);
            let mut reader = reader.with_base(base);
            let read = read_column(&source, position, column, &rows, &mut reader)
                .and_then(|read| reader.finish("the directory").map(|()| read))
                .map_err(|error| error.at(|damage| damage.column = Some(column.name.clone())))?;
            columns.push(read);
            positions.insert(column.name.clone(), position);
        }
        if let Some(ahead) = &source.supply.ahead {
            ahead.know_columns(&block_pieces(&columns)?);
        }
        if let Some(holes) = &source.supply.holes {
            holes.know_blocks(block_pieces(&columns)?);
        }
        Ok(Self {
            source,
            id,
            schema,
            rows,
            columns,
            positions,
            directories,
            embedded,
            projections,
        })
    }

    /// Opens a segment and checks that it is the one expected: a right file under a wrong name, or an
    /// old version under a new one, is refused.
    ///
    /// # Errors
    /// As [`MappedSegment::open`], and `Corrupt` for another identity.
    pub fn open_as(bytes: SegmentBytes, id: &SegmentId) -> Result<Self> {
        let segment = Self::open(bytes)?;
        match segment.id == *id {
            true => Ok(segment),
            false => Err(corrupt(format!("the file holds {}, {id} is expected", segment.id))),
        }
    }
}

impl MappedSegment {
    /// Bytes of a column's directory in the raw footer.
    pub(crate) fn directory_bytes(&self, column: usize) -> u64 {
        self.directories.get(column).map_or(0, |directory| directory.len() as u64)
    }

    /// Where a column's pieces begin in the file, in units; 0 when it has none there.
    pub(crate) fn column_start(&self, column: usize) -> u64 {
        let directory = self.directories.get(column);
        let bytes = directory.and_then(|directory| self.source.footer.get(directory.clone()));
        bytes.and_then(|bytes| ByteReader::new(bytes).varint().ok()).unwrap_or_default()
    }
}

/// The verified footer, raw and parsed.
fn read_footer(bytes: &SegmentBytes, supply: &Supply) -> Result<(Vec<u8>, Footer)> {
    // The compiler is not to know that it has read these bytes before.
    let file = || std::hint::black_box(&**bytes).as_ref();
    let length = file().len() as u64;
    let tail = length.saturating_sub(TAIL_BYTES);
    let ends = [0..(HEADER_BYTES as u64).min(tail), tail..length];
    let trailer = reading(supply, &ends, || Trailer::read(file()))?;
    let lies = trailer.footer_offset..tail.max(trailer.footer_offset);
    let raw = reading(supply, &[lies], || trailer.footer(file()))?;
    let footer = Footer::parse(&raw)?;
    Ok((raw, footer))
}

/// Reads something that lies in these ranges: they are asked for before, and when they were not here it is
/// read once more.
fn reading<T>(supply: &Supply, ranges: &[Range<u64>], read: impl Fn() -> Result<T>) -> Result<T> {
    if let Some(ahead) = &supply.ahead {
        ranges.iter().for_each(|range| ahead.before_range(range));
    }
    match (read(), &supply.holes) {
        (Err(SegmentError::Corrupt(_)), Some(holes)) => {
            let ranges: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
            holes.fill(&ranges)?;
            read()
        }
        (done, _) => done,
    }
}

/// Where the blocks of all columns lie.
fn block_pieces(columns: &[Box<dyn StoredColumn>]) -> Result<Vec<BlockPiece>> {
    let mut blocks = Vec::new();
    for (column, stored) in columns.iter().enumerate() {
        stored.for_each_block_piece(&mut |_, piece| {
            if let Piece::Stored(piece) = piece {
                blocks.push(BlockPiece { column, piece: *piece });
            }
            Ok(())
        })?;
    }
    Ok(blocks)
}

/// Opens a segment inside another, which must not have projections itself.
fn open_projection(
    stored: &StoredProjection,
    file: &SegmentBytes,
    supply: &Supply,
) -> Result<MappedSegment> {
    let open = |bytes: SegmentBytes| {
        let supply = supply.within(stored.offset);
        let footer = read_footer(&bytes, &supply)?;
        match footer.1.projections.is_empty() {
            true => MappedSegment::from_footer(bytes, supply, footer),
            false => Err(corrupt("a projection holds projections")),
        }
    };
    let name = &stored.definition.name;
    let opened = stored.bytes(file).and_then(open);
    opened.map_err(|error| match error {
        SegmentError::Corrupt(_) => error.at(|damage| damage.projection = Some(name.clone())),
        SegmentError::Fetch { .. } => error,
        other => corrupt(format!("projection '{name}': {other}")),
    })
}

fn read_column(
    source: &Arc<Source>,
    position: usize,
    column: &henge_types::ColumnSchema,
    rows: &RowSummary,
    reader: &mut ByteReader<'_>,
) -> Result<Box<dyn StoredColumn>> {
    let sorted = column.name == TIME_COLUMN && rows.time_sorted;
    let number = narrow(position);
    let read: Box<dyn StoredColumn> = match &column.column_type {
        ColumnType::Long => {
            let long = NumericReader::read(source, reader, sorted)?;
            if column.name == TIME_COLUMN {
                check_time_range(&long, rows)?;
            }
            Box::new(long)
        }
        ColumnType::Float => Box::new(NumericReader::<f32>::read(source, reader, false)?),
        ColumnType::Double => Box::new(NumericReader::<f64>::read(source, reader, false)?),
        ColumnType::String => Box::new(StringReader::read(source, number, column, reader)?),
        ColumnType::Complex(name) => Box::new(ComplexReader::read(source, number, name, reader)?),
    };
    Ok(read)
}

/// Pruning trusts the time range, so it must be what the blocks say.
fn check_time_range(time: &NumericReader<i64>, rows: &RowSummary) -> Result<()> {
    let min = time.block_stats().map(|stats| stats.min).min();
    let max = time.block_stats().map(|stats| stats.max).max();
    if min.zip(max) != rows.time_range || time.block_stats().any(|stats| stats.null_count > 0) {
        return Err(corrupt("the time range is not that of the blocks"));
    }
    let ranges: Vec<_> = time.block_stats().map(|stats| (stats.min, stats.max)).collect();
    if rows.time_sorted && ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(corrupt("the time blocks do not ascend"));
    }
    Ok(())
}

/// Rows of one block of a segment.
pub(crate) fn block_rows(row_count: usize, block: usize) -> usize {
    row_count.saturating_sub(block * BLOCK_ROWS).min(BLOCK_ROWS)
}

impl SegmentView for MappedSegment {
    fn id(&self) -> &SegmentId {
        &self.id
    }

    fn schema(&self) -> &SegmentSchema {
        &self.schema
    }

    fn row_count(&self) -> usize {
        self.rows.row_count
    }

    fn time_range(&self) -> Option<(i64, i64)> {
        self.rows.time_range
    }

    fn is_time_sorted(&self) -> bool {
        self.rows.time_sorted
    }

    fn size_bytes(&self) -> u64 {
        self.source.file().len() as u64
    }

    fn projections(&self) -> &[Projection] {
        &self.projections
    }

    fn locate(&self, error: SegmentError) -> SegmentError {
        let Some(piece) = error.damage().and_then(|damage| damage.piece) else { return error };
        self.locate_piece(piece, error)
    }

    fn column(&self, name: &str) -> Result<Option<ColumnView<'_>>> {
        let position = self.positions.get(name).copied();
        Ok(position.and_then(|position| self.columns.get(position)).map(|column| column.view()))
    }
}
