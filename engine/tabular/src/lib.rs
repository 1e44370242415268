//! Formats with columns (Parquet, CSV, TSV), and rows of columns into segments without an index.

mod batch;
mod delimited;
mod error;
mod load;
mod parquet;
mod utf8;

pub use batch::{BatchColumn, ColumnBatch, Values};
pub use delimited::{DelimitedReader, MAX_RECORD_BYTES, encoding_fault, first_lines};
pub use error::{Result, TabularError};
pub use load::{BatchPlan, ChunkRows, ColumnLoader, LoadOptions, SortedChunk, TimeUnit};
pub use parquet::{ParquetField, ParquetReader, ParquetTable, TableFile, WantedField};
pub use utf8::Utf8Reader;
