//! Tables of columns, from Parquet files, into segments without going through rows.

mod batch;
mod error;
mod load;
mod parquet;

pub use batch::{BatchColumn, ColumnBatch, Values};
pub use error::{Result, TabularError};
pub use load::{BatchPlan, ChunkRows, ColumnLoader, LoadOptions, SortedChunk, TimeUnit};
pub use parquet::{ParquetField, ParquetReader, ParquetTable, TableFile, WantedField};
