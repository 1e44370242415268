//! A value of a column as JSON.

use henge_expr::ExprValue;
use henge_sketch::to_base64;
use henge_types::json::{
    write_double, write_float, write_long, write_null, write_optional_string, write_string,
};
use henge_vector::{Column, optional};

use crate::json::writer::Writer;

/// A value of a column.
pub(super) fn write_value(json: &mut Writer<'_>, column: &Column, row: usize) {
    let out = json.out();
    match column {
        Column::Null(_) => write_null(out),
        Column::Long(values) => write_or_null(out, optional(values, row), write_long),
        Column::Wide(values) => write_or_null(out, optional(values, row), |out, value: i128| {
            out.extend_from_slice(value.to_string().as_bytes());
        }),
        Column::Float(values) => write_or_null(out, optional(values, row), write_float),
        Column::Double(values) => write_or_null(out, optional(values, row), write_double),
        Column::WideFloat(values) => write_or_null(out, optional(values, row), |out, value| {
            write_float(out, value as f32);
        }),
        Column::Text(text) => write_optional_string(out, text.get(row)),
        Column::NodeIds(keys) => write_optional_string(out, keys.get(row)),
        Column::Lists(lists) => match lists.row(row) {
            [] => write_null(out),
            [id] => write_optional_string(out, lists.value(*id)),
            ids => json.list(ids, |json, id| write_optional_string(json.out(), lists.value(*id))),
        },
        Column::Objects(objects) => write_or_null(out, objects.image(row), |out, image| {
            write_string(out, &to_base64(&image));
        }),
        Column::Timed(timed) => match optional(timed.times(), row) {
            None => write_null(out),
            Some(time) => {
                json.open(b'{');
                json.key("lhs");
                write_long(json.out(), time);
                json.key("rhs");
                write_value(json, timed.values(), row);
                json.close(b'}');
            }
        },
        Column::Mixed(values) => write_expr_value(json, &values[row]),
        Column::SegmentIds(keys) => write_long(out, i64::from(keys.ids()[row])),
    }
}

fn write_or_null<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(out, value),
        None => write_null(out),
    }
}

/// The value of an expression.
pub(super) fn write_expr_value(json: &mut Writer<'_>, value: &ExprValue) {
    match value {
        ExprValue::Null => write_null(json.out()),
        ExprValue::Long(value) => write_long(json.out(), *value),
        ExprValue::Double(value) => write_double(json.out(), *value),
        ExprValue::String(text) => write_string(json.out(), text),
        ExprValue::Array(items) => json.list(items.iter(), write_expr_value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_expressions() {
        let list = ExprValue::from(vec![ExprValue::Long(1), ExprValue::Null]);
        let text = |indented| {
            let mut out = Vec::new();
            write_expr_value(&mut Writer::new(&mut out, indented), &list);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(false), "[1,null]");
        assert_eq!(text(true), "[\n  1,\n  null\n]");
    }
}
