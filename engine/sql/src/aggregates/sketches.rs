//! Aggregates that give sketches, and quantiles of one.

use serde_json::json;

use super::counts::{hll_fields, theta_fields};
use super::native::{Call, NativeAggregate};
use super::table::{Aggregate, Returns, Takes};
use crate::functions::Refusal;

pub(super) const AGGREGATES: &[Aggregate] = &[
    sketch("ds_hll", 3, "COMPLEX<HLLSketch>", |call| {
        let mut fields = hll_fields(call)?;
        fields["shouldFinalize"] = false.into();
        call.one("HLLSketchBuild", fields)
    }),
    sketch("ds_theta", 2, "COMPLEX<thetaSketch>", |call| {
        let mut fields = theta_fields(call)?;
        fields["shouldFinalize"] = false.into();
        call.one("thetaSketch", fields)
    }),
    sketch("ds_quantiles_sketch", 2, "COMPLEX<quantilesDoublesSketch>", |call| {
        let mut fields = json!({"fieldName": call.field(0)?, "shouldFinalize": false});
        if let Some(k) = call.long(1)? {
            fields["k"] = k.into();
        }
        call.one("quantilesDoublesSketch", fields)
    }),
    Aggregate {
        name: "approx_quantile_ds",
        aliases: &["approx_quantile"],
        min: 2,
        max: 3,
        takes: Takes::Any,
        returns: Returns::Double,
        native: quantile,
    },
];

const fn sketch(
    name: &'static str,
    max: usize,
    type_name: &'static str,
    native: fn(&mut Call<'_>) -> Result<NativeAggregate, Refusal>,
) -> Aggregate {
    let returns = Returns::Complex(type_name);
    Aggregate { name, aliases: &[], min: 1, max, takes: Takes::Any, returns, native }
}

/// `APPROX_QUANTILE_DS(x, fraction[, k])`.
fn quantile(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let fraction = call
        .double(1)?
        .ok_or_else(|| Refusal::new("the fraction of a quantile must be a literal"))?;
    let mut fields = json!({"fieldName": call.field(0)?});
    if let Some(k) = call.long(2)? {
        fields["k"] = k.into();
    }
    let output = call.name();
    let name = format!("{output}:agg");
    let sketch = call.aggregator(&name, "quantilesDoublesSketch", fields)?;
    let quantile = json!({
        "type": "quantilesDoublesSketchToQuantile",
        "name": output,
        "field": {"type": "fieldAccess", "name": name, "fieldName": name},
        "fraction": fraction,
    });
    Ok(call.finish(vec![sketch], Some(quantile), output))
}
