//! `grouping`: which dimensions a grouping set leaves out.

use henge_expr::Expr;
use henge_types::{MetricKind, NumericOp, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, AggregatorInput, Numeric};
use crate::dimension::DimensionSpec;
use crate::error::Result;
use crate::limits::MAX_GROUPINGS;
use crate::node::Node;

/// A bit a dimension: 1 where the grouping set leaves it out. The first dimension has the highest bit.
/// Rows say nothing of it: their states are 0, what finer groups than those of sets have.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// Dimensions of the query, by the column that they read or by their output name.
    pub groupings: Vec<String>,
    /// What rows make of it.
    pub zero: Numeric,
}

const TYPE: &str = "grouping";

impl Aggregate for Grouping {
    fn types() -> &'static [&'static str] {
        &[TYPE]
    }

    fn parse(node: &Node<'_>, _: &str) -> Result<Self> {
        let list = node.require("groupings", "give a list of dimensions of the query")?;
        let groupings = list.items()?.map(|item| item.name()).collect::<Result<Vec<_>>>()?;
        if groupings.len() > MAX_GROUPINGS {
            return Err(list.invalid(format!("more than {MAX_GROUPINGS} dimensions")));
        }
        let zero = Expr::parse("0").map_err(|error| node.invalid(error.to_string()))?;
        let input = AggregatorInput::Expression(zero);
        let zero = Numeric { op: NumericOp::Max, column_type: ValueType::Long, input };
        Ok(Self { groupings, zero })
    }

    fn to_value(&self) -> Value {
        json!({"type": TYPE, "groupings": self.groupings})
    }

    fn state_value(&self) -> Value {
        self.to_value()
    }

    fn for_each_input(&self, _: &mut dyn FnMut(&str)) {}

    fn output_type(&self) -> ValueType {
        ValueType::Long
    }

    fn stored_states(&self) -> Option<MetricKind> {
        None
    }
}

impl Grouping {
    /// The value of the groups of a set, which has some of the query's dimensions.
    #[must_use]
    pub fn of_set(&self, dimensions: &[DimensionSpec], set: &[usize]) -> i64 {
        self.groupings.iter().fold(0, |bits, name| {
            let mut grouped = set.iter().filter_map(|position| dimensions.get(*position));
            (bits << 1) | i64::from(!grouped.any(|dimension| is_called(dimension, name)))
        })
    }

    /// The first of the groupings that is no dimension.
    pub(crate) fn unknown(&self, dimensions: &[DimensionSpec]) -> Option<(usize, &str)> {
        let mut names = self.groupings.iter().map(String::as_str).enumerate();
        names.find(|(_, name)| !dimensions.iter().any(|spec| is_called(spec, name)))
    }
}

fn is_called(dimension: &DimensionSpec, name: &str) -> bool {
    dimension.dimension == name || dimension.output_name == name
}
