//! `expression`: values folded by an expression of the query's own.

use henge_expr::{Expr, ExprValue};
use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::Aggregate;
use crate::error::Result;
use crate::node::Node;
use crate::parse::expression;

/// Bytes that a state may have, unless a query says otherwise.
const DEFAULT_MAX_SIZE_BYTES: u32 = 1_024;
/// As many as a state may have at most.
const LARGEST_MAX_SIZE_BYTES: i64 = 1 << 20;

/// Rows are folded into an accumulator, accumulators are combined, and the last one is finalised.
#[derive(Debug, Clone)]
pub struct Folded {
    /// The columns that `fold` reads.
    pub fields: Vec<String>,
    /// What the accumulator is called in the expressions.
    pub accumulator: String,
    /// What `fold` begins with.
    pub initial: ExprValue,
    /// What `combine` begins with.
    pub initial_combine: ExprValue,
    /// True when no rows give null and not the initial value.
    pub null_unless_aggregated: bool,
    /// The accumulator after a row.
    pub fold: Expr,
    /// The accumulator after another, which has the aggregator's name there.
    pub combine: Expr,
    /// The result of an accumulator, which is called `o` there.
    pub finalize: Option<Expr>,
    /// Bytes that an accumulator may have.
    pub max_size_bytes: u32,
    /// The name that `combine` calls the other accumulator by.
    pub name: String,
    /// How results are compared, as it was given: results compare as values do.
    pub compare: Option<Expr>,
}

/// What `finalize` calls the accumulator.
pub const FINALIZED: &str = "o";

const TYPE: &str = "expression";
const DEFAULT_ACCUMULATOR: &str = "__acc";

impl Aggregate for Folded {
    fn types() -> &'static [&'static str] {
        &[TYPE]
    }

    fn parse(node: &Node<'_>, _: &str) -> Result<Self> {
        let fold = expression(&node.require("fold", "give the expression that adds a row")?)?;
        let name = node.optional_scalar_text("name")?.unwrap_or_default();
        let accumulator = node.optional_scalar_text("accumulatorIdentifier")?;
        let accumulator = accumulator.unwrap_or_else(|| DEFAULT_ACCUMULATOR.to_owned());
        let initial_node =
            node.require("initialValue", "give the value that folding begins with")?;
        let initial = constant(&initial_node)?;
        let initial_combine =
            node.get("initialCombineValue").map(|value| constant(&value)).transpose()?;
        let fields: Vec<String> = match node.get("fields") {
            Some(fields) => fields.items()?.map(|field| field.name()).collect::<Result<_>>()?,
            None => {
                fold.identifiers().iter().filter(|name| **name != accumulator).cloned().collect()
            }
        };
        let combine = match (node.get("combine"), fields.as_slice()) {
            (Some(combine), _) => expression(&combine)?,
            // Accumulators are folded as the values of the one field are.
            (None, [field]) => fold
                .with_column(field, &name)
                .map_err(|error| node.missing("combine", &error.to_string()))?,
            (None, _) => {
                return Err(
                    node.missing("combine", "give the expression that adds another accumulator")
                );
            }
        };
        let max = node.get("maxSizeBytes");
        Ok(Self {
            fields,
            null_unless_aggregated: node.boolean_or("isNullUnlessAggregated", true)?,
            initial_combine: initial_combine.unwrap_or_else(|| initial.clone()),
            initial,
            accumulator,
            combine,
            finalize: node.get("finalize").map(|finalize| expression(&finalize)).transpose()?,
            compare: node.get("compare").map(|compare| expression(&compare)).transpose()?,
            max_size_bytes: max
                .map_or(Ok(DEFAULT_MAX_SIZE_BYTES), |max| max.within(10, LARGEST_MAX_SIZE_BYTES))?,
            name,
            fold,
        })
    }

    fn to_value(&self) -> Value {
        let mut value = self.state_value();
        if let Some(finalize) = &self.finalize {
            value["finalize"] = finalize.text().into();
        }
        if let Some(compare) = &self.compare {
            value["compare"] = compare.text().into();
        }
        value
    }

    fn state_value(&self) -> Value {
        json!({
            "type": TYPE,
            "fields": self.fields,
            "accumulatorIdentifier": self.accumulator,
            "initialValue": literal(&self.initial),
            "initialCombineValue": literal(&self.initial_combine),
            "isNullUnlessAggregated": self.null_unless_aggregated,
            "fold": self.fold.text(),
            "combine": self.combine.text(),
            "maxSizeBytes": self.max_size_bytes,
        })
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        self.fields.iter().for_each(|field| visit(field));
    }

    fn output_type(&self) -> ValueType {
        match (&self.finalize, &self.initial) {
            (None, ExprValue::Long(_)) => ValueType::Long,
            (None, ExprValue::Double(_)) => ValueType::Double,
            _ => ValueType::String,
        }
    }

    fn stored_states(&self) -> Option<MetricKind> {
        None
    }
}

/// A constant: an expression's text, or a number.
fn constant(node: &Node<'_>) -> Result<ExprValue> {
    if let Some(number) = node.value().as_i64() {
        return Ok(ExprValue::Long(number));
    }
    if node.value().is_number() {
        return node.number().map(ExprValue::Double);
    }
    let parsed = expression(node)?;
    match parsed.as_literal() {
        Some(value) => Ok(value.clone()),
        None => Err(node.invalid("must be a constant, for example \"0\" or \"ARRAY<LONG>[]\"")),
    }
}

/// A constant as the text of an expression.
fn literal(value: &ExprValue) -> String {
    match value {
        ExprValue::Null => "null".to_owned(),
        ExprValue::String(text) => {
            format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
        }
        ExprValue::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(","))
        }
        number => number.as_text().unwrap_or_default().into_owned(),
    }
}
