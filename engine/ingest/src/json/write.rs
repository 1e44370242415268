//! Values as JSON text.

use std::fmt::Write;

use henge_expr::number::write_double;

use crate::table::FieldValue;

/// Writes a value of a table as JSON. Lists within lists are null; numbers that JSON lacks (`NaN`) are text.
pub(crate) fn write_value(text: &mut String, value: &FieldValue<'_>) {
    match value {
        FieldValue::Null => text.push_str("null"),
        FieldValue::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        FieldValue::Long(value) => {
            // Writing to a String cannot fail.
            let _ = write!(text, "{value}");
        }
        FieldValue::Double(value) => write_json_number(text, *value),
        FieldValue::Text(value) => write_json_text(text, value),
        FieldValue::List(values) => {
            text.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                match value {
                    FieldValue::List(_) => text.push_str("null"),
                    scalar => write_value(text, scalar),
                }
            }
            text.push(']');
        }
    }
}

/// Writes a decimal as JSON; one that JSON lacks (`NaN`) as text.
pub fn write_json_number(text: &mut String, value: f64) {
    let start = text.len();
    write_double(text, value);
    if !value.is_finite() {
        let name = text.split_off(start);
        write_json_text(text, &name);
    }
}

/// Writes text as JSON, in quotes.
pub fn write_json_text(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
