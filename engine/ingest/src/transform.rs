//! Transforms: fields computed from the event's own fields. They do not see each other.

use std::sync::Arc;

use henge_expr::{Budget, Expr, ExprValue, Limits};
use henge_query::ingest::DataSchema;
use henge_types::TIME_COLUMN;

use crate::layout::{Layout, Source};
use crate::raw::{EventBuffer, Raw};
use crate::rejection::RejectReason;

/// One transform, its identifiers resolved.
#[derive(Debug)]
struct Plan {
    name: String,
    expression: Expr,
    inputs: Vec<Source>,
}

/// All transforms of a schema.
#[derive(Debug)]
pub(crate) struct Transforms {
    plans: Vec<Plan>,
    /// The transform that sets `__time`.
    time: Option<usize>,
    slots: Vec<ExprValue>,
    /// What the expressions of one event may take, and those of a batch.
    budget: Budget,
}

impl Transforms {
    pub(crate) fn new(schema: &DataSchema, layout: &mut Layout) -> Self {
        let plans: Vec<Plan> = schema
            .transform_spec
            .transforms
            .iter()
            .map(|transform| Plan {
                name: transform.name.clone(),
                expression: transform.expression.clone(),
                inputs: inputs(&transform.expression, |name| {
                    // Only marks it as discoverable: what a transform reads is the field itself.
                    layout.resolve(name);
                    layout.field_source(name)
                }),
            })
            .collect();
        let time = plans.iter().position(|plan| plan.name == TIME_COLUMN);
        Self { plans, time, slots: Vec::new(), budget: batch_budget() }
    }

    /// Begins a batch: what expressions may take counts from here, so that a body that is replayed
    /// gives the same rows.
    pub(crate) fn start_batch(&mut self) {
        self.budget = batch_budget();
    }

    /// Computes all of them; returns the timestamp, which one of them may have set.
    pub(crate) fn run(
        &mut self,
        timestamp_ms: i64,
        body: &str,
        buffer: &mut EventBuffer,
    ) -> Result<i64, RejectReason> {
        let mut timestamp = timestamp_ms;
        self.budget.renew();
        for (index, plan) in self.plans.iter().enumerate() {
            self.slots.clear();
            self.slots.extend(
                plan.inputs
                    .iter()
                    .map(|s| expr_value(Layout::value(*s, timestamp_ms, buffer), body, buffer)),
            );
            let result =
                plan.expression.eval_within(&self.slots, &self.budget).map_err(|error| {
                    RejectReason::Transform { name: plan.name.clone(), message: error.to_string() }
                })?;
            if self.time == Some(index) {
                timestamp = result.as_long().ok_or_else(|| RejectReason::Transform {
                    name: plan.name.clone(),
                    message: "the result is no timestamp in milliseconds".to_owned(),
                })?;
            }
            let raw = raw_value(&result, buffer);
            buffer.computed.push(raw);
        }
        Ok(timestamp)
    }
}

/// What expressions of a batch may take.
pub(crate) fn batch_budget() -> Budget {
    Budget::new(Limits::EVENT, None)
}

/// The sources of an expression's identifiers, in the order of its slots.
pub(crate) fn inputs(expression: &Expr, source: impl FnMut(&str) -> Source) -> Vec<Source> {
    expression.identifiers().iter().map(String::as_str).map(source).collect()
}

/// A value of an event for an expression: booleans are 1 and 0, objects their JSON text.
pub(crate) fn expr_value(raw: Raw, body: &str, buffer: &EventBuffer) -> ExprValue {
    match raw.nearest_double(body, &buffer.arena) {
        Raw::Missing | Raw::Null => ExprValue::Null,
        Raw::Bool(value) => ExprValue::of_bool(value),
        Raw::Long(value) => ExprValue::Long(value),
        Raw::Double(value) => ExprValue::Double(value),
        Raw::HugeNumber(span) | Raw::LongDecimal(span) | Raw::Text(span) | Raw::Json(span) => {
            ExprValue::String(Arc::from(span.text(body, &buffer.arena)))
        }
        Raw::List { first, count } => {
            let items = buffer.list(first, count);
            items.iter().map(|item| expr_value(*item, body, buffer)).collect::<Vec<_>>().into()
        }
    }
}

/// A result as a value of the event, so that columns treat both alike.
fn raw_value(value: &ExprValue, buffer: &mut EventBuffer) -> Raw {
    match value {
        ExprValue::Null => Raw::Null,
        ExprValue::Long(value) => Raw::Long(*value),
        ExprValue::Double(value) => Raw::Double(*value),
        ExprValue::String(text) => Raw::Text(buffer.keep(text)),
        ExprValue::Array(values) => {
            let items: Vec<Raw> = values
                .iter()
                .map(|item| match item {
                    ExprValue::Array(_) => {
                        Raw::Text(buffer.keep(&item.as_text().unwrap_or_default()))
                    }
                    scalar => raw_value(scalar, buffer),
                })
                .collect();
            let first = buffer.items.len() as u32;
            buffer.items.extend_from_slice(&items);
            Raw::List { first, count: items.len() as u32 }
        }
    }
}
