//! Column types and the schema of a segment.

use serde::{Deserialize, Serialize};

use crate::granularity::Granularity;
use crate::metric::MetricSpec;
use crate::value_type::ValueType;

/// The name of the time column (milliseconds since 1970-01-01T00:00:00Z).
pub const TIME_COLUMN: &str = "__time";

/// The type of a column, named as Druid names it in JSON (`LONG`, `STRING`, `COMPLEX<HLLSketch>`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// 64-bit signed integer.
    Long,
    /// 32-bit float.
    Float,
    /// 64-bit float.
    Double,
    /// UTF-8 text, single or multi-value.
    String,
    /// A serialised sketch; the name is the sketch's, for example `HLLSketch`.
    Complex(String),
}

impl ColumnType {
    /// The type of each of its values; `None` when they are objects of which only their own
    /// aggregators know anything.
    #[must_use]
    pub fn value_type(&self) -> Option<ValueType> {
        match self {
            Self::Long => Some(ValueType::Long),
            Self::Float => Some(ValueType::Float),
            Self::Double => Some(ValueType::Double),
            Self::String => Some(ValueType::String),
            Self::Complex(_) => None,
        }
    }

    /// The name of the type alone: `LONG`, `HLLSketch`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Long => "LONG",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::String => "STRING",
            Self::Complex(name) => name,
        }
    }

    /// True for LONG, FLOAT and DOUBLE.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        self.value_type().is_some_and(ValueType::is_numeric)
    }
}

impl std::fmt::Display for ColumnType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.value_type() {
            Some(_) => f.write_str(self.name()),
            None => write!(f, "COMPLEX<{}>", self.name()),
        }
    }
}

impl std::str::FromStr for ColumnType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let value_type: Result<ValueType, _> = text.parse();
        match (value_type, upper.strip_prefix("COMPLEX<"), text.strip_suffix('>')) {
            (Ok(value_type), ..) => Ok(value_type.into()),
            (Err(_), Some(_), Some(head)) => Ok(Self::Complex(head["COMPLEX<".len()..].to_owned())),
            _ => Err(format!(
                "unknown column type '{text}': use LONG, FLOAT, DOUBLE, STRING or COMPLEX<name>"
            )),
        }
    }
}

impl Serialize for ColumnType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnRole {
    /// The `__time` column.
    Time,
    /// A dimension: part of the roll-up key.
    Dimension,
    /// A metric: aggregated on roll-up.
    Metric,
}

/// One column of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSchema {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Dimension, metric or time.
    pub role: ColumnRole,
    /// True when a row may hold several values (STRING only).
    pub multi_value: bool,
    /// False only when the column certainly holds no null.
    pub has_nulls: bool,
}

/// The schema of a segment: `__time` and the dimensions in the order that rows are sorted by, then
/// the metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentSchema {
    /// All columns: `__time` first, unless rows are sorted by some dimensions before it.
    pub columns: Vec<ColumnSchema>,
    /// How the metric columns were made, in the order of the metric columns.
    pub metrics: Vec<MetricSpec>,
    /// True when rows with equal time bucket and dimensions were combined.
    pub rollup: bool,
    /// The granularity timestamps were truncated to.
    pub query_granularity: Granularity,
}

impl SegmentSchema {
    /// Position of a column by name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The dimension columns, in sort order.
    pub fn dimensions(&self) -> impl Iterator<Item = &ColumnSchema> {
        self.columns.iter().filter(|c| c.role == ColumnRole::Dimension)
    }

    /// The names of the dimensions that rows are sorted by before the time.
    pub fn before_time(&self) -> impl Iterator<Item = &str> {
        let leading = self.columns.iter().take_while(|c| c.role == ColumnRole::Dimension);
        leading.map(|c| c.name.as_str())
    }

    /// Sorts the columns: these dimensions, `__time`, the other dimensions, the metrics. Names that
    /// are no dimensions of the segment mean nothing.
    pub fn sort_before_time(&mut self, dimensions: &[String]) {
        self.columns.sort_by_cached_key(|column| {
            let leading = dimensions.iter().position(|name| *name == column.name);
            match (column.role, leading) {
                (ColumnRole::Dimension, Some(position)) => (0, position),
                (ColumnRole::Time, _) => (1, 0),
                (ColumnRole::Dimension, None) => (2, 0),
                (ColumnRole::Metric, _) => (3, 0),
            }
        });
    }
}
