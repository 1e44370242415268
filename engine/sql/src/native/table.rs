//! [`NativeTable`]: a datasource or a system table as DataFusion's `TableProvider`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use henge_types::{ColumnType, TIME_COLUMN};
use serde_json::{Value, json};

use super::{Ask, DRUID_TYPE, MULTI_VALUE, NativeExec};
use crate::catalog::{Column, Table};
use crate::lower;

/// A table whose rows native queries give, or the source itself.
#[derive(Debug)]
pub(crate) struct NativeTable {
    rows: Rows,
    schema: SchemaRef,
}

#[derive(Debug)]
enum Rows {
    /// `dataSource` of native queries.
    Datasource(Value),
    /// `sys.NAME`
    System(String),
}

impl NativeTable {
    /// A datasource.
    #[must_use]
    pub(crate) fn datasource(table: &Table) -> Self {
        let fields: Vec<Field> = table.columns.iter().map(field).collect();
        let rows = Rows::Datasource(table.name.as_str().into());
        Self { rows, schema: Arc::new(Schema::new(fields)) }
    }

    /// The rows of several datasources, one after the other. It has the columns of all of them; where one has none
    /// of a name it gives null, where types differ the wider one counts and text before numbers.
    #[must_use]
    pub(crate) fn union(tables: &[Arc<Table>]) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for column in tables.iter().flat_map(|table| &table.columns) {
            match places.get(column.name.as_str()) {
                None => {
                    places.insert(&column.name, columns.len());
                    columns.push(column.clone());
                }
                Some(place) => widen(&mut columns[*place], column),
            }
        }
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let rows = Rows::Datasource(json!({"type": "union", "dataSources": names}));
        let fields: Vec<Field> = columns.iter().map(field).collect();
        Self { rows, schema: Arc::new(Schema::new(fields)) }
    }

    /// `sys.NAME` with the columns that are to be taken of it.
    #[must_use]
    pub(crate) fn system(name: impl Into<String>, schema: SchemaRef) -> Self {
        Self { rows: Rows::System(name.into()), schema }
    }

    /// `dataSource` of native queries; `None` for a system table.
    #[must_use]
    pub(crate) fn data_source(&self) -> Option<&Value> {
        match &self.rows {
            Rows::Datasource(data_source) => Some(data_source),
            Rows::System(_) => None,
        }
    }
}

/// A lookup as a table with the columns `k` and `v`.
///
/// # Errors
/// When the texts are too long for one column.
pub(crate) fn lookup_table(entries: &[(String, Option<String>)]) -> Result<Arc<dyn TableProvider>> {
    let keys: StringArray = entries.iter().map(|(key, _)| Some(key.as_str())).collect();
    let values: StringArray = entries.iter().map(|(_, value)| value.as_deref()).collect();
    let schema = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Utf8, false),
        Field::new("v", DataType::Utf8, true),
    ]));
    let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(values)];
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
}

/// A column of a datasource as a field.
fn field(column: &Column) -> Field {
    if column.name == TIME_COLUMN {
        return Field::new(TIME_COLUMN, DataType::Timestamp(TimeUnit::Millisecond, None), false);
    }
    let data_type = match &column.column_type {
        ColumnType::Long => DataType::Int64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
        ColumnType::String | ColumnType::Complex(_) => DataType::Utf8,
    };
    let mut metadata = HashMap::new();
    if let ColumnType::Complex(name) = &column.column_type {
        metadata.insert(DRUID_TYPE.to_owned(), format!("COMPLEX<{name}>"));
    }
    if column.multi_value {
        metadata.insert(MULTI_VALUE.to_owned(), "true".to_owned());
    }
    Field::new(&column.name, data_type, true).with_metadata(metadata)
}

fn widen(column: &mut Column, other: &Column) {
    const WIDTHS: [ColumnType; 4] =
        [ColumnType::Long, ColumnType::Float, ColumnType::Double, ColumnType::String];
    let width = |wanted: &ColumnType| WIDTHS.iter().position(|known| known == wanted);
    column.multi_value |= other.multi_value;
    if width(&other.column_type) > width(&column.column_type) {
        column.column_type = other.column_type.clone();
    }
}

#[async_trait]
impl TableProvider for NativeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(places) => Arc::new(self.schema.project(places)?),
            None => Arc::clone(&self.schema),
        };
        let names: Arc<[String]> =
            schema.fields().iter().map(|field| field.name().clone()).collect();
        let ask = match &self.rows {
            Rows::System(name) => Ask::System(name.clone()),
            Rows::Datasource(data_source) => {
                let zone = session.config_options().execution.time_zone.as_deref();
                let conditions = (filters, self.schema.as_ref());
                let zone = zone.unwrap_or("UTC");
                let query = lower::scan::plain(data_source, &names, conditions, limit, zone)?;
                Ask::Query(Arc::new(query))
            }
        };
        Ok(Arc::new(NativeExec::new(ask, names, schema)))
    }

    /// Those that a native filter means exactly the same with.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let exact = |filter: &&Expr| match self.rows {
            Rows::Datasource(_) if lower::scan::takes(filter, &self.schema) => {
                TableProviderFilterPushDown::Exact
            }
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(exact).collect())
    }
}
