//! Encoding one column, apart from the file it will be in.

use henge_types::{ColumnSchema, ColumnType, SegmentId, SegmentSchema, TIME_COLUMN};

use crate::error::{Result, SegmentError};
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;
use crate::writer::{ColumnData, complex, numeric, string};

/// Whether time ascends, and its range.
pub(crate) type TimeSummary = (bool, Option<(i64, i64)>);

/// Encodes columns of one segment. It shares nothing with the writer: give a clone to each thread.
#[derive(Debug, Clone)]
pub struct ColumnEncoder {
    id: SegmentId,
    schema: SegmentSchema,
    row_count: usize,
    options: WriteOptions,
}

/// A column on its way into a file.
#[derive(Debug)]
pub struct EncodedColumn {
    pub(crate) position: usize,
    pub(crate) pieces: Vec<u8>,
    pub(crate) directory: Vec<u8>,
    pub(crate) has_nulls: bool,
    pub(crate) time: Option<TimeSummary>,
}

impl EncodedColumn {
    /// Bytes of the column, but for what the codec of the footer saves.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.pieces.len() + self.directory.len()
    }
}

impl ColumnEncoder {
    pub(super) fn new(
        id: SegmentId,
        schema: SegmentSchema,
        row_count: usize,
        options: WriteOptions,
    ) -> Self {
        Self { id, schema, row_count, options }
    }

    pub(super) fn id(&self) -> &SegmentId {
        &self.id
    }

    pub(super) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Encodes one column; [`SegmentWriter::append`](crate::SegmentWriter::append) takes the result.
    ///
    /// # Errors
    /// `Invalid` when the column is unknown, of another type or length, or when `__time` has nulls or
    /// leaves the segment's interval; `Limit`.
    pub fn encode(&self, name: &str, data: ColumnData<'_>) -> Result<EncodedColumn> {
        let column = self.schema.position(name).zip(self.schema.column(name));
        let (position, column) = column
            .ok_or_else(|| SegmentError::Invalid(format!("no column '{name}' in the schema")))?;
        self.check_type(column, &data)?;
        let time = match name {
            TIME_COLUMN => Some(self.check_time(&data)?),
            _ => None,
        };
        let (mut sink, mut directory) = (PieceSink::default(), Vec::new());
        let written = self.write(data, &mut sink, &mut directory);
        let has_nulls = written.map_err(|error| match error {
            SegmentError::Invalid(what) => {
                SegmentError::Invalid(format!("column '{name}': {what}"))
            }
            other => other,
        })?;
        Ok(EncodedColumn { position, pieces: sink.bytes, directory, has_nulls, time })
    }

    fn check_type(&self, column: &ColumnSchema, data: &ColumnData<'_>) -> Result<()> {
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
    fn check_time(&self, data: &ColumnData<'_>) -> Result<TimeSummary> {
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

    fn write(
        &self,
        data: ColumnData<'_>,
        sink: &mut PieceSink,
        directory: &mut Vec<u8>,
    ) -> Result<bool> {
        let options = &self.options;
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
