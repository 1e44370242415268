//! Aggregates that fold values by an expression: bits, arrays, texts.

use datafusion::arrow::datatypes::DataType;
use serde_json::{Value, json};

use super::native::{Call, NativeAggregate};
use super::table::{Aggregate, Returns, Takes};
use crate::functions::Refusal;
use crate::functions::{expression, types};

/// Bytes that an array or a text may have, unless a call says otherwise.
pub(super) const DEFAULT_SIZE_BYTES: i64 = 1024;

pub(super) const AGGREGATES: &[Aggregate] = &[
    bits("bit_and", |call| bitwise(call, "bitwiseAnd")),
    bits("bit_or", |call| bitwise(call, "bitwiseOr")),
    bits("bit_xor", |call| bitwise(call, "bitwiseXor")),
    Aggregate {
        name: "array_agg",
        aliases: &[],
        min: 1,
        max: 2,
        takes: Takes::Any,
        returns: Returns::ArrayOfFirst,
        native: array_agg,
    },
    Aggregate {
        name: "array_concat_agg",
        aliases: &[],
        min: 1,
        max: 2,
        takes: Takes::Any,
        returns: Returns::FirstAsArray,
        native: array_concat_agg,
    },
    Aggregate {
        name: "string_agg",
        aliases: &["listagg"],
        min: 1,
        max: 3,
        takes: Takes::Text,
        returns: Returns::Text,
        native: string_agg,
    },
];

const fn bits(
    name: &'static str,
    native: fn(&mut Call<'_>) -> Result<NativeAggregate, Refusal>,
) -> Aggregate {
    Aggregate {
        name,
        aliases: &[],
        min: 1,
        max: 1,
        takes: Takes::Long,
        returns: Returns::Long,
        native,
    }
}

/// Null over nothing, as are values that are null.
fn bitwise(call: &mut Call<'_>, function: &str) -> Result<NativeAggregate, Refusal> {
    let (field, name) = (call.field(0)?, call.name());
    let fields = json!({
        "fields": [field],
        "accumulatorIdentifier": "__acc",
        "initialValue": if function == "bitwiseAnd" { "-1" } else { "0" },
        "initialCombineValue": if function == "bitwiseAnd" { "-1" } else { "0" },
        "isNullUnlessAggregated": true,
        "fold": format!("{function}(\"__acc\",{})", expression::identifier(&field)),
        "combine": format!("{function}(\"__acc\",\"{name}\")"),
        "maxSizeBytes": DEFAULT_SIZE_BYTES,
    });
    let aggregator = call.aggregator_of_known(&name, "expression", fields, &field)?;
    Ok(call.finish(vec![aggregator], None, name))
}

/// `ARRAY_AGG([DISTINCT] x[, size])`.
fn array_agg(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let data_type = call.data_type(0)?;
    let element = element_type(&data_type)?;
    let (one, all) = match call.distinct {
        true => ("array_set_add", "array_set_add_all"),
        false => ("array_append", "array_concat"),
    };
    // What is joined is whole, where an element would be taken value by value.
    let (field, add) = match types::is_array(&data_type) {
        true => (array_of_array(call)?, all),
        false => (call.field(0)?, one),
    };
    let name = call.name();
    let fields = array_fields(call, &field, &name, element, add, all)?;
    let aggregator = call.aggregator(&name, "expression", fields)?;
    Ok(call.finish(vec![aggregator], None, name))
}

/// The column of arrays that hold one array each, the argument's. A column that is the argument stands where a
/// function takes arrays: it is not mapped there.
fn array_of_array(call: &mut Call<'_>) -> Result<String, Refusal> {
    let text = expression::text(call.argument(0)?, call.scope)?;
    Ok(call.column(&format!("array(array_slice({text},0))"), "ARRAY<STRING>"))
}

/// `ARRAY_CONCAT_AGG([DISTINCT] x[, size])` of arrays.
fn array_concat_agg(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let data_type = types::element(call.data_type(0)?);
    let element = element_type(&data_type)?;
    let (field, name) = (call.field(0)?, call.name());
    let join = if call.distinct { "array_set_add_all" } else { "array_concat" };
    let fields = array_fields(call, &field, &name, element, join, join)?;
    let aggregator = call.aggregator_of_arrays(&name, "expression", fields, &field)?;
    Ok(call.finish(vec![aggregator], None, name))
}

/// The empty array of elements of a type.
fn element_type(data_type: &DataType) -> Result<&'static str, Refusal> {
    match types::native_name(data_type) {
        _ if types::is_array(data_type) => Ok("[]"),
        "LONG" => Ok("ARRAY<LONG>[]"),
        "FLOAT" | "DOUBLE" => Ok("ARRAY<DOUBLE>[]"),
        "STRING" => Ok("ARRAY<STRING>[]"),
        other => Err(Refusal::new(format!("an array of {other} has no native form"))),
    }
}

fn array_fields(
    call: &Call<'_>,
    field: &str,
    name: &str,
    initial: &str,
    add: &str,
    join: &str,
) -> Result<Value, Refusal> {
    Ok(json!({
        "fields": [field],
        "accumulatorIdentifier": "__acc",
        "initialValue": initial,
        "initialCombineValue": initial,
        "isNullUnlessAggregated": true,
        "fold": format!("{add}(\"__acc\", {})", expression::identifier(field)),
        "combine": format!("{join}(\"__acc\", \"{name}\")"),
        "maxSizeBytes": call.long(1)?.unwrap_or(DEFAULT_SIZE_BYTES),
    }))
}

/// `STRING_AGG([DISTINCT] x, separator[, size])`; nulls are left out, nothing is null.
fn string_agg(call: &mut Call<'_>) -> Result<NativeAggregate, Refusal> {
    let separator = call.text(1)?.unwrap_or_default();
    let (field, name) = (call.field(0)?, call.name());
    let (add, join) = if call.distinct {
        ("array_set_add", "array_set_add_all")
    } else {
        ("array_append", "array_concat")
    };
    let fields = json!({
        "fields": [field],
        "accumulatorIdentifier": "__acc",
        "initialValue": "[]",
        "initialCombineValue": "ARRAY<STRING>[]",
        "isNullUnlessAggregated": true,
        "fold": format!("{add}(\"__acc\", {})", expression::identifier(&field)),
        "combine": format!("{join}(\"__acc\", \"{name}\")"),
        "finalize": format!("if(array_length(o) == 0, null, array_to_string(o, {}))", expression::constant(&separator)),
        "maxSizeBytes": call.long(2)?.unwrap_or(DEFAULT_SIZE_BYTES),
    });
    let aggregator = call.aggregator_of_known(&name, "expression", fields, &field)?;
    Ok(call.finish(vec![aggregator], None, name))
}
