//! Projections: rolled-up copies of a segment's rows that are kept inside the segment and answer
//! queries in its place.
//!
//! A definition holds the parts of the declaration that the planner compares as normalised text, so
//! that choosing a projection parses nothing.

use serde::{Deserialize, Serialize};

use crate::granularity::Granularity;
use crate::value_type::ValueType;

/// What a stored projection holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionDefinition {
    /// Its name, unique within the datasource.
    pub name: String,
    /// Only rows that pass all of these are in it: filters as JSON in normal form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Computed columns; a grouping column of the same name holds their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_columns: Vec<ProjectionVirtualColumn>,
    /// What `__time` is truncated to; `all` when time is not kept.
    pub granularity: Granularity,
    /// The columns rows are grouped by, without the time, in sort order.
    pub grouping_columns: Vec<ProjectionColumn>,
    /// How many of them its rows are sorted by before `__time`.
    #[serde(default, skip_serializing_if = "is_first")]
    pub time_position: usize,
    /// The stored aggregates.
    pub aggregators: Vec<ProjectionAggregator>,
}

/// A computed column of a projection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionVirtualColumn {
    /// Its name.
    pub name: String,
    /// The text of the expression.
    pub expression: String,
    /// The declared type.
    pub output_type: Option<ValueType>,
}

/// A grouping column of a projection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionColumn {
    /// Its name.
    pub name: String,
    /// The declared type; `None` is that of the segment's column.
    #[serde(rename = "type")]
    pub column_type: Option<ValueType>,
}

/// An aggregate that a projection stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionAggregator {
    /// Name of the stored column.
    pub name: String,
    /// The aggregator as JSON in normal form.
    pub spec: String,
    /// What it computes: aggregators with the same key have the same states.
    pub key: String,
}

/// What was stored before there was a choice has time first.
fn is_first(position: &usize) -> bool {
    *position == 0
}

impl ProjectionDefinition {
    /// The computed column of this name.
    #[must_use]
    pub fn virtual_column(&self, name: &str) -> Option<&ProjectionVirtualColumn> {
        self.virtual_columns.iter().find(|column| column.name == name)
    }

    /// True when rows are grouped by a column of this name, stored or computed.
    #[must_use]
    pub fn groups_by(&self, name: &str) -> bool {
        self.grouping_columns.iter().any(|column| column.name == name)
    }
}
