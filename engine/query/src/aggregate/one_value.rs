//! `{long,float,double,string}{First,Last,Any}`: one value of many, with its names and fields.

use henge_types::{MetricKind, OneOf, TIME_COLUMN, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, field_name};
use crate::error::Result;
use crate::node::Node;

/// Bytes of text that are kept, unless a query says otherwise.
const DEFAULT_MAX_STRING_BYTES: u32 = 1_024;
/// As many as Druid takes; a text of an event is far shorter anyway.
const LARGEST_MAX_STRING_BYTES: i64 = i32::MAX as i64;

/// One value of many: that of the first or the last time, or any.
#[derive(Debug, Clone)]
pub struct OneValue {
    /// Which one.
    pub which: OneOf,
    /// LONG, FLOAT, DOUBLE or STRING: the type of the result.
    pub value_type: ValueType,
    /// Column of raw values, or of stored pairs of a time and a value of this type.
    pub field: String,
    /// Column of the times of raw values, in milliseconds. Any value needs none.
    pub time_column: String,
    /// Bytes of text that are kept.
    pub max_string_bytes: u32,
    /// For any STRING: whether several values of a row count as one text, or only the first.
    pub joins_lists: bool,
}

/// The type names of aggregators, those of metrics first.
const NAMES: &[&str] = &[
    "longFirst",
    "longLast",
    "longAny",
    "floatFirst",
    "floatLast",
    "floatAny",
    "doubleFirst",
    "doubleLast",
    "doubleAny",
    "stringFirst",
    "stringLast",
    "stringAny",
    "stringFirstFold",
    "stringLastFold",
];
/// The type names of metrics: any text and the older names are for queries alone.
pub(crate) const METRIC_NAMES: &[&str] = NAMES.split_at(NAMES.len() - 3).0;

/// What a type name means, if it is one of these.
pub(crate) fn meaning(type_name: &str) -> Option<(OneOf, ValueType)> {
    if !NAMES.contains(&type_name) {
        return None;
    }
    let plain = type_name.strip_suffix("Fold").unwrap_or(type_name);
    let at = plain.find(|letter: char| letter.is_ascii_uppercase())?;
    let value_type = match &plain[..at] {
        "long" => ValueType::Long,
        "float" => ValueType::Float,
        "double" => ValueType::Double,
        _ => ValueType::String,
    };
    let which = match &plain[at..] {
        "First" => OneOf::First,
        "Last" => OneOf::Last,
        _ => OneOf::Any,
    };
    Some((which, value_type))
}

/// The type name of a kind.
pub(crate) fn type_name(which: OneOf, value_type: ValueType) -> String {
    let which = match which {
        OneOf::First => "First",
        OneOf::Last => "Last",
        OneOf::Any => "Any",
    };
    format!("{}{which}", value_type.to_string().to_ascii_lowercase())
}

/// `maxStringBytes`.
pub(crate) fn max_string_bytes(node: &Node<'_>) -> Result<u32> {
    let given = node.get("maxStringBytes");
    given.map_or(Ok(DEFAULT_MAX_STRING_BYTES), |bytes| bytes.within(0, LARGEST_MAX_STRING_BYTES))
}

impl Aggregate for OneValue {
    fn types() -> &'static [&'static str] {
        NAMES
    }

    fn parse(node: &Node<'_>, type_name: &str) -> Result<Self> {
        let Some((which, value_type)) = meaning(type_name) else {
            return Err(node.bad_type("aggregator", type_name, NAMES, &[]));
        };
        let hint = "expressions are not supported here; name a virtual column as fieldName";
        node.refuse("expression", hint)?;
        let has_time = which != OneOf::Any;
        let time_column = node.get("timeColumn").filter(|_| has_time);
        let time_column = time_column.map(|name| name.name()).transpose()?;
        let is_text = value_type == ValueType::String;
        Ok(Self {
            field: field_name(node)?,
            time_column: time_column.unwrap_or_else(|| TIME_COLUMN.to_owned()),
            max_string_bytes: match is_text {
                true => max_string_bytes(node)?,
                false => DEFAULT_MAX_STRING_BYTES,
            },
            joins_lists: has_time
                || !is_text
                || node.boolean_or("aggregateMultipleValues", true)?,
            which,
            value_type,
        })
    }

    fn to_value(&self) -> Value {
        self.state_value()
    }

    fn state_value(&self) -> Value {
        let mut value = json!({
            "type": type_name(self.which, self.value_type),
            "fieldName": self.field,
        });
        match self.which {
            OneOf::First | OneOf::Last => value["timeColumn"] = json!(self.time_column),
            OneOf::Any => {}
        }
        if self.value_type == ValueType::String {
            value["maxStringBytes"] = json!(self.max_string_bytes);
            if self.which == OneOf::Any {
                value["aggregateMultipleValues"] = json!(self.joins_lists);
            }
        }
        value
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.field);
        match self.which {
            OneOf::First | OneOf::Last => visit(&self.time_column),
            OneOf::Any => {}
        }
    }
    fn output_type(&self) -> ValueType {
        self.value_type
    }

    fn stored_states(&self) -> Option<MetricKind> {
        let Self { which, value_type, max_string_bytes, .. } = *self;
        Some(MetricKind::OneValue { which, value_type, max_string_bytes })
    }
}
