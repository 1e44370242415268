//! Constants as the typed JSON of native filters.

use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;
use serde_json::{Number, Value};

use crate::functions::types;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The native type and the value of a constant that a column of a type is compared with; `None` when the two are
/// of different kinds, or the constant is null.
pub(super) fn typed(constant: &ScalarValue, column: &DataType) -> Option<(&'static str, Value)> {
    match types::normal(column) {
        DataType::Utf8 => Some(("STRING", constant.try_as_str().flatten()?.into())),
        DataType::Int64 => match integer(constant) {
            Some(long) => Some(("LONG", long.into())),
            None => Some(("DOUBLE", number(constant)?)),
        },
        DataType::Float32 | DataType::Float64 => match integer(constant) {
            Some(long) => Some(("LONG", long.into())),
            None => Some(("DOUBLE", number(constant)?)),
        },
        DataType::Boolean => match constant {
            ScalarValue::Boolean(Some(value)) => Some(("LONG", i64::from(*value).into())),
            _ => None,
        },
        DataType::Timestamp(..) | DataType::Date32 => {
            Some(("LONG", milliseconds(constant)?.into()))
        }
        _ => None,
    }
}

/// A whole number of any width.
fn integer(constant: &ScalarValue) -> Option<i64> {
    match constant {
        ScalarValue::Int64(value) => *value,
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int16(value) => value.map(i64::from),
        ScalarValue::Int8(value) => value.map(i64::from),
        _ => None,
    }
}

fn number(constant: &ScalarValue) -> Option<Value> {
    let double = match constant {
        ScalarValue::Float64(value) => (*value)?,
        ScalarValue::Float32(value) => f64::from((*value)?),
        _ => return None,
    };
    Number::from_f64(double).map(Value::Number)
}

/// The milliseconds of an instant or of a day's begin; `None` when it lies between two of them.
fn milliseconds(constant: &ScalarValue) -> Option<i64> {
    let whole = |value: &Option<i64>, parts: i64| {
        value.filter(|value| value % parts == 0).map(|value| value / parts)
    };
    match constant {
        ScalarValue::TimestampMillisecond(ms, _) => *ms,
        ScalarValue::TimestampSecond(seconds, _) => seconds.and_then(|s| s.checked_mul(1000)),
        ScalarValue::TimestampMicrosecond(micros, _) => whole(micros, 1000),
        ScalarValue::TimestampNanosecond(nanos, _) => whole(nanos, 1_000_000),
        ScalarValue::Date32(days) => days.map(|days| i64::from(days) * DAY_MS),
        ScalarValue::Int64(ms) => *ms,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::scalar::ScalarValue as S;
    use serde_json::json;

    use super::*;

    #[test]
    fn constants_have_the_type_of_their_column() {
        let text = || S::Utf8(Some("a".to_owned()));
        assert_eq!(typed(&text(), &DataType::Utf8), Some(("STRING", json!("a"))));
        assert_eq!(typed(&S::Int64(Some(3)), &DataType::Int64), Some(("LONG", json!(3))));
        assert_eq!(typed(&S::Float64(Some(1.5)), &DataType::Int64), Some(("DOUBLE", json!(1.5))));
        assert_eq!(typed(&S::Boolean(Some(true)), &DataType::Boolean), Some(("LONG", json!(1))));
        let nanos = |value| typed(&S::TimestampNanosecond(Some(value), None), &types::TIMESTAMP);
        assert_eq!(nanos(5_000_000), Some(("LONG", json!(5))));
        assert_eq!(nanos(5_000_001), None);
        assert_eq!(typed(&text(), &DataType::Int64), None);
        assert_eq!(typed(&S::Utf8(None), &DataType::Utf8), None);
        assert_eq!(typed(&S::Float64(Some(f64::NAN)), &DataType::Float64), None);
    }
}
