//! `doubleMean` and `variance`: what follows from the number, the sum and the squares of values.

use henge_expr::Expr;
use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, AggregatorInput};
use crate::error::Result;
use crate::node::{Node, excerpt};

/// What is finished of the moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The mean.
    Mean,
    /// The variance of a sample: null of a single value.
    SampleVariance,
    /// The variance of a population.
    PopulationVariance,
}

/// A mean or a variance, DOUBLE; null over no value.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Which.
    pub moment: Moment,
    /// Numbers; a text is parsed as one, null when it does not parse.
    pub input: AggregatorInput,
}

const MEAN: &str = "doubleMean";
const VARIANCE: &str = "variance";

/// `estimator`: sample unless it says population.
pub(crate) fn is_population(node: &Node<'_>) -> Result<bool> {
    let Some(estimator) = node.get("estimator") else { return Ok(false) };
    match estimator.text()? {
        "population" => Ok(true),
        "sample" | "variance" => Ok(false),
        other => Err(estimator.invalid(format!(
            "unknown estimator \"{}\"; known: sample, population",
            excerpt(other)
        ))),
    }
}

impl Aggregate for Moments {
    fn types() -> &'static [&'static str] {
        &[MEAN, VARIANCE]
    }

    fn parse(node: &Node<'_>, type_name: &str) -> Result<Self> {
        let moment = match type_name {
            MEAN => Moment::Mean,
            _ if is_population(node)? => Moment::PopulationVariance,
            _ => Moment::SampleVariance,
        };
        Ok(Self { moment, input: AggregatorInput::parse(node)? })
    }

    fn to_value(&self) -> Value {
        let (field, text) = self.input.field();
        match self.moment {
            Moment::Mean => json!({"type": MEAN, field: text}),
            Moment::SampleVariance => json!({"type": VARIANCE, field: text, "estimator": "sample"}),
            Moment::PopulationVariance => {
                json!({"type": VARIANCE, field: text, "estimator": "population"})
            }
        }
    }

    fn state_value(&self) -> Value {
        let (field, text) = self.input.field();
        json!({"type": "moments", field: text})
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        self.input.for_each_column(visit);
    }

    fn expression(&self) -> Option<&Expr> {
        self.input.expression()
    }

    fn output_type(&self) -> ValueType {
        ValueType::Double
    }

    fn stored_states(&self) -> Option<MetricKind> {
        None
    }
}
