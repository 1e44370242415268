//! Functions of JSON documents, which are VARCHAR with the type `COMPLEX<json>`.

use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;

use super::table::{Arguments, Function, Kind, Native, Returns, call, function, written};
use super::types;

use Kind::{Any, Text};

const JSON: Returns = Returns::Complex("COMPLEX<json>");

pub(super) const FUNCTIONS: &[Function] = &[
    // The third argument is what RETURNING names.
    written("json_value", &[Any, Text, Text], Returns::Constant(returning), value).optional(1),
    call("json_query", &[Any, Text], JSON, "json_query"),
    call("json_query_array", &[Any, Text], Returns::Texts, "json_query_array"),
    call("json_keys", &[Any, Text], Returns::Texts, "json_keys"),
    call("json_paths", &[Any], Returns::Texts, "json_paths"),
    call("json_object", &[], JSON, "json_object").rest(Any),
    call("json_merge", &[Any], JSON, "json_merge").rest(Any),
    call("parse_json", &[Any], JSON, "parse_json"),
    call("try_parse_json", &[Any], JSON, "try_parse_json"),
    call("to_json_string", &[Any], Returns::Text, "to_json_string"),
    // A sketch is held as the base64 text that it is decoded from; native expressions hold none.
    function(
        "complex_decode_base64",
        &[Text, Any],
        Returns::NamedComplex,
        Native::Answered(|values| Ok(values.get(1).cloned().unwrap_or_default())),
    )
    .aliases(&["decode_base64_complex"]),
];

/// `JSON_VALUE(x, path [RETURNING type])`.
fn value(arguments: &Arguments<'_>) -> Result<String, String> {
    let name = if arguments.texts.len() > 2 { arguments.text(2, "the type")? } else { "VARCHAR" };
    let native = types::native_name(&named(name)).replace("FLOAT", "DOUBLE");
    Ok(format!("json_value({},{},'{native}')", arguments.texts[0], arguments.texts[1]))
}

/// The type of `JSON_VALUE(x, path RETURNING type)`, VARCHAR when none is named.
fn returning(constants: &[Option<&ScalarValue>]) -> DataType {
    match constants.get(2) {
        Some(Some(ScalarValue::Utf8(Some(name)))) => named(name),
        _ => DataType::Utf8,
    }
}

/// The type of a name as SQL writes it; anything else is VARCHAR.
fn named(name: &str) -> DataType {
    let name = name.to_ascii_uppercase();
    let element = name
        .strip_suffix(" ARRAY")
        .or_else(|| name.strip_suffix("[]"))
        .or_else(|| name.strip_prefix("ARRAY<").and_then(|rest| rest.strip_suffix('>')));
    let scalar = match element.unwrap_or(&name).split(['(', ' ']).next().unwrap_or_default() {
        "BIGINT" | "INTEGER" | "INT" | "SMALLINT" | "TINYINT" | "LONG" => DataType::Int64,
        "BOOLEAN" | "BOOL" => DataType::Boolean,
        "DOUBLE" | "DECIMAL" | "NUMERIC" | "REAL" | "FLOAT" => DataType::Float64,
        _ => DataType::Utf8,
    };
    if element.is_some() { types::array_of(scalar) } else { scalar }
}
