//! The schema of what segments become, and why they cannot.

use std::collections::BTreeMap;

use henge_types::{
    ColumnRole, Granularity, Interval, MetricKind, MetricSpec, NumericOp, SegmentSchema, ValueType,
};

use crate::error::{CompactionError, Result};
use crate::wanted::Wanted;

/// What segments become.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The schema of the result.
    pub schema: SegmentSchema,
    /// What whoever asked for it may want to know.
    pub notes: Vec<String>,
}

/// The schema of the rows of some segments as they are wanted. `united` has their columns, of types that hold
/// all values; `span` is their time.
///
/// # Errors
/// When a column, or a roll-up, does not allow it; the message names it.
pub fn target_schema(
    inputs: &[&SegmentSchema],
    united: SegmentSchema,
    wanted: &Wanted,
    span: Interval,
) -> Result<Target> {
    let mut schema = united;
    check_roles(inputs)?;
    schema.metrics = metrics(inputs, &schema)?;
    schema.query_granularity = granularity(inputs, wanted, span)?;
    let were_rolled_up = inputs.iter().all(|input| input.rollup);
    schema.rollup = wanted.rollup.unwrap_or(were_rolled_up);
    let mut notes = Vec::new();
    if schema.rollup {
        check_roll_up(&schema, were_rolled_up)?;
        let counts = schema.metrics.iter().any(|metric| metric.kind == MetricKind::Count);
        if !were_rolled_up && !counts {
            notes.push(
                "no metric counts events: after roll-up their number is not known any more".into(),
            );
        }
    }
    if let Some(order) = &wanted.order {
        if !order.others
            && let Some(column) = schema.dimensions().find(|c| !order.dimensions.contains(&c.name))
        {
            return Err(refused(
                &column.name,
                "dimensionsSpec does not name it, and a compaction drops no column: name it, or set \
                 includeAllDimensions to true",
            ));
        }
        order.arrange(&mut schema);
    }
    Ok(Target { schema, notes })
}

/// A name is a dimension in all segments, or a metric in all.
fn check_roles(inputs: &[&SegmentSchema]) -> Result<()> {
    let mut roles: BTreeMap<&str, ColumnRole> = BTreeMap::new();
    for column in inputs.iter().flat_map(|input| &input.columns) {
        let role = *roles.entry(&column.name).or_insert(column.role);
        if role != column.role {
            let reason =
                "it is a dimension in one segment and a metric in another: load one of them again";
            return Err(refused(&column.name, reason));
        }
    }
    Ok(())
}

/// The metrics of all segments, each as one that combines what all of them hold.
fn metrics(inputs: &[&SegmentSchema], united: &SegmentSchema) -> Result<Vec<MetricSpec>> {
    let mut metrics: Vec<MetricSpec> = Vec::new();
    for metric in inputs.iter().flat_map(|input| &input.metrics) {
        let Some(known) = metrics.iter_mut().find(|known| known.name == metric.name) else {
            metrics.push(metric.clone());
            continue;
        };
        if known.kind == metric.kind {
            continue;
        }
        let column = united.column(&metric.name).and_then(|column| column.column_type.value_type());
        known.kind = combined(&known.kind, &metric.kind, column).ok_or_else(|| {
            refused(
                &metric.name,
                "it is aggregated in one way in one segment and in another way in another",
            )
        })?;
    }
    Ok(metrics)
}

/// The kind that combines states of both; a number's type is that of the united column.
fn combined(a: &MetricKind, b: &MetricKind, column: Option<ValueType>) -> Option<MetricKind> {
    use MetricKind::{Count, HllBuild, HllMerge, Numeric};
    match (a, b) {
        (HllBuild { .. } | HllMerge { .. }, HllBuild { .. } | HllMerge { .. }) => {
            let parameters = |kind: &MetricKind| match kind {
                HllBuild { lg_k, hll_type } | HllMerge { lg_k, hll_type } => {
                    Some((*lg_k, *hll_type))
                }
                _ => None,
            };
            (parameters(a) == parameters(b)).then(|| a.clone())
        }
        (Count | Numeric { .. }, Count | Numeric { .. }) => {
            let op = |kind: &MetricKind| match kind {
                Numeric { op, .. } => *op,
                // What was counted is added up.
                _ => NumericOp::Sum,
            };
            let column_type = column.filter(|column| column.is_numeric())?;
            (op(a) == op(b)).then(|| Numeric { op: op(a), column_type })
        }
        _ => None,
    }
}

/// What times are truncated to afterwards.
fn granularity(inputs: &[&SegmentSchema], wanted: &Wanted, span: Interval) -> Result<Granularity> {
    let last_ms = span.end_ms.saturating_sub(1);
    let refines =
        |finer: &Granularity, coarser: &Granularity| finer.refines(coarser, span.start_ms, last_ms);
    let stored = || inputs.iter().map(|input| &input.query_granularity);
    if let Some(wanted) = &wanted.query_granularity {
        let fits = |stored: &Granularity| refines(stored, wanted) || refines(wanted, stored);
        return match stored().all(fits) {
            true => Ok(wanted.clone()),
            false => Err(CompactionError::RollUp(
                "times were truncated to what does not fit into the wanted queryGranularity: rows of one \
                 bucket would belong to two"
                    .into(),
            )),
        };
    }
    let finest = stored().find(|finest| stored().all(|other| refines(finest, other)));
    Ok(finest.cloned().unwrap_or(Granularity::None))
}

fn check_roll_up(schema: &SegmentSchema, were_rolled_up: bool) -> Result<()> {
    if schema.metrics.is_empty() && !were_rolled_up {
        return Err(CompactionError::RollUp(
            "the segments have no metrics: roll-up would make one row of equal ones and forget how many there \
             were; leave rollup out, or load them with a metric of type count"
                .into(),
        ));
    }
    for column in schema.columns.iter().filter(|column| column.role == ColumnRole::Metric) {
        if schema.metrics.iter().all(|metric| metric.name != column.name) {
            return Err(refused(&column.name, "nothing says how its values become one"));
        }
    }
    Ok(())
}

fn refused(column: &str, reason: &str) -> CompactionError {
    CompactionError::Column { column: column.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
