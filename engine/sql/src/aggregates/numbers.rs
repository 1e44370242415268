//! SUM, MIN, MAX and AVG.

use datafusion::arrow::datatypes::DataType;
use serde_json::json;

use super::native::{Call, NativeAggregate};
use crate::functions::{Refusal, types};

/// BIGINT sums are BIGINT, all others DOUBLE.
pub(super) fn sum(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    refuse_distinct(call)?;
    let type_name = sum_type(call)?;
    let field = summed(call, type_name)?;
    call.one(type_name, json!({"fieldName": field}))
}

/// The column to sum. Sums of doubles read every number as one: what is only cast to be one is summed as it is.
fn summed(call: &mut Call<'_>, type_name: &str) -> Result<String, Refusal> {
    match type_name {
        "doubleSum" => call.number(0),
        _ => call.field(0),
    }
}

fn sum_type(call: &Call<'_>) -> Result<&'static str, Refusal> {
    let data_type = call.data_type(0)?;
    Ok(match types::native_name(&data_type) {
        "LONG" => "longSum",
        "FLOAT" | "DOUBLE" | "STRING" => "doubleSum",
        other => return Err(Refusal::new(format!("SUM of {other} has no native form"))),
    })
}

/// MIN and MAX.
pub(super) fn extreme(call: &mut Call<'_>, end: &str) -> Result<NativeAggregate, Refusal> {
    let data_type = call.data_type(0)?;
    let value_type = match types::native_name(&data_type) {
        "LONG" => "long",
        "FLOAT" => "float",
        "DOUBLE" => "double",
        "STRING" if data_type == DataType::Utf8 => "string",
        other => return Err(Refusal::new(format!("MIN and MAX of {other} have no native form"))),
    };
    let field = call.field(0)?;
    call.one(&format!("{value_type}{end}"), json!({"fieldName": field}))
}

/// The sum over the number of values that are not null.
pub(super) fn average(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    refuse_distinct(call)?;
    let type_name = sum_type(call)?;
    let (field, output) = (summed(call, type_name)?, call.name());
    let (sum, count) = (format!("{output}:sum"), format!("{output}:count"));
    let fields =
        [&sum, &count].map(|name| json!({"type": "fieldAccess", "name": name, "fieldName": name}));
    let aggregations = vec![
        call.aggregator(&sum, type_name, json!({"fieldName": &field}))?,
        call.aggregator_of_known(&count, "count", json!({}), &call.null_like(0)?.unwrap_or(field))?,
    ];
    let quotient =
        json!({"type": "arithmetic", "name": output, "fn": "quotient", "fields": fields});
    Ok(call.finish(aggregations, Some(quotient), output))
}

fn refuse_distinct(call: &Call<'_>) -> Result<(), Refusal> {
    match call.distinct {
        true => Err(Refusal::new("an aggregate of DISTINCT values has no native form")),
        false => Ok(()),
    }
}
