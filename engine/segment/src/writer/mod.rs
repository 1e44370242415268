//! Writing a segment, column by column, so that memory holds one column at a time.

mod choose;
mod column;
mod complex;
mod numeric;
mod string;

use std::borrow::Cow;
use std::io::Write;

use henge_types::{ColumnType, SegmentId, SegmentSchema, TIME_COLUMN};

use crate::dictionary::table::StringTable;
use crate::error::{Result, SegmentError};
use crate::format::LARGE_ALIGNMENT;
use crate::format::bytes::ByteWriter;
use crate::format::footer::{self, RowSummary};
use crate::format::projection::{ProjectionFile, StoredProjection};
use crate::format::sink::FileSink;
use crate::format::trailer;
use crate::options::WriteOptions;
use crate::writer::column::TimeSummary;

pub(crate) use choose::choose;
pub use column::{ColumnEncoder, EncodedColumn};
pub(crate) use numeric::put_block;
pub(crate) use string::{IndexKind, write_ids, write_index};

/// Rows of a complex column, in order; `None` is null.
pub type ComplexRows<'a> = dyn Iterator<Item = Result<Option<Cow<'a, [u8]>>>> + 'a;

/// A whole column. Null masks have bit `row % 64` of word `row / 64` set where the row is null.
pub enum ColumnData<'a> {
    /// LONG, and `__time`.
    Long {
        /// One value a row; anything where null.
        values: &'a [i64],
        /// Null rows; `None` when there are none.
        nulls: Option<&'a [u64]>,
    },
    /// FLOAT.
    Float {
        /// One value a row; anything where null.
        values: &'a [f32],
        /// Null rows; `None` when there are none.
        nulls: Option<&'a [u64]>,
    },
    /// DOUBLE.
    Double {
        /// One value a row; anything where null.
        values: &'a [f64],
        /// Null rows; `None` when there are none.
        nulls: Option<&'a [u64]>,
    },
    /// STRING with one value a row.
    String {
        /// Distinct values, ascending by bytes; value `i` has id `i + 1`, null has id 0.
        dictionary: &'a StringTable,
        /// One id a row.
        ids: &'a [u32],
        /// Whether to write a bitmap index, if [`WriteOptions::index`] agrees.
        bitmaps: bool,
    },
    /// STRING with several values a row.
    MultiString {
        /// As for `String`.
        dictionary: &'a StringTable,
        /// `rows + 1` offsets into `ids`, the first 0.
        offsets: &'a [u32],
        /// The ids of all rows.
        ids: &'a [u32],
        /// Whether to write a bitmap index, if [`WriteOptions::index`] agrees.
        bitmaps: bool,
    },
    /// COMPLEX.
    Complex {
        /// The rows.
        rows: &'a mut ComplexRows<'a>,
    },
}

impl std::fmt::Debug for ColumnData<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Long { .. } => "Long",
            Self::Float { .. } => "Float",
            Self::Double { .. } => "Double",
            Self::String { .. } => "String",
            Self::MultiString { .. } => "MultiString",
            Self::Complex { .. } => "Complex",
        })
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SegmentSummary {
    /// Bytes of the file.
    pub size_bytes: u64,
    /// xxh3 of the whole file.
    pub checksum: u64,
    /// Rows.
    pub row_count: usize,
    /// Smallest and largest `__time`, inclusive; `None` without rows.
    pub time_range: Option<(i64, i64)>,
}

/// Writes one segment to `out`.
pub struct SegmentWriter<W: Write> {
    sink: FileSink<W>,
    encoder: ColumnEncoder,
    schema: SegmentSchema,
    directories: Vec<Option<Vec<u8>>>,
    time: Option<TimeSummary>,
    projections: Vec<StoredProjection>,
}

impl<W: Write> std::fmt::Debug for SegmentWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentWriter").field("encoder", &self.encoder).finish_non_exhaustive()
    }
}

impl<W: Write> SegmentWriter<W> {
    /// Starts a segment. Every column of the schema is then written once, in any order.
    ///
    /// # Errors
    /// `Invalid` for a schema without `__time` or with a name twice, `Limit` for too many rows, `Io`.
    pub fn new(
        out: W,
        id: SegmentId,
        schema: SegmentSchema,
        row_count: usize,
        options: WriteOptions,
    ) -> Result<Self> {
        if u32::try_from(row_count).is_err() {
            return Err(SegmentError::Limit(format!("{row_count} rows: at most 2^32 - 1")));
        }
        if schema.column(TIME_COLUMN).is_none_or(|time| time.column_type != ColumnType::Long) {
            return Err(SegmentError::Invalid("a schema needs a LONG column __time".into()));
        }
        for (position, column) in schema.columns.iter().enumerate() {
            if schema.position(&column.name) != Some(position) {
                return Err(SegmentError::Invalid(format!("column '{}' twice", column.name)));
            }
        }
        let mut sink = FileSink::new(out, options.format_version());
        sink.append(&trailer::header(sink.version()))?;
        let directories = vec![None; schema.columns.len()];
        let encoder = ColumnEncoder::new(id, schema.clone(), row_count, options);
        Ok(Self { sink, encoder, schema, directories, time: None, projections: Vec::new() })
    }

