//! Reading Parquet, column by column, a slice of rows of one row group at a time.

mod column;
mod convert;
mod file;
mod guard;
mod losses;
mod needs;
mod nested;
mod schema;
mod within;

use std::sync::Arc;

use henge_types::ChangeReport;
use parquet::column::reader::get_column_reader;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;

pub use file::TableFile;
pub use schema::ParquetField;

use crate::batch::{BatchColumn, ColumnBatch};
use crate::error::{Result, TabularError};
use column::{OpenColumn, ReadColumn};
use file::Ranges;
use guard::{GuardedPages, ListBudget};
use nested::OpenNested;
use schema::Kind;

/// Rows of a batch, unless the row group ends before.
const BATCH_ROWS: usize = 128 << 10;
/// Bytes of a file's metadata.
const MAX_METADATA_BYTES: u64 = 256 << 20;

/// An open Parquet file.
#[derive(Clone)]
pub struct ParquetTable {
    file: Ranges,
    metadata: Arc<ParquetMetaData>,
    fields: Vec<ParquetField>,
}

/// What a column of a batch is to be.
#[derive(Debug, Clone)]
pub struct WantedField {
    /// The field's name; a field that the file lacks is null.
    pub name: String,
    /// True when it is stored as text.
    pub as_text: bool,
}

impl ParquetTable {
    /// Reads a file's metadata.
    ///
    /// # Errors
    /// When it is no Parquet file, or damaged.
    pub fn open(file: Arc<dyn TableFile>) -> Result<Self> {
        check_footer(file.as_ref())?;
        let file = Ranges(file);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        let fields = schema::fields(metadata.file_metadata().schema_descr());
        Ok(Self { file, metadata: Arc::new(metadata), fields })
    }

    /// The file's fields.
    #[must_use]
    pub fn fields(&self) -> &[ParquetField] {
        &self.fields
    }

    /// Rows of the file, by its own word.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        let rows = self.metadata.row_groups().iter().map(|group| group.num_rows().max(0) as u64);
        rows.fold(0, u64::saturating_add)
    }

    /// Starts reading. Batches have one column a wanted field, in their order.
    #[must_use]
    pub fn read(self, wanted: &[WantedField], binary_as_text: bool) -> ParquetReader {
        let column = |wanted: &WantedField| {
            let field = self.fields.iter().find(|field| field.name == wanted.name);
            let (field, as_text) = (field?.clone(), wanted.as_text);
            Some(ReadColumn { field, as_text, binary_as_text })
        };
        let columns = wanted.iter().map(column).collect();
        ParquetReader {
            table: self,
            columns,
            next_group: 0,
            group: None,
            stored_bytes_read: 0,
            changes: ChangeReport::default(),
        }
    }
}

impl std::fmt::Debug for ParquetTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetTable").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// Reads the wanted fields of a file from its first row to its last.
#[derive(Debug)]
pub struct ParquetReader {
    table: ParquetTable,
    columns: Vec<Option<ReadColumn>>,
    next_group: usize,
    group: Option<Group>,
    stored_bytes_read: u64,
    /// What reading took from values of the latest batch.
    changes: ChangeReport,
}

/// The row group that is being read.
struct Group {
    columns: Vec<Option<Open>>,
    rows_left: usize,
    rows: usize,
    stored_bytes: u64,
}

/// A field of the row group that is being read.
enum Open {
    Flat(Box<OpenColumn>),
    Nested(Box<OpenNested>),
}

/// Where the pages of a row group are.
#[derive(Clone)]
struct PagePlan {
    file: Ranges,
    metadata: Arc<ParquetMetaData>,
    group: usize,
}

impl ParquetReader {
    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn next_batch(&mut self) -> Result<Option<ColumnBatch>> {
        let mut group = match self.group.take() {
            Some(group) => group,
            None => match self.open_group()? {
                Some(group) => group,
                None => return Ok(None),
            },
        };
        let row_count = group.rows_left.min(BATCH_ROWS);
        let mut columns = Vec::with_capacity(self.columns.len());
        for (column, open) in self.columns.iter().zip(&mut group.columns) {
            columns.push(match (column, open) {
                (Some(column), Some(Open::Flat(open))) => open.read(column, row_count)?,
                (_, Some(Open::Nested(open))) => open.read(row_count)?,
                _ => BatchColumn::null(),
            });
        }
        for (column, open) in self.columns.iter().zip(&mut group.columns) {
            if let (Some(column), Some(Open::Flat(open))) = (column, open) {
                open.report_losses(&column.field.name, &mut self.changes);
            }
        }
        group.rows_left -= row_count;
        let share = group.stored_bytes as f64 * row_count as f64 / group.rows.max(1) as f64;
        self.stored_bytes_read += share as u64;
        if group.rows_left > 0 {
            self.group = Some(group);
        }
        Ok(Some(ColumnBatch { row_count, columns }))
    }

    /// What reading took from values since the last call, with the rows of the batch.
    pub fn take_changes(&mut self) -> ChangeReport {
        std::mem::take(&mut self.changes)
    }

    /// About how many of the file's bytes were read.
    #[must_use]
    pub fn stored_bytes_read(&self) -> u64 {
        self.stored_bytes_read
    }

