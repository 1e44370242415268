//! Tables of texts and whole numbers, made in memory.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::MemTable;

/// A value of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Text(String),
    Number(i64),
    Null,
}

impl Cell {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A schema of columns of text, and of BIGINT where the name says `#`.
pub(super) fn schema(columns: &[&str]) -> SchemaRef {
    let field = |name: &&str| match name.strip_prefix('#') {
        Some(name) => Field::new(name, DataType::Int64, true),
        None => Field::new(*name, DataType::Utf8, true),
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A table of these rows, of which each has a cell for every column.
///
/// # Errors
/// When a row has more or fewer cells.
pub(super) fn table(schema: SchemaRef, rows: &[Vec<Cell>]) -> Result<Arc<dyn TableProvider>> {
    let array = |(at, field): (usize, &Arc<Field>)| -> ArrayRef {
        let cells = rows.iter().map(|row| row.get(at));
        match field.data_type() {
            DataType::Int64 => {
                Arc::new(cells.map(|cell| cell.and_then(Cell::number)).collect::<Int64Array>())
            }
            _ => Arc::new(cells.map(|cell| cell.and_then(Cell::text)).collect::<StringArray>()),
        }
    };
    let arrays = schema.fields().iter().enumerate().map(array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}