    /// What encodes columns apart from this writer, several at a time on threads of the caller's.
    #[must_use]
    pub fn encoder(&self) -> ColumnEncoder {
        self.encoder.clone()
    }

    /// Writes one column.
    ///
    /// # Errors
    /// `Invalid` when the column is unknown, already written, of another type or length, or when
    /// `__time` has nulls or leaves the segment's interval; `Limit` and `Io`.
    pub fn write_column(&mut self, name: &str, data: ColumnData<'_>) -> Result<()> {
        if self.schema.position(name).is_some_and(|position| self.directories[position].is_some()) {
            return Err(SegmentError::Invalid(format!("column '{name}' is already written")));
        }
        let column = self.encoder.encode(name, data)?;
        self.append(column)
    }

    /// Appends a column that [`SegmentWriter::encoder`] has encoded. The order of columns decides
    /// where they lie in the file: keep to one order, and equal input gives equal bytes.
    ///
    /// # Errors
    /// `Invalid` when the column is already written, `Io`.
    pub fn append(&mut self, column: EncodedColumn) -> Result<()> {
        let EncodedColumn { position, pieces, directory, has_nulls, time } = column;
        let (Some(slot), Some(schema)) =
            (self.directories.get_mut(position), self.schema.columns.get_mut(position))
        else {
            return Err(SegmentError::Invalid("a column of another segment".into()));
        };
        if slot.is_some() {
            return Err(SegmentError::Invalid(format!(
                "column '{}' is already written",
                schema.name
            )));
        }
        let mut placed = Vec::with_capacity(directory.len() + 5);
        if pieces.is_empty() {
            placed.put_varint(0);
        } else {
            self.sink.align(LARGE_ALIGNMENT)?;
            placed.put_varint(self.sink.position() / LARGE_ALIGNMENT as u64);
            self.sink.append(&pieces)?;
        }
        placed.extend(directory);
        *slot = Some(placed);
        schema.has_nulls = has_nulls;
        self.time = time.or(self.time);
        Ok(())
    }

    /// Embeds a projection of the rows.
    ///
    /// # Errors
    /// `Invalid` when another one has its name, `Io`.
    pub fn write_projection(&mut self, file: &ProjectionFile) -> Result<()> {
        let name = &file.definition.name;
        if self.projections.iter().any(|known| known.definition.name == *name) {
            return Err(SegmentError::Invalid(format!("projection '{name}' is already written")));
        }
        self.projections.push(StoredProjection::write(&mut self.sink, file)?);
        Ok(())
    }

    /// Writes the footer.
    ///
    /// # Errors
    /// `Invalid` when a column is missing, `Io`.
    pub fn finish(self) -> Result<SegmentSummary> {
        self.finish_into().map(|(summary, _)| summary)
    }

    /// [`SegmentWriter::finish`], and gives the output back.
    ///
    /// # Errors
    /// As `finish`.
    pub fn finish_into(mut self) -> Result<(SegmentSummary, W)> {
        let missing = self.directories.iter().position(Option::is_none);
        if let Some(column) = missing.and_then(|position| self.schema.columns.get(position)) {
            return Err(SegmentError::Invalid(format!("column '{}' is not written", column.name)));
        }
        let (time_sorted, time_range) = self.time.unwrap_or((true, None));
        let row_count = self.encoder.row_count();
        let rows = RowSummary { row_count, time_sorted, time_range };
        let directories: Vec<Vec<u8>> = self.directories.into_iter().flatten().collect();
        let mut raw = footer::write(self.encoder.id(), &self.schema, &rows, &directories)?;
        footer::write_projections(&mut raw, &self.projections)?;
        footer::append(&mut self.sink, &raw)?;
        let summary = SegmentSummary {
            size_bytes: self.sink.position(),
            checksum: self.sink.checksum(),
            row_count,
            time_range,
        };
        Ok((summary, self.sink.finish()?))
    }
}