    /// The earliest and the latest time of the rows that are still to come, by the statistics of a
    /// column that holds times; `None` when there are none.
    #[must_use]
    pub fn upcoming_times(&self, column: usize) -> Option<(i64, i64)> {
        let column = self.columns.get(column)?.as_ref()?;
        let Kind::Timestamp(unit) = column.field.kind else { return None };
        let mut range: Option<(i64, i64)> = None;
        let open = usize::from(self.group.is_some());
        for group in self.table.metadata.row_groups().iter().skip(self.next_group - open) {
            let statistics = group.columns().get(column.field.leaf)?.statistics()?;
            let Statistics::Int64(values) = statistics else { return None };
            let (min, max) = (*values.min_opt()?, *values.max_opt()?);
            let (min, max) = (min.div_euclid(unit), max.div_euclid(unit));
            range = Some(range.map_or((min, max), |(low, high)| (low.min(min), high.max(max))));
        }
        Some(range.unwrap_or((i64::MAX, i64::MIN)))
    }

    /// Opens the next row group that has rows.
    fn open_group(&mut self) -> Result<Option<Group>> {
        let metadata = Arc::clone(&self.table.metadata);
        loop {
            let Some(group) = metadata.row_groups().get(self.next_group) else { return Ok(None) };
            self.next_group += 1;
            let rows = usize::try_from(group.num_rows())
                .map_err(|_| TabularError::Corrupt("a row group has less than no rows".into()))?;
            if rows == 0 {
                continue;
            }
            let plan = PagePlan {
                file: self.table.file.clone(),
                metadata: Arc::clone(&metadata),
                group: self.next_group - 1,
            };
            let mut columns = Vec::with_capacity(self.columns.len());
            let mut stored_bytes = 0;
            for column in &self.columns {
                let Some(column) = column else {
                    columns.push(None);
                    continue;
                };
                stored_bytes += plan.stored_bytes(&column.field);
                columns.push(Some(plan.open_field(&column.field)?));
            }
            return Ok(Some(Group { columns, rows_left: rows, rows, stored_bytes }));
        }
    }
}

impl PagePlan {
    fn open_field(&self, field: &ParquetField) -> Result<Open> {
        if field.kind == Kind::Nested {
            return Ok(Open::Nested(Box::new(OpenNested::new(self.clone(), field.root)?)));
        }
        let chunk = self.chunk(field.leaf)?;
        let has_dictionary = chunk.encodings().any(guard::is_dictionary);
        let budget = ListBudget::default();
        let pages = self.open(field.leaf, &budget)?;
        let reader = get_column_reader(chunk.column_descr_ptr(), Box::new(pages));
        Ok(Open::Flat(Box::new(OpenColumn::new(reader, has_dictionary, budget))))
    }

    /// The pages of a column.
    fn open(&self, leaf: usize, budget: &ListBudget) -> Result<GuardedPages> {
        let chunk = self.chunk(leaf)?;
        let description = chunk.column_descr_ptr();
        self.check_place(chunk)?;
        let rows = usize::try_from(self.metadata.row_group(self.group).num_rows()).unwrap_or(0);
        let pages = SerializedPageReader::new(Arc::new(self.file.clone()), chunk, rows, None)?;
        if !column::is_readable(description.physical_type(), description.type_length()) {
            return Err(TabularError::Corrupt("a column of fixed length has none".into()));
        }
        Ok(GuardedPages {
            budget: (description.max_rep_level() > 0).then(|| budget.clone()),
            inner: Box::new(pages),
            physical_type: description.physical_type(),
            type_length: description.type_length(),
        })
    }

    fn chunk(&self, leaf: usize) -> Result<&ColumnChunkMetaData> {
        let chunk = self.metadata.row_group(self.group).columns().get(leaf);
        chunk.ok_or_else(|| TabularError::Corrupt("a row group lacks a column".into()))
    }

    /// Bytes of all columns of a field.
    fn stored_bytes(&self, field: &ParquetField) -> u64 {
        let schema = self.metadata.file_metadata().schema_descr();
        let columns = self.metadata.row_group(self.group).columns().iter().enumerate();
        let own = columns.filter(|(leaf, _)| schema.get_column_root_idx(*leaf) == field.root);
        own.map(|(_, chunk)| u64::try_from(chunk.compressed_size()).unwrap_or(0)).sum()
    }

    /// The library takes the place of a column at its word.
    fn check_place(&self, chunk: &ColumnChunkMetaData) -> Result<()> {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let place = u64::try_from(start).ok().zip(u64::try_from(chunk.compressed_size()).ok());
        let end = place.and_then(|(start, length)| start.checked_add(length));
        match end {
            Some(end) if end <= self.file.0.size_bytes() => Ok(()),
            _ => Err(TabularError::Corrupt(format!(
                "column '{}' of the Parquet file lies outside of it",
                chunk.column_path()
            ))),
        }
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("rows_left", &self.rows_left).finish_non_exhaustive()
    }
}

/// Magic number and length of the metadata, with messages that say what the file is instead.
fn check_footer(file: &dyn TableFile) -> Result<()> {
    let size = file.size_bytes();
    let not_parquet = |what: &str| TabularError::Corrupt(format!("not a Parquet file: {what}"));
    let Some(tail) = size.checked_sub(8) else {
        return Err(not_parquet(&format!("it has {size} bytes")));
    };
    let io = |error: std::io::Error| TabularError::Corrupt(format!("cannot be read: {error}"));
    let bytes = file.read_at(tail, 8).map_err(io)?;
    match &bytes[4..] {
        b"PAR1" => {}
        b"PARE" => return Err(TabularError::Unsupported("the Parquet file is encrypted".into())),
        _ => return Err(not_parquet("it does not end with PAR1, it may be truncated")),
    }
    let length = u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    if length > tail || length > MAX_METADATA_BYTES {
        return Err(not_parquet(&format!("its metadata would have {length} bytes")));
    }
    Ok(())
}
