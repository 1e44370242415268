//! Values of parameters from the rows that a client puts.

use std::pin::Pin;

use arrow_array::RecordBatch;
use arrow_cast::cast;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_schema::{DataType, Field, TimeUnit};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use henge_sql::Parameter;
use tonic::Status;

use super::{invalid, refused, unsupported};
use crate::api::drivers::{cell, parameter_of};

/// What a client puts: its first message is already read.
pub(super) type Rest = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// The values of one row.
///
/// # Errors
/// When there is none or more than one, or a value is of a type that parameters do not have.
pub(super) async fn parameters(first: FlightData, rest: Rest) -> Result<Vec<Parameter>, Status> {
    let data = stream::iter([Ok(first)]).chain(rest).map_err(FlightError::from);
    let mut batches = FlightRecordBatchStream::new_from_flight_data(data);
    let mut row = None;
    while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
        match (batch.num_rows(), &row) {
            (0, _) => {}
            (1, None) => row = Some(of_row(&batch)?),
            _ => return Err(unsupported("a statement takes one row of parameters at a time")),
        }
    }
    // A client that has no parameters may put a schema and nothing else.
    Ok(row.unwrap_or_default())
}

fn of_row(batch: &RecordBatch) -> Result<Vec<Parameter>, Status> {
    let parameters = batch.columns().iter().map(|column| {
        let plain = plain_type(column.data_type());
        let column = cast(column, &plain).map_err(|error| invalid(&error.to_string()))?;
        Ok(parameter_of(cell(&column, 0).map_err(|error| refused(&error))?))
    });
    parameters.collect()
}

/// The type of values as parameters have it.
fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Float16 => DataType::Float64,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::List(element) | DataType::LargeList(element) => {
            let plain = plain_type(element.data_type());
            DataType::List(Field::new(element.name(), plain, true).into())
        }
        other => other.clone(),
    }
}

fn unreadable(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        error => invalid(&format!("the parameters cannot be read: {error}")),
    }
}
