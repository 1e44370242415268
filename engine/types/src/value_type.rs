//! The types of single values.

use serde::{Deserialize, Serialize};

use crate::column::ColumnType;

/// The type of a single value: of a key, of a constant in a filter, of what an expression or a number's
/// aggregate comes to. A column has one of these types or is COMPLEX. In JSON the names are Druid's
/// (`LONG`, `STRING`), read in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// 64-bit signed integer.
    Long,
    /// 32-bit float.
    Float,
    /// 64-bit float.
    Double,
    /// UTF-8 text.
    String,
}

impl ValueType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Long, Self::Float, Self::Double, Self::String];

    /// True for LONG, FLOAT and DOUBLE.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        self != Self::String
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Long => "LONG",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::String => "STRING",
        }
    }
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ValueType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|value_type| value_type.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("unknown type '{text}': use LONG, FLOAT, DOUBLE or STRING"))
    }
}

impl Serialize for ValueType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ValueType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl From<ValueType> for ColumnType {
    fn from(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Long => Self::Long,
            ValueType::Float => Self::Float,
            ValueType::Double => Self::Double,
            ValueType::String => Self::String,
        }
    }
}
