//! Values of drivers as parameters of statements.

use henge_sql::Parameter;
use henge_types::format_timestamp;
use serde_json::Value;

use super::Cell;

const DAY_MS: i64 = 86_400_000;

/// What a value is as a parameter.
pub(crate) fn parameter_of(cell: Cell) -> Parameter {
    let sql_type = match &cell {
        // Whatever is compared with null is null: its type does not matter.
        Cell::Null | Cell::Text(_) => "VARCHAR",
        Cell::Boolean(_) => "BOOLEAN",
        Cell::Long(_) => "BIGINT",
        Cell::Float(_) => "FLOAT",
        Cell::Double(_) => "DOUBLE",
        Cell::Timestamp(_) => "TIMESTAMP",
        Cell::Date(_) => "DATE",
        Cell::Array(_) => "ARRAY",
    };
    Parameter { sql_type: sql_type.to_owned(), value: json_of(cell) }
}

fn json_of(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => value.into(),
        Cell::Long(value) | Cell::Timestamp(value) => value.into(),
        Cell::Float(value) => f64::from(value).into(),
        Cell::Double(value) => value.into(),
        Cell::Text(value) => value.into(),
        Cell::Date(days) => {
            let mut text = format_timestamp(i64::from(days) * DAY_MS);
            text.truncate(text.find('T').unwrap_or(text.len()));
            text.into()
        }
        Cell::Array(cells) => cells.into_iter().map(json_of).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_their_type() {
        let shown = |cell| {
            let parameter = parameter_of(cell);
            (parameter.sql_type, parameter.value)
        };
        assert_eq!(shown(Cell::Long(-1)), ("BIGINT".to_owned(), json!(-1)));
        assert_eq!(shown(Cell::Date(16_690)), ("DATE".to_owned(), json!("2015-09-12")));
        assert_eq!(shown(Cell::Null), ("VARCHAR".to_owned(), Value::Null));
        let array = Cell::Array(vec![Cell::Text("a".to_owned()), Cell::Null]);
        assert_eq!(shown(array), ("ARRAY".to_owned(), json!(["a", null])));
    }
}
