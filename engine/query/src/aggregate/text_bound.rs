//! `stringMin`, `stringMax`: Druid has no such native aggregators; its SQL refuses MIN of a text.

use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, field_name, max_string_bytes};
use crate::error::Result;
use crate::node::Node;

/// Which end of the texts of a group is kept, in the order of their UTF-8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEnd {
    /// The least text.
    Least,
    /// The greatest text.
    Greatest,
}

/// The least or the greatest text of a column that is not null; of several values of a row each counts.
/// STRING, null over nothing.
#[derive(Debug, Clone)]
pub struct TextBound {
    /// Which of them.
    pub end: TextEnd,
    /// Column. Numbers are compared as their text.
    pub field: String,
    /// Bytes of the text that results show.
    pub max_string_bytes: u32,
}

const MIN: &str = "stringMin";
const MAX: &str = "stringMax";

impl Aggregate for TextBound {
    fn types() -> &'static [&'static str] {
        &[MIN, MAX]
    }

    fn parse(node: &Node<'_>, type_name: &str) -> Result<Self> {
        let hint = "expressions are not supported here; name a virtual column as fieldName";
        node.refuse("expression", hint)?;
        Ok(Self {
            end: if type_name == MIN { TextEnd::Least } else { TextEnd::Greatest },
            field: field_name(node)?,
            max_string_bytes: max_string_bytes(node)?,
        })
    }

    fn to_value(&self) -> Value {
        let mut value = self.state_value();
        value["maxStringBytes"] = json!(self.max_string_bytes);
        value
    }

    /// States hold the whole text, so that what is shown of it does not depend on where rows lie.
    fn state_value(&self) -> Value {
        let name = match self.end {
            TextEnd::Least => MIN,
            TextEnd::Greatest => MAX,
        };
        json!({"type": name, "fieldName": self.field})
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.field);
    }

    fn output_type(&self) -> ValueType {
        ValueType::String
    }

    fn stored_states(&self) -> Option<MetricKind> {
        None
    }
}
