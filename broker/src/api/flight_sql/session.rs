//! The context that a client has beside its statements: options of a session, which it carries as a cookie, and
//! properties of its URL, which it sends as headers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use henge_proto::flight::session_option_value::OptionValue;
use henge_proto::flight::{SessionOptionValue, StringListValue};
use serde_json::{Map, Value};
use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use super::{internal, invalid};
use crate::api::drivers::context_value;

const COOKIE: &str = "henge_flight_session";
/// What clients keep of a cookie.
const MAX_COOKIE_BYTES: usize = 4_000;

/// Context keys that headers may have; headers have no capitals.
const KEYS: [&str; 17] = [
    "sqlTimeZone",
    "sqlQueryId",
    "sqlOuterLimit",
    "sqlCurrentTimestamp",
    "sqlStringifyArrays",
    "timeout",
    "priority",
    "lane",
    "useCache",
    "populateCache",
    "useResultLevelCache",
    "populateResultLevelCache",
    "useApproximateCountDistinct",
    "useApproximateTopN",
    "useGroupingSetForExactDistinct",
    "maxSubqueryRows",
    "inSubQueryThreshold",
];

/// The context of a call.
///
/// # Errors
/// When the cookie was not made here.
pub(super) fn context(metadata: &MetadataMap) -> Result<Map<String, Value>, Status> {
    let mut context = options(metadata)?;
    for key in KEYS {
        let text =
            metadata.get(key.to_ascii_lowercase().as_str()).and_then(|value| value.to_str().ok());
        if let Some(text) = text {
            context.insert(key.to_owned(), context_value(key, text));
        }
    }
    Ok(context)
}

/// The options of the session of a call; none before any was set.
///
/// # Errors
/// When the cookie was not made here.
pub(super) fn options(metadata: &MetadataMap) -> Result<Map<String, Value>, Status> {
    let cookies = metadata.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let cookies = cookies.flat_map(|line| line.split(';'));
    let ours =
        cookies.filter_map(|one| one.trim().strip_prefix(COOKIE)?.strip_prefix('=')).next_back();
    let Some(text) = ours.filter(|text| !text.is_empty()) else { return Ok(Map::new()) };
    let none = || invalid("the session's cookie is none of this server's");
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| none())?;
    serde_json::from_slice(&json).map_err(|_| none())
}

/// The cookie of a session with these options.
///
/// # Errors
/// When they are too long for one.
pub(super) fn cookie(options: &Map<String, Value>) -> Result<MetadataValue<Ascii>, Status> {
    let json = serde_json::to_vec(options).map_err(internal)?;
    let text = format!("{COOKIE}={}; Path=/", URL_SAFE_NO_PAD.encode(json));
    if text.len() > MAX_COOKIE_BYTES {
        let message = format!(
            "the options of the session take {} bytes, and {MAX_COOKIE_BYTES} are kept: say the long ones with \
             each statement, by SET",
            text.len()
        );
        return Err(invalid(&message));
    }
    text.parse().map_err(internal)
}

/// The cookie that ends a session.
pub(super) fn no_cookie() -> MetadataValue<Ascii> {
    MetadataValue::from_static("henge_flight_session=; Path=/; Max-Age=0")
}

/// An option as a value of the context; none takes it back.
pub(super) fn value_of(key: &str, option: SessionOptionValue) -> Option<Value> {
    Some(match option.option_value? {
        OptionValue::StringValue(text) => context_value(key, &text),
        OptionValue::BoolValue(value) => value.into(),
        OptionValue::Int64Value(value) => value.into(),
        OptionValue::DoubleValue(value) => value.into(),
        OptionValue::StringListValue(StringListValue { values }) => values.into(),
    })
}

/// A value of the context as an option.
pub(super) fn option_of(value: &Value) -> SessionOptionValue {
    let option_value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(OptionValue::BoolValue(*value)),
        Value::String(text) => Some(OptionValue::StringValue(text.clone())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(long), _) => Some(OptionValue::Int64Value(long)),
            (None, double) => double.map(OptionValue::DoubleValue),
        },
        Value::Array(values) => {
            let texts = values.iter().filter_map(Value::as_str).map(str::to_owned);
            Some(OptionValue::StringListValue(StringListValue { values: texts.collect() }))
        }
        Value::Object(_) => Some(OptionValue::StringValue(value.to_string())),
    };
    SessionOptionValue { option_value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_go_with_the_client_and_come_back() {
        let options: Map<String, Value> =
            serde_json::from_value(json!({"sqlTimeZone": "Asia/Tokyo", "useCache": false}))
                .unwrap();
        let set = cookie(&options).unwrap();
        let kept = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut metadata = MetadataMap::new();
        metadata.insert("cookie", format!("other=1; {kept}").parse().unwrap());
        metadata.insert("sqlouterlimit", "7".parse().unwrap());
        assert_eq!(super::options(&metadata).unwrap(), options);
        let context = Value::Object(context(&metadata).unwrap());
        let expected = json!({"sqlTimeZone": "Asia/Tokyo", "useCache": false, "sqlOuterLimit": 7});
        assert_eq!(context, expected);
        metadata.insert("cookie", format!("{COOKIE}=made-elsewhere").parse().unwrap());
        assert!(super::options(&metadata).is_err());
    }

    #[test]
    fn values_are_options_and_back() {
        for value in [json!("Etc/UTC"), json!(true), json!(7), json!(0.5), json!(["a", "b"])] {
            assert_eq!(value_of("key", option_of(&value)), Some(value));
        }
        assert_eq!(value_of("key", option_of(&Value::Null)), None);
    }

    #[test]
    fn what_is_too_long_for_a_cookie_is_refused() {
        let options = [("long".to_owned(), Value::from("x".repeat(MAX_COOKIE_BYTES)))];
        assert!(cookie(&options.into_iter().collect()).is_err());
    }
}
