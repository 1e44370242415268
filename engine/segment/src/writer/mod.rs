//! Writing a segment, column by column, so that memory holds one column at a time.

mod choose;
mod complex;
mod numeric;
mod string;

use std::borrow::Cow;
use std::io::Write;

use henge_types::{ColumnType, SegmentId, SegmentSchema, TIME_COLUMN};

use crate::dictionary::table::StringTable;
use crate::error::{Result, SegmentError};
use crate::format::codec::BlockCodec;
use crate::format::footer::{self, RowSummary};
use crate::format::sink::FileSink;
use crate::format::trailer;
use crate::projection::{ProjectionFile, StoredProjection};

pub(crate) use numeric::mask_is_implied;

/// How a segment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// The block codec.
    pub codec: BlockCodec,
    /// The level of [`BlockCodec::Zstd`].
    pub zstd_level: i32,
    /// What to prefer where the two conflict.
    pub goal: WriteGoal,
}

/// What encodings are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteGoal {
    /// The fewest bytes: for deep storage and for tiers that are short of memory.
    #[default]
    Size,
    /// The fastest scan: for tiers that read the map in place.
    Scan,
}

impl Default for WriteOptions {
    /// The compact form: ZSTD at level 1. Level 3 saves another 0.1 to 1.4 % and takes a third
    /// longer to write; LZ4 is 17 to 26 % larger.
    fn default() -> Self {
        Self { codec: BlockCodec::Zstd, zstd_level: 1, goal: WriteGoal::Size }
    }
}

impl WriteOptions {
    /// For serving from the map: no codec, encodings that scan fast.
    #[must_use]
    pub fn hot() -> Self {
        Self { codec: BlockCodec::None, goal: WriteGoal::Scan, ..Self::default() }
    }
}

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
        /// Whether to write a bitmap index.
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
        /// Whether to write a bitmap index.
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
    id: SegmentId,
    schema: SegmentSchema,
    row_count: usize,
    options: WriteOptions,
    directories: Vec<Option<Vec<u8>>>,
    time: Option<(bool, Option<(i64, i64)>)>,
    projections: Vec<StoredProjection>,
}

impl<W: Write> std::fmt::Debug for SegmentWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentWriter").field("id", &self.id).finish_non_exhaustive()
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
        let mut sink = FileSink::new(out);
        sink.append(&trailer::header())?;
        let directories = vec![None; schema.columns.len()];
        let projections = Vec::new();
        Ok(Self { sink, id, schema, row_count, options, directories, time: None, projections })
    }

    /// Writes one column.
    ///
    /// # Errors
    /// `Invalid` when the column is unknown, already written, of another type or length, or when
    /// `__time` has nulls or leaves the segment's interval; `Limit` and `Io`.
    pub fn write_column(&mut self, name: &str, data: ColumnData<'_>) -> Result<()> {
        let position = self
            .schema
            .position(name)
            .ok_or_else(|| SegmentError::Invalid(format!("no column '{name}' in the schema")))?;
        if self.directories[position].is_some() {
            return Err(SegmentError::Invalid(format!("column '{name}' is already written")));
        }
        self.check_type(position, &data)?;
        if name == TIME_COLUMN {
            self.time = Some(self.check_time(&data)?);
        }
        let mut directory = Vec::new();
        let has_nulls = self.write_data(data, &mut directory).map_err(|error| match error {
            SegmentError::Invalid(what) => {
                SegmentError::Invalid(format!("column '{name}': {what}"))
            }
            other => other,
        })?;
        self.schema.columns[position].has_nulls = has_nulls;
        self.directories[position] = Some(directory);
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
        let rows = RowSummary { row_count: self.row_count, time_sorted, time_range };
        let directories: Vec<Vec<u8>> = self.directories.into_iter().flatten().collect();
        let mut raw = footer::write(&self.id, &self.schema, &rows, &directories)?;
        footer::write_projections(&mut raw, &self.projections)?;
        footer::append(&mut self.sink, &raw)?;
        let summary = SegmentSummary {
            size_bytes: self.sink.position(),
            checksum: self.sink.checksum(),
            row_count: self.row_count,
            time_range,
        };
        Ok((summary, self.sink.finish()?))
    }

    fn check_type(&self, position: usize, data: &ColumnData<'_>) -> Result<()> {
        let column = &self.schema.columns[position];
        let (matches, rows) = match data {
            ColumnData::Long { values, .. } => {
                (column.column_type == ColumnType::Long, values.len())
            }
            ColumnData::Float { values, .. } => {
                (column.column_type == ColumnType::Float, values.len())
            }
            ColumnData::Double { values, .. } => {
                (column.column_type == ColumnType::Double, values.len())
            }
            ColumnData::String { ids, .. } => {
                (column.column_type == ColumnType::String && !column.multi_value, ids.len())
            }
            ColumnData::MultiString { offsets, .. } => (
                column.column_type == ColumnType::String && column.multi_value,
                offsets.len().wrapping_sub(1),
            ),
            ColumnData::Complex { .. } => {
                (matches!(column.column_type, ColumnType::Complex(_)), self.row_count)
            }
        };
        if !matches {
            return Err(SegmentError::Invalid(format!(
                "column '{}' is {} in the schema, the data is not",
                column.name, column.column_type
            )));
        }
        if rows != self.row_count {
            return Err(SegmentError::Invalid(format!(
                "column '{}' has {rows} rows, the segment {}",
                column.name, self.row_count
            )));
        }
        Ok(())
    }

    /// Whether time ascends, and its range.
    fn check_time(&self, data: &ColumnData<'_>) -> Result<(bool, Option<(i64, i64)>)> {
        let ColumnData::Long { values, nulls: None } = data else {
            return Err(SegmentError::Invalid("__time has nulls".into()));
        };
        let range = values.iter().copied().min().zip(values.iter().copied().max());
        if let Some((min, max)) = range
            && !(self.id.interval.contains(min) && self.id.interval.contains(max))
        {
            return Err(SegmentError::Invalid(format!(
                "__time from {min} to {max} leaves the segment's interval {}",
                self.id.interval
            )));
        }
        Ok((values.is_sorted(), range))
    }

    fn write_data(&mut self, data: ColumnData<'_>, directory: &mut Vec<u8>) -> Result<bool> {
        let (sink, options) = (&mut self.sink, &self.options);
        match data {
            ColumnData::Long { values, nulls } => {
                numeric::write(sink, options, values, nulls, directory)
            }
            ColumnData::Float { values, nulls } => {
                numeric::write(sink, options, values, nulls, directory)
            }
            ColumnData::Double { values, nulls } => {
                numeric::write(sink, options, values, nulls, directory)
            }
            ColumnData::String { dictionary, ids, bitmaps } => {
                string::write_single(sink, options, dictionary, ids, bitmaps, directory)
            }
            ColumnData::MultiString { dictionary, offsets, ids, bitmaps } => {
                let lists = string::Lists { offsets, ids };
                string::write_multi(sink, options, dictionary, &lists, bitmaps, directory)
            }
            ColumnData::Complex { rows } => {
                complex::write(sink, options, rows, self.row_count, directory)
            }
        }
    }
}
