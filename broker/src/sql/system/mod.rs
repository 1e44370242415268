//! System tables: `sys.NAME`, by what the view, the metadata and the cluster say at this instant.

mod queries;
mod segments;
mod servers;
mod tasks;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use henge_sql::{Result, SqlError};
use henge_types::ErrorClass;

use super::source::{BrokerSource, failed};

/// The rows of a table.
///
/// # Errors
/// When there is none of that name, or the metadata are away.
pub(super) async fn rows(source: &BrokerSource, table: &str) -> Result<Vec<RecordBatch>> {
    let columns = match table {
        "segments" => segments::segments(source).await?,
        "servers" => servers::servers(source).await?,
        "server_segments" => segments::server_segments(source).await?,
        "server_properties" => servers::properties(source),
        "tasks" => tasks::tasks(source).await?,
        "supervisors" => tasks::supervisors(),
        "queries" => queries::queries(source),
        other => {
            let message = format!(
                "there is no table sys.{other}: there are segments, servers, server_segments, \
                 server_properties, tasks, supervisors and queries"
            );
            return Err(SqlError::new(ErrorClass::NotFound, message));
        }
    };
    batch(columns).map(|batch| vec![batch])
}

/// A column of a table.
type Column = (&'static str, ArrayRef);

fn text<T: Into<String>>(name: &'static str, values: impl Iterator<Item = Option<T>>) -> Column {
    (name, Arc::new(values.map(|value| value.map(Into::into)).collect::<StringArray>()))
}

fn long(name: &'static str, values: impl Iterator<Item = Option<i64>>) -> Column {
    (name, Arc::new(values.collect::<Int64Array>()))
}

/// A number that is not negative; the largest BIGINT where it does not fit.
fn size(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn batch(columns: Vec<Column>) -> Result<RecordBatch> {
    let fields =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(schema), arrays)
        .map_err(|error| SqlError::new(ErrorClass::Internal, format!("a system table: {error}")))
}

/// Host and port of an address; nothing of one that has none.
fn host_and_port(address: &str) -> (Option<&str>, Option<i64>) {
    match address.rsplit_once(':') {
        Some((host, port)) => (Some(host), port.parse().ok()),
        None => (Some(address).filter(|host| !host.is_empty()), None),
    }
}
