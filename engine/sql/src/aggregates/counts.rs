//! COUNT and the counts of distinct values.

use datafusion::logical_expr::Expr;
use serde_json::{Value, json};

use super::native::{Call, NativeAggregate};
use super::table::{Aggregate, Returns, Takes};
use crate::functions::{Refusal, expression, types};

pub(super) const AGGREGATES: &[Aggregate] = &[
    distinct("approx_count_distinct", &["approx_count_distinct_builtin"], 1, builtin),
    distinct("approx_count_distinct_ds_hll", &[], 3, hll),
    distinct("approx_count_distinct_ds_theta", &[], 2, theta),
    distinct("bitmap64_exact_count", &[], 1, exact),
];

const fn distinct(
    name: &'static str,
    aliases: &'static [&'static str],
    max: usize,
    native: fn(&mut Call<'_>) -> Result<NativeAggregate, Refusal>,
) -> Aggregate {
    Aggregate { name, aliases, min: 1, max, takes: Takes::Any, returns: Returns::Long, native }
}

/// COUNT(*), COUNT(x) and COUNT(DISTINCT x).
pub(super) fn count(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    if call.distinct {
        if call.arguments.len() > 1 {
            return Err(Refusal::new("COUNT(DISTINCT ..) of several values has no native form"));
        }
        let is_exact = call.scope.setting("useApproximateCountDistinct").is_some_and(is_false);
        return if is_exact { exact(call) } else { builtin(call) };
    }
    match call.arguments.first() {
        None => call.one("count", json!({})),
        Some(Expr::Literal(value, _)) if !value.is_null() => call.one("count", json!({})),
        Some(_) => {
            let is_array = types::is_array(&call.data_type(0)?);
            let (field, name) = (call.field(0)?, call.name());
            let count = match is_array {
                true => call.aggregator_of_arrays(&name, "count", json!({}), &field)?,
                false => call.aggregator_of_known(&name, "count", json!({}), &field)?,
            };
            Ok(call.finish(vec![count], None, name))
        }
    }
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::String(text) => text.eq_ignore_ascii_case("false"),
        _ => false,
    }
}

/// The column whose values are counted, and its type. An array is one value: its JSON text.
fn counted(call: &mut Call<'_>) -> Result<(String, &'static str), Refusal> {
    let data_type = call.data_type(0)?;
    if !types::is_array(&data_type) {
        return Ok((call.field(0)?, types::native_name(&data_type)));
    }
    let text = expression::text(call.argument(0)?, call.scope)?;
    let text = format!("to_json_string(array_slice({text},0))");
    Ok((call.column(&text, "STRING"), "STRING"))
}

fn exact(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let (field, _) = counted(call)?;
    call.one("exactDistinctCount", json!({"fieldName": field}))
}

fn builtin(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let (field, output_type) = counted(call)?;
    let type_name = call.complex_type(0);
    if let Some(sketch) = type_name {
        return match sketch.as_str() {
            "COMPLEX<hyperUnique>" => {
                call.one("hyperUnique", json!({"fieldName": field, "round": true}))
            }
            "COMPLEX<thetaSketch>" => theta(call),
            _ => hll(call),
        };
    }
    let field = json!({"type": "default", "dimension": field, "outputName": field, "outputType": output_type});
    call.one("cardinality", json!({"fields": [field], "byRow": false, "round": true}))
}

fn hll(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let mut fields = hll_fields(call)?;
    fields["round"] = true.into();
    call.one("HLLSketchBuild", fields)
}

/// `(x[, lgK[, type]])`.
pub(super) fn hll_fields(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut fields = json!({"fieldName": counted(call)?.0});
    if let Some(lg_k) = call.long(1)? {
        fields["lgK"] = lg_k.into();
    }
    if let Some(hll_type) = call.text(2)? {
        fields["tgtHllType"] = hll_type.into();
    }
    Ok(fields)
}

/// `(x[, size])`, its estimate as a whole number.
fn theta(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let fields = theta_fields(call)?;
    let name = call.name();
    let sketch = call.aggregator(&name, "thetaSketch", fields)?;
    let output = call.name();
    let rounded = json!({"type": "expression", "name": output, "expression": format!("CAST(round(\"{name}\"),'LONG')")});
    Ok(call.finish(vec![sketch], Some(rounded), output))
}

/// `(x[, size])`.
pub(super) fn theta_fields(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let mut fields = json!({"fieldName": counted(call)?.0});
    if let Some(size) = call.long(1)? {
        fields["size"] = size.into();
    }
    Ok(fields)
}
