//! Variances and standard deviations.

use datafusion::arrow::datatypes::DataType;
use serde_json::{Value, json};

use super::native::{Call, NativeAggregate};
use super::table::{Aggregate, Returns, Takes};
use crate::functions::Refusal;
use crate::functions::types;

pub(super) const AGGREGATES: &[Aggregate] = &[
    statistic("var_pop", &[], |call| variance(call, "population")),
    statistic("var_samp", &["variance"], |call| variance(call, "sample")),
    statistic("stddev_pop", &[], |call| deviation(call, "population")),
    statistic("stddev_samp", &["stddev"], |call| deviation(call, "sample")),
];

const fn statistic(
    name: &'static str,
    aliases: &'static [&'static str],
    native: fn(&mut Call<'_>) -> Result<NativeAggregate, Refusal>,
) -> Aggregate {
    Aggregate {
        name,
        aliases,
        min: 1,
        max: 1,
        takes: Takes::Number,
        returns: Returns::Double,
        native,
    }
}

fn fields(call: &mut Call<'_>, estimator: &str) -> Result<Value, Refusal> {
    let input_type = match call.data_type(0)? {
        DataType::Float64 => "double",
        DataType::Float32 => "float",
        other if types::native_name(&other) == "LONG" => "long",
        other => return Err(Refusal::new(format!("a variance of {other} has no native form"))),
    };
    Ok(json!({"fieldName": call.field(0)?, "estimator": estimator, "inputType": input_type}))
}

fn variance(call: &mut Call<'_>, estimator: &str) -> Result<NativeAggregate, Refusal> {
    let fields = fields(call, estimator)?;
    call.one("variance", fields)
}

fn deviation(call: &mut Call<'_>, estimator: &str) -> Result<NativeAggregate, Refusal> {
    let fields = fields(call, estimator)?;
    let output = call.name();
    let name = format!("{output}:agg");
    let variance = call.aggregator(&name, "variance", fields)?;
    let root = json!({"type": "stddev", "name": output, "fieldName": name, "estimator": estimator});
    Ok(call.finish(vec![variance], Some(root), output))
}
