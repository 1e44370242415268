//! ANY_VALUE, EARLIEST, LATEST and those by another time.

use datafusion::arrow::datatypes::DataType;
use serde_json::{Value, json};

use super::declared::kept_of;
use super::native::{Call, NativeAggregate};
use super::table::{Aggregate, Returns, Takes};
use crate::functions::Refusal;
use crate::functions::types;

pub(super) const AGGREGATES: &[Aggregate] = &[
    one("any_value", 1, 3, |call| one_value(call, "Any", None, 1)),
    one("earliest", 1, 2, |call| one_value(call, "First", None, 1)),
    one("latest", 1, 2, |call| one_value(call, "Last", None, 1)),
    one("earliest_by", 2, 3, |call| one_value(call, "First", Some(1), 2)),
    one("latest_by", 2, 3, |call| one_value(call, "Last", Some(1), 2)),
];

const fn one(
    name: &'static str,
    min: usize,
    max: usize,
    native: fn(&mut Call<'_>) -> Result<NativeAggregate, Refusal>,
) -> Aggregate {
    Aggregate { name, aliases: &[], min, max, takes: Takes::Any, returns: Returns::First, native }
}

/// `time` is the argument with the time, `bytes` that with the number of bytes of a text.
fn one_value(
    call: &mut Call<'_>,
    which: &str,
    time: Option<usize>,
    bytes: usize,
) -> Result<NativeAggregate, Refusal> {
    let data_type = match call.complex_type(0) {
        Some(pair) => kept_of(&pair),
        None => call.data_type(0)?,
    };
    let value_type = match types::native_name(&data_type) {
        "LONG" => "long",
        "FLOAT" => "float",
        "DOUBLE" => "double",
        "STRING" => "string",
        other => return Err(Refusal::new(format!("one value of {other} has no native form"))),
    };
    let mut fields = json!({"fieldName": call.field(0)?});
    if let Some(time) = time {
        let time = call.field(time)?;
        if time != henge_types::TIME_COLUMN {
            fields["timeColumn"] = time.into();
        }
    }
    if data_type == DataType::Utf8 {
        if let Some(bytes) = call.long(bytes)? {
            fields["maxStringBytes"] = bytes.into();
        }
        if which == "Any" && call.arguments.len() == 3 {
            fields["aggregateMultipleValues"] = is_true(call.text(2)?);
        }
    }
    call.one(&format!("{value_type}{which}"), fields)
}

fn is_true(text: Option<String>) -> Value {
    text.is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1").into()
}
